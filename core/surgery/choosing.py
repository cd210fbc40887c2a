"""Layers meant by globs, among those that an edit is about."""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from glob import escape

from core.errors import EditError
from core.phrases import did_you_mean

ALL = ("*",)
_ESCAPED = re.compile(r"\[([*?\[])\]")
"""How `glob.escape` writes a sign that is meant as itself."""


def chosen(known: Iterable[str], globs: tuple[str, ...], what: str) -> set[str]:
    """Paths among `known` that the globs mean: the path, else the last name, else all inside a model of that path.

    Raises `EditError` for a glob that means none; `what` says of what there is none.
    """
    paths = sorted(known)
    if not paths:
        raise EditError(f"The model has no {what}.")
    found: set[str] = set()
    for glob in globs:
        hits = [path for path in paths if fnmatchcase(path, glob) or path == glob]
        hits = hits or [path for path in paths if fnmatchcase(path.rpartition("/")[2], glob)]
        hits = hits or [path for path in paths if path.startswith(glob + "/")]
        if not hits:
            raise EditError(f"There is no {what} {glob!r}{did_you_mean(glob, paths)}")
        found.update(hits)
    return found


def refuse_named(globs: tuple[str, ...], kept: Mapping[str, str], gone: Iterable[str], verb: str) -> None:
    """Raise `EditError` if a layer that is named without a wildcard is among the `kept`, or if none is `gone`."""
    for name in globs:
        meant = _ESCAPED.sub(r"\1", name)
        if escape(meant) == name and meant in kept:
            raise EditError(f"{meant} cannot be {verb}: {kept[meant]}.")
    if kept and not any(True for _ in gone):
        path, why = next(iter(kept.items()))
        if len(kept) == 1:
            raise EditError(f"{path} cannot be {verb}: {why}.")
        raise EditError(f"None of {len(kept)} layers can be {verb}. The first is {path}: {why}.")


def named(globs: tuple[str, ...]) -> str:
    """The globs in a summary: nothing where all are meant."""
    if globs == ALL:
        return ""
    more = f" and {len(globs) - 3} more" if len(globs) > 3 else ""
    return ": " + ", ".join(globs[:3]) + more

"""Layers meant by globs, among those that an edit is about."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from glob import escape

from core.errors import EditError
from core.phrases import did_you_mean

ALL = ("*",)
_ESCAPED = re.compile(r"\[([*?\[])\]")
"""How `glob.escape` writes a sign that is meant as itself."""


class Names:
    """Paths that globs are looked for among: made once, so that a path without a wildcard is found at once."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = tuple(paths)
        self._known = frozenset(self.paths)
        self._last: dict[str, list[str]] = {}
        for path in self.paths:
            self._last.setdefault(path.rpartition("/")[2], []).append(path)

    def meant(self, glob: str) -> Sequence[str]:
        """The paths that a glob fits; where it fits none, those whose last name it fits."""
        literal = _ESCAPED.sub(r"\1", glob)
        if glob in self._known or not _WILD.search(_ESCAPED.sub("", glob)):
            found = [path for path in dict.fromkeys((glob, literal)) if path in self._known]
            return found or self._last.get(literal, self._last.get(glob, []))
        fits = re.compile(translate(glob)).match
        return [path for path in self.paths if fits(path)] or [
            path for name, paths in self._last.items() if fits(name) for path in paths
        ]


_WILD = re.compile(r"[*?\[]")


def chosen(known: Iterable[str], globs: tuple[str, ...], what: str) -> set[str]:
    """Paths among `known` that the globs mean: the path, else the last name, else all inside a model of that path.

    Raises `EditError` for a glob that means none; `what` says of what there is none.
    """
    names = Names(sorted(known))
    if not names.paths:
        raise EditError(f"The model has no {what}.")
    found: set[str] = set()
    for glob in globs:
        hits = names.meant(glob) or [path for path in names.paths if path.startswith(glob + "/")]
        if not hits:
            raise EditError(f"There is no {what} {glob!r}{did_you_mean(glob, names.paths)}")
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

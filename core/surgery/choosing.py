"""Layers meant by globs, among those that an edit is about."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate

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

    def __contains__(self, path: object) -> bool:
        return path in self._known

    def meant(self, glob: str) -> Sequence[str]:
        """The paths that a glob fits; where it fits none, those whose last name it fits."""
        literal = unescaped(glob)
        if glob in self._known or not _WILD.search(_ESCAPED.sub("", glob)):
            found = [path for path in dict.fromkeys((glob, literal)) if path in self._known]
            return found or self._last.get(literal, self._last.get(glob, []))
        fits = re.compile(translate(glob)).match
        return [path for path in self.paths if fits(path)] or [
            path for name, paths in self._last.items() if fits(name) for path in paths
        ]


_WILD = re.compile(r"[*?\[]")


def unescaped(glob: str) -> str:
    """The name that `glob.escape` made this of."""
    return _ESCAPED.sub(r"\1", glob)


def named(globs: tuple[str, ...]) -> str:
    """The globs in a summary: nothing where all are meant."""
    if globs == ALL:
        return ""
    more = f" and {len(globs) - 3} more" if len(globs) > 3 else ""
    return ": " + ", ".join(globs[:3]) + more

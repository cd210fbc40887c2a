"""The files that a recipe names beside its source: read when first needed, and again when they have changed."""

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from core.analysis.opening import read_model
from core.errors import FileError
from core.readers import stored_at
from core.readers.source import Source
from core.recipes.recipe import Recipe

_MOST = 16
"""Descriptions kept: a preview or an undo goes back and forth between recipes."""
_MOST_ENTRIES = 1000
"""Entries of a folder that are looked at."""

Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and time of change of everything that a path stands for; empty where nothing can be seen."""


class Read(Protocol):
    """Describes a file, as `core.analysis.opening.read_model` does."""

    def __call__(self, path: str, weights: str | None = None, *, kinds: Any = None) -> Source:
        """Raises `FileError` with one sentence."""


class _Known(Struct, frozen=True):
    stamp: Stamp
    answer: Source | FileError


class RecipeFiles:
    """Descriptions of files by path, size and time of change. A file that has not changed is never read twice.

    `read` decides where files are parsed: the command line and the engine process hand in `core.service.apart`, so
    that no file can do harm beside Keras.
    """

    def __init__(self, read: Read = read_model) -> None:
        self._read = read
        self._known: dict[Any, _Known] = {}

    def of(self, recipe: Recipe, kinds: Mapping[str, Any] | None = None) -> dict[str, Source]:
        """The files of a recipe by the names its edits know them by; their order numbers them (`StoreKey.file`).

        `kinds` says what classes of the person's code derive from. Raises `FileError`.
        """
        return {name: self.read(file, weights, kinds) for name, (file, weights) in recipe.files().items()}

    def read(self, path: str, weights: str | None = None, kinds: Mapping[str, Any] | None = None) -> Source:
        """The file as it is now: the very same object until it changes. Raises `FileError`."""
        key = (path, weights, tuple(sorted((kinds or {}).items())))
        stamp = (*_stamp(path), *(_stamp(weights) if weights is not None else ()))
        known = self._known.pop(key, None)
        if known is None or known.stamp != stamp or not stamp:
            known = _Known(stamp, self._answer(path, weights, kinds))
        if _lasts(known.answer, path, weights):
            self._known[key] = known  # the latest are at the end
            for old in list(islice(self._known, max(0, len(self._known) - _MOST))):
                del self._known[old]
        if isinstance(known.answer, FileError):
            raise known.answer.with_traceback(None)
        return known.answer

    def retry(self) -> None:
        """Read files again that could not be read."""
        self._known = {key: known for key, known in self._known.items() if isinstance(known.answer, Source)}

    def _answer(self, path: str, weights: str | None, kinds: Mapping[str, Any] | None) -> Source | FileError:
        try:
            return self._read(path, weights, kinds=kinds)
        except FileError as error:
            return error


def _lasts(answer: Source | FileError, *paths: str | None) -> bool:
    """Whether an answer holds until the file changes; a file that may not be read shows no change when it may."""
    return isinstance(answer, Source) or all(os.access(path, os.R_OK) for path in paths if path is not None)


def _stamp(path: str) -> Stamp:
    try:
        given = stored_at(path)
        given = given.parent if given.name == "saved_model.pb" else given
        files = list(islice(_inside(given), _MOST_ENTRIES)) if given.is_dir() else [given]
        return tuple(sorted((str(file), *_size_and_time(file)) for file in files))
    except (OSError, ValueError):
        return ()


def _inside(folder: Path) -> Iterator[Path]:
    """A folder's files and those of the folder with a SavedModel's variables."""
    for place in (folder, folder / "variables"):
        if place.is_dir():
            yield from (entry for entry in place.iterdir() if entry.is_file())


def _size_and_time(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns

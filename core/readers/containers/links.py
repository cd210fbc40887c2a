"""Symbolic links inside folders that nobody vouches for: a model's parts lie in its folder, or the model is refused."""

import os
from collections.abc import Iterable
from pathlib import Path

from core.readers.containers.fault import damaged

_MOST = 100_000


def refuse_links_out(folder: Path) -> None:
    """Raise `FileError` if a link anywhere in the folder leads out of it. Links are not followed to find that out."""
    seen = 0
    for place, folders, files in os.walk(folder):
        seen += len(folders) + len(files)
        if seen > _MOST:
            raise damaged(folder, f"is refused because it holds more than {_MOST} files")
        _refuse(folder, folder, (Path(place, name) for name in (*folders, *files)))


def refuse_linked_files(files: Iterable[Path]) -> None:
    """Raise `FileError` if one of a checkpoint's files is a link that leads out of the folder it is in."""
    for file in files:
        _refuse(file, file.parent, (file,))


def _refuse(model: Path, folder: Path, places: Iterable[Path]) -> None:
    for place in places:
        if not place.is_symlink():
            continue
        # a loop of links resolves to nothing that exists, and is found missing by whoever opens it
        target = Path(os.path.realpath(place))
        if not target.is_relative_to(os.path.realpath(folder)):
            raise damaged(
                model,
                f"is refused because {place.name!r} in it is a link to a place outside",
                "A model folder must contain all its files; copy the folder together with the files its links point "
                "to.",
            )

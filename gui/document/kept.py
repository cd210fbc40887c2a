"""What a person decides about a result that did not pass a check: its name after all, another one, or none."""

import os
from pathlib import Path

from core.errors import SutureError
from core.writers.atomic import remove, rename_over, write_error
from core.writers.partials import meant_path, unverified_path


def give_name(kept: str) -> str:
    """Give a result the name that it is meant for, without a check; returns it. Raises `FileError`."""
    return _renamed(kept, meant_path(kept))


def mark_unverified(path: str) -> str:
    """Take the name of a result away that failed its check; returns what it is called now. Raises `FileError`."""
    return _renamed(path, unverified_path(path))


def _renamed(path: str, wanted: Path) -> str:
    try:
        rename_over(Path(path), wanted)
    except OSError as error:
        raise write_error(error, wanted) from error
    return str(wanted)


def delete(path: str) -> None:
    """Remove a result. Raises `SutureError` where it cannot be removed."""
    remove(Path(path))
    if os.path.lexists(path):
        raise SutureError(f"{Path(path).name} could not be deleted; delete it in its folder.")

"""Outputs appear whole or not at all: written beside their destination, renamed when done, removed when not.

A result that is checked gets its name after the check alone: until then it lies in a folder of its own (`Unchecked`).
One that fails is kept under a name that no program takes for a model.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from core.errors import FileError
from core.writers.partials import partial_path, remove_partials, unchecked_path, unverified_path


def check_destination(out: Path, *used: Path) -> None:
    """Refuse what can be seen beforehand: a missing folder, a folder as the output, an output that is itself `used`.

    Raises `FileError`.
    """
    if not out.parent.exists():
        raise FileError(f"The folder {out.parent} does not exist; create it or choose another place.", path=str(out))
    if not out.parent.is_dir():
        raise FileError(f"{out.parent} is not a folder; choose another place for {out.name}.", path=str(out))
    for one in used:
        if one.exists() and out.exists() and os.path.samefile(one, out):
            raise FileError(
                f"{out} is an input file, which is never overwritten; choose another name.",
                path=str(out),
            )
    if out.is_dir() and not _is_saved_model(out):
        raise FileError(f"{out} is a folder; choose a file name.", path=str(out))


def _is_saved_model(out: Path) -> bool:
    """Whether a folder is what an earlier export wrote under this name, which a new one replaces."""
    return out.name.lower().endswith(".savedmodel") and (out / "saved_model.pb").is_file()


@contextlib.contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A path to write to; renamed to `out` when the block ends well, removed when it does not. Raises `FileError`."""
    partial = partial_path(out, os.getpid())
    try:
        yield partial
        rename_over(partial, out)
    except OSError as error:
        raise write_error(error, out) from error
    finally:
        remove_partials(out, os.getpid())


def rename_over(made: Path, out: Path) -> None:
    """Give what was made its name. A folder of that name goes once the new one has it. Raises `OSError`."""
    if not made.is_dir() and not out.is_dir():
        made.replace(out)
        return
    old = out.with_name(f".{out.name}.replaced-{os.getpid()}")
    there = os.path.lexists(out)
    if there:
        out.rename(old)
    try:
        made.rename(out)
    except OSError:
        if there:
            old.rename(out)
        raise
    if there:
        remove(old)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; what cannot be removed is left alone."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


class Unchecked:
    """A result between writing and checking. A context manager; `place` is where to write it.

    `place` has the result's own name, in a folder beside its destination that goes when the block ends.
    """

    def __init__(self, out: Path) -> None:
        """`out` is the name that the result is to have. Raises `FileError` if nothing can be written there."""
        self._out = out
        self.place = unchecked_path(out, os.getpid())

    def __enter__(self) -> "Unchecked":
        try:
            remove(self.place.parent)
            self.place.parent.mkdir()
        except OSError as error:
            raise write_error(error, self._out) from error
        return self

    def __exit__(self, *_: object) -> None:
        remove_partials(self._out, os.getpid())

    def take(self, kept: Path) -> None:
        """Have a result that was written before checked now. Raises `FileError`."""
        try:
            rename_over(kept, self.place)
        except OSError as error:
            raise write_error(error, self._out) from error

    def keep(self, good: bool) -> Path:
        """Give the result its name, or the one of a result that failed; returns the path. Raises `FileError`."""
        final = self._out if good else unverified_path(self._out)
        try:
            rename_over(self.place, final)
        except OSError as error:
            raise write_error(error, final) from error
        return final


def rescue(out: str | Path, pid: int) -> Path | None:
    """Keep a whole result that the process `pid` did not get to check, under a name that says so; where it is then.

    `None` where there is none. All else that the process left of `out` is removed.
    """
    place, kept = unchecked_path(out, pid), unverified_path(out)
    found = None
    if place.exists():
        with contextlib.suppress(OSError):
            rename_over(place, kept)
            found = kept
    if found is not None or not place.exists():
        remove_partials(out, pid)
    return found


def write_error(error: OSError, out: Path) -> FileError:
    """The sentence for an operating system error while writing `out`."""
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        message = f"The disk is full, so {out.name} was not written; free some space or choose another place."
    elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        message = f"You do not have permission to write to {out.parent}; choose another place for {out.name}."
    else:
        message = f"{out.name} could not be written: {error.strerror or error}."
    return FileError(message, path=str(out))

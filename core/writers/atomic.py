"""Outputs appear whole or not at all: written beside their destination, renamed when done, removed when not."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from core.errors import FileError
from core.service.partials import partial_path, remove_partials


def check_destination(out: Path, *sources: Path) -> None:
    """Refuse what can be seen beforehand: a missing folder, a folder as the output, an output that is a source.

    Raises `FileError`.
    """
    if not out.parent.exists():
        raise FileError(f"The folder {out.parent} does not exist; create it or choose another place.", path=str(out))
    if not out.parent.is_dir():
        raise FileError(f"{out.parent} is not a folder; choose another place for {out.name}.", path=str(out))
    for source in sources:
        if source.exists() and out.exists() and os.path.samefile(source, out):
            raise FileError(
                f"{out} is the source itself, which is never written to; choose another name.", path=str(out)
            )
    if out.is_dir():
        raise FileError(f"{out} is a folder; give the name of a file.", path=str(out))


@contextlib.contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A path to write to; renamed to `out` when the block ends well, removed when it does not. Raises `FileError`."""
    partial = partial_path(out, os.getpid())
    try:
        yield partial
        partial.replace(out)
    except OSError as error:
        raise write_error(error, out) from error
    finally:
        remove_partials(out, os.getpid())


def write_error(error: OSError, out: Path) -> FileError:
    """The sentence for an operating system error while writing `out`."""
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        message = f"The disk is full, so {out.name} was not written; free some space or choose another place."
    elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        message = f"{out.parent} may not be written to; choose another place for {out.name}."
    else:
        message = f"{out.name} could not be written: {error.strerror or error}."
    return FileError(message, path=str(out))

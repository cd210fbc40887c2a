"""Sentences for files that cannot be read, made in one place so that they read alike."""

from pathlib import Path

from core.errors import FileError


def damaged(path: str | Path, what: str, advice: str = "Get a fresh copy of the file, or save it again.") -> FileError:
    """A `file.damaged` error: `what` says what is wrong, as a clause after the file's name."""
    return FileError(f"{Path(path).name} {what}. {advice}", code="file.damaged", path=str(path))


def unreadable(path: str | Path, error: OSError) -> FileError:
    """What the operating system said, as a sentence."""
    name = Path(path).name
    if isinstance(error, FileNotFoundError):
        text = f"{name} does not exist. Check the path."
    elif isinstance(error, PermissionError):
        text = f"{name} cannot be read: permission denied. Check the file's access rights."
    elif isinstance(error, IsADirectoryError):
        text = f"{name} is a folder, not a model file. Choose a model file or a SavedModel folder."
    else:
        text = f"{name} cannot be read: {error.strerror or error}. Check the disk and the path."
    return FileError(text, code="file.damaged", path=str(path))

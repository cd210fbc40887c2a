"""What surrounds a run: where its own notes are kept, and how TensorFlow is told to be quiet."""

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG_BYTES = 1 << 20


def state_folder() -> Path:
    """The folder for fault reports and logs, made if missing; `SUTURE_STATE` overrides the platform's place."""
    named = os.environ.get("SUTURE_STATE")
    home = Path.home()
    if named:
        folder = Path(named)
    elif sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "Suture"
    elif sys.platform == "darwin":
        folder = home / "Library" / "Application Support" / "Suture"
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "suture"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache_folder() -> Path:
    """The folder for models made here, which can be made again; `SUTURE_CACHE` overrides the platform's place."""
    named = os.environ.get("SUTURE_CACHE")
    home = Path.home()
    if named:
        folder = Path(named)
    elif sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "Suture" / "Cache"
    elif sys.platform == "darwin":
        folder = home / "Library" / "Caches" / "Suture"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "suture"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepare_for_engine() -> None:
    """Set what TensorFlow and Keras read from the environment when they are imported. Call before that."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"


def open_log(name: str) -> int:
    """A descriptor for appending to `NAME.log` in the state folder, emptied when it has grown; else the null device."""
    path = Path(os.devnull)
    with contextlib.suppress(OSError):
        path = state_folder() / f"{name}.log"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    if path.exists() and path.stat().st_size > LOG_BYTES:
        flags |= os.O_TRUNC
    return os.open(path, flags)


def divert_output(name: str) -> None:
    """Send whatever this process and the libraries in it print to a log, for good."""
    log = open_log(name)
    sys.stdout.flush()
    sys.stderr.flush()
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)


@contextlib.contextmanager
def own_streams(name: str) -> "Iterator[tuple[TextIO, TextIO]]":
    """Standard output and error for our own words alone; what libraries print meanwhile goes to a log.

    TensorFlow's C++ parts write to descriptor 2 whatever Python does, so the descriptors themselves are diverted.
    """
    saved = os.dup(1), os.dup(2)
    with (
        os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace") as out,
        os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace") as err,
    ):
        try:
            divert_output(name)
            yield out, err
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)

"""Models built from Keras Applications: kept in a folder that has a size, so that a second build is not needed."""

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from core.environment import cache_folder


class MadeModel(Struct, frozen=True):
    """A model that is kept: where, how large, and when it was last used (seconds)."""

    path: str
    size: int
    used: float

    @property
    def name(self) -> str:
        """What it was built as."""
        return Path(self.path).stem


def applications_folder() -> Path:
    """Where new models are kept, made if missing. Raises `OSError`."""
    folder = cache_folder() / "applications"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def made_here(path: str) -> bool:
    """Whether a file is one of the models made by the gallery."""
    try:
        return Path(path).parent == applications_folder()
    except OSError:
        return False


def kept() -> list[MadeModel]:
    """Every model that is kept, the one used last first."""
    found = []
    with contextlib.suppress(OSError):
        for path in applications_folder().iterdir():
            with contextlib.suppress(OSError):
                status = path.stat()
                if path.is_file() and not path.name.startswith("."):
                    found.append(MadeModel(str(path), status.st_size, max(status.st_atime, status.st_mtime)))
    return sorted(found, key=lambda one: (-one.used, one.path))


def note_use(path: str) -> None:
    """Remember that a kept model was used now. Its time of change stays: that says whether it is what was opened."""
    if made_here(path):
        with contextlib.suppress(OSError):
            os.utime(path, ns=(time.time_ns(), os.stat(path).st_mtime_ns))


def remove(paths: Iterable[str]) -> int:
    """Remove kept models and nothing else; returns the bytes that this freed."""
    freed = 0
    for path in paths:
        if made_here(path):
            with contextlib.suppress(OSError):
                size = os.path.getsize(path)
                os.remove(path)
                freed += size
    return freed


def trim(most: int | None, spared: Iterable[str]) -> list[str]:
    """Remove those not used for longest until no more than `most` bytes are kept; `None` keeps all.

    `spared` stay, whatever they weigh: they are open. Returns what was removed.
    """
    models, safe = kept(), set(spared)
    total = sum(one.size for one in models)
    gone: list[str] = []
    for one in reversed(models):
        if most is None or total <= most:
            break
        if one.path not in safe and remove([one.path]):
            total -= one.size
            gone.append(one.path)
    return gone

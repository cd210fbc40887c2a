"""Which model files the person trusts to run the code they store: remembered by content, and revocable.

A file is known by the SHA-256 of its bytes, so a changed file is a new file. Without an entry nothing runs.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from core.environment import state_folder
from core.errors import FileError

NAME = "trusted.json"
MAX_BYTES = 4 << 20


class Entry(Struct, frozen=True):
    """A trusted file: what it hashes to, where it lay when it was trusted, and when that was (seconds since 1970)."""

    digest: str
    path: str
    since: float = 0.0


def digest_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, or of the names and bytes of all files of a folder. Raises `FileError`."""
    place = Path(path)
    total = hashlib.sha256()
    try:
        if not place.is_dir():
            _add(total, place)
            return total.hexdigest()
        for file in sorted(one for one in place.rglob("*") if one.is_file()):
            total.update(file.relative_to(place).as_posix().encode("utf-8", "surrogateescape") + b"\0")
            total.update(file.stat().st_size.to_bytes(8, "little"))
            _add(total, file)
    except OSError as error:
        raise FileError(f"{place.name} cannot be read: {error.strerror or error}.", path=str(place)) from error
    return total.hexdigest()


def _add(total: Any, path: Path) -> None:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)


def is_trusted(path: str | Path) -> bool:
    """Whether exactly these bytes were trusted before. Raises `FileError` when they cannot be read."""
    known = {entry.digest for entry in entries()}
    return bool(known) and digest_of(path) in known


def trust(path: str | Path) -> Entry:
    """Remember the file as it is now. Raises `FileError`."""
    entry = Entry(digest_of(path), str(Path(path).absolute()), time.time())
    _write((*(one for one in entries() if one.digest != entry.digest), entry))
    return entry


def revoke(path_or_digest: str | Path) -> bool:
    """Forget a file: by its digest, by where it lay, or by its content. Tells whether there was something to forget."""
    before = entries()
    given = str(path_or_digest)
    place = str(Path(path_or_digest).absolute())
    digests = {given}
    with contextlib.suppress(FileError):
        digests.add(digest_of(path_or_digest))
    kept = tuple(one for one in before if one.digest not in digests and one.path != place)
    if len(kept) == len(before):
        return False
    _write(kept)
    return True


def entries() -> tuple[Entry, ...]:
    """Everything that is trusted, oldest first. A store that cannot be read or understood trusts nothing."""
    path = state_folder() / NAME
    try:
        if path.stat().st_size > MAX_BYTES:
            return ()
        found = json.loads(path.read_text(encoding="utf-8"))
        listed = found["trusted"]
        return tuple(Entry(str(one["digest"]), str(one["path"]), float(one["since"])) for one in listed)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()


def _write(kept: tuple[Entry, ...]) -> None:
    folder = state_folder()
    data = {"trusted": [{"digest": one.digest, "path": one.path, "since": one.since} for one in kept]}
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix=NAME, suffix=".part", delete=False, encoding="utf-8"
        ) as file:
            json.dump(data, file, indent=1)
        os.replace(file.name, folder / NAME)
    except OSError as error:
        raise FileError(
            f"The list of trusted files could not be saved ({error.strerror or error}); nothing was changed.",
            path=str(folder / NAME),
        ) from error

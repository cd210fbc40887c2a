"""Arrays of an opened file, read one at a time, from HDF5 files and from `.keras` archives."""

from pathlib import Path
from typing import IO, Any, Self

import h5py

from core.readers.arrays.transforms import evaluate
from core.readers.containers.archive import Window, find_member, open_archive, open_member, read_member
from core.readers.containers.fault import damaged, unreadable
from core.readers.containers.hdf5 import index_hdf5, is_plain, open_hdf5, read_array
from core.readers.containers.limits import MAX_MEMBER_BYTES
from core.rules.base import Array

WEIGHTS_MEMBERS = ("model.weights.h5",)


class Hdf5Store:
    """Arrays of an HDF5 file, alone or as a member of a `.keras` archive. The file stays open until `close`."""

    def __init__(self, path: Path, member: bool = False) -> None:
        self._path = path
        self._is_archive = member
        self._stream: IO[bytes] | Window | None = None
        try:
            self._file = self._open()
            # Walking it once refuses files whose links lead out of them before any array is read.
            self._index = index_hdf5(self._file, path)
        except OSError as error:
            self.close()
            raise unreadable(path, error) from error
        except BaseException:
            self.close()
            raise

    def _open(self) -> h5py.File:
        if not self._is_archive:
            return open_hdf5(self._path, self._path)
        with open_archive(self._path) as archive:
            info = find_member(archive, *WEIGHTS_MEMBERS)
            if info is None:
                raise damaged(self._path, "contains no model.weights.h5, so it has no arrays to read")
            self._stream = open_member(archive, info, self._path)
        return open_hdf5(self._stream, self._path)

    def read(self, key: str) -> Array:
        """The array under a `StoreKey.key`. Raises `FileError`."""
        return evaluate(key, self._read)

    def _read(self, name: str) -> Array:
        if name not in self._index.arrays:
            raise damaged(
                self._path, f"has no array {name!r}", "It may have changed since it was opened; open it again."
            )
        return read_array(self._file, name, self._path)

    def keys(self) -> list[str]:
        """Every array's key, in the file's order."""
        return list(self._index.arrays)

    def prove(self) -> None:
        """Read every array that is not just bytes in the machine's own format. Raises `FileError`."""
        for name in self._index.arrays:
            if not is_plain(self._file, name):
                read_array(self._file, name, self._path)

    def read_asset(self, name: str) -> bytes:
        """An asset member's bytes. Raises `FileError`."""
        return read_asset(self._path, name) if self._is_archive else _no_asset(self._path, name)

    def close(self) -> None:
        """Close the file; h5py must be closed before the interpreter ends."""
        file: Any = getattr(self, "_file", None)
        if file is not None and file.id.valid:
            file.close()
        if self._stream is not None:
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EmptyStore:
    """The store of a file that holds no arrays."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, key: str) -> Array:
        """There are none. Raises `FileError`."""
        raise damaged(
            self._path, f"contains no arrays, so {key!r} is not in it", "Open it together with a weight file."
        )

    def keys(self) -> list[str]:
        """None."""
        return []

    def read_asset(self, name: str) -> bytes:
        """There are none. Raises `FileError`."""
        return _no_asset(self._path, name)

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_asset(path: Path, name: str) -> bytes:
    """One member of an archive by its exact name. Raises `FileError`."""
    with open_archive(path) as archive:
        info = next((info for info in archive.infolist() if info.filename == name), None)
        return read_member(archive, info, path, limit=MAX_MEMBER_BYTES >> 4) if info else _no_asset(path, name)


def _no_asset(path: Path, name: str) -> bytes:
    raise damaged(path, f"has no asset {name!r}")

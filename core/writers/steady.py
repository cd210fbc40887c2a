"""HDF5 files that survive a full disk: HDF5 ends the whole process when a write fails while it closes a file."""

import contextlib
from collections.abc import Iterator
from io import SEEK_SET
from pathlib import Path
from typing import Any, BinaryIO

import h5py


class SteadyFile:
    """A file that keeps its first error to itself, so that HDF5 can close; the rest of what is written is let go."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = 0
        self._at = 0
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write where `seek` said; after an error, nothing."""
        size = memoryview(data).nbytes
        if self.error is None:
            try:
                self._file.seek(self._at)
                self._file.write(data)
            except OSError as error:
                self.error = error
        self._at += size
        self._end = max(self._end, self._at)
        return size

    def readinto(self, buffer: Any) -> int:
        """Read what was written; zeros where nothing was."""
        view = memoryview(buffer).cast("B")
        count = 0
        if self.error is None:
            self._file.seek(self._at)
            count = self._file.readinto(view)  # type: ignore[attr-defined]  # binary files have it
        view[count:] = bytes(len(view) - count)
        self._at += len(view)
        return len(view)

    def read(self, size: int = -1) -> bytes:
        """Read what was written; h5py knows a file object by this method."""
        buffer = bytearray(self._end - self._at if size < 0 else size)
        self.readinto(buffer)
        return bytes(buffer)

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go somewhere."""
        self._at = (0, self._at, self._end)[whence] + offset
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Make the file as long as HDF5 wants it."""
        self._end = self._at if size is None else size
        if self.error is None:
            try:
                self._file.truncate(self._end)
            except OSError as error:
                self.error = error
        return self._end

    def flush(self) -> None:
        """What was buffered goes out when the file is closed."""


@contextlib.contextmanager
def new_hdf5(path: Path, **options: Any) -> Iterator[h5py.File]:
    """A new HDF5 file to fill. Raises the `OSError` of the first write that failed, once the file is closed."""
    with path.open("w+b", buffering=0) as raw:
        steady = SteadyFile(raw)
        try:
            with h5py.File(steady, "w", **options) as file:
                yield file
        finally:
            if steady.error is not None:
                raise steady.error

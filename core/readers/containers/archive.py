"""Zip archives that nobody vouches for: where a stored member's bytes lie, and bounded reading of the others."""

import io
import os
import shutil
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Any

from core.readers.containers.fault import damaged
from core.readers.containers.limits import MAX_JSON_BYTES, MAX_MEMBER_BYTES, MAX_MEMBER_EXPANSION

_LOCAL_HEADER = struct.Struct("<4s22xHH")


class Window(io.RawIOBase):
    """A read-only file object over `size` bytes of a file from `start` on: a stored member without unpacking it."""

    def __init__(self, path: str | Path, start: int, size: int) -> None:
        super().__init__()
        self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115 - closed with this object
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Position inside the window."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move inside the window."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as far as the window goes."""
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._position)]
        self._file.seek(self._start + self._position)
        total = 0
        while total < len(view):
            count = self._file.readinto(view[total:])
            if not count:
                break
            total += count
        self._position += total
        return total

    def close(self) -> None:
        """Close the file underneath."""
        self._file.close()
        super().close()


def open_archive(path: str | Path) -> zipfile.ZipFile:
    """The archive's directory. Raises `FileError` when it is cut short or no zip."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, EOFError, struct.error, NotImplementedError) as error:
        raise damaged(path, "is truncated or damaged: the zip archive has no readable directory") from error


def find_member(archive: zipfile.ZipFile, *names: str) -> zipfile.ZipInfo | None:
    """The first of `names` in the archive, in a folder too or with backslashes; of duplicates the last one."""
    infos = archive.infolist()
    for name in names:
        exact = [info for info in infos if info.filename.replace("\\", "/") == name]
        nested = [info for info in infos if info.filename.replace("\\", "/").endswith("/" + name)]
        if exact or nested:
            return (exact or nested)[-1]
    return None


def read_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str | Path, limit: int = MAX_JSON_BYTES
) -> bytes:
    """A small member's bytes. Raises `FileError` for a member that is damaged or unpacks to more than `limit`."""
    _refuse_bomb(info, path, limit)
    try:
        with archive.open(info) as member:
            data = member.read(limit + 1)
    except (
        zipfile.BadZipFile,
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        NotImplementedError,
        struct.error,
    ) as error:
        raise damaged(path, f"is damaged: its member {info.filename!r} cannot be unpacked") from error
    except _zlib_error() as error:
        raise damaged(path, f"is damaged: its member {info.filename!r} cannot be unpacked") from error
    if len(data) > limit:
        raise damaged(path, f"is refused because its member {info.filename!r} unpacks to more than {limit >> 20} MiB")
    return data


def open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str | Path) -> IO[bytes] | Window:
    """A seekable file object over a large member: a window where it is stored, else a bounded temporary file."""
    if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1:
        return Window(path, _data_offset(info, path), info.file_size)
    _refuse_bomb(info, path, MAX_MEMBER_BYTES)
    target = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        with archive.open(info) as member:
            shutil.copyfileobj(member, target, 1 << 20)
    except (
        zipfile.BadZipFile,
        EOFError,
        ValueError,
        RuntimeError,
        NotImplementedError,
        OSError,
        _zlib_error(),
    ) as error:
        target.close()
        raise damaged(path, f"is damaged: its member {info.filename!r} cannot be unpacked") from error
    target.seek(0)
    return target


def _data_offset(info: zipfile.ZipInfo, path: str | Path) -> int:
    """Where a member's bytes begin: behind its local header, whose name and extra field have their own lengths."""
    with Path(path).open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER.size)
        end = file.seek(0, os.SEEK_END)
    if len(header) < _LOCAL_HEADER.size:
        raise damaged(path, f"is truncated inside its member {info.filename!r}")
    magic, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    start = info.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)
    if magic != b"PK\x03\x04" or start + info.file_size > end:
        raise damaged(path, f"is truncated inside its member {info.filename!r}")
    return start


def _refuse_bomb(info: zipfile.ZipInfo, path: str | Path, limit: int) -> None:
    too_large = info.file_size > limit
    floor = 1 << 24
    if too_large or (info.file_size > floor and info.file_size > MAX_MEMBER_EXPANSION * max(1, info.compress_size)):
        raise damaged(
            path,
            f"is refused because its member {info.filename!r} would unpack from {info.compress_size} "
            f"to {info.file_size} bytes",
            "This looks like a decompression bomb, not a model.",
        )


def _zlib_error() -> type[Exception]:
    import zlib

    return zlib.error

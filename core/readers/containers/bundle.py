"""TensorFlow checkpoints: the table `*.index` (LevelDB's format) and the arrays in `*.data-*`, without TensorFlow."""

import glob
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
from msgspec import Struct

from core.errors import FileError
from core.readers.arrays.transforms import evaluate
from core.readers.containers.array_info import ArrayInfo
from core.readers.containers.fault import damaged, unreadable
from core.readers.containers.links import refuse_linked_files
from core.readers.containers.protobuf import Malformed, fields, message, messages, number, signed, varint
from core.rules.base import Array

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_MAX_INDEX = 256 * 2**20
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 9: "int64", 10: "bool",
    14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip
_STRING = 7


class Entry(Struct, frozen=True):
    """Where one tensor lies. `dtype` is `None` for strings and what else is no array of numbers."""

    dtype: str | None
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


class Bundle(Struct, frozen=True):
    """A checkpoint's table of contents. `prefix` is the path without `.index`."""

    prefix: str
    shards: int
    entries: dict[str, Entry]

    def arrays(self) -> dict[str, ArrayInfo]:
        """The arrays by key."""
        return {key: ArrayInfo(item.shape, item.dtype) for key, item in self.entries.items() if item.dtype is not None}


def read_bundle(prefix: Path) -> Bundle:
    """The table of a checkpoint. Raises `FileError`."""
    index = prefix.with_name(prefix.name + ".index")
    refuse_linked_files([index, *prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*")])
    try:
        if index.stat().st_size > _MAX_INDEX:
            raise damaged(index, "is refused because its table of arrays is too large")
        data = index.read_bytes()
    except OSError as error:
        raise unreadable(index, error) from error
    try:
        return _bundle(data, prefix)
    except (Malformed, struct.error, IndexError, ValueError, OverflowError) as error:
        raise damaged(index, "is damaged: its table of arrays cannot be read") from error


def _bundle(data: bytes, prefix: Path) -> Bundle:
    entries: dict[str, Entry] = {}
    shards = 1
    for key, value in _table(data):
        if not key:
            shards = number(value, 1, 1)
            continue
        entries[key.decode("utf8", "surrogateescape")] = _entry(value)
    return Bundle(str(prefix), shards, entries)


def _entry(value: bytes) -> Entry:
    dims = messages(message(value, 2), 2)
    shape = tuple(signed(number(dim, 1)) for dim in dims)
    dtype = _DTYPES.get(number(value, 1)) if not messages(value, 7) else None
    if any(size < 0 for size in shape):
        raise Malformed
    return Entry(dtype, shape, number(value, 3), number(value, 4), number(value, 5))


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(data) < _FOOTER or int.from_bytes(data[-8:], "little") != _MAGIC:
        raise Malformed
    footer = data[-_FOOTER:]
    _, position = varint(footer, 0)
    _, position = varint(footer, position)
    for _, handle in _block(data, *_handle(footer, position)):
        yield from _block(data, *_handle(handle, 0))


def _handle(data: bytes, position: int) -> tuple[int, int]:
    offset, position = varint(data, position)
    size, _ = varint(data, position)
    return offset, size


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    if offset + size + 5 > len(data) or size < 4 or data[offset + size] != 0:
        # byte `size` is the compression; TensorFlow writes its tables uncompressed
        raise Malformed
    block = data[offset : offset + size]
    (restarts,) = struct.unpack_from("<I", block, size - 4)
    end = size - 4 - 4 * restarts
    if end < 0:
        raise Malformed
    key, position = b"", 0
    while position < end:
        shared, position = varint(block, position)
        fresh, position = varint(block, position)
        length, position = varint(block, position)
        if shared > len(key) or position + fresh + length > end:
            raise Malformed
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


class BundleStore:
    """Arrays of a checkpoint or SavedModel, read one at a time."""

    def __init__(self, prefix: Path) -> None:
        self._prefix = prefix
        self._bundle = read_bundle(prefix)

    def read(self, key: str) -> Array:
        """The array under a `StoreKey.key`. Raises `FileError`."""
        return evaluate(key, self._read)

    def _read(self, key: str) -> Array:
        entry = self._bundle.entries.get(key)
        if entry is None or entry.dtype is None:
            raise damaged(self._prefix, f"has no array {key!r}")
        return read_entry(self._bundle, key)

    def keys(self) -> list[str]:
        """Every array's key."""
        return list(self._bundle.arrays())

    def read_asset(self, name: str) -> bytes:
        """Checkpoints hold no assets. Raises `FileError`."""
        raise damaged(self._prefix, f"has no asset {name!r}")

    def close(self) -> None:
        """Nothing stays open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_bytes(bundle: Bundle, entry: Entry) -> bytes:
    """A tensor's bytes. Raises `FileError` when the data file is shorter than the table says."""
    path = Path(f"{bundle.prefix}.data-{entry.shard:05d}-of-{bundle.shards:05d}")
    try:
        with path.open("rb") as file:
            if entry.offset + entry.size > path.stat().st_size:
                raise damaged(path, "is truncated")
            file.seek(entry.offset)
            return file.read(entry.size)
    except OSError as error:
        raise unreadable(path, error) from error


def read_entry(bundle: Bundle, key: str) -> Array:
    """One array of a checkpoint. Raises `FileError`."""
    entry = bundle.entries[key]
    dtype = _numpy_dtype(entry.dtype or "float32")
    count = int(np.prod(entry.shape, dtype=object) if entry.shape else 1)
    if count * dtype.itemsize != entry.size:
        raise damaged(bundle.prefix, f"is damaged: the size of the array {key!r} does not match its shape")
    array: Array = np.frombuffer(read_bytes(bundle, entry), dtype).reshape(entry.shape).copy()
    return array


def _numpy_dtype(name: str) -> "np.dtype[np.generic]":
    if name == "bfloat16":
        import ml_dtypes

        found: np.dtype[np.generic] = np.dtype(ml_dtypes.bfloat16)
        return found
    return np.dtype(name).newbyteorder("<") if np.dtype(name).itemsize > 1 else np.dtype(name)


class Trackable(Struct):
    """A node of the saved object graph: its children by name, the array it holds and what its variable was called."""

    children: dict[str, int]
    key: str | None = None
    full_name: str = ""


def object_graph(bundle: Bundle) -> list[Trackable]:
    """The tree of objects that a TensorFlow 2 checkpoint was saved from; empty for older ones."""
    entry = bundle.entries.get(OBJECT_GRAPH)
    if entry is None or entry.shape:
        return []
    try:
        data = read_bytes(bundle, entry)
        length, position = varint(data, 0)
        nodes = messages(data[position + 4 : position + 4 + length], 1)
        return [_trackable(node) for node in nodes]
    except (Malformed, FileError):
        return []


def _trackable(node: bytes) -> Trackable:
    found = Trackable({})
    for kind, value in fields(node):
        if kind == 1 and isinstance(value, bytes):
            found.children[message(value, 2).decode("utf8", "replace")] = number(value, 1)
        elif kind == 2 and isinstance(value, bytes):
            found.key = message(value, 3).decode("utf8", "surrogateescape") or None
            found.full_name = message(value, 2).decode("utf8", "replace")
    return found

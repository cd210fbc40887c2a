"""HDF5 files that nobody vouches for: an index of their arrays without loading any, and reading one at a time.

External links, soft links, external storage and virtual datasets could reach other files and are refused, wherever
they are. Sizes are checked against what is stored before anything is allocated.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from msgspec import Struct

from core.readers.containers.array_info import ArrayInfo
from core.readers.containers.fault import damaged
from core.readers.containers.limits import ARRAY_FLOOR_BYTES, MAX_ARRAY_EXPANSION, MAX_ARRAYS
from core.rules.base import Array

_KINDS = "fiubcV"


class Hdf5Index(Struct, frozen=True):
    """What an HDF5 file holds: numeric arrays and groups by path, in the file's own order.

    `texts` are paths of datasets that are not numeric (vocabularies); they are no weights.
    """

    arrays: dict[str, ArrayInfo]
    groups: tuple[str, ...]
    texts: tuple[str, ...] = ()


def open_hdf5(source: Any, path: str | Path) -> h5py.File:
    """Open a path or a file object for reading. Raises `FileError` when HDF5 cannot make sense of it."""
    try:
        if isinstance(source, (str, Path)):
            return h5py.File(source, "r", locking=False)
        return h5py.File(source, "r")
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = "is truncated" if "truncated" in str(error) else "contains HDF5 data that cannot be opened"
        raise damaged(path, f"{reason}, so its arrays cannot be read") from error


def index_hdf5(file: h5py.File, path: str | Path) -> Hdf5Index:
    """Every array and group of the file, by walking its hard links. Raises `FileError` for links out of the file."""
    names: list[bytes] = []
    refused: list[str] = []

    def visit(name: bytes, info: Any) -> Any:
        if info.type != h5py.h5l.TYPE_HARD:
            refused.append(name.decode("utf8", "replace"))
            return True
        names.append(name)
        return True if len(names) > MAX_ARRAYS else None

    try:
        file.id.links.visit(visit, info=True)
        if refused:
            raise damaged(
                path,
                f"is refused because {refused[0]!r} is a link, not an array",
                "A model file must contain its own arrays; get it from a source you trust.",
            )
        if len(names) > MAX_ARRAYS:
            raise damaged(path, f"is refused because it holds more than {MAX_ARRAYS} entries")
        return _describe(file, names, path)
    except (RuntimeError, OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path, "is damaged: the list of its arrays cannot be read") from error


def _describe(file: h5py.File, names: list[bytes], path: str | Path) -> Hdf5Index:
    size = _stored_size(file)
    arrays: dict[str, ArrayInfo] = {}
    groups: list[str] = []
    texts: list[str] = []
    for raw in names:
        name = raw.decode("utf8", "surrogateescape")
        item = h5py.h5o.open(file.id, raw)
        if isinstance(item, h5py.h5g.GroupID):
            groups.append(name)
        elif isinstance(item, h5py.h5d.DatasetID):
            info = _array_info(item, name, size, path)
            if info is None:
                texts.append(name)
            else:
                arrays[name] = info
    return Hdf5Index(arrays, tuple(groups), tuple(texts))


def _stored_size(file: h5py.File) -> int:
    return int(file.id.get_filesize())


def _array_info(item: Any, name: str, size: int, path: str | Path) -> ArrayInfo | None:
    plist = item.get_create_plist()
    layout = plist.get_layout()
    if layout == h5py.h5d.VIRTUAL or plist.get_external_count():
        raise damaged(
            path,
            f"is refused because the array {name!r} is stored in another file",
            "A model file must contain its own arrays; get it from a source you trust.",
        )
    dtype = item.dtype
    if dtype.kind not in _KINDS or dtype.hasobject:
        return None
    shape = tuple(int(length) for length in item.shape)
    info = ArrayInfo(shape, _dtype_name(item, dtype))
    needed = info.nbytes
    stored = int(item.get_storage_size())
    too_long = layout == h5py.h5d.CONTIGUOUS and stored and (item.get_offset() or 0) + stored > size
    if too_long or (needed > ARRAY_FLOOR_BYTES and (stored > size or needed > MAX_ARRAY_EXPANSION * stored)):
        raise damaged(path, f"is damaged: the array {name!r} declares {needed} bytes, more than the file contains")
    return info


def _dtype_name(item: Any, dtype: np.dtype[Any]) -> str:
    if dtype.kind == "V" and dtype.itemsize == 2:
        # Keras stores bfloat16 as opaque two-byte values and says so in an attribute.
        return "bfloat16"
    return str(dtype.newbyteorder("=")) if dtype.kind != "V" else f"V{dtype.itemsize}"


def is_plain(file: h5py.File, name: str) -> bool:
    """Whether reading an array copies bytes and no more: in one piece, unfiltered, numbers as this machine has them."""
    item = h5py.h5o.open(file.id, name.encode("utf8", "surrogateescape"))
    if item.get_create_plist().get_layout() != h5py.h5d.CONTIGUOUS or item.dtype.kind not in "fiub":
        return False
    return bool(item.get_type() == h5py.h5t.py_create(item.dtype))


def read_array(file: h5py.File, name: str, path: str | Path) -> Array:
    """One array, C-contiguous. Raises `FileError`; links are never followed (the index refuses them)."""
    try:
        item = h5py.h5o.open(file.id, name.encode("utf8", "surrogateescape"))
        if not isinstance(item, h5py.h5d.DatasetID):
            raise damaged(path, f"has no array {name!r}")
        info = _array_info(item, name, _stored_size(file), path)
        if info is None:
            raise damaged(path, f"contains an array {name!r} that does not hold numbers")
        array = np.empty(info.shape, item.dtype)
        if array.size:
            item.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
    except (RuntimeError, OSError, ValueError, KeyError, TypeError, MemoryError) as error:
        raise damaged(path, f"is damaged: the array {name!r} cannot be read") from error
    if info.dtype == "bfloat16":
        return array.view(_bfloat16())
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _bfloat16() -> np.dtype[Any]:
    import ml_dtypes  # comes with the optional bfloat16 files only; NumPy itself has no such type

    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype


def text_attribute(attributes: Any, name: str) -> str | None:
    """An attribute that holds text, whichever of HDF5's ways it was written in; `None` without it."""
    if name not in attributes:
        return None
    value = attributes[name]
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode("utf8", "replace")
    return str(value)


def name_list(attributes: Any, name: str) -> list[str]:
    """A list of names, joined from the chunks (`layer_names0`, ...) that long ones are split into."""
    values: list[Any] = []
    if name in attributes:
        values.extend(np.asarray(attributes[name]).reshape(-1).tolist())
    else:
        chunk = 0
        while f"{name}{chunk}" in attributes:
            values.extend(np.asarray(attributes[f"{name}{chunk}"]).reshape(-1).tolist())
            chunk += 1
    return [value.decode("utf8", "surrogateescape") if isinstance(value, bytes) else str(value) for value in values]

"""Arrays in files of their own: `.npy` and `.csv` for one, `.npz` and `.safetensors` for any number of them.

Arrays are read and written one at a time, so memory stays at the largest. The layout of safetensors is that of
https://huggingface.co/docs/safetensors: eight bytes of header size, a JSON header, then the numbers back to back. The
header says what every array is, which is certain once it has been read; so room is left for it and it is written last,
padded with spaces, as the format allows.
"""

import json
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from msgspec import Struct

from core.errors import FileError
from core.rules.base import Array
from core.writers.atomic import replacing

Progress = Callable[[str, float], None]

ONE = (".npy", ".csv")
MANY = (".npz", ".safetensors")
ENDINGS = (*MANY, *ONE)
"""What the name of a file of arrays may end in."""

_CHUNK = 1 << 16
"""Values that become text at a time."""
_SAFE = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "uint16": "U16", "int32": "I32", "uint32": "U32",
    "int64": "I64", "uint64": "U64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "complex64": "C64",
}  # fmt: skip
"""NumPy's names of number types, and those of safetensors."""


class NamedArray(Struct, frozen=True):
    """An array as it is listed and saved: `name` is `layer path/weight name`, `read` gives its values."""

    name: str
    read: Callable[[], Array]
    shape: tuple[int, ...]
    dtype: str


class SavedArrays(Struct, frozen=True):
    """What was written: the path, the size in bytes, how many arrays, and what is worth knowing about them."""

    written: str
    bytes: int
    arrays: int
    notes: tuple[str, ...] = ()


def ending_of(out: str | Path) -> str:
    """The ending that decides the format. Raises `FileError`."""
    name = Path(out).name.lower()
    for ending in ENDINGS:
        if name.endswith(ending):
            return ending
    raise FileError(
        f"{Path(out).name} has no known extension for arrays; use one of {', '.join(ENDINGS)}.", path=str(out)
    )


def check_count(out: str | Path, count: int) -> None:
    """Refuse what the format cannot hold, before anything is read. Raises `FileError`."""
    ending = ending_of(out)
    if count == 0:
        raise FileError("There are no arrays to save; choose a layer that has weights.", path=str(out))
    if ending in ONE and count > 1:
        kind = f"{'an' if ending == '.npy' else 'a'} {ending}"
        raise FileError(
            f"{count:,} arrays were chosen, and {kind} file holds one; choose one array, or write an .npz or a "
            ".safetensors file.",
            path=str(out),
        )


def save_arrays(out: str | Path, arrays: Sequence[NamedArray], progress: Progress) -> SavedArrays:
    """Write arrays to a file, completely or not at all. Raises `FileError`, and what reading an array raises."""
    out = Path(out)
    ending = ending_of(out)
    check_count(out, len(arrays))
    written = _Reading(arrays, progress)
    with replacing(out) as partial:
        with partial.open("w+b") as file:
            _WRITERS[ending](file, written)
        size = partial.stat().st_size
    return SavedArrays(str(out), size, len(arrays), tuple(written.notes))


class _Reading:
    """The arrays one after the other, with progress by size and notes on what the format cannot say."""

    def __init__(self, arrays: Sequence[NamedArray], progress: Progress) -> None:
        self.names = unique(one.name for one in arrays)
        self.notes: list[str] = []
        self._arrays, self._progress = arrays, progress
        self._widened: set[str] = set()

    def __iter__(self) -> Iterator[tuple[str, Array]]:
        total = sum(prod(one.shape) for one in self._arrays) or 1
        done = 0
        for name, one in zip(self.names, self._arrays, strict=True):
            self._progress("writing", done / total)
            yield name, np.asarray(one.read(), order="C")
            done += prod(one.shape)

    def widened(self, array: Array) -> Array:
        """The array in a number type that NumPy has without help: bfloat16 and float8 as float32, which holds them."""
        if not array.dtype.type.__module__.startswith("ml_dtypes"):
            return array
        name = array.dtype.name
        wide = "int8" if name.startswith("int") else "uint8" if name.startswith("uint") else "float32"
        if name not in self._widened:
            self._widened.add(name)
            self.notes.append(f"NumPy has no {name}, so it is saved as {wide}, which holds the same values.")
        return array.astype(wide)


def unique(names: Iterable[str]) -> list[str]:
    """Names as they are; one that comes again is told apart by a number."""
    seen: dict[str, int] = {}
    taken: set[str] = set()
    found = []
    for name in names:
        made = name
        while made in taken:
            seen[name] = seen.get(name, 1) + 1
            made = f"{name}#{seen[name]}"
        taken.add(made)
        found.append(made)
    return found


def _npy(file: IO[bytes], arrays: _Reading) -> None:
    for _, array in arrays:
        np.lib.format.write_array(file, arrays.widened(array), allow_pickle=False)


def _npz(file: IO[bytes], arrays: _Reading) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays:
            # a fixed date: the same arrays make the same file
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, arrays.widened(array), allow_pickle=False)


def _csv(file: IO[bytes], arrays: _Reading) -> None:
    """A row for each index of all axes but the last, in C order; numbers with all digits that tell them apart."""
    for name, array in arrays:
        array = arrays.widened(array)
        if array.dtype.kind == "c":
            raise FileError(f"{name} holds complex numbers, which a .csv file has no form for; write an .npy file.")
        table = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(-1, 1)
        if array.ndim > 2:
            arrays.notes.append(
                f"Each row is one line along the last axis of {name}; reshape to {tuple(array.shape)} to get it back."
            )
        form = csv_format(table.dtype)
        rows = max(1, _CHUNK // max(1, table.shape[1]))
        line = ",".join([form] * table.shape[1]) + "\n"
        for start in range(0, table.shape[0], rows):
            for row in table[start : start + rows].tolist():
                file.write((line % tuple(row)).encode())


def csv_format(dtype: "np.dtype[Any]") -> str:
    """How a number is written so that it is read back as the same one."""
    if dtype.kind in "biu":
        return "%d"
    return {2: "%.5g", 4: "%.9g"}.get(dtype.itemsize, "%.17g")


def _safetensors(file: IO[bytes], arrays: _Reading) -> None:
    room = 64 + sum(len(json.dumps(name)) + 320 for name in arrays.names)
    room += -room % 8
    start = 8 + room
    file.seek(start)
    header: dict[str, Any] = {"__metadata__": {"format": "keras"}}
    for name, array in arrays:
        kind = _SAFE.get(array.dtype.name)
        if kind is None:
            raise FileError(f"{name} holds {array.dtype.name} values, which a .safetensors file cannot store.")
        begin = file.tell() - start
        file.write(_little(array).data)
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [begin, file.tell() - start]}
    end = file.tell()
    text = json.dumps(header, separators=(",", ":")).encode()
    if len(text) > room:  # arrays of more than ten axes, which no layer has
        raise FileError("The arrays have too many axes for a .safetensors file; write an .npz file.")
    file.seek(0)
    file.write(struct.pack("<Q", room) + text.ljust(room))
    file.truncate(end)  # no array at the end has a byte: the header's padding still belongs to the file


def _little(array: Array) -> Array:
    """An array's bytes, little-endian, without a copy where it is so already."""
    plain = array
    if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and np.little_endian is False):
        plain = array.astype(array.dtype.newbyteorder("<"))
    return np.ascontiguousarray(plain).reshape(-1).view(np.uint8)


_WRITERS: dict[str, Callable[[IO[bytes], _Reading], None]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".csv": _csv,
    ".safetensors": _safetensors,
}

"""The `.keras` format: a zip with `metadata.json`, `config.json` and a stored `model.weights.h5`, written by streaming.

The weights go straight to their place in the archive. HDF5 allows a block of foreign bytes before its data (the user
block); the zip's local header goes there, padded to HDF5's power-of-two size. Afterwards the two absolute addresses
in the HDF5 superblock are corrected, so that the member is an ordinary HDF5 file, and the zip's directory is added.
The alternative, a temporary HDF5 file copied into the archive, writes every byte twice.
"""

import json
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.rules.base import Array
from core.writers.atomic import replacing
from core.writers.steady import new_hdf5

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
USER_BLOCK = 512
MEMBER = "model.weights.h5"
_SUPERBLOCK_BASE = 24
_SUPERBLOCK_END = 40


class StoredArray(NamedTuple):
    """One array on its way into a weights file: its full storage key (`layers/conv2d/vars/0`), values, Keras dtype."""

    key: str
    values: Array
    dtype: str


class StoredLayer(NamedTuple):
    """A layer's place in a weights file and the name that Keras notes there."""

    prefix: str
    name: str


def write_keras(
    out: Path,
    config: dict[str, Any],
    metadata: dict[str, Any],
    layers: Iterable[StoredLayer],
    arrays: Iterable[StoredArray],
    assets: Iterable[tuple[str, bytes]] = (),
) -> int:
    """Write a `.keras` file and return its size in bytes. Raises `FileError`; nothing is left behind on failure."""
    with replacing(out) as partial:
        with new_hdf5(partial, userblock_size=USER_BLOCK, libver="earliest") as file:
            write_arrays(file, layers, arrays)
        with partial.open("r+b") as raw:
            member = _finish_member(raw)
            _add_directory(raw, member, config, metadata, assets)
        return partial.stat().st_size


def write_weights(out: Path, layers: Iterable[StoredLayer], arrays: Iterable[StoredArray]) -> int:
    """Write a `.weights.h5` file (Keras 3 layout) and return its size in bytes. Raises `FileError`."""
    with replacing(out) as partial:
        with new_hdf5(partial, libver="earliest") as file:
            write_arrays(file, layers, arrays)
        return partial.stat().st_size


def write_arrays(file: Any, layers: Iterable[StoredLayer], arrays: Iterable[StoredArray]) -> None:
    """Fill an open HDF5 file: a `vars` group per layer with the layer's name, and the arrays, one at a time."""
    for layer in layers:
        file.require_group(f"{layer.prefix}/vars".lstrip("/")).attrs["name"] = layer.name
    for array in arrays:
        values = np.asarray(array.values, order="C")
        dataset = file.create_dataset(array.key, data=values)
        if array.dtype == "bfloat16":
            dataset.attrs["dtype"] = "bfloat16"


def _finish_member(raw: Any) -> zipfile.ZipInfo:
    """Make the HDF5 part stand alone and put the zip's local header before it."""
    raw.seek(0, 2)
    end = raw.tell()
    raw.seek(USER_BLOCK)
    # the two addresses below lie where version 0 has them, with addresses of eight bytes
    head = raw.read(16)
    if head[:9] != _SIGNATURE + b"\0" or head[13] != 8:
        raise OSError(f"HDF5 wrote a superblock of version {head[8]}, expected 0")
    raw.seek(USER_BLOCK + _SUPERBLOCK_BASE)
    raw.write(struct.pack("<Q", 0))
    raw.seek(USER_BLOCK + _SUPERBLOCK_END)
    raw.write(struct.pack("<Q", end - USER_BLOCK))
    raw.seek(USER_BLOCK)
    checksum = 0
    while block := raw.read(1 << 22):
        checksum = zlib.crc32(block, checksum)
    info = zipfile.ZipInfo(MEMBER, (1980, 1, 1, 0, 0, 0))
    info.CRC = checksum
    info.file_size = info.compress_size = end - USER_BLOCK
    info.external_attr = 0o644 << 16
    bare = len(info.FileHeader(zip64=True))
    padding = USER_BLOCK - bare - 4
    # An extra field of our own kind (tag 0x5375, "Su") brings the header to the block's size.
    info.extra = struct.pack("<HH", 0x5375, padding) + bytes(padding)
    header = info.FileHeader(zip64=True)
    if len(header) != USER_BLOCK:
        raise OSError(f"zip header has {len(header)} bytes, expected {USER_BLOCK}")
    raw.seek(0)
    raw.write(header)
    info.extra = b""
    info.header_offset = 0
    return info


def _add_directory(
    raw: Any,
    member: zipfile.ZipInfo,
    config: dict[str, Any],
    metadata: dict[str, Any],
    assets: Iterable[tuple[str, bytes]],
) -> None:
    raw.seek(0, 2)
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.filelist.append(member)
        archive.NameToInfo[member.filename] = member
        for name, data in (
            ("metadata.json", json.dumps(metadata).encode()),
            ("config.json", json.dumps(config).encode()),
            *assets,
        ):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)

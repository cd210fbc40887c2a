"""What kind of model file something is: its content decides, never its ending."""

import zipfile
from enum import StrEnum
from pathlib import Path

import h5py

from core.readers.containers.archive import find_member, open_archive
from core.readers.containers.fault import damaged, unreadable
from core.readers.containers.hdf5 import open_hdf5

_HDF5 = b"\x89HDF\r\n\x1a\n"


class Format(StrEnum):
    """The formats that have a reader."""

    KERAS = "keras"
    HDF5_MODEL = "hdf5 model"
    HDF5_WEIGHTS = "hdf5 weights"
    KERAS_WEIGHTS = "keras weights"
    JSON = "json"
    SAVED_MODEL = "saved model"
    CHECKPOINT = "checkpoint"


def sniff(path: Path) -> Format:
    """The format of a file or folder. Raises `FileError` with one sentence for everything that is none of them."""
    try:
        if path.is_dir():
            return _folder(path)
        if path.exists() and not path.is_file():
            # a pipe or a device could keep its reader waiting for ever
            raise damaged(path, "is a pipe or a device", "Choose a model file or a SavedModel folder.")
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        companion = path.with_name(path.name + ".index")
        if isinstance(error, FileNotFoundError) and path.name and companion.is_file():
            return Format.CHECKPOINT
        raise unreadable(path, error) from error
    if not head:
        raise damaged(path, "is empty")
    if head.startswith(b"PK"):
        return _zip(path)
    if head.startswith(_HDF5) or h5py.is_hdf5(path):
        return _hdf5(path)
    if _is_table(path):
        return Format.CHECKPOINT
    if path.name == "saved_model.pb":
        return Format.SAVED_MODEL
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b'"'):
        return Format.JSON
    if head.startswith(b"version https://git-lfs"):
        raise damaged(path, "is only a Git LFS pointer, not the model itself", "Fetch it with `git lfs pull`.")
    raise damaged(
        path,
        "is not a Keras model",
        "Suture opens .keras, .h5 and .hdf5 files, model JSON, weights files, TensorFlow checkpoints and SavedModels.",
    )


def _folder(path: Path) -> Format:
    if (path / "saved_model.pb").is_file():
        return Format.SAVED_MODEL
    if (path / "config.json").is_file() and ((path / "model.weights.h5").is_file()):
        return Format.KERAS
    if (path / "checkpoint").is_file() or any(path.glob("*.index")):
        return Format.CHECKPOINT
    raise damaged(path, "is a folder without saved_model.pb", "Choose a model file or a SavedModel folder.")


def _zip(path: Path) -> Format:
    with open_archive(path) as archive:
        if find_member(archive, "config.json") is None:
            raise damaged(path, "is a zip archive but not a Keras model: it has no config.json")
        return Format.KERAS


def _hdf5(path: Path) -> Format:
    with open_hdf5(path, path) as file:
        try:
            if "model_config" in file.attrs:
                return Format.HDF5_MODEL
            if "layer_names" in file.attrs or "layer_names0" in file.attrs:
                return Format.HDF5_WEIGHTS
            names = [name.decode("utf8", "replace") for name in file.id]
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise damaged(path, "is damaged: the list of its contents cannot be read") from error
    keras3 = ("layers", "_layer_checkpoint_dependencies", "vars")
    if any(name in keras3 or name.replace("\\", "/").startswith(("layers/", "_layer_checkpoint")) for name in names):
        return Format.KERAS_WEIGHTS
    if names:
        return Format.HDF5_WEIGHTS
    raise damaged(path, "is an HDF5 file without a model or weights in it")


def _is_table(path: Path) -> bool:
    """Whether a file ends like a TensorFlow checkpoint index (LevelDB's table magic number)."""
    try:
        with path.open("rb") as file:
            file.seek(-8, 2)
            return file.read(8) == b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
    except OSError:
        return False


__all__ = ["Format", "sniff", "zipfile"]

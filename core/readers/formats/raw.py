"""A model file's config as the file has it, unrepaired: for those who must judge it before Keras sees it."""

from pathlib import Path
from typing import Any

from core.readers.containers.archive import find_member, open_archive, read_member
from core.readers.containers.fault import damaged
from core.readers.containers.hdf5 import open_hdf5, text_attribute
from core.readers.containers.jsontext import parse_json
from core.readers.sniff import Format, sniff


def raw_config(path: Path) -> Any:
    """The JSON that describes the model of a `.keras` or HDF5 file; `None` for other kinds. Raises `FileError`."""
    kind = sniff(path)
    if kind is Format.KERAS and path.is_file():
        with open_archive(path) as archive:
            info = find_member(archive, "config.json")
            return parse_json(read_member(archive, info, path), path) if info else None
    if kind is Format.HDF5_MODEL:
        with open_hdf5(path, path) as file:
            text = text_attribute(file.attrs, "model_config")
        return parse_json(text or "null", path)
    return None


def refuse_disguise(path: Path) -> None:
    """Raise `FileError` for a file whose ending and content are of different formats.

    Suture goes by content and Keras by ending, so such a file could be one thing when it is looked at and another when
    it is loaded.
    """
    name = path.name.lower()
    wanted = next((formats for ending, formats in _BY_ENDING.items() if name.endswith(ending)), ())
    if not wanted:
        return
    kind = sniff(path)
    if path.is_dir() or kind not in wanted:
        what = "a folder" if path.is_dir() else f"inside {_WORDS.get(kind, 'of another kind')}"
        raise damaged(
            path, f"is {what}, which does not match its extension, so it was not loaded", "Apply the recipe again."
        )


_BY_ENDING = {
    ".weights.h5": (Format.KERAS_WEIGHTS, Format.HDF5_WEIGHTS),
    ".keras": (Format.KERAS,),
    ".h5": (Format.HDF5_MODEL,),
    ".hdf5": (Format.HDF5_MODEL,),
}
_WORDS = {Format.KERAS: "a .keras archive", Format.HDF5_MODEL: "a whole HDF5 model"}

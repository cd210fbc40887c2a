"""A model file's config as the file has it, unrepaired: for those who must judge it before Keras sees it."""

from pathlib import Path
from typing import Any

from core.readers.archive import find_member, open_archive, read_member
from core.readers.hdf5 import open_hdf5, text_attribute
from core.readers.jsontext import parse_json
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


def stored_code(value: Any) -> set[str]:
    """The texts of all functions stored in a config."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if item.get("class_name") == "__lambda__":
                found.add(repr(item.get("config")))
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
    return found

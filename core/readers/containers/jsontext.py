"""JSON from files that nobody vouches for: bounded in size and depth, `FileError` instead of anything else."""

import json
from pathlib import Path
from typing import Any

import msgspec

from core.readers.containers.fault import damaged
from core.readers.containers.limits import MAX_JSON_BYTES

MAX_DEPTH = 150
"""Nesting of lists and objects; models nested a dozen deep stay below 60."""


def parse_json(text: bytes | str, path: str | Path, what: str = "its model description") -> Any:
    """The value of a JSON text. Raises `FileError` for wrong JSON, too much of it, or thousands of levels."""
    if len(text) > MAX_JSON_BYTES:
        raise damaged(path, f"is refused because {what} is larger than {MAX_JSON_BYTES >> 20} MiB")
    try:
        value = _decode(text)
    except RecursionError:
        raise too_deep(path, what) from None
    except (ValueError, UnicodeDecodeError):
        raise damaged(path, f"is damaged: {what} is not valid JSON") from None
    _check_depth(value, path, what)
    return value


def _decode(text: bytes | str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        # Python's own parser also takes NaN and Infinity, which Keras writes.
        return json.loads(text)


def _check_depth(value: Any, path: str | Path, what: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(child for child in item.values() if isinstance(child, (dict, list)))
            elif isinstance(item, list):
                below.extend(child for child in item if isinstance(child, (dict, list)))
        if not below:
            return
        level = below
    raise too_deep(path, what)


def too_deep(path: str | Path, what: str) -> Exception:
    """The error for JSON nested deeper than any model."""
    return damaged(path, f"is refused because {what} is nested deeper than {MAX_DEPTH} levels")

"""What of a model is folded and unfolded, as a value that can be kept."""

import hashlib
import os

import msgspec
from msgspec import Struct

from core.readers.source import Source


class Folds(Struct, frozen=True):
    """`opened` says it of nested models and groups by path, `grouped` whether blocks are shown as one: `None` goes by
    the model's size.
    """

    opened: dict[str, bool] = {}
    grouped: bool | None = None


def fold_key(source: Source) -> str:
    """The name that the folds of a file are kept under: of its place and size, which training leaves alone."""
    size = os.path.getsize(source.path) if os.path.isfile(source.path) else 0
    return "folds/" + hashlib.sha256(f"{os.path.realpath(source.path)} {size}".encode()).hexdigest()[:16]


def read_folds(text: str) -> Folds | None:
    """Folds as they were kept; `None` for what is none."""
    try:
        return msgspec.json.decode(text, type=Folds) if text else None
    except msgspec.MsgspecError:
        return None

"""Store keys that are more than one plain array: files of other Keras versions, read as Keras 3 would hold them.

A key is an array's name, or a JSON object `{"do": ..., "of": ...}` whose `of` is a key (or a list of keys) in turn.
So a weight's shape in the graph is already Keras 3's, and whoever reads it needs to know nothing of the file's dialect.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from core.errors import FileError
from core.rules.base import Array

Shape = tuple[int, ...]


def made_key(do: str, of: Any, **fields: Any) -> str:
    """The key of an array made from others. `of` is a key or a list of keys."""
    return json.dumps({"do": do, "of": of, **fields}, ensure_ascii=False)


def parse_key(key: str) -> dict[str, Any] | None:
    """The parts of a made key; `None` for a plain array's name."""
    if not key.startswith('{"do": '):
        return None
    value = json.loads(key)
    return value if isinstance(value, dict) and "of" in value else None


def plain_keys(key: str) -> list[str]:
    """Names of the stored arrays a key reads."""
    made = parse_key(key)
    if made is None:
        return [key]
    inner = made["of"] if isinstance(made["of"], list) else [made["of"]]
    return [name for item in inner for name in plain_keys(item)]


def evaluate(key: str, read: Callable[[str], Array]) -> Array:
    """The array under a key, plain or made. Raises `FileError` for a transform nobody knows."""
    made = parse_key(key)
    if made is None:
        return np.asarray(read(key), order="C") if key else read(key)
    inner = made["of"] if isinstance(made["of"], list) else [made["of"]]
    arrays = [evaluate(item, read) for item in inner]
    rule = _TRANSFORMS.get(made["do"])
    if rule is None:
        raise FileError(
            f"The array transform {made['do']!r} is unknown. Open the file again with this version of Suture.",
            code="file.damaged",
        )
    return np.asarray(rule(arrays, made), order="C")


def _transpose(arrays: list[Array], fields: dict[str, Any]) -> Array:
    turned: Array = arrays[0].transpose(fields["axes"])
    return turned


def _reshape(arrays: list[Array], fields: dict[str, Any]) -> Array:
    return arrays[0].reshape(fields["shape"])


def _concatenate(arrays: list[Array], fields: dict[str, Any]) -> Array:
    return np.concatenate(arrays, axis=int(fields.get("axis", -1)))


def _flip(arrays: list[Array], fields: dict[str, Any]) -> Array:
    """Turn a kernel round in its spatial axes: Theano convolves, Keras 3 correlates."""
    return np.flip(arrays[0], axis=tuple(fields["axes"]))


def _cudnn(arrays: list[Array], fields: dict[str, Any]) -> Array:
    """Each gate's block from CuDNN's layout: input kernels are read column by column, recurrent ones transposed."""
    parts = np.split(arrays[0], int(fields["count"]), axis=-1)
    if fields["recurrent"]:
        return np.concatenate([part.T for part in parts], axis=-1)
    return np.concatenate([part.T.reshape(part.shape, order="F") for part in parts], axis=-1)


def _scale_blocks(arrays: list[Array], fields: dict[str, Any]) -> Array:
    """Some of the equal blocks of the last axis, times a factor."""
    parts = np.split(arrays[0], int(fields["count"]), axis=-1)
    factor = arrays[0].dtype.type(fields["factor"])
    chosen = set(fields["blocks"])
    return np.concatenate([part * factor if index in chosen else part for index, part in enumerate(parts)], axis=-1)


def _sum_halves(arrays: list[Array], fields: dict[str, Any]) -> Array:
    """The two halves of a CuDNN bias, added."""
    first, second = np.split(arrays[0], 2, axis=-1)
    total: Array = first + second
    return total


def _slice(arrays: list[Array], fields: dict[str, Any]) -> Array:
    """A contiguous run of a flat array, in a shape of its own."""
    start, stop = int(fields["start"]), int(fields["stop"])
    return arrays[0].reshape(-1)[start:stop].reshape(fields["shape"])


def _lora(arrays: list[Array], fields: dict[str, Any]) -> Array:
    """A kernel with its low-rank update added, `W + alpha / rank * A B` (Keras's `enable_lora`, arXiv 2106.09685)."""
    base, first, second = arrays
    update = np.matmul(first.astype(np.float32), second.astype(np.float32)) * np.float32(fields["scale"])
    total: Array = (base.astype(np.float32) + update).astype(base.dtype)
    return total


_TRANSFORMS: dict[str, Callable[[list[Array], dict[str, Any]], Array]] = {
    "transpose": _transpose,
    "reshape": _reshape,
    "concatenate": _concatenate,
    "flip": _flip,
    "cudnn": _cudnn,
    "scale_blocks": _scale_blocks,
    "sum_halves": _sum_halves,
    "slice": _slice,
    "lora": _lora,
}

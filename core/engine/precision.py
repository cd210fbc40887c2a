"""A model in double precision: what is left of a difference there is no rounding of single precision.

Every float dtype of the configuration becomes float64, those of wrapped layers, operations and constants too.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from core.engine.gate import make_model
from core.model.graph import Graph

_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16"})
_POLICIES = frozenset({"DTypePolicy", "FloatDTypePolicy", "Policy"})
DOUBLE = "float64"


class NotDouble(Exception):
    """A layer computes with quantized numbers, which double precision does not make exact."""


def double_model(graph: Graph) -> Any:
    """`gate.make_model`, in double precision. Raises `NotDouble` for quantized layers."""
    policy, floats = keras.config.dtype_policy(), keras.config.floatx()
    # what a configuration leaves open follows the defaults
    keras.config.set_dtype_policy(DOUBLE)
    keras.config.set_floatx(DOUBLE)
    try:
        return make_model(graph, _doubled)
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_floatx(floats)


@contextlib.contextmanager
def pooled_by_axes() -> Iterator[None]:
    """The largest of numbers in a volume are looked for axis by axis, for as long as the block lasts.

    TensorFlow has no such pooling of volumes in double precision; of images it has, and the largest of the largest is
    the same number.
    """
    kept = keras.src.backend.nn.max_pool

    def pooled(
        inputs: Any, pool_size: Any, strides: Any = None, padding: Any = "valid", data_format: Any = None
    ) -> Any:
        if inputs.dtype != DOUBLE or len(inputs.shape) != 5:
            return kept(inputs, pool_size, strides, padding, data_format)
        sizes = [pool_size] * 3 if isinstance(pool_size, int) else list(pool_size)
        steps = sizes if strides is None else [strides] * 3 if isinstance(strides, int) else list(strides)
        first = (data_format or keras.config.image_data_format()) == "channels_first"
        x = keras.ops.moveaxis(inputs, 1, -1) if first else inputs
        count, depth, *places, channels = x.shape
        x = keras.ops.reshape(x, (count * depth, *places, channels))
        x = kept(x, sizes[1:], steps[1:], padding, "channels_last")
        places = x.shape[1:-1]
        x = keras.ops.reshape(x, (count, depth, places[0] * places[1], channels))
        x = kept(x, (sizes[0], 1), (steps[0], 1), padding, "channels_last")
        x = keras.ops.reshape(x, (count, x.shape[1], *places, channels))
        return keras.ops.moveaxis(x, -1, 1) if first else x

    keras.src.backend.nn.max_pool = pooled
    try:
        yield
    finally:
        keras.src.backend.nn.max_pool = kept


def _doubled(value: Any) -> Any:
    if isinstance(value, list):
        return [_doubled(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _dtype(item) if key == "dtype" else _doubled(item) for key, item in value.items()}


def _dtype(value: Any) -> Any:
    if isinstance(value, str):
        return DOUBLE if value in _FLOATS else value
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in _POLICIES:
        name = (value.get("config") or {}).get("name")
        return DOUBLE if name in _FLOATS else value
    raise NotDouble(str(value.get("class_name")))

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
def single_maxima() -> Iterator[None]:
    """The largest of numbers in a volume are looked for in single precision, for as long as the block lasts.

    TensorFlow has no such pooling in double precision. What is found is one of the numbers, rounded once: no sum.
    """
    kept = keras.src.backend.nn.max_pool

    def pooled(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if inputs.dtype != DOUBLE or len(inputs.shape) < 5:
            return kept(inputs, *args, **kwargs)
        return keras.ops.cast(kept(keras.ops.cast(inputs, "float32"), *args, **kwargs), DOUBLE)

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

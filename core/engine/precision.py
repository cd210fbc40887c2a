"""A model in double precision: what is left of a difference there is no rounding of single precision.

Every float dtype of the configuration becomes float64, those of wrapped layers, operations and constants too.
"""

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

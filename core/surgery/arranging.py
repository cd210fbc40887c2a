"""Arrays of a layer put into another order or rank by an edit, with whatever earlier steps do to them ahead of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec.structs import replace

from core.errors import EditError
from core.layers.axes import axes_of
from core.model.graph import Layer, Weight
from core.rules.arranged import Arranged
from core.rules.composed import ComposedChannels
from core.rules.fold import FoldChannels

Shape = tuple[int, ...]


def arranged(path: str, layer: Layer, name: str, now: Shape | None, make: Callable[[Shape], Arranged]) -> Layer:
    """The layer with `make(shape it has now)` as what its array `name` is before all other rules.

    `now` is the array's shape in the model at this step, where earlier steps have changed it. Raises `EditError` where
    the numbers cannot be moved about.
    """
    weight = next((one for one in layer.weights if one.name == name), None)
    rules = layer.rules_for(name)
    if any(rule.name == "initialize" for rule in rules):
        return layer  # it starts anew whatever the order
    if weight is None or weight.source is None:
        if any(rule.makes for rule in rules):
            raise EditError(f"An earlier step replaces {name} of {path}; put this step before it.")
        return layer
    if weight.decode is None and weight.dtype in ("int8", "uint8"):
        raise EditError(f"{path} is quantized; put a set_dtype step that dequantizes it before this one.")
    if any(isinstance(rule, (FoldChannels, ComposedChannels)) for rule in layer.rules_for("bias")):
        # that rule looks at the kernel as it lies in the source
        raise EditError(f"An earlier step folds the input's channels into {path}; put this step before it.")
    shape = weight.shape if not rules or now is None else now
    ahead = (*(() if weight.decode is None else (weight.decode,)), *rules)
    rule = replace(make(shape), ahead=ahead, middle=shape if ahead else (), axes=axes_of(layer, name, weight.shape))
    fresh = replace(weight, shape=rule.shape, decode=rule)
    layer = replace(layer, weights=tuple(fresh if one is weight else one for one in layer.weights), history=None)
    return layer.with_rules(name, ())


def named(layer: Layer, *names: str) -> tuple[Weight, ...]:
    """The arrays whose last name is one of these, wrappers' prefixes apart."""
    return tuple(one for one in layer.weights if one.name.rpartition("/")[2] in names)


def expanded_constant(value: Any, rank: int) -> Any:
    """A constant of a config or a call as an array of `rank` axes; `None` for what is none, or is a single number."""
    raw = value.get("config", {}).get("value") if isinstance(value, dict) else value
    if not isinstance(raw, (list, tuple)):
        return None
    try:
        array = np.asarray(raw)
    except (TypeError, ValueError):
        return None
    if array.dtype.kind not in "biuf" or array.ndim > rank:
        return None
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def put_back(value: Any, array: Any) -> Any:
    """An array as the constant that `value` was, without the axes of length 1 that lead it."""
    while array.ndim > 1 and array.shape[0] == 1:
        array = array[0]
    if isinstance(value, dict):
        return {**value, "config": {**value["config"], "value": array.tolist()}}
    return array.tolist()

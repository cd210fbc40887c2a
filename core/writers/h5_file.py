"""The legacy whole-model HDF5 format (`.h5`), as Keras 3 reads it back: arrays per top-level layer, in Keras's order.

`load_weights_from_hdf5_group` matches by position: layers in the order of `model.layers`, arrays in the order of
`trainable_weights + non_trainable_weights`, a nested model's arrays in one flat list. Which comes first therefore
depends on what is frozen.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.model.graph import Graph, Layer
from core.model.order import keras_order
from core.rules.base import Array
from core.writers.atomic import replacing
from core.writers.steady import new_hdf5

_ATTRIBUTE_LIMIT = 64512

Values = Callable[[int], Array]
"""Gives the values of array number `index` when it is written, so that one array at a time is in memory."""


class PlacedArray(NamedTuple):
    """One array: the path of its layer, its name there, whether Keras may train it, and how to get its values."""

    layer: str
    name: str
    trainable: bool
    number: int


def write_h5(
    out: Path,
    graph: Graph,
    config: dict[str, Any],
    version: str,
    placed: Mapping[str, list[PlacedArray]],
    values: Values,
) -> int:
    """Write a whole-model `.h5` and return its size in bytes.

    `placed` has the arrays of each layer by path, in the order of Keras's `layer.weights`; `values` gives an array by
    its index. Raises `FileError`; nothing is left behind on failure.
    """
    with replacing(out) as partial:
        with new_hdf5(partial, libver="earliest") as file:
            file.attrs["keras_version"] = version.encode()
            file.attrs["backend"] = b"tensorflow"
            file.attrs["model_config"] = json.dumps(config).encode()
            group = file.create_group("model_weights")
            group.attrs["keras_version"] = version.encode()
            group.attrs["backend"] = b"tensorflow"
            layers = [
                layer
                for position, layer in enumerate(keras_order(graph))
                if not layer.is_operation and not (position == 0 and graph.is_sequential and layer.is_input)
            ]
            _names(group, "layer_names", [layer.name for layer in layers])
            for layer in sorted(layers, key=lambda one: one.name):
                _write_layer(group.create_group(layer.name), legacy_order(layer, placed), values)
            _names(group.create_group("top_level_model_weights"), "weight_names", [])
        return partial.stat().st_size


def legacy_order(layer: Layer, placed: Mapping[str, list[PlacedArray]], path: str | None = None) -> list[PlacedArray]:
    """A layer's arrays in the order of `trainable_weights + non_trainable_weights`."""
    arrays = _flat(layer, placed, path or layer.name)
    if not layer.trainable:
        return arrays
    return [array for array in arrays if array.trainable] + [array for array in arrays if not array.trainable]


def _flat(layer: Layer, placed: Mapping[str, list[PlacedArray]], path: str) -> list[PlacedArray]:
    arrays = list(placed.get(path, ()))
    if layer.inner is not None:
        for inner in keras_order(layer.inner):
            arrays += _flat(inner, placed, f"{path}/{inner.name}")
    return arrays


def _write_layer(group: Any, arrays: Iterable[PlacedArray], values: Values) -> None:
    names = []
    for array in arrays:
        name = f"{array.layer}/{array.name}"
        while name in names:
            name += "_"
        names.append(name)
        group.create_dataset(name, data=np.asarray(values(array.number)))
    _names(group, "weight_names", names)


def _names(group: Any, attribute: str, names: list[str]) -> None:
    """A list of names as an attribute; in numbered parts where HDF5's 64 KB limit for an object header demands it."""
    data = [name.encode() for name in names]
    parts = 1
    while any(np.asarray(part).nbytes > _ATTRIBUTE_LIMIT for part in np.array_split(np.asarray(data or [b""]), parts)):
        parts += 1
    if parts == 1:
        group.attrs[attribute] = data
    else:
        for number, part in enumerate(np.array_split(np.asarray(data), parts)):
            group.attrs[f"{attribute}{number}"] = part

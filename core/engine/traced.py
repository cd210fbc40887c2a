"""A model as one function of named inputs and outputs, for the formats that TensorFlow's converters write."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from msgspec import Struct

from core.engine.running import structured
from core.model.graph import Graph
from core.rules.base import Array
from core.surgery.inputs import ordered


class Signature(Struct, frozen=True):
    """What goes in and comes out, flat, by name. `nesting` is what the model is called with, its leaves input names."""

    inputs: dict[str, tf.TensorSpec]
    outputs: tuple[str, ...]
    nesting: Any


def signature(model: keras.Model, graph: Graph, given: Mapping[str, Array], batch: int | None = None) -> Signature:
    """The names of a model's inputs are those of its input layers; an output is called by its key or its layer.

    Sizes that the graph leaves open stay open, but for a `batch` given. Raises `Unrunnable`.
    """
    specs = {}
    for ref in graph.input_refs():
        array = given[ref.layer]
        shape = graph.spec(ref).shape or (None, *array.shape[1:])
        known = (batch if batch is not None else shape[0], *shape[1:])
        specs[ref.layer] = tf.TensorSpec(known, tf.as_dtype(array.dtype), name=ref.layer)
    nesting = ordered(graph, {name: name for name in specs})  # type: ignore[misc]  # names in place of arrays
    return Signature(specs, output_names(graph, structured(model, ordered(graph, given))), nesting)


def output_names(graph: Graph, outputs: Any) -> tuple[str, ...]:
    """A name for each output, in the order of `keras.tree.flatten`: the keys of a dict, else the layers, numbered."""
    count = len(keras.tree.flatten(outputs))
    if isinstance(outputs, dict) and len(outputs) == count:
        return tuple(map(str, sorted(outputs)))
    layers = [ref.layer for ref in graph.output_refs()]
    if len(layers) != count:
        return tuple(f"output_{number}" for number in range(count))
    found: list[str] = []
    for name in layers:
        number, free = 1, name
        while free in found:
            free, number = f"{name}_{number}", number + 1
        found.append(free)
    return tuple(found)


def concrete(model: keras.Model, wanted: Signature) -> Any:
    """TensorFlow's concrete function of the flat inputs, in their order, with flat outputs."""

    def serve(*flat: Any) -> list[Any]:
        named = dict(zip(wanted.inputs, flat, strict=True))
        inputs = keras.tree.map_structure(named.__getitem__, wanted.nesting)
        return list(keras.tree.flatten(model(inputs, training=False)))

    traced = tf.function(serve, input_signature=list(wanted.inputs.values()), autograph=False)
    return traced.get_concrete_function()

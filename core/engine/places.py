"""Tensors inside a live model, by the address that contracts use, and layers with their last activation taken off."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras


def part_of(model: Any, name: str) -> Any:
    """A layer or operation by name; Keras's `get_layer` knows no operations. Raises `KeyError`."""
    parts = {part.name: part for part in getattr(model, "operations", model.layers)}
    return parts[name]


def tensor_at(model: Any, path: str, calls: Sequence[int] = (), output: int = 0) -> Any:
    """The symbolic tensor that the layer at `path` gives; `calls` counts the calls from the outermost model in.

    Inside a nested model it is found by calling a model that ends there. Raises `KeyError`.
    """
    part, rest = _split(model, path)
    node = part._inbound_nodes[calls[0] if calls else 0]
    if not rest:
        return node.output_tensors[output]
    inner = keras.Model(_alone(part.inputs), tensor_at(part, rest, calls[1:], output))
    return inner(_alone(node.input_tensors))


def layer_at(model: Any, path: str) -> Any:
    """The live layer at `path`. Raises `KeyError`."""
    part, rest = _split(model, path)
    return layer_at(part, rest) if rest else part


@contextlib.contextmanager
def without_activation(layer: Any) -> Iterator[None]:
    """The layer as it is before its activation, for as long as the block lasts."""
    kept = getattr(layer, "activation", None)
    if kept is None:
        yield
        return
    layer.activation = keras.activations.linear
    try:
        yield
    finally:
        layer.activation = kept


@contextlib.contextmanager
def plain_sums() -> Iterator[None]:
    """Biases are added to the axis that they belong to, for as long as the block lasts.

    Keras 3.15 on TensorFlow adds the bias of a channels-first map along its width where that is as large as the number
    of channels (`keras/src/backend/tensorflow/numpy.py`, `add`), which no kernel was ever trained with.
    """
    kept = keras.src.backend.numpy.add
    keras.src.backend.numpy.add = lambda x1, x2: keras.src.backend.numpy.subtract(
        x1, keras.src.backend.numpy.negative(x2)
    )
    try:
        yield
    finally:
        keras.src.backend.numpy.add = kept


def _alone(tensors: Sequence[Any]) -> Any:
    """A single tensor by itself: Keras complains where a list stands for one."""
    return tensors[0] if len(tensors) == 1 else list(tensors)


def _split(model: Any, path: str) -> tuple[Any, str]:
    """The part that `path` begins with, and the rest of the path; a name may hold a slash itself."""
    for part in getattr(model, "operations", model.layers):
        if part.name == path:
            return part, ""
    for part in getattr(model, "operations", model.layers):
        if isinstance(part, keras.Model) and path.startswith(part.name + "/"):
            return part, path[len(part.name) + 1 :]
    raise KeyError(path)

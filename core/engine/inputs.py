"""Seeded random inputs for a model: of the planned shapes, in the range that its first layers can take."""

from typing import Any

import numpy as np

from core.graph import Graph, Layer, Shape, TensorRef
from core.rules.base import Array

DEFAULT_SIZE = 64
SEED = 20_240_229
_LOOK_AHEAD = 3


def random_inputs(graph: Graph, count: int = 2, seed: int = SEED, like: Graph | None = None) -> dict[str, Array]:
    """One array per input by InputLayer name, `(count, ...)`, up to `input_range`; dynamic sizes are `like`'s or 64."""
    rng = np.random.default_rng(seed)
    others = {layer.name: layer for layer in like.input_layers()} if like and not like.opaque else {}
    found = {}
    for layer in graph.input_layers():
        other = others.get(layer.name)
        shape = concrete(_shape(layer), count, _shape(other) if other else None)
        if _dtype(layer) == "string":
            words = np.array(_words(graph, layer.name), dtype=object)
            found[layer.name] = words[rng.integers(0, len(words), shape)]
            continue
        array = random_array(rng, shape, _dtype(layer), _limit(graph, layer.name))
        found[layer.name] = array * input_range(graph, layer.name) if array.dtype == np.float32 else array
    return found


def input_range(graph: Graph, name: str) -> np.float32:
    """The largest number that a float input is meant to take: 255 or so where a Rescaling says, else 1.

    A model that divides by 255 sees next to nothing in numbers from 0 to 1.
    """
    layers, consumers, names = graph.by_name(), graph.consumers(), [name]
    for _ in range(_LOOK_AHEAD):
        names = [user for one in names for user, _ in consumers.get(TensorRef(one), ())]
        for layer in (layers[one] for one in names):
            scale = layer.config.get("scale")
            if layer.class_name == "Rescaling" and isinstance(scale, (int, float)) and 0 < abs(scale) < 0.5:
                return np.float32(255.0 if 1 / 256 < abs(scale) < 1 / 127 else 1 / abs(scale))
            if layer.is_model and layer.inner is not None and len(layer.inner.input_layers()) == 1:
                return input_range(layer.inner, layer.inner.input_layers()[0].name)
    return np.float32(1.0)


def random_array(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, limit: int | None = None) -> Array:
    """Uniform numbers in 0..1 for floats, indices below `limit` for integers, booleans for booleans."""
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.startswith(("int", "uint")) or limit is not None:
        whole = rng.integers(0, limit or 2, shape)
        return whole.astype(dtype if not dtype.startswith("bfloat") else "float32")
    return rng.random(shape, dtype=np.float32)


def concrete(shape: Shape | None, count: int, like: Shape | None = None) -> tuple[int, ...]:
    """`shape` with a batch of `count` and a size for every dynamic dimension."""
    if shape is None:
        return (count, DEFAULT_SIZE)
    sizes = [count if shape[0] is None else shape[0]]
    for axis, size in enumerate(shape[1:], 1):
        other = like[axis] if like is not None and axis < len(like) else None
        sizes.append(size or other or DEFAULT_SIZE)
    return tuple(sizes)


def ordered(graph: Graph, arrays: dict[str, Array]) -> Any:
    """The arrays in the nesting that the model is called with (`graph.inputs`); a chain takes the array itself."""
    if graph.is_sequential:
        return arrays[graph.input_refs()[0].layer]
    return _place(graph.inputs, arrays)


def _place(structure: Any, arrays: dict[str, Array]) -> Any:
    if isinstance(structure, dict):
        return {key: _place(value, arrays) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [_place(value, arrays) for value in structure]
    return arrays[structure.layer]


def _words(graph: Graph, name: str) -> list[str]:
    """Texts for an input: words of the vocabulary that it is looked up in, and one that is in none."""
    for layer in graph.layers:
        vocabulary = layer.config.get("vocabulary")
        if any(ref.layer == name for call in layer.calls for ref in call.inputs()) and isinstance(vocabulary, list):
            return [str(word) for word in vocabulary[:50]] + ["word"]
    return ["a", "word", "of four letters"]


def _shape(layer: Layer) -> Shape | None:
    shape = layer.config.get("batch_shape")
    return tuple(shape) if shape is not None else None


def _dtype(layer: Layer) -> str:
    dtype = layer.config.get("dtype")
    return dtype if isinstance(dtype, str) else "float32"


def _limit(graph: Graph, name: str) -> int | None:
    """The number of rows of an Embedding that this input goes into (through at most a few layers), if any."""
    wanted = {name}
    for layer in graph.layers:
        for call in layer.calls:
            if not any(ref.layer in wanted for ref in call.inputs()):
                continue
            if layer.class_name == "Embedding":
                return int(layer.config.get("input_dim") or 2)
            if layer.class_name in {"Reshape", "Masking", "Identity", "OneHot"} or layer.is_operation:
                wanted.add(layer.name)
            if "OneHot" in layer.class_name or layer.class_name == "CategoryEncoding":
                return int(layer.config.get("num_classes") or layer.config.get("num_tokens") or 2)
            if layer.inner is not None and layer.is_model:
                inner = [one.name for one in layer.inner.input_layers()]
                limits = [_limit(layer.inner, one) for one in inner]
                found = next((limit for limit in limits if limit), None)
                if found:
                    return found
    return None

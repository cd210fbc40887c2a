"""Seeded random inputs for a model: of the planned shapes, in the range that its first layers can take."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.model.graph import Graph, Layer, Shape, TensorRef
from core.phrases import shape_words
from core.rules.base import Array
from core.surgery.words import SAME_IDS

SAMPLES = 2
"""Random samples that a check runs on."""
DEFAULT_SIZE = 64
SEED = 20_240_229
_LOOK_AHEAD = 3
_WORDS = 50


def random_inputs(
    graph: Graph,
    count: int = SAMPLES,
    seed: int = SEED,
    like: Graph | None = None,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, Array]:
    """One array per input by InputLayer name, `(count, ...)`, up to `input_range`.

    Open dimensions are as large as `like`'s, else what `sizes` says of the input (`core.engine.sizes` knows what will
    do), else `DEFAULT_SIZE`. Where one input has a fixed batch, all have as many samples.
    """
    fixed = [shape[0] for shape in map(declared_shape, graph.input_layers()) if shape and shape[0]]
    count = fixed[0] if fixed else count
    rng = np.random.default_rng(seed)
    others = {layer.name: layer for layer in like.input_layers()} if like and not like.opaque else {}
    found = {}
    for layer in graph.input_layers():
        other = others.get(layer.name)
        size = (sizes or {}).get(layer.name, DEFAULT_SIZE)
        shape = concrete(declared_shape(layer), count, declared_shape(other) if other else None, size)
        if declared_dtype(layer) == "string":
            words = np.array(_words(graph, layer.name), dtype=object)
            found[layer.name] = words[rng.integers(0, len(words), shape)]
            continue
        numbers = _vocabulary(graph, layer.name) if declared_dtype(layer).startswith(("int", "uint")) else []
        if numbers and all(isinstance(number, int) for number in numbers):
            choice = np.array([*numbers[:_WORDS], max(numbers) + 1])
            found[layer.name] = choice[rng.integers(0, len(choice), shape)].astype(declared_dtype(layer))
            continue
        array = random_array(rng, shape, declared_dtype(layer), _limit(graph, layer.name))
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


def concrete(shape: Shape | None, count: int, like: Shape | None = None, size: int = DEFAULT_SIZE) -> tuple[int, ...]:
    """`shape` with a batch of `count` and a size for every open dimension: `like`'s, else `size`."""
    if shape is None:
        return (count, size)
    sizes = [count if shape[0] is None else shape[0]]
    for axis, own in enumerate(shape[1:], 1):
        other = like[axis] if like is not None and axis < len(like) else None
        sizes.append(own or other or size)
    return tuple(sizes)


def ordered(graph: Graph, arrays: Mapping[str, Array]) -> Any:
    """The arrays in the nesting that the model is called with (`graph.inputs`); a chain takes the array itself."""
    if graph.is_sequential:
        return arrays[graph.input_refs()[0].layer]
    return _place(graph.inputs, arrays)


def _place(structure: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(structure, dict):
        return {key: _place(value, arrays) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [_place(value, arrays) for value in structure]
    return arrays[structure.layer]


def _words(graph: Graph, name: str) -> list[str]:
    """Texts for an input: words of the vocabulary that it is looked up in, and one that is in none."""
    known = [str(word) for word in _vocabulary(graph, name)[:_WORDS]]
    return [*known, "word"] if known else ["a", "word", "of four letters"]


def shared_words(
    one: Graph, other: Graph, like: Mapping[str, Array], seed: int = SEED, only: Sequence[Any] | None = None
) -> dict[str, Array]:
    """For each input that both graphs look up, words that both know, in the shape and dtype of `like`.

    Where any of them is among the words `only`, no other one is taken.
    """
    rng = np.random.default_rng(seed)
    found = {}
    for layer in one.input_layers():
        known = _vocabulary(one, layer.name)
        both = set(known) & set(_vocabulary(other, layer.name)) if known else set()
        both = both & set(only or ()) or both
        if both:
            array = like[layer.name]
            drawn = rng.choice(np.array(sorted(both), dtype=array.dtype), array.shape)
            found[layer.name] = drawn.astype(array.dtype)
    return found


def _vocabulary(graph: Graph, name: str) -> list[Any]:
    """The vocabulary that an input is looked up in, in a nested model too; empty where there is none."""
    layers = graph.by_name()
    for user, number in graph.consumers().get(TensorRef(name), ()):
        layer = layers[user]
        vocabulary = layer.config.get("vocabulary")
        if isinstance(vocabulary, list) and vocabulary:
            return vocabulary
        if layer.is_model and layer.inner is not None:
            wanted, given = layer.inner.input_refs(), layer.calls[number].inputs()
            for inside, ref in zip(wanted, given, strict=False):
                if ref.layer == name and (found := _vocabulary(layer.inner, inside.layer)):
                    return found
    return []


def declared_shape(layer: Layer) -> Shape | None:
    """The shape of an InputLayer, batch first; `None` where it says none."""
    shape = layer.config.get("batch_shape")
    return tuple(shape) if shape is not None else None


def declared_dtype(layer: Layer) -> str:
    """The dtype of an InputLayer."""
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
            if layer.class_name in SAME_IDS or layer.class_name == "OneHot" or layer.is_operation:
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


def old_input_words(name: str, old: Shape | None, new: Shape | None) -> str:
    """What the old model gets while its outputs are compared with a new one's at another size or other channels.

    Both shapes have the batch first and the channels last; `""` if the old model gets the same.
    """
    if old is None or new is None or len(old) != len(new) or len(old) < 3:
        return ""
    done = []
    if any(None not in pair and pair[0] != pair[1] for pair in zip(old[1:-1], new[1:-1], strict=True)):
        how = "bilinear, antialiased" if len(old) == 4 else "nearest values"
        done.append(f"resized from {shape_words(new[1:-1])} to {shape_words(old[1:-1])} ({how})")
    was, now = old[-1], new[-1]
    if was is not None and now is not None and was != now:
        one = "its channel" if now == 1 else f"its {now} channels"
        few = f"{one} repeated to make {was}"
        many = f"{one} averaged to one" if was == 1 else f"its {now} channels averaged in turn to {was}"
        done.append(few if now < was else many)
    return f"The old model gets the same input {name!r}, {' and '.join(done)}." if done else ""

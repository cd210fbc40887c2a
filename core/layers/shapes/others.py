"""Shapes of everything that is no convolution, merge or recurrent layer."""

from collections.abc import Callable
from math import prod
from typing import Any

from core.layers.table import classes
from core.model.graph import Shape

Config = dict[str, Any]


def _same(config: Config, shapes: list[Shape]) -> Shape:
    return shapes[0]


def _dense(config: Config, shapes: list[Shape]) -> Shape:
    return (*shapes[0][:-1], int(config["units"]))


def _flatten(config: Config, shapes: list[Shape]) -> Shape:
    rest = shapes[0][1:]
    return (shapes[0][0], None if None in rest else prod(size for size in rest if size is not None))


def reshaped(shape: Shape, target: list[int | None]) -> Shape:
    """`shape` (no batch) in the form `target`, whose one -1 takes what is left."""
    if not any(size == -1 for size in target):
        return tuple(target)
    if None in shape:
        return tuple(None if size == -1 else size for size in target)
    whole = prod(size for size in shape if size is not None)
    rest = prod(size for size in target if size not in (-1, None))
    return tuple(whole // max(1, rest) if size == -1 else size for size in target)


def _reshape(config: Config, shapes: list[Shape]) -> Shape:
    return (shapes[0][0], *reshaped(shapes[0][1:], list(config["target_shape"])))


def _permute(config: Config, shapes: list[Shape]) -> Shape:
    return (shapes[0][0], *(shapes[0][int(axis)] for axis in config["dims"]))


def _repeat(config: Config, shapes: list[Shape]) -> Shape:
    return (shapes[0][0], int(config["n"]), shapes[0][1])


def _embedding(config: Config, shapes: list[Shape]) -> Shape:
    return (*shapes[0], int(config["output_dim"]))


def _category(config: Config, shapes: list[Shape]) -> Shape | None:
    """Tokens as vectors: one for each sample, or one for each token with `one_hot`."""
    tokens = config.get("num_tokens")
    if tokens is None:
        return None
    shape = shapes[0]
    if config.get("output_mode", "multi_hot") == "one_hot":
        return (*(shape if shape[-1] != 1 else shape[:-1]), int(tokens))
    return (*shape[:-1], int(tokens)) if len(shape) > 1 else (int(tokens),)


def _einsum(config: Config, shapes: list[Shape]) -> Shape:
    """Letters of the output: from the input where it has them, from `output_shape` counted from the right."""
    left, output = str(config["equation"]).replace(" ", "").split("->")
    source = left.split(",")[0]
    wanted = config["output_shape"]
    sizes: list[int | None] = [wanted] if isinstance(wanted, int) else list(wanted)
    shape = shapes[0]
    if "..." in output:
        letters = output.replace("...", "")
        lead = len(shape) - len(source.replace("...", ""))
        return (*shape[:lead], *sizes[-len(letters) :]) if letters else shape[:lead]
    out: list[int | None] = []
    padded = [None] * (len(output) - len(sizes)) + sizes
    for letter, size in zip(output, padded, strict=True):
        out.append(size if size is not None else (shape[source.index(letter)] if letter in source else None))
    return tuple(out)


def _indices(config: Config, shapes: list[Shape]) -> Shape | None:
    """A whole number for each entry, unless the numbers are made into vectors."""
    return shapes[0] if config.get("output_mode") in (None, "int") else None


RULES: dict[str, Callable[[Config, list[Shape]], Any]] = {
    **dict.fromkeys(classes(same_shape=True), _same),
    "Dense": _dense,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
    "Embedding": _embedding,
    "ReversibleEmbedding": _embedding,
    "EinsumDense": _einsum,
    "CategoryEncoding": _category,
    "Discretization": _indices,
    "Hashing": _indices,
}

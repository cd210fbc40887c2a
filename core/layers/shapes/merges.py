"""Shapes of layers with several inputs: Add and its kin, Concatenate, Dot, attention."""

from collections.abc import Callable
from typing import Any

from core.layers.table import classes
from core.model.graph import Shape

Config = dict[str, Any]


def broadcast(shapes: list[Shape]) -> Shape:
    """NumPy's broadcasting with unknown dimensions. Raises `ValueError` where the shapes do not fit."""
    rank = max(len(shape) for shape in shapes)
    out: list[int | None] = []
    for axis in range(-rank, 0):
        sizes = [shape[axis] for shape in shapes if len(shape) >= -axis]
        known = {size for size in sizes if size is not None and size != 1}
        if len(known) > 1:
            raise ValueError("shapes do not broadcast")
        out.append(known.pop() if known else (None if None in sizes else 1))
    return tuple(out)


def _merge(config: Config, shapes: list[Shape]) -> Shape:
    """Elementwise merges: the batch stays, other axes broadcast."""
    if len({len(shape) for shape in shapes}) == 1:
        return (shapes[0][0], *broadcast([shape[1:] for shape in shapes]))
    return broadcast(shapes)


def concatenated(shapes: list[Shape], axis: int) -> Shape:
    """Shapes joined along an axis."""
    rank = len(shapes[0])
    axis %= rank
    sizes = [shape[axis] for shape in shapes]
    total = None if None in sizes else sum(size for size in sizes if size is not None)
    out = list(shapes[0])
    for other in shapes[1:]:
        out = [mine if mine is not None else theirs for mine, theirs in zip(out, other, strict=True)]
    out[axis] = total
    return tuple(out)


def _concatenate(config: Config, shapes: list[Shape]) -> Shape:
    return concatenated(shapes, int(config.get("axis", -1)))


def _dot(config: Config, shapes: list[Shape]) -> Shape:
    axes = config["axes"]
    first, second = (axes, axes) if isinstance(axes, int) else (int(axes[0]), int(axes[1]))
    a, b = list(shapes[0]), list(shapes[1])
    a.pop(first % len(a))
    b.pop(second % len(b))
    b.pop(0)
    out = (*a, *b)
    return (*out, 1) if len(out) == 1 else out


def _attention(config: Config, shapes: list[Shape]) -> Shape:
    """Query, value, key: the query's positions with the value's features."""
    return (*shapes[0][:-1], shapes[1][-1])


def _multi_head(config: Config, shapes: list[Shape]) -> Shape:
    out = config.get("output_shape")
    if out is None:
        return shapes[0]
    return (*shapes[0][:-1], *((out,) if isinstance(out, int) else out))


RULES: dict[str, Callable[[Config, list[Shape]], Any]] = {
    **dict.fromkeys(classes(kind="together"), _merge),
    "Concatenate": _concatenate,
    "Dot": _dot,
    "Attention": _attention,
    "AdditiveAttention": _attention,
    "MultiHeadAttention": _multi_head,
    "GroupQueryAttention": lambda config, shapes: shapes[0],
}

"""Shapes of operations that move, repeat, cut or pick elements; a list of shapes for several outputs."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from core.model.graph import Shape

Config = dict[str, Any]
Found = Shape | list[Shape] | None


def _at(shape: Shape, axis: Any, size: int | None) -> Shape:
    index = int(axis) % len(shape)
    return (*shape[:index], size, *shape[index + 1 :])


def _without(shape: Shape, axis: int) -> Shape:
    index = axis % len(shape)
    return (*shape[:index], *shape[index + 1 :])


def _times(size: int | None, count: int) -> int | None:
    return None if size is None else size * count


def _stack(config: Config, shapes: list[Shape]) -> Found:
    first = shapes[0]
    axis = int(config.get("axis") or 0) % (len(first) + 1)
    return (*first[:axis], len(shapes), *first[axis:])


def _split(config: Config, shapes: list[Shape]) -> Found:
    parts, axis = config["indices_or_sections"], int(config.get("axis") or 0)
    size = shapes[0][axis % len(shapes[0])]
    if isinstance(parts, int):
        return [_at(shapes[0], axis, None if size is None else size // parts)] * parts
    if size is None:
        return None
    bounds = [0, *parts, size]
    return [_at(shapes[0], axis, stop - start) for start, stop in pairwise(bounds)]


def _unstack(config: Config, shapes: list[Shape]) -> Found:
    axis = int(config.get("axis") or 0)
    count = config.get("num") or shapes[0][axis % len(shapes[0])]
    return None if count is None else [_without(shapes[0], axis)] * int(count)


def _tile(config: Config, shapes: list[Shape]) -> Found:
    repeats = config["repeats"]
    counts = [repeats] if isinstance(repeats, int) else list(repeats)
    if len(counts) != len(shapes[0]):
        return None
    return tuple(_times(size, count) for size, count in zip(shapes[0], counts, strict=True))


def _repeat(config: Config, shapes: list[Shape]) -> Found:
    count, axis = config["repeats"], config.get("axis")
    if axis is None or not isinstance(count, int):
        return None
    return _at(shapes[0], axis, _times(shapes[0][int(axis) % len(shapes[0])], count))


def _pad(config: Config, shapes: list[Shape]) -> Found:
    pairs = config["pad_width"]
    if not isinstance(pairs, list) or len(pairs) != len(shapes[0]):
        return None
    return tuple(None if size is None else size + sum(pair) for size, pair in zip(shapes[0], pairs, strict=True))


def _take(config: Config, shapes: list[Shape]) -> Found:
    axis = config.get("axis")
    if axis is None or len(shapes) < 2:
        return None
    index = int(axis) % len(shapes[0])
    return (*shapes[0][:index], *shapes[1], *shapes[0][index + 1 :])


def _argument(config: Config, shapes: list[Shape]) -> Found:
    axis = config.get("axis")
    if axis is None:
        return None
    return _at(shapes[0], axis, 1) if config.get("keepdims") else _without(shapes[0], int(axis))


def _norm(config: Config, shapes: list[Shape]) -> Found:
    axis = config.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        axis = axis[0]
    return _argument({**config, "axis": axis}, shapes) if isinstance(axis, int) else None


def _swap(config: Config, shapes: list[Shape]) -> Found:
    out = list(shapes[0])
    first, second = int(config["axis1"]), int(config["axis2"])
    out[first], out[second] = out[second], out[first]
    return tuple(out)


def _resize(config: Config, shapes: list[Shape]) -> Found:
    size = tuple(int(length) for length in config["size"])
    if config.get("data_format") == "channels_first":
        return (*shapes[0][:-2], *size)
    return (*shapes[0][:-3], *size, shapes[0][-1])


def _pool(config: Config, shapes: list[Shape]) -> Found:
    from core.layers.shapes.convs import RULES

    rank = len(shapes[0]) - 2
    found: Shape = RULES[f"MaxPooling{rank}D"](config, shapes)
    return found


def _depth_to_space(config: Config, shapes: list[Shape]) -> Found:
    block = int(config["block_size"])
    batch, rows, columns, channels = shapes[0]
    return (batch, _times(rows, block), _times(columns, block), None if channels is None else channels // block**2)


def _einsum(config: Config, shapes: list[Shape]) -> Found:
    left, output = str(config["subscripts"]).replace(" ", "").split("->")
    sizes: dict[str, int | None] = {}
    for letters, shape in zip(left.split(","), shapes, strict=True):
        sizes.update(zip(letters, shape, strict=True))
    return tuple(sizes[letter] for letter in output)


RULES: dict[str, Callable[[Config, list[Shape]], Found]] = {
    "Stack": _stack,
    "Split": _split,
    "Unstack": _unstack,
    "Tile": _tile,
    "Repeat": _repeat,
    "Pad": _pad,
    "Take": _take,
    "Argmax": _argument,
    "Argmin": _argument,
    "Norm": _norm,
    "Swapaxes": _swap,
    "Resize": _resize,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "DepthToSpace": _depth_to_space,
    "Einsum": _einsum,
}

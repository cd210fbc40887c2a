"""What the axes of a weight mean, by the class of its layer and the weight's name. Keras's own layouts."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

from msgspec import Struct

from core.layers import table
from core.model.graph import Layer

Owns = Literal["channels", "filters", "kernel", "flat", "positions", "all"]


class Axes(Struct, frozen=True):
    """What each axis of a weight means for its layer.

    `spatial` are kernel axes, `channels` the axis that follows the layer's input channels, `filters` the one that
    follows its outputs, `positions` the rows of a table. `kind` says how the numbers act: `kernel` multiplies and is
    summed over `channels`; `depthwise` multiplies channel by channel; `scale`, `shift`, `mean`, `variance` are
    per-channel vectors;
    `bias` is per filter; `table` is a table of positions or classes; `other` is anything else.
    `groups` is the layer's group count, `strides` its steps along the spatial axes.
    """

    kind: str = "other"
    spatial: tuple[int, ...] = ()
    channels: int | None = None
    filters: int | None = None
    groups: int = 1
    positions: int | None = None
    strides: tuple[int, ...] = ()

    def owned(self, owner: Owns, rank: int) -> tuple[int, ...]:
        """The axes of a weight of that rank that rules of `owner` may change."""
        if owner == "kernel":
            return self.spatial
        if owner == "all":
            return tuple(range(rank))
        axis = {"channels": self.channels, "flat": self.channels, "filters": self.filters, "positions": self.positions}[
            owner
        ]
        return () if axis is None else (axis,)


WRAPPERS = {name: table.row(name).inside[0][0] for name in table.classes(family="wrapper")}
"""By the class of a wrapper, the setting that holds the layer inside."""
_GROUPED = table.classes(family="convolution", kind="plain")
_OTHER = Axes()


def unwrapped(layer: Layer) -> Iterator[tuple[str, dict[str, Any]]]:
    """Class name and config of a layer, of the layer that it wraps, and so on."""
    class_name, config = layer.class_name, layer.config
    yield class_name, config
    while class_name in WRAPPERS:
        inside = config.get(WRAPPERS[class_name])
        if not isinstance(inside, dict) or "class_name" not in inside:
            return
        class_name, config = inside["class_name"], inside.get("config", {})
        yield class_name, config


def leaf_class(layer: Layer) -> tuple[str, dict[str, Any]]:
    """Class name and config of the layer that really holds the weights: a wrapper's inside, or the layer itself."""
    if layer.class_name not in WRAPPERS:
        return layer.class_name, layer.config
    *_, innermost = unwrapped(layer)
    return innermost


def axes_of(layer: Layer, weight_name: str, shape: tuple[int, ...]) -> Axes:
    """The meaning of each axis of one weight of a built-in layer.

    Layers without known layout (custom classes) give a table of positions for what looks like one (rank 2, or rank 3
    with a leading 1) and `kind="other"` for the rest.
    """
    class_name, config = leaf_class(layer)
    name = weight_name.rpartition("/")[2]
    rank = len(shape)
    known = _known(layer.class_name, class_name, name, rank)
    if known is None:
        return _unlisted(layer, class_name, weight_name, shape)
    if "cells/" in weight_name and name == "kernel" and not _first_cell(layer, weight_name):
        return _OTHER  # it takes what the cell before it gives
    groups = int(config.get("groups") or 1) if class_name in _GROUPED else 1
    if not known.spatial and groups == 1:
        return known
    strides = _tuple(config.get("strides", 1), len(known.spatial)) if known.spatial else ()
    return Axes(known.kind, known.spatial, known.channels, known.filters, groups, known.positions, strides)


@cache
def _known(outer: str, class_name: str, name: str, rank: int) -> Axes | None:
    """The axes of an array as the row of a wrapper or of what it holds names them; `None` where neither does."""
    row = table.row(class_name)
    if row.kind == "depthwise" and name == "depthwise_kernel":
        name = "kernel"  # as older versions call it
    for array in (*table.row(outer).arrays, *row.arrays):
        found = _meaning(array.axes.split(), array.kind, rank) if array.name == name else None
        if found is not None:
            return found if found.kind != "other" else _OTHER
    return None


def _meaning(words: list[str], kind: str, rank: int) -> Axes | None:
    """The axes of an array of that rank by their words; `None` where the words speak of another rank."""
    if "..." in words:
        at = words.index("...")
        words = [*words[:at], *[""] * (rank - len(words) + 1), *words[at + 1 :]]
    if len(words) != rank:
        return None

    def axis_of(*meanings: str) -> int | None:
        return next((axis for axis, word in enumerate(words) if word in meanings), None)

    spatial = tuple(axis for axis, word in enumerate(words) if word == "place")
    return Axes(kind, spatial, axis_of("in", "channel"), axis_of("out", "channel"), positions=axis_of("position"))


def _unlisted(layer: Layer, class_name: str, weight_name: str, shape: tuple[int, ...]) -> Axes:
    """An array that no row names: a bias, a part of attention, one of the person's own class."""
    name, rank, row = weight_name.rpartition("/")[2], len(shape), table.row(class_name)
    if name == "bias" and rank == 1:
        return Axes(kind="bias", filters=0)
    if row.parts and name == "kernel" and rank == 3 and "output" not in weight_name:
        return Axes(kind="kernel", channels=0)
    if row.family == "embedding" and rank == 2:
        return Axes(kind="table", positions=0, filters=1)
    return _custom(layer, rank, shape)


def _first_cell(layer: Layer, weight_name: str) -> bool:
    """Whether a weight is not one of a stacked cell behind the first."""
    head, cells, rest = weight_name.partition("cells/")
    if not cells:
        return True
    stacked = (weight.name for weight in layer.weights if weight.name.startswith(head + cells))
    first = next(stacked, weight_name)
    return first[len(head + cells) :].partition("/")[0] == rest.partition("/")[0]


def _custom(layer: Layer, rank: int, shape: tuple[int, ...]) -> Axes:
    if (layer.module or "").partition(".")[0] == "keras":
        return _OTHER
    if rank == 2:
        return Axes(kind="table", positions=0, filters=1)
    if rank == 3 and shape[0] == 1:
        return Axes(kind="table", positions=1, filters=2)
    return _OTHER


def _tuple(value: Any, length: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (int(value),) * length

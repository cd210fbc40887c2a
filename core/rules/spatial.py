"""Rules for a Dense after Flatten when the map that was flattened changes its size."""

from collections.abc import Mapping
from math import prod
from typing import ClassVar, Literal

import numpy as np

from core.layers.axes import Axes, Owns
from core.phrases import shape_words
from core.rules.base import Array, Rule
from core.rules.interpolation import along, resize_matrix

Layout = Literal["channels_last", "channels_first"]


class FlatRule(Rule, frozen=True, kw_only=True):
    """Base: `old` and `new` are the flattened map's shapes, spatial sizes first and channels last, e.g. `(h, w, c)`.

    Left empty in a recipe, they are read off the model. `layout` says how Flatten met the map; a Keras kernel's rows
    are in the order of the flattened map.
    """

    owns: ClassVar[Owns] = "flat"
    old: tuple[int, ...] = ()
    new: tuple[int, ...] = ()
    layout: Layout = "channels_last"

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        axis = axes.channels
        if axis is None:
            return f"{self.name} needs a weight that follows a Flatten; this one has no input axis."
        if len(self.old) != len(self.new) or len(self.old) < 2 or self.old[-1] != self.new[-1]:
            return f"{self.name} changes the size of a map, not its channels: {self.old} to {self.new}."
        if prod(self.old) != shape[axis] or prod(self.new) != target[axis]:
            return (
                f"{self.name} was given maps of {shape_words(self.old)} and {shape_words(self.new)}; the "
                f"weight holds {shape[axis]} rows "
                f"and needs {target[axis]}."
            )
        return None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """The flat axis seen as a map, resized, and flattened again."""
        axis = axes.channels
        assert axis is not None
        rows = np.moveaxis(array.astype(np.float64), axis, 0)
        rest = rows.shape[1:]
        dims = len(self.old)
        if self.layout == "channels_first":
            view = np.moveaxis(rows.reshape(self.old[-1], *self.old[:-1], *rest), 0, dims - 1)
        else:
            view = rows.reshape(*self.old, *rest)
        view = self.resized(view, dims - 1)
        if self.layout == "channels_first":
            view = np.moveaxis(view, dims - 1, 0)
        return np.moveaxis(view.reshape(prod(self.new), *rest), 0, axis).astype(array.dtype)

    def resized(self, view: Array, spatial: int) -> Array:
        """`view` is `(*old, ...)`; the answer is `(*new, ...)`."""
        raise NotImplementedError


class SpatialResize(FlatRule, frozen=True, kw_only=True, tag="spatial_resize"):
    """The kernel that answers as the old one does to the map resized to its old size (bilinear, antialiased)."""

    def resized(self, view: Array, spatial: int) -> Array:
        """The adjoint resize along each spatial axis: constant maps give what they gave."""
        for axis in range(spatial):
            if self.old[axis] != self.new[axis]:
                view = along(resize_matrix(self.new[axis], self.old[axis]).T, view, axis)
        return view


class SpatialMean(FlatRule, frozen=True, kw_only=True, tag="spatial_mean"):
    """The same weight at every place: the sum over the old places shared out over the new. Exact for constant maps."""

    def resized(self, view: Array, spatial: int) -> Array:
        """Sum over the old places, divided by the number of new ones."""
        places = tuple(range(spatial))
        shared = view.sum(axis=places, keepdims=True) / prod(self.new[:-1])
        spread: Array = np.broadcast_to(shared, (*self.new[:-1], *view.shape[spatial:]))
        return spread


class PoolFlat(Rule, frozen=True, kw_only=True, tag="pool"):
    """The sum over all places, for a Dense that comes after global average pooling instead of Flatten: `(c, units)`."""

    owns: ClassVar[Owns] = "flat"
    old: tuple[int, ...] = ()
    layout: Layout = "channels_last"

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        axis = axes.channels
        if axis is None:
            return "pool needs a weight that follows a Flatten; this one has no input axis."
        if prod(self.old) != shape[axis] or self.old[-1] != target[axis]:
            return (
                f"pool was given a map of {shape_words(self.old)}; the weight holds {shape[axis]} rows "
                f"and needs {target[axis]}."
            )
        return None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Rows of one channel added up: global average pooling of a constant map then answers the same."""
        axis = axes.channels
        assert axis is not None
        rows = np.moveaxis(array.astype(np.float64), axis, 0)
        places = prod(self.old[:-1])
        if self.layout == "channels_first":
            summed = rows.reshape(self.old[-1], places, *rows.shape[1:]).sum(axis=1)
        else:
            summed = rows.reshape(places, self.old[-1], *rows.shape[1:]).sum(axis=0)
        pooled: Array = np.moveaxis(summed, 0, axis).astype(array.dtype)
        return pooled

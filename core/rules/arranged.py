"""A source's array brought into the order, or the rank, that an edited layer keeps it in, before all other rules.

Edits record these as a weight's `decode`: whatever else happens to the array afterwards is about what they make of it.
"""

from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar, Literal

import numpy as np

from core.layers.axes import Axes
from core.model.graph import StoreKey
from core.rules.base import Array, Rule
from core.rules.chain import adapt, chain_name

Block = tuple[tuple[int, ...], tuple[int, ...]]
"""A map that was flattened: its sizes in the old order of its axes, and the new order."""


class Arranged(Rule, frozen=True, kw_only=True):
    """Base: `ahead` are the rules recorded earlier, which make `middle` of the source's array (whose axes mean `axes`);
    `shape` is what comes out of this one.
    """

    always: ClassVar[bool] = True
    shape: tuple[int, ...]
    ahead: tuple[Any, ...] = ()
    middle: tuple[int, ...] = ()
    axes: Axes = Axes()

    @property
    def name(self) -> str:
        """The rules in words."""
        own = str(self.__struct_config__.tag).replace("_", " ")
        return f"{chain_name(self.ahead)} + {own}" if self.ahead else own

    def fixed_shape(self) -> tuple[int, ...] | None:
        """What comes out, whatever the layer needs."""
        return self.shape

    def needs(self) -> tuple[StoreKey, ...]:
        """What the rules before it look at."""
        return tuple(key for rule in self.ahead for key in rule.needs())

    def reads(self) -> tuple[StoreKey, ...]:
        """What the rules before it use up."""
        return tuple(key for rule in self.ahead for key in rule.reads())

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """It fits whatever it was recorded for."""
        return None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """The rules before it, then its own arrangement."""
        if self.ahead:
            array = adapt(array, self.middle, self.axes, self.ahead, siblings)
        return np.ascontiguousarray(self.arranged(array).reshape(self.shape)).astype(array.dtype)

    def arranged(self, array: Array) -> Array:
        """The array in its new arrangement."""
        raise NotImplementedError


class TurnedAxes(Arranged, frozen=True, kw_only=True, tag="turned_axes"):
    """New axis `i` is old axis `order[i]`; every number stays what it was."""

    order: tuple[int, ...]

    def arranged(self, array: Array) -> Array:
        """Transposed."""
        return np.transpose(array, self.order)


class ReorderedRows(Arranged, frozen=True, kw_only=True, tag="reordered_rows"):
    """Entries along `axis` follow flattened maps whose axes come in another order; every number stays what it was."""

    axis: int
    blocks: tuple[Block, ...]

    def arranged(self, array: Array) -> Array:
        """The entries in their new order."""
        taken: Array = np.take(array, row_order(self.blocks), self.axis)
        return taken


def row_order(blocks: tuple[Block, ...]) -> Array:
    """Which old entry each new one is, for flattened maps one after the other."""
    found, start = [], 0
    for shape, order in blocks:
        found.append(start + np.arange(prod(shape)).reshape(shape).transpose(order).ravel())
        start += prod(shape)
    return np.concatenate(found)


class Inflated(Arranged, frozen=True, kw_only=True, tag="inflated"):
    """A kernel with one more axis, `at`, of `size` taps: repeated and divided by `size` (`mean`), the kernel in the
    middle and zeros around it (`centre`), or repeated as it is (`repeat`).

    Carreira and Zisserman 2017, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset", section 2.3
    (`mean`); `centre` as in Feichtenhofer et al. 2016, "Spatiotemporal Residual Networks for Video Action Recognition".
    """

    at: int
    size: int
    how: Literal["mean", "centre", "repeat"]

    def arranged(self, array: Array) -> Array:
        """Computed in float64 where it divides."""
        return inflated(array, self.at, self.size, self.how)


class InflatedRows(Arranged, frozen=True, kw_only=True, tag="inflated_rows"):
    """Rows of a Dense that follow a flattened map which has `size` frames now; `outer` entries lie before the frames.

    `mean` shares every row out over the frames, `centre` gives it to the middle one.
    """

    axis: int
    outer: int
    size: int
    how: Literal["mean", "centre"]

    def arranged(self, array: Array) -> Array:
        """The axis seen as (outer, inner), with the frames between."""
        rows = np.moveaxis(array, self.axis, 0)
        split = rows.reshape(self.outer, -1, *rows.shape[1:])
        spread = inflated(split, 1, self.size, self.how)
        return np.moveaxis(spread.reshape(-1, *rows.shape[1:]), 0, self.axis)


def inflated(array: Array, at: int, size: int, how: str) -> Array:
    """The array with a new axis of `size` entries."""
    if how == "centre":
        wide = np.zeros((*array.shape[:at], size, *array.shape[at:]), array.dtype)
        wide[(slice(None),) * at + ((size - 1) // 2,)] = array
        return wide
    spread: Array = np.repeat(np.expand_dims(array, at), size, at)
    return spread if how == "repeat" else spread.astype(np.float64) / size

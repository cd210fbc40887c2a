"""Rules for input channels. Each is a matrix `M (new, old)`: new channel `j` weighs `sum_c M[j, c] * W[c]`.

So `new(x) == old(x @ M)` for a layer that is linear in its channels: one formula for every rule and every contract.
Vectors of statistics (means, variances, scales of one number per channel) take weighted averages instead of sums.
"""

from collections.abc import Mapping
from math import prod
from typing import ClassVar

import numpy as np

from core.errors import RuleError
from core.layers.axes import Axes, Owns
from core.phrases import shape_words
from core.rules.base import Array, Rule
from core.rules.interpolation import along

VECTORS = frozenset({"scale", "shift", "mean", "variance", "depthwise"})


class ChannelRule(Rule, frozen=True, kw_only=True):
    """Base of the rules for input channels.

    The axis may hold more than channels: it is `(outer, channels, inner)` with `source` channels in the source,
    for a Dense after Flatten (`outer` pixels) or after a depthwise convolution (`inner` multipliers).
    Where the channels lie otherwise (turned round, beside numbers of another input), `rows` says where they are on the
    source's axis, copy by copy and in order, and `places` where they go; all else keeps its order around them.
    `groups` says that the source is a grouped kernel, of which a plain one is made: zeros between the groups.
    """

    owns: ClassVar[Owns] = "channels"
    source: int | None = None
    inner: int = 1
    rows: tuple[int, ...] = ()
    places: tuple[int, ...] = ()
    groups: int = 1

    def matrix(self, new: int, old: int) -> Array:
        """`M (new, old)`. Raises `RuleError` where this rule has no meaning for these numbers."""
        raise NotImplementedError

    def picks(self, new: int, old: int) -> Array:
        """`(new, old)`, rows that sum to 1: from which source channels a channel's statistics come."""
        mixing = np.abs(self.matrix(new, old))
        total = mixing.sum(axis=1, keepdims=True)
        return np.where(total > 0, mixing / np.where(total > 0, total, 1.0), 1.0 / old)

    def counts(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> tuple[int, int]:
        """How many channels there are before and after. Raises `RuleError` when the axis does not divide."""
        axis = axes.channels
        if axis is None or len(shape) != len(target):
            raise RuleError(f"{self.name} needs a weight with a channel axis; this one has none.")
        here, there = shape[axis] * self.groups, target[axis]
        if self.groups > 1 and (axes.kind != "kernel" or axes.filters is None or shape[axes.filters] % self.groups):
            raise RuleError(
                f"{self.name} converts a grouped kernel to a plain one, but this weight is not a grouped kernel."
            )
        if self.rows:
            rest = here - len(self.rows)
            if rest < 0 or max(self.rows) >= here or there - rest != len(self.places) or max(self.places) >= there:
                raise RuleError(
                    f"{self.name} does not match this axis, which has size {shape[axis]} and should get size {there}."
                )
            here, there = len(self.rows), len(self.places)
        old = self.source if self.source is not None else here // self.inner
        outer, rest = divmod(here, max(1, old * self.inner))
        new, more = divmod(there, max(1, outer * self.inner))
        if old < 1 or outer < 1 or rest or more or new < 1:
            raise RuleError(
                f"{self.name} cannot split an axis of size {shape[axis]} into channels for size {target[axis]}."
            )
        return old, new

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        try:
            old, new = self.counts(shape, target, axes)
            self.matrix(new, old)
        except RuleError as error:
            return error.message
        return None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """The array with its channel axis mapped; statistics are averaged, everything else is summed."""
        old, new = self.counts(array.shape, target, axes)
        array = self.ungrouped(array, axes)
        if axes.kind == "variance":
            deviation = self.spread(np.sqrt(np.maximum(array.astype(np.float64), 0.0)), self.picks(new, old), axes)
            return np.asarray(deviation**2).astype(array.dtype)
        mixing = self.picks(new, old) if axes.kind in VECTORS else self.matrix(new, old)
        return self.spread(array.astype(np.float64), mixing, axes).astype(array.dtype)

    def spread(self, array: Array, mixing: Array, axes: Axes) -> Array:
        """`mixing (new, old)` applied to the channels inside the channel axis of a float array."""
        axis = axes.channels
        assert axis is not None
        if self.rows:
            return self._spread_rows(array, mixing, axis)
        new, old = mixing.shape
        shape = array.shape
        outer = shape[axis] // (old * self.inner)
        split = array.reshape(*shape[:axis], outer, old, self.inner, *shape[axis + 1 :])
        mixed = along(mixing, split, axis + 1)
        return mixed.reshape(*shape[:axis], outer * new * self.inner, *shape[axis + 1 :])

    def ungrouped(self, array: Array, axes: Axes) -> Array:
        """A grouped kernel as the plain one that computes the same; any other array as it is."""
        if self.groups == 1:
            return array
        axis, last = axes.channels, axes.filters
        assert axis is not None
        assert last is not None
        moved = np.moveaxis(array, (axis, last), (-2, -1))
        size, filters = moved.shape[-2], moved.shape[-1] // self.groups
        plain = np.zeros((*moved.shape[:-2], size * self.groups, moved.shape[-1]), array.dtype)
        for group in range(self.groups):
            mine = slice(group * filters, (group + 1) * filters)
            plain[..., group * size : (group + 1) * size, mine] = moved[..., mine]
        return np.moveaxis(plain, (-2, -1), (axis, last))

    def channel_sums(self, kernel: Array) -> Array:
        """`(channels, filters)`: a kernel that ends in them, summed over taps and over copies of a channel."""
        assert self.source is not None
        if self.groups > 1:
            last = kernel.ndim - 1
            kernel = self.ungrouped(kernel, Axes("kernel", channels=last - 1, filters=last, groups=self.groups))
        sums = kernel.astype(np.float64).reshape(-1, *kernel.shape[-2:]).sum(axis=0)
        sums = sums[list(self.rows)] if self.rows else sums
        copies: Array = sums.reshape(-1, self.source, self.inner, kernel.shape[-1]).sum(axis=(0, 2))
        return copies

    def _spread_rows(self, array: Array, mixing: Array, axis: int) -> Array:
        moved = np.moveaxis(array, axis, 0)
        channels = moved[list(self.rows)].reshape(-1, mixing.shape[1], *moved.shape[1:])
        mixed = along(mixing, channels, 1).reshape(-1, *moved.shape[1:])
        rest = np.delete(moved, list(self.rows), axis=0)
        result = np.zeros((len(rest) + len(self.places), *moved.shape[1:]), mixed.dtype)
        result[list(self.places)] = mixed
        result[np.setdiff1d(np.arange(len(result)), self.places)] = rest
        return np.moveaxis(result, 0, axis)


class SumChannels(ChannelRule, frozen=True, kw_only=True, tag="sum"):
    """One channel that weighs as much as all source channels: exact on gray images repeated over the channels."""

    def matrix(self, new: int, old: int) -> Array:
        """All ones, for one new channel only."""
        if new != 1:
            raise RuleError(f"sum produces one channel, not {new}; use repeat for any other number.")
        return np.ones((1, old))


class MeanChannels(ChannelRule, frozen=True, kw_only=True, tag="mean"):
    """Every new channel gets the plain average of the source channels (changes the scale unless counts match)."""

    def matrix(self, new: int, old: int) -> Array:
        """`1 / old` everywhere."""
        return np.full((new, old), 1.0 / old)


class RepeatChannels(ChannelRule, frozen=True, kw_only=True, tag="repeat"):
    """Source channels in turn, each copy divided by how many copies of that channel exist; surplus ones are added.

    The sum over channels stays what it was for every number of channels, so gray inputs give what they gave.
    """

    def matrix(self, new: int, old: int) -> Array:
        """`M[j, j % old] = 1 / copies`; for fewer channels `M[c % new, c] = 1`."""
        result = np.zeros((new, old))
        if new >= old:
            source = np.arange(new) % old
            result[np.arange(new), source] = 1.0 / np.bincount(source, minlength=old)[source]
        else:
            result[np.arange(old) % new, np.arange(old)] = 1.0
        return result


class ZeroExtraChannels(ChannelRule, frozen=True, kw_only=True, tag="zero_extra"):
    """The source's channels first and unchanged, the new ones at zero: exact whatever the new bands hold."""

    def matrix(self, new: int, old: int) -> Array:
        """The identity with zero rows below."""
        if new < old:
            raise RuleError(f"zero_extra cannot reduce the number of channels from {old} to {new}.")
        return np.eye(new, old)


class MapChannels(ChannelRule, frozen=True, kw_only=True, tag="map"):
    """An explicit mapping: `matrix_rows (new, old)`, or `take`: for each new channel the source channel it copies.

    `take` holds numbers from 0, names out of `names` (the source channels'), `"NIR <- R"`, or `None` for zeros.
    With `share` copies of one channel are divided by their number, so that the gain stays. `new_names` are for people:
    what the new channels are called where the rule is told in words.
    """

    always: ClassVar[bool] = True
    take: tuple[int | str | None, ...] | None = None
    matrix_rows: tuple[tuple[float, ...], ...] | None = None
    names: tuple[str, ...] = ()
    share: bool = True
    new_names: tuple[str, ...] = ()

    def words(self, most: int = 6) -> str:
        """What each new channel is made of, such as `R <- R, NIR <- R, SWIR <- mean`, at most so many of them."""
        if self.take is not None:
            parts = [self._taken(place, entry) for place, entry in enumerate(self.take)]
        else:
            parts = [f"{self._called(place)} <- {self._mixed(row)}" for place, row in enumerate(self.matrix_rows or ())]
        more = len(parts) - most
        return ", ".join(parts[:most]) + (f" and {more} more" if more > 0 else "")

    def _called(self, place: int) -> str:
        return self.new_names[place] if place < len(self.new_names) and self.new_names[place] else str(place)

    def _old(self, number: int) -> str:
        return self.names[number] if number < len(self.names) else str(number)

    def _taken(self, place: int, entry: int | str | None) -> str:
        if isinstance(entry, str):
            new, arrow, old = (part.strip() for part in entry.rpartition("<-"))
            return f"{new} <- {old}" if arrow else f"{self._called(place) if self.new_names else old} <- {old}"
        return f"{self._called(place)} <- {'zero' if entry is None else self._old(entry)}"

    def _mixed(self, row: tuple[float, ...]) -> str:
        parts = [(weight, self._old(number)) for number, weight in enumerate(row) if weight]
        if not parts:
            return "zero"
        if len(row) > 1 and len(parts) == len(row) and np.allclose(row, 1.0 / len(row)):
            return "mean"
        terms = " + ".join(old if weight == 1 else f"{weight:.3g} {old}" for weight, old in parts[:4])
        return terms.replace("+ -", "- ") + (" + \u2026" if len(parts) > 4 else "")

    def matrix(self, new: int, old: int) -> Array:
        """The rows as given, or made from `take`."""
        if (self.take is None) == (self.matrix_rows is None):
            raise RuleError("map needs either take (source channel per new channel) or matrix_rows (new x old).")
        if self.matrix_rows is not None:
            if len(self.matrix_rows) != new or any(len(row) != old for row in self.matrix_rows):
                raise RuleError(f"map's matrix_rows must be {new} rows of {old} numbers.")
            return np.array(self.matrix_rows, dtype=np.float64)
        assert self.take is not None
        if len(self.take) != new:
            raise RuleError(f"map lists {len(self.take)} channels, but the input has {new}.")
        chosen = [self._source(entry, old) for entry in self.take]
        result = np.zeros((new, old))
        for row, source in enumerate(chosen):
            if source is not None:
                result[row, source] = 1.0 / chosen.count(source) if self.share else 1.0
        return result

    def _source(self, entry: int | str | None, old: int) -> int | None:
        if isinstance(entry, str):
            wanted = entry.rpartition("<-")[2].strip()
            lowered = [name.lower() for name in self.names]
            if wanted.lower() not in lowered:
                known = ", ".join(self.names) or "none are given"
                raise RuleError(f"map uses a channel {wanted!r} that is not among the names ({known}).")
            entry = lowered.index(wanted.lower())
        if entry is not None and not 0 <= entry < old:
            raise RuleError(f"map uses channel {entry}, but the source has channels 0 to {old - 1}.")
        return entry


class RegroupChannels(Rule, frozen=True, kw_only=True, tag="regroup"):
    """The same numbers in another shape: depthwise kernels `(k, k, c, m)` that read one channel, `(k, k, 1, c*m)`."""

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        if prod(shape) != prod(target):
            return f"regroup keeps all values, but {shape_words(shape)} and {shape_words(target)} differ in size."
        return None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """The array reshaped."""
        return array.reshape(target)

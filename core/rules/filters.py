"""Rules for the number of filters: `project` (old ones first), `widen` (Net2Net copies), `slice` (some of them).

Filters of a grouped convolution belong to groups, which see different channels. So each rule acts inside every group:
the first filters of a group stay the first of that group.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from core.layers.axes import Axes, Owns
from core.rules.base import Array, Rule
from core.rules.initializers import initial


class FilterRule(Rule, frozen=True, kw_only=True):
    """Base of the rules that own the filters axis of kernels and per-filter vectors."""

    owns: ClassVar[Owns] = "filters"

    def parts(self, axes: Axes) -> int:
        """In how many groups the filters lie."""
        return axes.groups

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        if axes.filters is None:
            return f"{self.name} needs a weight with a filters axis; this one has none."
        old, new = shape[axes.filters], target[axes.filters]
        if old % self.parts(axes) or new % self.parts(axes):
            return (
                f"{self.name} works within {self.parts(axes)} groups, but {old} and {new} filters cannot both be "
                "divided into them."
            )
        return self.reason(old, new)

    def reason(self, old: int, new: int) -> str | None:
        """Why `old` filters cannot become `new`, or `None`."""
        return None


def first_filters(old: int, new: int, groups: int = 1) -> tuple[int | None, ...]:
    """For each new filter the old one that it is, when the first of every group stay the first; `None` for others."""
    mine, theirs = old // groups, new // groups
    return tuple(group * mine + place if place < mine else None for group in range(groups) for place in range(theirs))


class ProjectFilters(FilterRule, frozen=True, kw_only=True, tag="project"):
    """The old filters first, fresh ones after them (zeros for vectors); a 1x1 layer goes back to the old width.

    The fresh filters are random because that projection starts them at weight zero: two zeros would never learn.
    """

    seed: int = 0
    initializer: str = "glorot_uniform"
    groups: int | None = None

    def parts(self, axes: Axes) -> int:
        """As the rule says: the layer may have become a plain convolution since."""
        return axes.groups if self.groups is None else self.groups

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Old filters copied to the last bit."""
        axis = axes.filters
        assert axis is not None
        source = first_filters(array.shape[axis], target[axis], self.parts(axes))
        kept = [number for number in source if number is not None]
        if len(kept) == target[axis]:
            return np.take(array, kept, axis)
        if axes.kind == "kernel":
            result = initial(self.initializer, target, self.seed).astype(array.dtype)
        else:
            result = np.full(target, 1.0 if axes.kind in ("scale", "variance") else 0.0, array.dtype)
        places = [place for place, number in enumerate(source) if number is not None]
        result[(slice(None),) * axis + (places,)] = np.take(array, kept, axis)
        return result


class WidenFilters(FilterRule, frozen=True, kw_only=True, tag="widen"):
    """Copies of the old filters in turn; layers that consume them divide by the number of copies (rule `repeat`).

    Chen et al. 2016, "Net2Net: Accelerating Learning via Knowledge Transfer", with a fixed instead of a random choice.
    """

    def reason(self, old: int, new: int) -> str | None:
        """Widening only grows."""
        return f"widen cannot reduce the number of filters from {old} to {new}." if new < old else None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Filter `j` is source filter `j % old`, inside each group."""
        axis = axes.filters
        assert axis is not None
        old, new = array.shape[axis] // axes.groups, target[axis] // axes.groups
        take = [group * old + place % old for group in range(axes.groups) for place in range(new)]
        widened: Array = np.take(array, take, axis)
        return widened


class SliceFilters(FilterRule, frozen=True, kw_only=True, tag="slice"):
    """Some of the old filters or classes: the first ones, or those numbered in `keep` (in that order).

    Where `keep` has `None`, and where the target holds more than `keep`, filters are freshly initialised (zeros for
    vectors).
    """

    always: ClassVar[bool] = True
    keep: tuple[int | None, ...] | None = None
    seed: int = 0
    initializer: str = "glorot_uniform"
    groups: int | None = None

    def parts(self, axes: Axes) -> int:
        """As the rule says; one that numbers its filters has said all."""
        return 1 if self.keep is not None else axes.groups if self.groups is None else self.groups

    def reason(self, old: int, new: int) -> str | None:
        """Indices must exist and fit."""
        if self.keep is None:
            return f"slice cannot increase the number of filters from {old} to {new}." if new > old else None
        if any(index is not None and not 0 <= index < old for index in self.keep):
            return f"slice can keep indices 0 to {old - 1}, but {list(self.keep)} contains others."
        return f"slice keeps {len(self.keep)} filters, but {new} are needed." if len(self.keep) > new else None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """The chosen filters copied to the last bit."""
        axis = axes.filters
        assert axis is not None
        keep = first_filters(array.shape[axis], target[axis], self.parts(axes)) if self.keep is None else self.keep
        places = [place for place, index in enumerate(keep) if index is not None]
        chosen = np.take(array, [index for index in keep if index is not None], axis)
        if len(places) == target[axis]:
            return chosen
        rest = ProjectFilters(seed=self.seed, initializer=self.initializer)
        result = rest.apply(np.take(array, [], axis), target, axes, siblings)
        result[(slice(None),) * axis + (places,)] = chosen
        return result

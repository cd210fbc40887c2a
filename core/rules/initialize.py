"""The rule that starts a weight anew: `initialize`."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from core.errors import RuleError
from core.layers.axes import Axes, Owns
from core.rules.base import Array, Rule
from core.rules.initializers import INITIALIZERS, canonical, initial

LAYER = "layer"
_STARTS = {"scale": 1.0, "variance": 1.0, "shift": 0.0, "mean": 0.0, "bias": 0.0}
"""What vectors start at where no initializer is named: a random variance could be negative."""


def _divides(groups: int, target: tuple[int, ...]) -> bool:
    return groups > 0 and not any(size % groups for size in target[-2:])


class Initialize(Rule, frozen=True, kw_only=True, tag="initialize"):
    """Fresh values by `initializer` and `seed`; the weight may be new. `value` is for `constant`, `gain` for
    `orthogonal` and `identity`, `mean`/`stddev` and `minval`/`maxval` for the random ones; with `groups` an `identity`
    takes each of so many runs of channels to a run of its own. The initializer `layer` stands for what the layer
    itself starts with, which for tables that its code computes is the only right value.
    """

    owns: ClassVar[Owns] = "all"
    makes: ClassVar[bool] = True
    always: ClassVar[bool] = True
    initializer: str = "glorot_uniform"
    seed: int = 0
    value: float | None = None
    gain: float | None = None
    mean: float | None = None
    stddev: float | None = None
    minval: float | None = None
    maxval: float | None = None
    scale: float | None = None
    mode: str | None = None
    distribution: str | None = None
    groups: int | None = None

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        if self.initializer == LAYER:
            return None
        short = canonical(self.initializer)
        if short not in INITIALIZERS:
            known = ", ".join(sorted({*INITIALIZERS, LAYER}))
            return f"There is no initializer {self.initializer!r}; the initializers are {known}."
        if short in ("orthogonal", "identity") and len(target) < 2:
            return f"{short} needs a weight with at least two axes."
        if self.mode not in (None, "fan_in", "fan_out", "fan_avg"):
            return f"mode must be fan_in, fan_out or fan_avg, not {self.mode!r}."
        if short == "identity" and self.groups is not None and not _divides(self.groups, target):
            return f"identity needs axes that can be divided into {self.groups} groups; {target} cannot."
        if self.seed < 0:
            return f"seed must be 0 or more, not {self.seed}."
        return None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Fresh values of the target shape and the array's dtype."""
        reason = self.refusal(target, target, axes)
        if reason:
            raise RuleError(reason)
        if self.initializer == LAYER:
            raise RuleError("The layer's own initial values come from the layer, not from an array.")
        if axes.kind in _STARTS and self.initializer == "glorot_uniform":
            return np.full(target, _STARTS[axes.kind], array.dtype)
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name not in ("initializer", "seed")}
        return initial(self.initializer, target, self.seed, fields).astype(array.dtype)

"""Rules in a row: what a chain can do, doing it, and which chains fit a mismatch."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from core.errors import RuleError
from core.layers.axes import Axes
from core.phrases import shape_words
from core.rules.base import Array, Rule
from core.rules.channels import MeanChannels, RepeatChannels, SumChannels, ZeroExtraChannels
from core.rules.filters import ProjectFilters, SliceFilters, WidenFilters
from core.rules.initialize import Initialize
from core.rules.kernels import CenterKernel, PiResizeKernel, ResizeKernel

Shape = tuple[int, ...]
Chain = tuple[Any, ...]
"""Rules in a row (`core.rules.AnyRule`, which cannot be named here)."""


def _steps(shape: Shape, target: Shape, axes: Axes, rules: Sequence[Rule]) -> list[Shape]:
    """The shape after each rule: the axes it owns become the target's, the others stay."""
    shapes = []
    for rule in rules:
        fixed = rule.fixed_shape()
        if fixed is not None:
            shape = fixed
        elif rule.owns == "all" or len(shape) != len(target):
            shape = target
        else:
            owned = axes.owned(rule.owns, len(shape))
            shape = tuple(target[axis] if axis in owned else size for axis, size in enumerate(shape))
        shapes.append(shape)
    return shapes


def acts(shape: Shape | None, target: Shape, rules: Sequence[Rule]) -> bool:
    """Whether a weight with these rules is more than copied: the shape changes, or a rule changes values anyway."""
    return shape != target or any(rule.always for rule in rules)


def refusal(shape: Shape | None, target: Shape, axes: Axes, rules: Sequence[Rule]) -> str | None:
    """Why the chain cannot turn `shape` into `target` (one sentence), or `None`.

    `shape=None` says that the source has no such array.
    """
    if shape is None:
        if not rules or not rules[0].makes:
            return "the source has no array for it, and no rule creates one."
        shape = target
    if not rules:
        return (
            None
            if shape == target
            else f"the source has {shape_words(shape)}, but {shape_words(target)} is needed and no rule is chosen."
        )
    before = shape
    for rule, after in zip(rules, _steps(shape, target, axes, rules), strict=True):
        if len(before) != len(after) and rule.owns != "all":
            return f"{rule.name} cannot change the number of axes from {len(before)} to {len(after)}."
        reason = rule.refusal(before, after, axes)
        if reason:
            return reason
        before = after
    if before != target:
        names = " + ".join(rule.name for rule in rules)
        return f"{names} turns {shape_words(shape)} into {shape_words(before)}, but {shape_words(target)} is needed."
    return None


def adapt(
    array: Array | None,
    target: Shape,
    axes: Axes,
    rules: Sequence[Rule],
    siblings: Mapping[str, Array] | None = None,
    dtype: str = "float32",
) -> Array:
    """The array through the chain, C-contiguous; `None` is a weight the source lacks, made as `dtype`.

    Raises `RuleError` where `refusal` says why.
    """
    reason = refusal(None if array is None else array.shape, target, axes, rules)
    if reason:
        raise RuleError(reason)
    result: Array = np.zeros(target, dtype) if array is None else array
    for rule, shape in zip(rules, _steps(result.shape, target, axes, rules), strict=True):
        result = rule.apply(result, shape, axes, siblings or {})
    if result.shape != target:
        raise RuleError(
            f"{' + '.join(rule.name for rule in rules)} produced {shape_words(result.shape)}, but "
            f"{shape_words(target)} is needed."
        )
    return np.asarray(result, order="C")


_CANDIDATES: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("kernel", (CenterKernel(), ResizeKernel(), PiResizeKernel())),
    ("channels", (SumChannels(), RepeatChannels(), MeanChannels(), ZeroExtraChannels())),
    ("filters", (WidenFilters(), SliceFilters(), ProjectFilters())),
)


def rules_that_fit(shape: Shape, target: Shape, axes: Axes) -> list[Chain]:
    """Every chain of field-less rules that turns `shape` into `target`, in documented order, `initialize` last."""
    if axes.kind in ("scale", "shift", "mean", "variance") and axes.filters == axes.channels:
        axes = Axes(kind=axes.kind, channels=axes.channels)
    fitting: list[Chain] = []
    if len(shape) == len(target) and shape != target:
        options = [
            candidates
            for owner, candidates in _CANDIDATES
            if any(shape[axis] != target[axis] for axis in axes.owned(owner, len(shape)))  # type: ignore[arg-type]
        ]
        if options:
            fitting = [chain for chain in product(*options) if refusal(shape, target, axes, chain) is None]
    return [*fitting, (Initialize(),)]


def chain_name(rules: Sequence[Rule]) -> str:
    """The chain in words, as in a fate: `center + sum`."""
    return " + ".join(rule.name for rule in rules)

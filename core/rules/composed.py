"""Channel changes one after the other, as one rule about the source's array.

With channel matrices `M1, M2, ...` a kernel takes their product. A step that folds scales its matrix by the statistics
before and after it, `M[j, c] a_c / a'_j`, and leaves what is over to the bias, as `core.rules.fold` says.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from msgspec.structs import replace

from core.errors import RuleError
from core.layers.axes import Axes
from core.model.graph import StoreKey
from core.phrases import shape_words
from core.rules.base import Array
from core.rules.channels import VECTORS, ChannelRule
from core.rules.fold import Affine, FoldChannels, composed_affine, folded_bias, folded_mixing, kernel_of


class ComposedChannels(ChannelRule, frozen=True, kw_only=True, tag="composed"):
    """`rules` in a row, from `through[0]` channels over the numbers between to the last; `steps` are the source's.

    Edits record it; a recipe says the same with one edit after the other.
    """

    makes: ClassVar[bool] = True
    always: ClassVar[bool] = True
    rules: tuple[Any, ...] = ()
    through: tuple[int, ...] = ()
    steps: tuple[Affine, ...] = ()

    @property
    def name(self) -> str:
        """The rules in words."""
        return ", then ".join(rule.name for rule in self.rules)

    def needs(self) -> tuple[StoreKey, ...]:
        """The statistics that lie in the source."""
        return tuple(key for step in self.steps for key in step.arrays())

    def matrix(self, new: int, old: int) -> Array:
        """The product of the steps' matrices."""
        self._check(new, old)
        result = np.eye(old)
        for rule, before, after in self._parts():
            result = rule.matrix(after, before) @ result
        return result

    def picks(self, new: int, old: int) -> Array:
        """The product of the steps' picks."""
        self._check(new, old)
        return self._picks()[-1]

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        if axes.kind == "bias":
            return (
                None
                if shape == target
                else f"{self.name} cannot change a bias from {shape_words(shape)} to {shape_words(target)}."
            )
        return super().refusal(shape, target, axes)

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Kernel, bias or vector of statistics, by `axes.kind`."""
        if axes.kind in VECTORS:
            return super().apply(array, target, axes, siblings)
        if axes.kind == "bias":
            return self._bias(array, siblings)
        array = self.ungrouped(array, axes)
        mixing = np.eye(self.through[0])
        for _, step, _ in self._mixings(siblings):
            mixing = step @ mixing
        return self.spread(array.astype(np.float64), mixing, axes).astype(array.dtype)

    def _check(self, new: int, old: int) -> None:
        if (old, new) != (self.through[0], self.through[-1]):
            first, last = self.through[0], self.through[-1]
            raise RuleError(f"{self.name} goes from {first} to {last} channels, not {old} to {new}.")

    def _parts(self) -> list[tuple[ChannelRule, int, int]]:
        return list(zip(self.rules, self.through, self.through[1:], strict=False))

    def _picks(self) -> list[Array]:
        """From the source's channels to those at each stage, the first being the source's own."""
        found = [np.eye(self.through[0])]
        for rule, before, after in self._parts():
            found.append(rule.picks(after, before) @ found[-1])
        return found

    def _mixings(self, siblings: Mapping[str, Array]) -> Iterator[tuple[Array, Array, Array | None]]:
        """Per step: the offsets before it, its matrix, and the offsets after it where it folds them into the bias."""
        stages = [composed_affine(self.steps, self.through[0], siblings, picks) for picks in self._picks()]
        for (rule, before, after), (a, b), (fresh_a, fresh_b) in zip(self._parts(), stages, stages[1:], strict=False):
            matrix = rule.matrix(after, before)
            if isinstance(rule, FoldChannels):
                yield b, folded_mixing(matrix, a, fresh_a), fresh_b
            else:
                yield b, matrix, None

    def _bias(self, array: Array, siblings: Mapping[str, Array]) -> Array:
        kernel = kernel_of(siblings)
        if kernel is None:
            raise RuleError(f"{self.name} cannot shift the bias: the kernel of its layer is not available.")
        taps = replace(self, source=self.through[0]).channel_sums(kernel)
        shift = np.zeros(kernel.shape[-1])
        for offsets, mixing, fresh in self._mixings(siblings):
            after = mixing @ taps
            if fresh is not None:
                shift += folded_bias(taps, offsets, after, fresh)
            taps = after
        shifted: Array = (array.astype(np.float64) + shift).astype(array.dtype)
        return shifted

"""The rule that knows what happens before the first convolution: `fold`.

With `z_c = a_c x_c + b_c` arriving at the layer (Rescaling, Normalization, BatchNormalization), new channels with
statistics `a'_j, b'_j` and the channel matrix `M`, the layer that answers the same is

    W'_j = sum_c M[j, c] W_c a_c / a'_j        bias' = bias + sum_taps (sum_c W_c b_c - sum_j W'_j b'_j)

exact wherever the kernel lies inside the image, and at zero-padded borders off by the taps that fall outside.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from msgspec import Struct

from core.errors import RuleError
from core.layers.axes import Axes
from core.model.graph import StoreKey
from core.phrases import shape_words
from core.rules.base import Array, sibling_name
from core.rules.channels import VECTORS, ChannelRule, RepeatChannels

Value = float | tuple[float, ...] | StoreKey


class Affine(Struct, frozen=True, kw_only=True):
    """One channel-wise step before the layer; values are numbers from its config or arrays of the source.

    `rescaling`: `x * scale / divisor + offset`. `normalization`: `(x - mean) / sqrt(variance)`, or back with `invert`.
    `batch_norm`: `(x - mean) / sqrt(variance + epsilon) * scale + offset`.
    `uniform`: an array holds one number for all channels. `order`: at which place of its numbers each channel has its
    own, where that is not the channel's number.
    """

    kind: Literal["rescaling", "normalization", "batch_norm"]
    scale: Value = 1.0
    offset: Value = 0.0
    mean: Value = 0.0
    variance: Value = 1.0
    epsilon: float = 1e-7
    invert: bool = False
    divisor: Value = 1.0
    uniform: bool = False
    order: tuple[int, ...] = ()

    def arrays(self) -> tuple[StoreKey, ...]:
        """The source arrays that this step reads."""
        return tuple(value for value in self._values() if isinstance(value, StoreKey))

    def per_channel(self) -> bool:
        """Whether channels may be treated differently here."""
        return not self.uniform and any(not isinstance(value, (int, float)) for value in self._values())

    def _values(self) -> tuple[Value, ...]:
        return self.scale, self.offset, self.mean, self.variance, self.divisor

    def coefficients(
        self, channels: int, siblings: Mapping[str, Array], picks: Array | None = None
    ) -> tuple[Array, Array]:
        """`(a, b)` with `a_c x_c + b_c`, each of `(channels,)`, or of as many as `picks` makes of these.

        `picks (new, channels)` means numbers, and of variances the deviations, as the rules for vectors do.
        """

        def value(of: Value, square: bool = False) -> Array:
            array = plain(of)
            if picks is None:
                return array
            return (picks @ np.sqrt(np.maximum(array, 0.0))) ** 2 if square else picks @ array

        def plain(of: Value) -> Array:
            if isinstance(of, StoreKey):
                if sibling_name(of) not in siblings:
                    raise RuleError(f"fold needs the array {of.key}, which could not be read.")
                array = np.asarray(siblings[sibling_name(of)], dtype=np.float64).reshape(-1)
            else:
                array = np.asarray(of, dtype=np.float64).reshape(-1)
            if self.order and array.size == len(self.order):
                array = array[list(self.order)]
            if array.size not in (1, channels):
                raise RuleError(f"fold found {array.size} statistics for {channels} channels.")
            return np.broadcast_to(array, (channels,))

        if self.kind == "rescaling":
            return value(self.scale) / value(self.divisor), value(self.offset)
        mean, variance = value(self.mean), value(self.variance, square=True)
        if self.kind == "batch_norm":
            a = value(self.scale) / np.sqrt(variance + self.epsilon)
            return a, value(self.offset) - mean * a
        deviation = np.maximum(np.sqrt(variance), self.epsilon)
        return (deviation, mean) if self.invert else (1.0 / deviation, -mean / deviation)


class FoldChannels(ChannelRule, frozen=True, kw_only=True, tag="fold"):
    """Channels as `repeat` maps them, with the statistics before the layer made part of kernel and bias.

    A new channel's own statistics are the means over those that become it: inside the image any would be exact, and
    these leave least at padded borders, where kernel taps meet zeros instead of `b'_j`.
    """

    makes: ClassVar[bool] = True
    always: ClassVar[bool] = True
    steps: tuple[Affine, ...] = ()
    new: int | None = None

    def needs(self) -> tuple[StoreKey, ...]:
        """The statistics that lie in the source."""
        return tuple(key for step in self.steps for key in step.arrays())

    def matrix(self, new: int, old: int) -> Array:
        """As `repeat`."""
        return RepeatChannels().matrix(new, old)

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        if not self.steps:
            return "fold needs a known mean and standard deviation before the layer, and there are none."
        if axes.kind == "bias":
            if self.new is None or self.source is None:
                return "fold needs the numbers of channels to shift a bias."
            return (
                None
                if shape == target
                else f"fold cannot change a bias from {shape_words(shape)} to {shape_words(target)}."
            )
        return super().refusal(shape, target, axes)

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Kernel, bias or vector of statistics, by `axes.kind`."""
        if axes.kind in VECTORS:
            return super().apply(array, target, axes, siblings)
        if axes.kind == "bias":
            return self._bias(array, siblings)
        old, new = self.counts(array.shape, target, axes)
        array = self.ungrouped(array, axes)
        mixing, _, _ = self._mixing(new, old, siblings)
        return self.spread(array.astype(np.float64), mixing, axes).astype(array.dtype)

    def _mixing(self, new: int, old: int, siblings: Mapping[str, Array]) -> tuple[Array, Array, Array]:
        """The scaled matrix, and the offsets before and after."""
        a, b = composed_affine(self.steps, old, siblings)
        fresh_a, fresh_b = composed_affine(self.steps, old, siblings, self.picks(new, old))
        return folded_mixing(self.matrix(new, old), a, fresh_a), b, fresh_b

    def _bias(self, array: Array, siblings: Mapping[str, Array]) -> Array:
        kernel = kernel_of(siblings)
        if kernel is None or self.source is None or self.new is None:
            raise RuleError("fold cannot shift the bias: the kernel of its layer is not available.")
        taps = self.channel_sums(kernel)  # Keras convolution and Dense kernels end in (channels, filters)
        mixing, offsets, fresh = self._mixing(self.new, self.source, siblings)
        shift = folded_bias(taps, offsets, mixing @ taps, fresh)
        shifted: Array = (array.astype(np.float64) + shift).astype(array.dtype)
        return shifted


def kernel_of(siblings: Mapping[str, Array]) -> Array | None:
    """The kernel among the arrays of a layer, which a wrapper may hold."""
    own = {name: array for name, array in siblings.items() if ":" not in name}  # the others are of other layers
    return next((array for name, array in own.items() if name == "kernel" or name.endswith("/kernel")), None)


def composed_affine(
    steps: tuple[Affine, ...], channels: int, siblings: Mapping[str, Array], picks: Array | None = None
) -> tuple[Array, Array]:
    """All steps as one `(a, b)`: `a_c x_c + b_c`."""
    size = channels if picks is None else len(picks)
    a, b = np.ones(size), np.zeros(size)
    for step in steps:
        scale, offset = step.coefficients(channels, siblings, picks)
        a, b = a * scale, b * scale + offset
    return a, b


def folded_mixing(matrix: Array, a: Array, fresh: Array) -> Array:
    """`M[j, c] a_c / a'_j`."""
    safe = np.where(fresh == 0.0, 1.0, fresh)
    mixing: Array = matrix * a[None, :] / safe[:, None]
    return mixing


def folded_bias(taps: Array, offsets: Array, fresh_taps: Array, fresh: Array) -> Array:
    """What the bias must add: the old offsets through the old taps, less the new ones through the new taps."""
    shift: Array = offsets @ taps - fresh @ fresh_taps
    return shift

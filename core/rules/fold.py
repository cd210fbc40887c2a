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
from core.graph import StoreKey
from core.rules.base import Array, Axes, sibling_name
from core.rules.channels import VECTORS, ChannelRule, RepeatChannels

Value = float | tuple[float, ...] | StoreKey


class Affine(Struct, frozen=True, kw_only=True):
    """One channel-wise step before the layer; values are numbers from its config or arrays of the source.

    `rescaling`: `x * scale + offset`. `normalization`: `(x - mean) / sqrt(variance)`, or back with `invert`.
    `batch_norm`: `(x - mean) / sqrt(variance + epsilon) * scale + offset`.
    """

    kind: Literal["rescaling", "normalization", "batch_norm"]
    scale: Value = 1.0
    offset: Value = 0.0
    mean: Value = 0.0
    variance: Value = 1.0
    epsilon: float = 1e-7
    invert: bool = False

    def arrays(self) -> tuple[StoreKey, ...]:
        """The source arrays that this step reads."""
        return tuple(v for v in (self.scale, self.offset, self.mean, self.variance) if isinstance(v, StoreKey))

    def per_channel(self) -> bool:
        """Whether channels may be treated differently here."""
        return any(not isinstance(v, (int, float)) for v in (self.scale, self.offset, self.mean, self.variance))

    def coefficients(self, channels: int, siblings: Mapping[str, Array]) -> tuple[Array, Array]:
        """`(a, b)` with `a_c x_c + b_c`, each of `(channels,)`."""

        def value(of: Value) -> Array:
            if isinstance(of, StoreKey):
                if sibling_name(of) not in siblings:
                    raise RuleError(f"fold needs the array {of.key}, which could not be read.")
                array = np.asarray(siblings[sibling_name(of)], dtype=np.float64).reshape(-1)
            else:
                array = np.asarray(of, dtype=np.float64).reshape(-1)
            return np.broadcast_to(array, (channels,))

        if self.kind == "rescaling":
            return value(self.scale), value(self.offset)
        mean, variance = value(self.mean), value(self.variance)
        if self.kind == "batch_norm":
            a = value(self.scale) / np.sqrt(variance + self.epsilon)
            return a, value(self.offset) - mean * a
        deviation = np.maximum(np.sqrt(variance), self.epsilon)
        return (deviation, mean) if self.invert else (1.0 / deviation, -mean / deviation)


class FoldChannels(ChannelRule, frozen=True, kw_only=True, tag="fold"):
    """Channels as `repeat` maps them, with the statistics before the layer made part of kernel and bias."""

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

    def picks(self, new: int, old: int) -> Array:
        """Statistics are those of source channel `j % old`, unmixed, so that the fold stays exact."""
        result = np.zeros((new, old))
        result[np.arange(new), np.arange(new) % old] = 1.0
        return result

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        if not self.steps:
            return "fold needs a known mean and standard deviation before the layer; there are none."
        if axes.kind == "bias":
            if self.new is None or self.source is None:
                return "fold needs the numbers of channels to shift a bias."
            return None if shape == target else f"fold keeps the shape of a bias; {shape} is not {target}."
        return super().refusal(shape, target, axes)

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Kernel, bias or vector of statistics, by `axes.kind`."""
        if axes.kind in VECTORS:
            return super().apply(array, target, axes, siblings)
        if axes.kind == "bias":
            return self._bias(array, siblings)
        old, new = self.counts(array.shape, target, axes)
        a, _ = self.composed(old, siblings)
        return self.spread(array.astype(np.float64), self._mixing(new, old, a), axes).astype(array.dtype)

    def composed(self, old: int, siblings: Mapping[str, Array]) -> tuple[Array, Array]:
        """All steps as one `(a, b)`."""
        a, b = np.ones(old), np.zeros(old)
        for step in self.steps:
            scale, offset = step.coefficients(old, siblings)
            a, b = a * scale, b * scale + offset
        return a, b

    def _mixing(self, new: int, old: int, a: Array) -> Array:
        fresh = self.picks(new, old) @ a
        safe = np.where(fresh == 0.0, 1.0, fresh)
        mixing: Array = self.matrix(new, old) * a[None, :] / safe[:, None]
        return mixing

    def _bias(self, array: Array, siblings: Mapping[str, Array]) -> Array:
        kernel = siblings.get("kernel")
        if kernel is None or self.source is None or self.new is None:
            raise RuleError("fold cannot shift the bias: the kernel of its layer is not at hand.")
        a, b = self.composed(self.source, siblings)
        # Keras convolution and Dense kernels end in (channels, filters); taps are summed away.
        taps = kernel.astype(np.float64).reshape(-1, self.source, kernel.shape[-1]).sum(axis=0)
        mixing = self._mixing(self.new, self.source, a)
        fresh = self.picks(self.new, self.source) @ b
        shift = b @ taps - fresh @ (mixing @ taps)
        shifted: Array = (array.astype(np.float64) + shift).astype(array.dtype)
        return shifted

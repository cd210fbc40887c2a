"""Rules for the spatial size of convolution kernels: `center`, `resize`, `pi_resize`."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from core.layers.axes import Axes, Owns
from core.rules.base import Array, Rule
from core.rules.interpolation import Method, along, resize_matrix


class KernelRule(Rule, frozen=True, kw_only=True):
    """Base of the rules that are a matrix `(new, old)` along each spatial axis."""

    owns: ClassVar[Owns] = "kernel"

    def axis_matrix(self, old: int, new: int) -> Array:
        """The matrix along one axis."""
        raise NotImplementedError

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        if not axes.spatial:
            return f"{self.name} needs a convolution kernel; this weight has no spatial axes."
        if any(target[axis] < 1 or shape[axis] < 1 for axis in axes.spatial):
            return f"{self.name} cannot produce a kernel of size 0."
        return None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """The kernel with each spatial axis multiplied by its matrix."""
        result = array.astype(np.float64)
        for axis in axes.spatial:
            if array.shape[axis] != target[axis]:
                result = along(self.axis_matrix(array.shape[axis], target[axis]), result, axis)
        return result.astype(array.dtype)


def center_offset(old: int, new: int) -> int:
    """Where tap 0 of a kernel of `old` taps lies in one of `new`, so that SAME padding at stride 1 aligns them."""
    return (new - 1) // 2 - (old - 1) // 2


class CenterKernel(KernelRule, frozen=True, kw_only=True, tag="center"):
    """Zeros around the kernel, or its middle cut out. Growing from odd to odd is exact under SAME padding.

    `offsets` says for each spatial axis at which tap of the new kernel the old one begins, where that is not the
    middle: in a causal convolution all zeros come first.
    """

    offsets: tuple[int, ...] | None = None

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        reason = super().refusal(shape, target, axes)
        if reason or self.offsets is None:
            return reason
        if len(self.offsets) != len(axes.spatial):
            return f"center has {len(self.offsets)} offsets, but the kernel has {len(axes.spatial)} spatial axes."
        for axis, offset in zip(axes.spatial, self.offsets, strict=True):
            if not min(0, target[axis] - shape[axis]) <= offset <= max(0, target[axis] - shape[axis]):
                return f"center cannot place {shape[axis]} taps at offset {offset} in a kernel of size {target[axis]}."
        return None

    def axis_matrix(self, old: int, new: int) -> Array:
        """A shifted identity."""
        return np.eye(new, old, k=-center_offset(old, new))

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Copied tap by tap, so that the numbers stay what they were to the last bit."""
        result = np.zeros(target, array.dtype)
        here, there = [slice(None)] * array.ndim, [slice(None)] * array.ndim
        for place, axis in enumerate(axes.spatial):
            middle = center_offset(array.shape[axis], target[axis])
            offset = middle if self.offsets is None else self.offsets[place]
            size = min(array.shape[axis], target[axis])
            there[axis] = slice(max(offset, 0), max(offset, 0) + size)
            here[axis] = slice(max(-offset, 0), max(-offset, 0) + size)
        result[tuple(there)] = array[tuple(here)]
        return result


class ResizeKernel(KernelRule, frozen=True, kw_only=True, tag="resize"):
    """The kernel that answers on an image as the old one answers on that patch resized to the old size (bilinear).

    The adjoint of the resize: its columns sum to 1, so the sum of the taps (the answer to a constant) stays exact.
    """

    def axis_matrix(self, old: int, new: int) -> Array:
        """The transposed antialiased bilinear matrix from `new` points to `old`."""
        return resize_matrix(new, old, "bilinear").T


class PiResizeKernel(KernelRule, frozen=True, kw_only=True, tag="pi_resize"):
    """Pseudo-inverse resize of patch embeddings: `W' = (B^T)^+ W` with `B` the image resize from old to new patches.

    Beyer et al. 2023, "FlexiViT: One Model for All Patch Sizes", equation 4. Exact for resized patches when growing.
    """

    method: Method = "bicubic"

    def axis_matrix(self, old: int, new: int) -> Array:
        """The pseudo-inverse of the transposed resize matrix."""
        return np.linalg.pinv(resize_matrix(old, new, self.method).T)

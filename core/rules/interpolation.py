"""Separable resampling as matrices: the one place that knows bilinear, bicubic and antialiasing."""

from functools import lru_cache
from typing import Literal

import numpy as np

from core.rules.base import Array

Method = Literal["bilinear", "bicubic"]


def _triangle(x: Array) -> Array:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _keys_cubic(x: Array) -> Array:
    # Keys (1981), "Cubic convolution interpolation for digital image processing", a = -1/2.
    x = np.abs(x)
    near = ((1.5 * x - 2.5) * x) * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


@lru_cache(maxsize=64)
def resize_matrix(old: int, new: int, method: Method = "bilinear", antialias: bool = True) -> Array:
    """Matrix `(new, old)` that resamples `old` points to `new`, half-pixel centres, rows that sum to 1.

    With `antialias` the kernel widens by `old / new` where points get fewer, as in image libraries.
    """
    scale = old / new
    width = max(scale, 1.0) if antialias else 1.0
    centres = (np.arange(new, dtype=np.float64) + 0.5) * scale - 0.5
    distance = (np.arange(old, dtype=np.float64)[None, :] - centres[:, None]) / width
    weights = _triangle(distance) if method == "bilinear" else _keys_cubic(distance)
    matrix: Array = weights / weights.sum(axis=1, keepdims=True)
    matrix.setflags(write=False)
    return matrix


def along(matrix: Array, array: Array, axis: int) -> Array:
    """`matrix @ array` along one axis of the array, which takes the matrix's number of rows."""
    return np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)

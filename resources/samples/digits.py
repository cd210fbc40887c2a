"""Handwritten digits as small colour images: what the sample models were trained on, and what they have never seen.

The digits are those of scikit-learn's `load_digits` (8x8, 17 gray levels). Each is enlarged and has a tint of its own,
from nearly gray to strong colours: so colour carries no class, and a gray picture is still a fair question.
"""

from pathlib import Path
from typing import Any

import numpy as np

HELD_OUT = Path(__file__).with_name("held_out.npz")
SIZE = 32
LEVELS = 16
WEAKEST = 0.35
WHITE = {"digits_normalized": 255}
"""What white is to a sample model, where it is not 1."""

Array = np.ndarray[Any, Any]


def held_out(size: int = SIZE) -> tuple[Array, Array]:
    """The digits that no sample model was trained on: images `(n, size, size, 3)` in 0..1, and classes `(n,)`."""
    with np.load(HELD_OUT) as data:
        return colour_images(data["digits"], np.random.default_rng(7), size), data["labels"]


def gray(images: Array) -> Array:
    """The images with one channel: the mean of the three, `(n, size, size, 1)`."""
    return np.asarray(images.mean(axis=-1, keepdims=True, dtype=np.float32))


def colour_images(digits: Array, generator: np.random.Generator, size: int = SIZE) -> Array:
    """Digits `(n, 8, 8)` in 0..16 as tinted images `(n, size, size, 3)` in 0..1."""
    matrix = _enlarge(digits.shape[1], size)
    large = np.einsum("yi,nij,xj->nyx", matrix, digits.astype(np.float64) / LEVELS, matrix)
    tints = generator.uniform(WEAKEST, 1.0, (len(digits), 1, 1, 3))
    return np.asarray(large[..., None] * tints, np.float32)


def _enlarge(old: int, new: int) -> Array:
    """The `(new, old)` matrix of bilinear interpolation with pixel centres aligned, edges repeated."""
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    low = np.clip(np.floor(centres), 0, old - 2).astype(int)
    high_share = np.clip(centres - low, 0.0, 1.0)
    matrix = np.zeros((new, old))
    matrix[np.arange(new), low] = 1 - high_share
    matrix[np.arange(new), low + 1] = high_share
    return matrix

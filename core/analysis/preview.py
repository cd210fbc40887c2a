"""A look at one array: statistics, a histogram, and small pictures of its kernels."""

from math import isfinite, prod, sqrt
from typing import Any

import numpy as np
from msgspec import Struct

from core.errors import FileError
from core.rules.base import Array

CHUNK = 1 << 20
SAMPLE = 1 << 21
PICTURE = 160
MAX_KERNEL = 64
LARGEST = float(np.finfo(np.float32).max)


class WeightPreview(Struct, frozen=True, kw_only=True):
    """Statistics of an array, its histogram, and up to `kernels` small images of it (`(n, h, w)` or `(n, h, w, 3)`).

    `not_finite` counts NaN and infinity together, `nan` the NaN among them.
    """

    weight: str
    shape: tuple[int, ...]
    dtype: str
    minimum: float
    maximum: float
    mean: float
    std: float
    zeros: int
    not_finite: int
    counts: Any
    edges: Any
    images: Any = None
    nan: int = 0

    @property
    def words(self) -> str:
        """What is unusual in the values, in words: `12 % zeros, 3 NaN`."""
        return health_words(prod(self.shape), self.zeros, self.nan, self.not_finite - self.nan)


class Health(Struct, frozen=True):
    """The numbers of an array at a glance, without a picture."""

    minimum: float
    maximum: float
    mean: float
    std: float
    zeros: int
    nan: int
    infinite: int
    size: int

    @property
    def words(self) -> str:
        """What is unusual in the values, in words."""
        return health_words(self.size, self.zeros, self.nan, self.infinite)


def health(array: Array, weight: str) -> Health:
    """Statistics of the finite values of an array of any number type. Raises `FileError` for what is no number."""
    flat = _numbers(array, weight).reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high, mean, std, zeros, not_finite, nan = _statistics(flat)
    return Health(low, high, mean, std, zeros, nan, not_finite - nan, flat.size)


def health_words(size: int, zeros: int, nan: int, infinite: int) -> str:
    """Zeros as a share, NaN and infinity as counts; `no zeros` and nothing else where all is well."""
    if not size:
        return "no values"
    words = [f"{_share(zeros, size)} zeros" if zeros else "no zeros"]
    words += [f"{nan:,} NaN"] if nan else []
    words += [f"{infinite:,} infinite"] if infinite else []
    return ", ".join(words)


def _share(part: int, whole: int) -> str:
    """A part in percent, never rounded to none or all."""
    share = 100 * part / whole
    if part == whole:
        return "100 %"
    if share < 0.1:
        return "under 0.1 %"
    if share > 99.9:
        return "over 99.9 %"
    return f"{share:.1f} %" if share < 10 or share > 99 else f"{share:.0f} %"


def preview_weight(array: Array, weight: str, bins: int = 64, kernels: int = 64) -> WeightPreview:
    """What a person wants to see of an array of any shape and number type.

    Minimum, maximum, mean and standard deviation are those of the finite values (0 if there are none) and exact at
    every size; the histogram of more than two million values is that of an even sample, scaled to the whole.
    `images` are float32 and raw: for kernels `(h, w, 3, filters)` one `(h, w, 3)` picture a filter, for other kernels
    one `(h, w)` picture a filter of the input channel where it is strongest, for everything with two or more axes
    else one averaged-down picture of the array as a matrix, for vectors `None`.
    Raises `FileError` when the array does not hold numbers.
    """
    values = _numbers(array, weight)
    flat = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):  # near the largest double, deviations are infinite
        low, high, mean, std, zeros, not_finite, nan = _statistics(flat)
    counts, edges = _histogram(flat, low, high, max(1, bins), flat.size - not_finite)
    return WeightPreview(
        weight=weight,
        shape=tuple(int(size) for size in array.shape),
        dtype=str(array.dtype),
        minimum=low,
        maximum=high,
        mean=mean,
        std=std,
        zeros=zeros,
        not_finite=not_finite,
        counts=counts,
        edges=edges,
        images=_images(values, max(0, kernels)),
        nan=nan,
    )


def _numbers(array: Array, weight: str) -> Array:
    """The array in a type NumPy can calculate with: half-size floats widened, complex as magnitude."""
    if array.dtype.kind in "biuf":
        return np.ascontiguousarray(array)
    if array.dtype.kind == "c":
        return np.abs(array)
    try:
        return array.astype(np.float32)  # bfloat16 and float8 of ml_dtypes
    except (TypeError, ValueError) as error:
        raise FileError(f"{weight} holds {array.dtype} values, not numbers, so there is nothing to draw.") from error


def _statistics(flat: Array) -> tuple[float, float, float, float, int, int, int]:
    """Minimum, maximum, mean, standard deviation, zeros, non-finite values and NaN among them, chunk by chunk.

    Chunks are joined as in Chan, Golub, LeVeque: "Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances" (1979), which stays exact where a sum of squares would cancel.
    """
    low, high, mean, squares = np.inf, -np.inf, 0.0, 0.0
    seen = zeros = not_finite = nan = 0
    for start in range(0, flat.size, CHUNK):
        chunk = flat[start : start + CHUNK].astype(np.float64)
        finite = chunk[np.isfinite(chunk)]
        if finite.size < chunk.size:
            not_finite += chunk.size - finite.size
            nan += int(np.isnan(chunk).sum())
        if not finite.size:
            continue
        zeros += int(finite.size - np.count_nonzero(finite))
        low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        own = float(finite.mean())
        step = own - mean
        total = seen + finite.size
        squares += float(np.square(finite - own).sum()) + step * step * seen * finite.size / total
        mean += step * finite.size / total
        seen = total
    if not seen:
        return 0.0, 0.0, 0.0, 0.0, 0, not_finite, nan
    return low, high, mean, sqrt(max(squares / seen, 0.0)), zeros, not_finite, nan


def _histogram(flat: Array, low: float, high: float, bins: int, finite: int) -> tuple[Array, Array]:
    """Counts and edges over the finite values; one value alone gets a small range around it."""
    spread = high - low
    if not isfinite(spread):
        low, high = low / 2, high / 2
        spread = high - low
    if spread <= 1e-12 * max(abs(low), abs(high), 1e-30):
        pad = 0.5 * max(abs(low), 1e-3)
        low, high = low - pad, high + pad
    step = max(1, -(-flat.size // SAMPLE))
    sample = flat[::step].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    counts, edges = np.histogram(np.clip(sample, low, high), bins=bins, range=(low, high))
    if step > 1 and sample.size:
        counts = np.rint(counts * (finite / sample.size))
    return counts.astype(np.int64), edges


def _images(values: Array, most: int) -> Array | None:
    """Pictures of an array, or `None` for vectors, scalars and empty ones."""
    if most == 0 or values.ndim < 2 or values.size == 0:
        return None
    if values.ndim == 5:
        values = values[values.shape[0] // 2]
    picture: Array
    if values.ndim == 4 and 1 < max(values.shape[:2]) <= MAX_KERNEL:
        picture = _kernels(values, most)
    elif values.ndim == 3 and 1 < values.shape[0] <= MAX_KERNEL and values.shape[0] < values.shape[1]:
        stack = np.moveaxis(values[:, :, :most], 2, 0)
        picture = np.stack([shrunk(one, PICTURE) for one in stack])
    else:
        matrix = values.reshape(-1, values.shape[-1]) if values.shape[0] == 1 else values.reshape(values.shape[0], -1)
        picture = shrunk(matrix, PICTURE)[None]
    clean = np.nan_to_num(picture.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(clean, -LARGEST, LARGEST).astype(np.float32)


def _kernels(values: Array, most: int) -> Array:
    """Filters of `(h, w, in, out)`: in colour for three channels; single channels where there is one filter each."""
    channels, filters = values.shape[2:]
    if channels == 3 and filters > 1:
        return np.moveaxis(values[..., :most], 3, 0)
    if filters == 1:
        return np.moveaxis(values[..., 0][..., :most], 2, 0)
    chosen = values[..., :most].astype(np.float64)
    chosen = np.nan_to_num(chosen, nan=0.0, posinf=0.0, neginf=0.0)
    strongest = np.argmax(np.abs(chosen).max(axis=(0, 1)), axis=0)
    return np.stack([chosen[:, :, channel, index] for index, channel in enumerate(strongest)])


def shrunk(matrix: Array, most: int) -> Array:
    """A matrix averaged down to at most `most` rows and columns, every value counted once; NaN and infinity as 0."""
    result: Any = matrix
    for axis in (0, 1):
        size = result.shape[axis]
        if size > most:
            starts = np.linspace(0, size, most, endpoint=False).astype(np.intp)
            widths = np.diff(np.append(starts, size))
            clean = np.nan_to_num(result.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
            sums = np.add.reduceat(clean, starts, axis=axis)
            result = sums / (widths[:, None] if axis == 0 else widths[None, :])
    return np.asarray(result)

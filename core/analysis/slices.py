"""A part of an array as a table: two of its axes laid out, the others held at an index, a block of rows and columns."""

from typing import Any

import numpy as np
from msgspec import Struct

from core.errors import FileError
from core.rules.base import Array

MOST = 250_000
"""Values that one answer holds at most."""


class Slice(Struct, frozen=True):
    """Which part. `rows` and `columns` are axes (`None`: there is just one), `index` the place on each other axis.

    `index` has an entry for every axis; those of `rows` and `columns` count for nothing.
    """

    rows: int | None
    columns: int | None
    index: tuple[int, ...]
    top: int = 0
    left: int = 0
    height: int = 1
    width: int = 1


class ValuesBlock(Struct, frozen=True):
    """The values of a slice, `(height, width)`, cut at the array's end; what NumPy has no type for is float32."""

    weight: str
    part: Slice
    shape: tuple[int, ...]
    dtype: str
    values: Any


def block_of(array: Array, weight: str, part: Slice) -> ValuesBlock:
    """Cut a block out of an array. Raises `FileError` when it has no such axes, or for what is no number."""
    if array.dtype.kind not in "biuf":
        try:
            plain = np.dtype(np.float32)
            np.zeros(1, array.dtype).astype(plain)
        except (TypeError, ValueError) as error:
            raise FileError(f"{weight} holds {array.dtype} values, not numbers.") from error
        if array.dtype.kind == "c":
            raise FileError(f"{weight} holds complex numbers, which cannot be shown as a table.")
    else:
        plain = array.dtype
    axes = [axis for axis in (part.rows, part.columns) if axis is not None]
    fits = len(part.index) == array.ndim and len(set(axes)) == len(axes) and all(axis < array.ndim for axis in axes)
    if not fits or any(
        not 0 <= place < size for axis, (place, size) in enumerate(zip(part.index, array.shape, strict=True))
        if axis not in axes
    ):  # fmt: skip
        raise FileError(f"{weight} has changed since it was opened; open the file again.")
    if part.height * part.width > MOST:
        raise FileError(f"A block of {weight} may hold {MOST:,} values at most.")
    cut: list[Any] = list(part.index)
    for axis, start, count in ((part.rows, part.top, part.height), (part.columns, part.left, part.width)):
        if axis is not None:
            cut[axis] = slice(max(start, 0), max(start, 0) + count)
    found = np.asarray(array[tuple(cut)]).astype(plain)
    if part.rows is None or part.columns is None:
        found = found.reshape((-1, 1) if part.columns is None else (1, -1))
    elif part.rows > part.columns:
        found = found.T
    return ValuesBlock(weight, part, tuple(array.shape), array.dtype.name, np.ascontiguousarray(found))

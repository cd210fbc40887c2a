"""What a file says of an array before it is read; without the library that reads it: the window knows it too."""

import numpy as np
from msgspec import Struct


class ArrayInfo(Struct, frozen=True):
    """Shape and dtype of a stored array."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        """Bytes the array takes in memory."""
        return int(np.prod(self.shape, dtype=object) if self.shape else 1) * _itemsize(self.dtype)


def _itemsize(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize

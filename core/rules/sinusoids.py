"""Tables of sines and cosines of the position: known by their columns, and computed anew for another grid.

Vaswani et al. (2017), "Attention is all you need", section 3.5: frequencies `10000^(-i / count)`; the same over rows
and over columns of a grid in He et al. (2022), "Masked autoencoders are scalable vision learners"; Su et al. (2021)
turn pairs of channels by the same angles (rotary positions).
"""

from math import prod

import numpy as np

from core.rules.base import Array

_NEAR = 1e-4
"""Tables are stored in float32, and the angles of long ones were computed in it too."""


def recomputed(table: Array, old_grid: tuple[int, ...], new_grid: tuple[int, ...], prefix: int) -> Array | None:
    """The table `(prefix + places, width)` for the new grid; `None` when its columns are no sines and cosines.

    Prefix rows stay as they are. A column may follow the number of the place, its row or its column in the grid.
    """
    width = table.shape[1]
    rows = table[prefix:].astype(np.float64)
    if rows.shape[0] != prod(old_grid) or len(rows) < 4 or width < 2 or np.ptp(rows) == 0:
        return None
    best = np.full(width, np.inf)
    fresh = np.zeros((prod(new_grid), width))
    for here, there in zip(_places(old_grid), _places(new_grid), strict=True):
        for rates in _rates(width):
            for wave in (np.sin, np.cos):
                known, new = wave(np.outer(here, rates)), wave(np.outer(there, rates))
                # squared distance of every column to every candidate, without an array of all three axes
                away = np.sum(rows**2, 0)[:, None] - 2 * rows.T @ known + np.sum(known**2, 0)[None, :]
                pick = np.argmin(away, axis=1)
                error = np.max(np.abs(rows - known[:, pick]), axis=0)
                better = error < best
                best = np.where(better, error, best)
                fresh[:, better] = new[:, pick[better]]
    if np.max(best) > _NEAR:
        return None
    return np.concatenate([table[:prefix], fresh.astype(table.dtype)])


def _places(grid: tuple[int, ...]) -> list[Array]:
    """For every place in row order: its number, and its index along each axis of the grid."""
    indices = np.indices(grid).reshape(len(grid), -1)
    return [np.arange(prod(grid)), *indices] if len(grid) > 1 else [np.arange(prod(grid))]


def _rates(width: int) -> list[Array]:
    """Frequencies of tables of that width: one axis takes all channels or half of them; sines and cosines half each."""
    found = []
    for count in {width // 2, width // 4} - {0}:
        steps = np.arange(count)
        found.append(10000.0 ** (-steps / count))
        if count > 1:
            found.append(10000.0 ** (-steps / (count - 1)))  # as tensor2tensor spaces them
    return found

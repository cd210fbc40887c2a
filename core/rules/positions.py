"""Rules for tables of positions: `resample` moves a 2-D grid of position embeddings to another grid."""

from collections.abc import Mapping
from math import prod
from typing import ClassVar

import numpy as np

from core.layers.axes import Axes, Owns
from core.rules.base import Array, Rule
from core.rules.interpolation import Method, along, resize_matrix


class ResamplePositions(Rule, frozen=True, kw_only=True, tag="resample"):
    """A table of `prefix` tokens and then `old_grid` positions in row order, resampled to `new_grid`; prefix kept.

    Grids are compared, not their token counts: 14x16 to 16x14 is a real change. As in vision transformers trained at
    one size and used at another; bicubic with antialiasing, in float64. Grids left empty in a recipe are read off the
    model's patches.
    """

    owns: ClassVar[Owns] = "positions"
    always: ClassVar[bool] = True
    old_grid: tuple[int, ...] = ()
    new_grid: tuple[int, ...] = ()
    prefix: int = 0
    method: Method = "bicubic"

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        axis = axes.positions
        if axis is None:
            return "resample needs a table of positions, and this weight is not one."
        if len(self.old_grid) != len(self.new_grid) or not self.old_grid or self.prefix < 0:
            return f"resample needs two grids of the same number of axes, not {self.old_grid} and {self.new_grid}."
        if self.prefix + prod(self.old_grid) != shape[axis] or self.prefix + prod(self.new_grid) != target[axis]:
            return (
                f"resample was given grids {self.old_grid} and {self.new_grid} with {self.prefix} prefix tokens; "
                f"the table holds {shape[axis]} rows and needs {target[axis]}."
            )
        return None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Prefix rows as they were, the others resampled along each axis of the grid."""
        axis = axes.positions
        assert axis is not None
        if self.old_grid == self.new_grid:
            return array
        rows = np.moveaxis(array, axis, 0)
        grid = rows[self.prefix :].astype(np.float64).reshape(*self.old_grid, *rows.shape[1:])
        for place, (old, new) in enumerate(zip(self.old_grid, self.new_grid, strict=True)):
            if old != new:
                grid = along(resize_matrix(old, new, self.method), grid, place)
        moved = grid.reshape(prod(self.new_grid), *rows.shape[1:]).astype(array.dtype)
        return np.ascontiguousarray(np.moveaxis(np.concatenate([rows[: self.prefix], moved]), 0, axis))

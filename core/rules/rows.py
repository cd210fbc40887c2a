"""Rules for tables whose rows stand for words, ids or the like: `rows` keeps each row with what it stands for."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from core.layers.axes import Axes, Owns
from core.rules.base import Array, Rule
from core.rules.initializers import initial


class KeepRows(Rule, frozen=True, kw_only=True, tag="rows"):
    """New row `i` is the source's row `keep[i]`; `None` starts a row afresh. Without `keep`, rows go by number.

    Fresh rows are random (`uniform`, as an Embedding starts), the `mean` of the source's rows, or `zeros`.
    """

    owns: ClassVar[Owns] = "positions"
    always: ClassVar[bool] = True
    keep: tuple[int | None, ...] | None = None
    fresh: Literal["uniform", "mean", "zeros"] = "uniform"
    seed: int = 0

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        axis = axes.positions
        if axis is None:
            return "rows needs a table, such as the weights of an Embedding; this weight is not one."
        old, new = shape[axis], target[axis]
        if self.keep is not None and any(row is not None and not 0 <= row < old for row in self.keep):
            return f"rows can keep rows 0 to {old - 1}, but keep lists others."
        if self.keep is not None and len(self.keep) > new:
            return f"rows was given {len(self.keep)} rows for a table of {new}."
        return None

    def rows(self, old: int, new: int) -> tuple[int | None, ...]:
        """The source's row for each of the `new` rows; `None` where a row is fresh."""
        keep = self.keep if self.keep is not None else tuple(range(min(old, new)))
        return (*keep, *(None,) * (new - len(keep)))

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Kept rows are copied to the last bit."""
        axis = axes.positions
        assert axis is not None
        rows = self.rows(array.shape[axis], target[axis])
        kept = [place for place, row in enumerate(rows) if row is not None]
        table = np.moveaxis(array, axis, 0)
        wide = (len(rows), *table.shape[1:])
        if self.fresh == "mean":
            made = np.broadcast_to(table.mean(axis=0, dtype=np.float64), wide).astype(array.dtype)
        elif self.fresh == "zeros":
            made = np.zeros(wide, array.dtype)
        else:
            made = initial("uniform", wide, self.seed).astype(array.dtype)
        made[kept] = table[[row for row in rows if row is not None]]
        return np.ascontiguousarray(np.moveaxis(made, 0, axis))

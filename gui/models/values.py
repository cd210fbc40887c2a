"""The values of one array as a table of two of its axes, filled block by block with what has arrived."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor
from typing_extensions import override

from core.analysis.slices import Slice, ValuesBlock
from core.rules.base import Array
from gui.widgets.theme import LIGHT, Theme

HIGH, WIDE = 64, 32
KEPT = 400
"""Blocks that are remembered: 800,000 values."""
PAGE = 100_000
"""Rows or columns that a table has at most; a longer axis is shown from a place on."""
PENDING = "\u2026"

Index = QModelIndex | QPersistentModelIndex


class Layout(Struct, frozen=True):
    """How an array lies in the table: which axes, where on the others, and from which row and column on."""

    shape: tuple[int, ...]
    rows: int | None
    columns: int | None
    index: tuple[int, ...]
    first_row: int = 0
    first_column: int = 0

    def count(self, axis: int | None, first: int) -> int:
        """Rows or columns of the table."""
        return 1 if axis is None else max(0, min(self.shape[axis] - first, PAGE))


def natural(shape: tuple[int, ...]) -> Layout:
    """The layout that says most: a kernel's height and width, else the last two axes; a vector as a column."""
    number = len(shape)
    rows, columns = (None, None) if number == 0 else (0, None) if number == 1 else (number - 2, number - 1)
    if number >= 4 and 1 < max(shape[:2]) <= 64:
        rows, columns = number - 4, number - 3
    return Layout(shape, rows, columns, (0,) * number)


class ValuesModel(QAbstractTableModel):
    """Emits `wanted(part)` for blocks that are seen and not there yet; `take` brings them."""

    wanted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.theme: Theme = LIGHT
        self.layout_ = Layout((), None, None, ())
        self._shown = False
        self._blocks: OrderedDict[tuple[int, int], Array] = OrderedDict()
        self._asked: set[tuple[int, int]] = set()
        self._next: list[tuple[int, int]] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._ask)

    def show_layout(self, layout: Layout) -> None:
        """Lay the array out in another way, or another array; everything is asked for anew."""
        self.beginResetModel()
        self.layout_, self._shown = layout, True
        self._blocks.clear()
        self._asked.clear()
        self._next.clear()
        self.endResetModel()

    def clear(self) -> None:
        """Show nothing."""
        self.show_layout(Layout((), None, None, ()))
        self.beginResetModel()
        self._shown = False
        self.endResetModel()

    def part(self, top: int, left: int, height: int, width: int) -> Slice:
        """A part of the array by rows and columns of the table."""
        shown = self.layout_
        return Slice(
            rows=shown.rows,
            columns=shown.columns,
            index=shown.index,
            top=shown.first_row + top,
            left=shown.first_column + left,
            height=height,
            width=width,
        )

    @Slot()
    def _ask(self) -> None:
        """Ask for what was seen last: in a table that is scrolled fast, what rushed by is not read."""
        for block in self._next[-24:]:
            self._asked.add(block)
            self.wanted.emit(self.part(block[0] * HIGH, block[1] * WIDE, HIGH, WIDE))
        self._next.clear()

    def take(self, block: ValuesBlock) -> bool:
        """A block has arrived; whether it was one of this table's."""
        part = block.part
        top, left = part.top - self.layout_.first_row, part.left - self.layout_.first_column
        key = (top // HIGH, left // WIDE)
        if part != self.part(key[0] * HIGH, key[1] * WIDE, HIGH, WIDE) or key not in self._asked:
            return False
        self._asked.discard(key)
        self._blocks[key] = block.values
        while len(self._blocks) > KEPT:
            self._blocks.popitem(last=False)
        height, width = block.values.shape
        if height and width:
            self.dataChanged.emit(self.index(top, left), self.index(top + height - 1, left + width - 1))
        return True

    @property
    def waiting(self) -> bool:
        """Whether something that is seen has not arrived."""
        return bool(self._asked or self._next)

    def value(self, row: int, column: int) -> Any:
        """A value, `None` while it is not there; then it is asked for."""
        key = (row // HIGH, column // WIDE)
        block = self._blocks.get(key)
        if block is not None:
            self._blocks.move_to_end(key)
            return block[row % HIGH, column % WIDE]
        if key not in self._asked and key not in self._next:
            self._next.append(key)
            self._timer.start()
        return None

    # Qt

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        shown = self.layout_
        return 0 if parent.isValid() or not self._shown else shown.count(shown.rows, shown.first_row)

    @override
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        shown = self.layout_
        return 0 if parent.isValid() or not self._shown else shown.count(shown.columns, shown.first_column)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.DisplayRole:
            value = self.value(index.row(), index.column())
            return PENDING if value is None else value_words(value)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.ForegroundRole):
            value = self.value(index.row(), index.column())
            if value is None:
                return None
            if role == Qt.ItemDataRole.ToolTipRole:
                return f"{self.place(index.row(), index.column())} = {value.item()!r}"
            if not np.isfinite(value):
                return QColor(self.theme.error.ink)
            return QColor(self.theme.faint) if value == 0 else None
        return None

    def place(self, row: int, column: int) -> str:
        """An element's index: `[0, 2, 5, 1]`."""
        shown = self.layout_
        index = list(shown.index)
        if shown.rows is not None:
            index[shown.rows] = row + shown.first_row
        if shown.columns is not None:
            index[shown.columns] = column + shown.first_column
        return str(index)

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        shown = self.layout_
        across = orientation == Qt.Orientation.Horizontal
        if role == Qt.ItemDataRole.DisplayRole:
            axis, first = (shown.columns, shown.first_column) if across else (shown.rows, shown.first_row)
            return str(section + first) if axis is not None else ""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None


def value_words(value: Any) -> str:
    """A value in a cell: six digits; the tip has them all."""
    if value.dtype.kind == "f":
        return f"{float(value):.6g}"
    return str(value.item())


def tsv(values: Array) -> str:
    """Values as text that spreadsheets paste, with all digits that tell them apart."""
    return "\n".join("\t".join(_exact(values.dtype, one) for one in row) for row in values.tolist())


def _exact(dtype: "np.dtype[Any]", value: Any) -> str:
    if dtype.kind != "f":
        return str(value)
    return f"{value:.5g}" if dtype.itemsize == 2 else f"{value:.9g}" if dtype.itemsize == 4 else f"{value:.17g}"


def axis_words(shape: tuple[int, ...]) -> Iterator[str]:
    """What each axis is called: its number and its size."""
    for axis, size in enumerate(shape):
        yield f"axis {axis} ({size:,})"


def swapped(layout: Layout, rows: int | None, columns: int | None) -> Layout:
    """The layout with other axes; what is not laid out any more stands at its first place."""
    index = tuple(0 if axis in (rows, columns) else place for axis, place in enumerate(layout.index))
    return replace(layout, rows=rows, columns=columns, index=index, first_row=0, first_column=0)

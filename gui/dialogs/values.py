"""The values of one array as a table: choose two axes and the place on the others, scroll, copy."""

from msgspec.structs import replace
from PySide6.QtCore import QItemSelection, Signal, Slot
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QTableView,
    QWidget,
)
from typing_extensions import override

from core.analysis.slices import MOST, Slice, ValuesBlock
from core.model.plan import AS_STORED
from core.phrases import shape_words
from gui.document.work import Work
from gui.models.values import PAGE, Layout, ValuesModel, axis_words, natural, swapped, tsv
from gui.panels.weights import WeightRow
from gui.widgets.fields import Choice
from gui.widgets.parts import ElidedLabel, Look, clear_layout, label, named
from gui.widgets.sheet import Sheet
from gui.widgets.theme import Theme, font

CELL = 88
PLACES = (
    ("file", "In the file", "The values of the opened file"),
    ("result", "In the result", "The values that the exported model will have"),
)


class Cells(QTableView):
    """A table whose Copy is somebody else's: Qt's own takes the text of one cell."""

    copied = Signal()

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copied.emit()
        else:
            super().keyPressEvent(event)


class ValuesSheet(Sheet):
    """Non-modal. Only the parts that are seen are read."""

    def __init__(self, work: Work, look: Look, parent: QWidget) -> None:
        super().__init__(parent, "values", "Values", 800)
        self._work, self._paging = work, work.paging
        self._row: WeightRow | None = None
        self._copying: Slice | None = None
        self.title = named(ElidedLabel(), "heading")
        self.facts = label("", "small", wrap=True)
        self.column.addWidget(self.title)
        self.column.addWidget(self.facts)
        self.where = named(Choice("Values", PLACES), "valuesWhere")
        self.rows = named(Choice("Axis of the rows", ()), "valuesRows")
        self.columns = named(Choice("Axis of the columns", ()), "valuesColumns")
        self.where.picked.connect(self._on_where)
        self.rows.picked.connect(self._on_axes)
        self.columns.picked.connect(self._on_axes)
        axes = QHBoxLayout()
        axes.setSpacing(8)
        self._words = {name: label(text, "fieldLabel") for name, text in (("rows", "Rows"), ("columns", "Columns"))}
        for words, box in (
            (None, self.where),
            (self._words["rows"], self.rows),
            (self._words["columns"], self.columns),
        ):
            if words is not None:
                axes.addWidget(words)
            axes.addWidget(box)
        axes.addStretch(1)
        self.column.addLayout(axes)
        self.places: dict[int, QSpinBox] = {}
        self._places = QGridLayout()
        self._places.setHorizontalSpacing(8)
        self._places.setVerticalSpacing(6)
        self.column.addLayout(self._places)
        self.model = ValuesModel(self)
        self.model.wanted.connect(self._on_wanted)
        self.table = named(Cells(), "valuesTable")
        self._set_up_table()
        self.column.addWidget(self.table, 1)
        self.words = label("", "small", wrap=True)
        self.words.setAccessibleName("About the table")
        self.column.addWidget(self.words)
        self.copy = named(QPushButton("Copy"), "valuesCopy")
        self.copy.setToolTip("Copy the selected values, or all that the table shows, for a spreadsheet (Ctrl+C)")
        self.copy.clicked.connect(self.copy_values)
        self.add_buttons(leave="Close", left=self.copy)
        look.changed.connect(self._on_theme)
        self._on_theme(look.theme)
        self._paging.ready.connect(self._on_block)
        self._paging.failed.connect(self._on_failed)
        work.session.source_changed.connect(self.leave)
        work.session.recipe_changed.connect(self._on_recipe)

    def _set_up_table(self) -> None:
        table = self.table
        table.setModel(self.model)
        table.setAccessibleName("Values")
        table.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
        table.setTabKeyNavigation(False)
        table.setMinimumHeight(260)
        table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setWordWrap(False)
        table.setCornerButtonEnabled(False)
        for header, size in ((table.verticalHeader(), 24), (table.horizontalHeader(), CELL)):
            header.setDefaultSectionSize(size)
            header.setHighlightSections(False)
            header.setSectionsClickable(True)
        table.copied.connect(self.copy_values)
        table.selectionModel().selectionChanged.connect(self._on_selection)

    @Slot(object)
    def _on_theme(self, theme: Theme) -> None:
        self.model.theme = theme
        self.table.setFont(font(theme, theme.size_small))
        self.table.viewport().update()

    # what is shown

    def begin(self, row: WeightRow) -> None:
        """Show an array: as the result has it where that differs from the file."""
        self._row = row
        self.title.setText(f"Values of {row.path}")
        stored = row.key is not None
        made = row.fate is not None and row.fate not in ("dropped", "merged", "mismatched")
        self.where.setVisible(stored and made and row.fate not in AS_STORED)
        self.where.show_key("file" if stored and (not made or row.fate in AS_STORED) else "result")
        self._show_array()
        self.open(self.table)

    @Slot()
    def _on_where(self) -> None:
        self._show_array()

    def _show_array(self) -> None:
        row = self._row
        if row is None:
            return
        shape = row.shape
        if self.where.key == "file" and row.source_shape is not None:
            shape = row.source_shape
        fate = f" \u00b7 {row.fate}" if row.fate and self.where.key == "result" else ""
        self.facts.setText(f"{shape_words(shape)} \u00b7 {row.dtype}{fate}")
        self._lay_out(natural(shape))

    def _lay_out(self, layout: Layout) -> None:
        """Show a layout, and the controls that belong to it."""
        names = list(axis_words(layout.shape))
        options = [(str(axis), name, "") for axis, name in enumerate(names)]
        several = len(options) > 1
        for box, axis, words in (
            (self.rows, layout.rows, self._words["rows"]),
            (self.columns, layout.columns, self._words["columns"]),
        ):
            box.set_options(options)
            if axis is not None:
                box.show_key(str(axis))
            box.setVisible(several)
            words.setVisible(several)
        self._show_places(layout, names)
        self.model.show_layout(layout)
        self.table.scrollToTop()
        self._say()

    def _show_places(self, layout: Layout, names: list[str]) -> None:
        """A number for each axis that is not laid out, and where a long one begins."""
        clear_layout(self._places)
        self.places = {}
        wanted = [
            (axis, f"Index on {name}", layout.index[axis], layout.shape[axis] - 1)
            for axis, name in enumerate(names)
            if axis not in (layout.rows, layout.columns)
        ]
        for axis, text, first in (
            (layout.rows, "Rows from", layout.first_row),
            (layout.columns, "Columns from", layout.first_column),
        ):
            if axis is not None and layout.shape[axis] > PAGE:
                wanted.append((axis, text, first, layout.shape[axis] - 1))
        for number, (axis, text, value, most) in enumerate(wanted):
            spin = named(QSpinBox(), f"valuesPlace{axis}")
            spin.setRange(0, max(most, 0))
            spin.setValue(value)
            spin.setAccessibleName(text)
            spin.setKeyboardTracking(False)
            spin.setMinimumWidth(84)
            spin.valueChanged.connect(self._on_place)
            row, side = divmod(number, 3)
            self._places.addWidget(label(text, "fieldLabel"), row, 2 * side)
            self._places.addWidget(spin, row, 2 * side + 1)
            self.places[axis] = spin
        self._places.setColumnStretch(6, 1)

    @Slot()
    def _on_axes(self) -> None:
        shown = self.model.layout_
        rows, columns = int(self.rows.key), int(self.columns.key)
        if rows == columns:  # the other one takes the place of the one that was chosen
            rows, columns = (rows, shown.rows or 0) if rows != shown.rows else (shown.columns or 0, columns)
        self._lay_out(swapped(shown, rows, columns))

    @Slot()
    def _on_place(self) -> None:
        shown = self.model.layout_
        index = list(shown.index)
        for axis, spin in self.places.items():
            if axis == shown.rows:
                shown = replace(shown, first_row=spin.value())
            elif axis == shown.columns:
                shown = replace(shown, first_column=spin.value())
            else:
                index[axis] = spin.value()
        self.model.show_layout(replace(shown, index=tuple(index)))
        self._say()

    @Slot()
    def _on_recipe(self) -> None:
        """The result that was shown is another one now."""
        if self.where.key == "result":
            self.leave()

    # values

    @Slot(object)
    def _on_wanted(self, part: Slice) -> None:
        row = self._row
        if row is None:
            return
        if self.where.key == "file" and row.key is not None:
            self._paging.from_file(row.key, row.path, part)
        else:
            self._paging.from_result(row.path, part)

    @Slot(object)
    def _on_block(self, block: ValuesBlock) -> None:
        if self._row is None or block.weight != self._row.path:
            return
        if block.part == self._copying:
            self._copying = None
            QGuiApplication.clipboard().setText(tsv(block.values))
            height, width = block.values.shape
            self.words.setText(f"Copied {height:,} \u00d7 {width:,} values.")
        self.model.take(block)

    @Slot(str, str)
    def _on_failed(self, weight: str, message: str) -> None:
        if self._row is not None and weight == self._row.path:
            self._copying = None
            self.words.setText(message)

    def _say(self) -> None:
        rows, columns = self.model.rowCount(), self.model.columnCount()
        if not rows or not columns:
            self.words.setText("This array has no values.")
            return
        self.words.setText(f"{rows:,} \u00d7 {columns:,} values in this table.")

    @Slot(QItemSelection, QItemSelection)
    def _on_selection(self) -> None:
        top, left, height, width = self._chosen()
        if height * width > 1 and self.table.selectionModel().hasSelection():
            self.words.setText(f"{height:,} \u00d7 {width:,} values selected, from {self.model.place(top, left)}.")
        else:
            self._say()

    def _chosen(self) -> tuple[int, int, int, int]:
        """The selected rectangle; all of the table where less than two values are selected."""
        selection = self.table.selectionModel().selection()
        if selection.count():
            one = selection.first()  # one rectangle at most can be selected
            if one.height() > 1 or one.width() > 1:
                return one.top(), one.left(), one.height(), one.width()
        return 0, 0, self.model.rowCount(), self.model.columnCount()

    @Slot()
    def copy_values(self) -> None:
        """Put the selected values on the clipboard as lines of values between tabs."""
        top, left, height, width = self._chosen()
        if height * width > MOST:
            self.words.setText(
                f"{height * width:,} values are too many to copy; select at most {MOST:,}, or save the array as a file."
            )
            return
        if height * width:
            self._copying = self.model.part(top, left, height, width)
            self._on_wanted(self._copying)

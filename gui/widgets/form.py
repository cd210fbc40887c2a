"""A form is a list of fields: what each is called, what may be in it, and what it means for the recipe.

A panel or a sheet names its fields and gets the rows, the values for the step, the one sentence about what makes no
sense, and the signals that say when the recipe should follow.
"""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from gui.widgets.cells import CELLS, Cell, Dimensions, Field, Flag, Line, Lines, Multiple, Pick, Row, Spin, Values
from gui.widgets.fields import Choice, Debounce, NumberField
from gui.widgets.parts import Sentence, label

CAPTION = 18
"""A small caption would stand above the middle of its field: a form's layout stretches it to 7/4 of its height."""


class Form(QWidget):
    """The rows of some fields, with a sentence below.

    `changed` says that the recipe should follow: at once after a choice, a moment after the last key. `step` says that
    the next change is a step of undo of its own. `entered` is the Return key.
    """

    changed = Signal()
    edited = Signal()
    step = Signal()
    entered = Signal()

    def __init__(self, fields: Sequence[Field], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cells: dict[str, Cell] = {}
        self._context: dict[str, Any] = {}
        self._typed_in: QObject | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self._rows = QFormLayout()
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setHorizontalSpacing(10)
        self._rows.setVerticalSpacing(7)
        self._rows.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        column.addLayout(self._rows)
        self.problem = Sentence()
        column.addWidget(self.problem)
        self.explanation = Sentence("small")
        column.addWidget(self.explanation)
        self._debounce = Debounce(self)
        self._debounce.fired.connect(self.changed)
        for field in fields:
            self._add(field)
        self._arrange()

    def _add(self, field: Field) -> None:
        cell = self.cells[field.name] = CELLS[field.kind](field, self)
        if field.kind in ("flag", "multiple") and not field.above and not field.beside:
            self._rows.addRow("", cell.widget)
        elif field.above or not field.label:
            whole = QWidget()
            inside = QVBoxLayout(whole)
            inside.setContentsMargins(0, 0, 0, 0)
            inside.setSpacing(6)
            if field.label and field.kind not in ("flag", "multiple"):
                inside.addWidget(label(field.label, "fieldLabel"))
            inside.addWidget(cell.widget)
            self._rows.addRow(whole)
        else:
            caption = label(field.label, "fieldLabel")
            caption.setBuddy(cell.widget)
            caption.setMinimumHeight(CAPTION)
            self._rows.addRow(caption, cell.widget)
        cell.typed.connect(self._on_typed)
        cell.picked.connect(self._on_picked)
        cell.done.connect(self.settle)
        cell.left.connect(self.step)
        cell.entered.connect(self.entered)

    # asking

    def widget(self, name: str) -> QWidget:
        """The widget of a field."""
        return self.cells[name].widget

    def line(self, name: str) -> QLineEdit:
        """The line of a field of one line."""
        cell = self.cells[name]
        assert isinstance(cell, Line)
        return cell.line

    def number(self, name: str) -> NumberField:
        """The field of a whole number."""
        cell = self.cells[name]
        assert isinstance(cell, Line)
        assert isinstance(cell.line, NumberField)
        return cell.line

    def numbers(self, name: str) -> list[NumberField]:
        """The fields of a shape or of a row of whole numbers."""
        cell = self.cells[name]
        assert isinstance(cell, (Row, Dimensions))
        return cell.numbers

    def choice(self, name: str) -> Choice:
        """The combo box of a choice."""
        cell = self.cells[name]
        assert isinstance(cell, Pick)
        return cell.choice

    def text(self, name: str) -> QPlainTextEdit:
        """The text of several lines."""
        cell = self.cells[name]
        assert isinstance(cell, Lines)
        return cell.text

    def spin(self, name: str) -> QDoubleSpinBox:
        """The box of a number with arrows."""
        cell = self.cells[name]
        assert isinstance(cell, Spin)
        return cell.spin

    def box(self, name: str) -> QCheckBox:
        """The check box of a flag or of a multiple."""
        cell = self.cells[name]
        assert isinstance(cell, (Flag, Multiple))
        return cell.box

    def says(self) -> dict[str, Any]:
        """What every field says, shown or not, beside what the panel said of the rest."""
        return {**self._context, **{name: cell.value() for name, cell in self.cells.items()}}

    def values(self) -> dict[str, Any]:
        """The fields for the recipe's step: those that are shown and say something else than their default."""
        said = self.says()
        return {
            name: said[name]
            for name, cell in self.cells.items()
            if said[name] != cell.field.default and (cell.field.shown is None or cell.field.shown(said))
        }

    def wrong(self) -> str:
        """The first sentence that a field which is shown has to say; `""` while all make sense."""
        said = self.says()
        shown = (cell for cell in self.cells.values() if cell.field.shown is None or cell.field.shown(said))
        return next((cell.problem for cell in shown if cell.problem), "")

    # telling

    def show_values(self, values: Values) -> None:
        """Show the fields of a step; those that it does not name stay."""
        for name, cell in self.cells.items():
            if name in values:
                cell.show(values[name])
        self.check()

    def force(self, values: Values) -> None:
        """Show values in the place of whatever is being typed."""
        self._debounce.cancel()
        for name in values:
            for line in self.cells[name].lines():
                line.clear()
        self.show_values(values)

    def show_originals(self, values: Values) -> None:
        """Say what holds while a field is empty."""
        for name, cell in self.cells.items():
            if name in values:
                cell.show_original(values[name])
        self._arrange()

    def set_context(self, **context: Any) -> None:
        """What the conditions of the fields may ask beside the fields."""
        self._context.update(context)
        self._arrange()

    def reset(self) -> None:
        """Empty every field, and forget what was being typed."""
        self.force({name: cell.field.default for name, cell in self.cells.items()})

    @Slot()
    def check(self) -> bool:
        """Say what makes no sense; whether everything does."""
        self._arrange()
        problem = self.wrong()
        self.problem.say(problem)
        return not problem

    @Slot()
    def settle(self) -> None:
        """Let the recipe follow now if it waits for more keys."""
        self._debounce.flush()

    def _arrange(self) -> None:
        said = self.says()
        lines: list[str] = []
        for name, cell in self.cells.items():
            field = cell.field
            there = field.shown is None or field.shown(said)
            if field.shown is not None:
                self._show_row(name, there)
            if field.usable is not None:
                cell.widget.setEnabled(field.usable(said))
            if isinstance(cell, Pick) and there and field.explained is not None and field.explained(said):
                lines.append(cell.choice.tip)
        self.explanation.say("\n".join(line for line in lines if line))

    def _show_row(self, name: str, shown: bool) -> None:
        holder = self._holder(name)
        if self._rows.isRowVisible(holder) is not shown:
            self._rows.setRowVisible(holder, shown)

    def _holder(self, name: str) -> QWidget:
        """The widget that stands in the row of a field."""
        widget = self.cells[name].widget
        parent = widget.parentWidget()
        return widget if parent in (self, None) else parent

    @Slot(object)
    def _on_typed(self, place: QWidget) -> None:
        # not left to focus alone: an inactive window moves it without saying so
        if place is not self._typed_in:
            self._typed_in = place
            self.step.emit()
        self.check()
        self.edited.emit()
        self._debounce.poke()

    @Slot()
    def _on_picked(self) -> None:
        self.check()
        self.edited.emit()
        self.step.emit()
        self._debounce.cancel()
        self.changed.emit()
        self.step.emit()

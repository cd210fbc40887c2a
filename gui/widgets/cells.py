"""Fields as a form describes them, and the cell that draws each kind: one way to ask it and to tell it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from core.phrases import DYNAMIC, TIMES
from gui.widgets.fields import MAX_SIZE, Choice, NumberField, TextField, first_problem
from gui.widgets.parts import label

Kind = Literal["whole", "wholes", "shape", "text", "lines", "choice", "flag", "multiple", "spin"]
Values = Mapping[str, Any]
Condition = Callable[[Values], bool]
Option = tuple[str, str, str]


class Field(Struct, frozen=True):
    """One field. `name` is what the recipe's step calls it; a value that equals `default` is left out of the step.

    Kinds: `whole` number, a row of `wholes`, a `shape` with a named field per dimension, `text` of one line that `read`
    makes a value of, `lines`, a `choice` among `options`, a `flag`, `multiple`, a number behind a check box, and
    `spin`, one with arrows.
    """

    name: str
    label: str
    kind: Kind
    help: str = ""
    hint: str = ""
    """What stands in the empty field."""
    low: float = 1
    high: float = MAX_SIZE
    decimals: int = 0
    unit: str = ""
    """What a number behind arrows counts, such as ` layers`."""
    parts: tuple[str, ...] = ()
    """What each field of `wholes` or of a `shape` is called."""
    options: tuple[Option, ...] = ()
    default: Any = None
    read: Callable[[str], Any] = str.strip
    """For `text`: a line as a value, or `ValueError` with a sentence."""
    write: Callable[[Any], str] = str
    spoken: str = ""
    """The name for screen readers, where it is not the label."""
    key: str = ""
    """The name that the style sheet and tests know the widget by."""
    beside: bool = False
    """Whether a flag's label stands beside it in the column of labels."""
    above: bool = False
    """Whether the label stands above the field, which then has the whole width."""
    shown: Condition | None = None
    """When there is such a field; one that is not shown says nothing."""
    usable: Condition | None = None
    """When it can be changed."""
    explained: Condition | None = None
    """For a `choice`: when the form's last line says what the chosen option does."""


def number_field(field: Field, name: str) -> NumberField:
    """A whole number within a field's limits; one that hints at any size may be left empty for it."""
    return NumberField(name, low=int(field.low), high=int(field.high), nullable=field.hint == DYNAMIC)


class Cell(QObject):
    """A field's widget with one way to ask and tell it. `typed` at each key carries where, `picked` is a choice."""

    typed = Signal(object)
    picked = Signal()
    left = Signal()
    done = Signal()
    entered = Signal()

    def __init__(self, field: Field, parent: QObject) -> None:
        super().__init__(parent)
        self.field = field
        self.widget: QWidget = QWidget()
        self._quiet = False

    def _name(self, widget: QWidget, name: str = "") -> None:
        widget.setAccessibleName(name or self.field.spoken or self.field.label)
        if self.field.key:
            widget.setObjectName(self.field.key)
        if self.field.help:
            widget.setToolTip(self.field.help)

    def _follow(self, line: TextField) -> None:
        line.textEdited.connect(lambda _: self.typed.emit(line))
        line.editingFinished.connect(self.done)
        line.returnPressed.connect(self.entered)
        line.left.connect(self.left)

    @property
    def problem(self) -> str:
        """What is wrong, in a sentence; `""` when nothing is."""
        return ""

    def value(self) -> Any:
        """What the field says."""
        raise NotImplementedError

    def show(self, value: Any) -> None:
        """Show a value."""
        raise NotImplementedError

    def show_original(self, value: Any) -> None:
        """Say what holds while the field is empty."""

    def lines(self) -> Sequence[QLineEdit]:
        """What can be typed in."""
        return ()

    @Slot()
    def _on_toggled(self) -> None:
        """A box was checked, by the person or by `show`, which is not said."""
        if not self._quiet:
            self.picked.emit()


class Line(Cell):
    """`text` and `whole`."""

    def __init__(self, field: Field, parent: QObject) -> None:
        super().__init__(field, parent)
        name = field.spoken or field.label
        if field.kind == "whole":
            self.line: TextField = number_field(field, name)
        else:
            self.line = TextField(name, field.read, field.write)
        self.widget = self.line
        self._name(self.line)
        if field.hint:
            self.line.setPlaceholderText(field.hint)
        self._follow(self.line)

    @property
    def problem(self) -> str:
        """What the line says of itself."""
        return self.line.problem

    def lines(self) -> Sequence[QLineEdit]:
        """The one line."""
        return [self.line]

    def value(self) -> Any:
        """What the text means."""
        return self.line.value

    def show(self, value: Any) -> None:
        """Show a value; text being typed that makes no sense stays."""
        if not (self.line.problem and self.line.hasFocus()):
            self.line.show_value(value)

    def show_original(self, value: Any) -> None:
        """What the source has stands in the empty field."""
        self.line.setPlaceholderText(self.field.hint if value is None else self.field.write(value))


class Row(Cell):
    """`wholes`: a few numbers side by side. One that is left empty means what the source has."""

    def __init__(self, field: Field, parent: QObject) -> None:
        super().__init__(field, parent)
        self.numbers: list[NumberField] = [number_field(field, name) for name in field.parts]
        self._shown: Sequence[int] = ()
        row = QHBoxLayout(self.widget)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        for place, number in enumerate(self.numbers):
            number.setObjectName(f"{field.key}{place}")
            number.setPlaceholderText(field.hint)
            self._follow(number)
            row.addWidget(number, 1)

    @property
    def problem(self) -> str:
        """The first sentence."""
        return first_problem(self.numbers)

    def lines(self) -> Sequence[QLineEdit]:
        """The numbers."""
        return self.numbers

    def value(self) -> list[int] | None:
        """The numbers, `None` where all are left empty."""
        used = self.numbers[: len(self._shown)]
        if all(number.blank for number in used):
            return None
        return [was if number.value is None else number.value for number, was in zip(used, self._shown, strict=True)]

    def show(self, value: Any) -> None:
        """Show numbers, or one for all."""
        sizes = [value] * len(self.numbers) if isinstance(value, int) else list(value or ())
        for place, number in enumerate(self.numbers):
            if not (number.problem and number.hasFocus()):
                number.show_value(sizes[place] if place < len(sizes) else None)

    def show_original(self, value: Any) -> None:
        """As many fields as the source has numbers."""
        self._shown = tuple(value or ())
        for place, number in enumerate(self.numbers):
            number.setVisible(place < max(len(self._shown), 1))
            number.setPlaceholderText(str(self._shown[place]) if place < len(self._shown) else self.field.hint)


class Dimensions(Cell):
    """`shape`: a field for each dimension, in a row under its name, with times signs between."""

    def __init__(self, field: Field, parent: QObject) -> None:
        super().__init__(field, parent)
        self._original: Sequence[int | None] | None = None
        grid = QGridLayout(self.widget)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(3)
        self.numbers: list[NumberField] = [NumberField(name, nullable=True) for name in field.parts]
        for place, (name, number) in enumerate(zip(field.parts, self.numbers, strict=True)):
            number.setObjectName(f"{field.key}_{place}")
            self._follow(number)
            grid.addWidget(label(name, "fieldLabel"), 0, 2 * place)
            grid.addWidget(number, 1, 2 * place)
            grid.setColumnStretch(2 * place, 1)
            if place < len(self.numbers) - 1:
                times = label(TIMES, "faint")
                times.setAlignment(Qt.AlignmentFlag.AlignCenter)
                grid.addWidget(times, 1, 2 * place + 1)

    @property
    def problem(self) -> str:
        """The first sentence that some dimension has to say."""
        return first_problem(self.numbers)

    def lines(self) -> Sequence[QLineEdit]:
        """A line for each dimension."""
        return self.numbers

    def value(self) -> tuple[int | None, ...] | None:
        """The shape; `None` while a dimension makes no sense."""
        return None if self.problem else tuple(number.value for number in self.numbers)

    def show(self, value: Any) -> None:
        """Show a shape of as many dimensions; text being typed that makes no sense stays."""
        if value is None or len(value) != len(self.numbers):
            return
        for number, size in zip(self.numbers, value, strict=True):
            if not (number.problem and number.hasFocus()):
                number.show_value(size)
        self.show_original(self._original)

    def show_original(self, value: Any) -> None:
        """Draw what differs from the source."""
        self._original = value
        for number, was in zip(self.numbers, value or (), strict=False):
            number.mark_changed(not number.problem and number.value != was)


class Lines(Cell):
    """`lines`: text of several lines, as it is typed."""

    def __init__(self, field: Field, parent: QObject) -> None:
        super().__init__(field, parent)
        self.text = QPlainTextEdit()
        self.text.setTabChangesFocus(True)
        self.text.setPlaceholderText(field.hint)
        self.text.setMinimumHeight(int(field.low))
        self.text.textChanged.connect(self.picked)
        self.widget = self.text
        self._name(self.text)

    def value(self) -> str:
        """The text."""
        return self.text.toPlainText()

    def show(self, value: Any) -> None:
        """Show a text."""
        self.text.setPlainText(str(value))


class Pick(Cell):
    """`choice`."""

    def __init__(self, field: Field, parent: QObject) -> None:
        super().__init__(field, parent)
        self.choice = Choice(field.spoken or field.label, field.options)
        self.choice.picked.connect(self.picked)
        self.widget = self.choice
        self._name(self.choice)

    def value(self) -> str | None:
        """The key of the option; the empty one is `None`."""
        return self.choice.key or None

    def show(self, value: Any) -> None:
        """Show an option by its key."""
        self.choice.show_key(value or "")

    def show_original(self, value: Any) -> None:
        """The option that keeps what the source has says what that is."""
        self.choice.setItemText(0, f"{value} (as it was)" if value else "as it was")


class Flag(Cell):
    """`flag`."""

    def __init__(self, field: Field, parent: QObject) -> None:
        super().__init__(field, parent)
        self.box = QCheckBox("" if field.beside else field.label)
        self.box.toggled.connect(self._on_toggled)
        self.widget = self.box
        self._name(self.box)

    def value(self) -> bool:
        """Whether it is on."""
        return self.box.isChecked()

    def show(self, value: Any) -> None:
        """Show it on or off."""
        self._quiet = True
        self.box.setChecked(bool(value))
        self._quiet = False


class Multiple(Cell):
    """`multiple`: a number that counts while its check box is on."""

    def __init__(self, field: Field, parent: QObject) -> None:
        super().__init__(field, parent)
        self.box = QCheckBox(field.label)
        self.number = number_field(field, field.spoken or field.label)
        self.number.setText(field.hint)
        self.number.setEnabled(False)
        row = QHBoxLayout(self.widget)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box)
        row.addWidget(self.number)
        row.addStretch(1)
        self.box.setObjectName(field.key)
        self.number.setObjectName(f"{field.key}Of")
        self.box.toggled.connect(self.number.setEnabled)
        self.box.toggled.connect(self._on_toggled)
        self._follow(self.number)

    @property
    def problem(self) -> str:
        """What the number says of itself, while it counts."""
        return self.number.problem if self.box.isChecked() else ""

    def value(self) -> int | None:
        """The number; `None` while the box is off."""
        return self.number.value if self.box.isChecked() else None

    def show(self, value: Any) -> None:
        """Show a number, or none."""
        self._quiet = True
        self.box.setChecked(value is not None)
        self._quiet = False
        if value is not None:
            self.number.show_value(value)


class Spin(Cell):
    """`spin`."""

    def __init__(self, field: Field, parent: QObject) -> None:
        super().__init__(field, parent)
        self.spin = QDoubleSpinBox()
        self.spin.setDecimals(field.decimals)
        self.spin.setRange(field.low, field.high)
        self.spin.setSingleStep(5 * 10**-field.decimals if field.decimals else 1)
        self.spin.setSuffix(field.unit)
        self.spin.valueChanged.connect(lambda _: self.typed.emit(self.spin))
        self.spin.editingFinished.connect(self.done)
        self.spin.lineEdit().setAccessibleName(field.spoken or field.label)
        self.widget = self.spin
        self._name(self.spin)

    def value(self) -> float:
        """The number; a whole one where there are no decimals."""
        value = self.spin.value()
        return round(value, self.field.decimals) if self.field.decimals else int(value)

    def show(self, value: Any) -> None:
        """Show a number."""
        self.spin.setValue(value)


CELLS: dict[str, Callable[[Field, QObject], Cell]] = {
    "whole": Line,
    "text": Line,
    "wholes": Row,
    "shape": Dimensions,
    "lines": Lines,
    "choice": Pick,
    "flag": Flag,
    "multiple": Multiple,
    "spin": Spin,
}

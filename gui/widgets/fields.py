"""Fields that keep what was typed, know whether it makes sense, and say one sentence when it does not."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence, QValidator, QWheelEvent
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget
from typing_extensions import override

from core.phrases import DYNAMIC
from gui.widgets.parts import restyle

DEBOUNCE_MS = 60
MAX_SIZE = 1_000_000


class Debounce(QObject):
    """Says `fired` once, a moment after the last of a burst of calls."""

    fired = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE_MS)
        self._timer.timeout.connect(self.fired)

    @Slot()
    def poke(self) -> None:
        """Another keystroke: wait again."""
        self._timer.start()

    @Slot()
    def flush(self) -> None:
        """Fire now if something waits."""
        if self._timer.isActive():
            self._timer.stop()
            self.fired.emit()

    def cancel(self) -> None:
        """Forget what waits."""
        self._timer.stop()


class Reads(QValidator):
    """Lets everything be typed, and calls acceptable what a function can read."""

    def __init__(self, field: "TextField") -> None:
        super().__init__(field)
        self._field = field

    @override
    def validate(self, text: str, place: int) -> tuple[QValidator.State, str, int]:
        fine = not self._field.problem_of(text)
        return QValidator.State.Acceptable if fine else QValidator.State.Intermediate, text, place


class PlainLine(QLineEdit):
    """A line that leaves Ctrl+Z to the document while it has nothing of its own to undo (and the same for redo)."""

    @override
    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and self._spent(event):
            event.ignore()
            return True
        return super().event(event)

    def _spent(self, event: QEvent) -> bool:
        assert isinstance(event, QKeyEvent)
        if event.matches(QKeySequence.StandardKey.Undo):
            return not self.isUndoAvailable()
        return event.matches(QKeySequence.StandardKey.Redo) and not self.isRedoAvailable()


class TextField(PlainLine):
    """A line that `read` makes a value of; the sentence of the `ValueError` that it raises is the field's `problem`."""

    left = Signal()

    def __init__(
        self,
        name: str,
        read: Callable[[str], Any] = str.strip,
        write: Callable[[Any], str] = str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.name = name
        self._read, self._write = read, write
        self.setAccessibleName(name)
        self.setValidator(Reads(self))
        self.textEdited.connect(self.mark)

    def problem_of(self, text: str) -> str:
        """What is wrong with a text, in a sentence."""
        try:
            self._read(text.strip())
        except ValueError as error:
            return str(error)
        return ""

    @property
    def problem(self) -> str:
        """What is wrong, in a sentence; `""` when nothing is."""
        return self.problem_of(self.text())

    @property
    def blank(self) -> bool:
        """Whether nothing is typed."""
        return not self.text().strip()

    @property
    def value(self) -> Any:
        """What the text means; `None` for one that means nothing."""
        return None if self.problem else self._read(self.text().strip())

    def show_value(self, value: Any) -> None:
        """Show a value that came from elsewhere, unless the text already means it."""
        text = "" if value is None else self._write(value)
        said = self.value
        same = text == ("" if said is None else self._write(said))
        if self.problem or not same or self.blank is not (value is None):
            self.setText(text)
        self.mark()

    @Slot()
    def mark(self) -> None:
        """Draw a wrong text as wrong."""
        flag(self, "bad", bool(self.problem) and not self.blank)

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()


class NumberField(TextField):
    """A whole number; nothing typed is `None`, which `nullable` fields call `any`."""

    def __init__(
        self, name: str, *, low: int = 1, high: int = MAX_SIZE, nullable: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(name, partial(whole, name, low, high, nullable), parent=parent)
        self.setMinimumWidth(44)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        if nullable:
            self.setPlaceholderText(DYNAMIC)
            self.setToolTip(f"{name}: a whole number, or empty for any size")

    @property
    @override
    def blank(self) -> bool:
        return self.text().strip().lower() in ("", DYNAMIC)

    def mark_changed(self, changed: bool) -> None:
        """Draw the field as differing from the source."""
        flag(self, "changed", changed)


def whole(name: str, low: int, high: int, nullable: bool, text: str) -> int | None:
    """A whole number within limits. Raises `ValueError` with a sentence."""
    if text.lower() in ("", DYNAMIC):
        return None
    expected = f"{name} must be a whole number from {low} to {high:,}"
    if nullable:
        expected += ", or empty for any size"
    try:
        value = int(text)
    except ValueError:
        raise ValueError(f"{expected}, not \u201c{text[:20]}\u201d.") from None
    if not low <= value <= high:
        raise ValueError(f"{expected}, not {text[:20]}.")
    return value


def flag(widget: QWidget, name: str, on: bool) -> None:
    """Set a property that the style sheet knows, `bad` or `changed`."""
    if widget.property(name) is not on:
        widget.setProperty(name, on)
        restyle(widget)


class Choice(QComboBox):
    """A combo box over (key, text, tip)."""

    picked = Signal(str)

    def __init__(self, name: str, options: Iterable[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.set_options(options)
        self.activated.connect(lambda _=0: self.picked.emit(self.key))

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        # a panel that is scrolled must not change what the pointer happens to pass over
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def set_options(self, options: Iterable[tuple[str, str, str]]) -> None:
        """Offer these instead, keeping the current one if it is among them."""
        current = self.key
        self.clear()
        for key, text, tip in options:
            self.addItem(text, key)
            self.setItemData(self.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.show_key(current)

    @property
    def key(self) -> str:
        """The key of the current option."""
        return str(self.currentData() or "")

    @property
    def tip(self) -> str:
        """What the current option does."""
        return str(self.currentData(Qt.ItemDataRole.ToolTipRole) or "")

    def show_key(self, key: str) -> None:
        """Show an option that came from elsewhere; an unknown one is added as it is."""
        at = self.findData(key)
        if at < 0 and key:
            self.addItem(key, key)
            at = self.count() - 1
        self.setCurrentIndex(max(at, 0))


def first_problem(fields: Sequence[TextField]) -> str:
    """The first sentence that some field has to say."""
    return next((field.problem for field in fields if field.problem), "")

"""Fields that keep what was typed, know whether it makes sense, and say one sentence when it does not."""

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QFocusEvent, QWheelEvent
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget
from typing_extensions import override

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


class NumberField(QLineEdit):
    """A whole number; `nullable` fields read blank and `any` as `None`.

    `problem` is the sentence that says what is wrong with the text, `""` when nothing is.
    """

    left = Signal()

    def __init__(
        self, name: str, *, low: int = 1, high: int = MAX_SIZE, nullable: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.name, self.low, self.high, self.nullable = name, low, high, nullable
        self.setAccessibleName(name)
        self.setMinimumWidth(44)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        if nullable:
            self.setPlaceholderText("any")
            self.setToolTip(f"{name}: a whole number, or empty for any size")
        self.textEdited.connect(self.mark)

    @property
    def blank(self) -> bool:
        """Whether nothing is typed."""
        return self.text().strip().lower() in ("", "any")

    @property
    def problem(self) -> str:
        """What is wrong, in a sentence."""
        text = self.text().strip()
        if self.blank:
            return ""
        expected = f"{self.name} must be a whole number from {self.low} to {self.high:,}"
        if self.nullable:
            expected += ", or empty for any size"
        try:
            value = int(text)
        except ValueError:
            return f"{expected}, not \u201c{text[:20]}\u201d."
        return "" if self.low <= value <= self.high else f"{expected}, not {text[:20]}."

    @property
    def value(self) -> int | None:
        """The number; `None` for blank or wrong text."""
        return None if self.blank or self.problem else int(self.text())

    def show_value(self, value: int | None) -> None:
        """Show a number that came from elsewhere, unless the text already means it."""
        if self.problem or self.value != value or (value is None and not self.blank):
            self.setText("" if value is None else str(value))
        self.mark()

    @Slot()
    def mark(self) -> None:
        """Draw a wrong text as wrong."""
        bad = bool(self.problem)
        if self.property("bad") is not bad:
            self.setProperty("bad", bad)
            restyle(self)

    def mark_changed(self, changed: bool) -> None:
        """Draw the field as differing from the source."""
        if self.property("changed") is not changed:
            self.setProperty("changed", changed)
            restyle(self)

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()


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


def first_problem(fields: Sequence[NumberField]) -> str:
    """The first sentence that some field has to say."""
    return next((field.problem for field in fields if field.problem), "")

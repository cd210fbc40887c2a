"""The box that finds layers: what is looked for, how many there are, and the way from one to the next."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSizePolicy
from typing_extensions import override

from gui.widgets.parts import IconButton, IconLabel, Look, named, restyle

HINT = "Find layers\u2026"
TIP = (
    "<p><b>Find layers</b> by name or class, by shape (<code>3x3x3x64</code>), by fate (<code>frozen</code>, "
    "<code>adapted</code>, <code>mismatch</code>, <code>initialized</code>, <code>dropped</code>), or by "
    "<code>/regular expression/</code>. All words must be true; <code>!word</code> must not be.</p>"
)
PLAIN = 22
NARROW = 190


class FindBox(QLineEdit):
    """`query_changed` carries what is looked for, `step_wanted` 1 or -1; `left` that the person is done here."""

    query_changed = Signal(str)
    step_wanted = Signal(int)
    left = Signal()

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.setObjectName("find")
        self.setAccessibleName("Find layers")
        self.setPlaceholderText(HINT)
        self.setToolTip(TIP)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(110)
        self.setMaximumWidth(380)
        self.count = named(QLabel(), "findCount")
        self.previous = IconButton(look, "up", "Previous found layer  (Shift+F3)")
        self.next = IconButton(look, "down", "Next found layer  (F3)")
        self.clearer = IconButton(look, "close", "Clear what is looked for  (Esc)")
        row = QHBoxLayout(self)
        row.setContentsMargins(9, 0, 4, 0)
        row.setSpacing(0)
        row.addWidget(IconLabel(look, "search", "faint"))
        row.addStretch(1)
        row.addWidget(self.count)
        row.addSpacing(4)
        for button in (self.previous, self.next, self.clearer):
            button.setIconSize(QSize(12, 12))
            button.setFixedSize(20, 20)
            button.setCursor(Qt.CursorShape.ArrowCursor)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            row.addWidget(button)
        self.previous.clicked.connect(lambda: self.step_wanted.emit(-1))
        self.next.clicked.connect(lambda: self.step_wanted.emit(1))
        self.clearer.clicked.connect(self.clear)
        self.textChanged.connect(self.query_changed)
        self.say("", "", found=0)

    def say(self, words: str, tip: str, *, found: int) -> None:
        """Show what there is: words such as `3 of 17` or `no match`, more of it in a tip."""
        asked = bool(self.text().strip())
        self.count.setText(words)
        self.count.setToolTip(tip)
        self.count.setAccessibleName(tip or words)
        self.setAccessibleDescription(tip or words)
        none = asked and bool(words) and not found
        if self.count.property("none") is not none:
            self.count.setProperty("none", none)
            restyle(self.count)
        for button in (self.previous, self.next):
            button.setEnabled(found > 0)
        self._make_room()

    def _make_room(self) -> None:
        asked = bool(self.text())
        wide = self.width() >= NARROW
        self.count.setVisible(asked)
        for button in (self.previous, self.next):
            button.setVisible(asked and wide)
        self.clearer.setVisible(asked)
        buttons = (20 + 40 * wide) if asked else 0
        words = self.count.sizeHint().width() + 8 if asked else 0
        self.setTextMargins(PLAIN, 0, buttons + words, 0)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            back = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.step_wanted.emit(-1 if back else 1)
        elif key == Qt.Key.Key_Down:
            self.left.emit()
        elif key == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif key == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)
            return
        event.accept()

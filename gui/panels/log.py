"""What happened, line by line: a drawer over the window's lower corner."""

from collections import deque
from datetime import datetime

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QTextOption
from PySide6.QtWidgets import QPlainTextEdit, QToolTip, QWidget
from typing_extensions import override

from gui.document.session import Session
from gui.widgets.parts import Card, IconButton, Look, named
from gui.widgets.paths import without_folders

MAX_LINES = 2000
SIZE = (560, 280)
MARGIN = 6


class LogText(QPlainTextEdit):
    """Lines with file names alone; the tip of a line has the folders."""

    def __init__(self) -> None:
        super().__init__()
        self.whole: deque[str] = deque(maxlen=MAX_LINES)
        self._follows = True
        """Whether the last line stays in sight: until the person scrolls up, and again once back at the end."""
        bar = self.verticalScrollBar()
        bar.actionTriggered.connect(self._on_scroll)
        bar.rangeChanged.connect(self._follow)

    def add(self, line: str) -> None:
        """Add a line at the end."""
        self.whole.append(line)
        self.appendPlainText(without_folders(line))
        self._follow()

    @Slot()
    def _on_scroll(self) -> None:
        bar = self.verticalScrollBar()
        self._follows = bar.sliderPosition() >= bar.maximum()

    @Slot()
    def _follow(self) -> None:
        # Qt follows by itself only from the very end, and a line that wraps moves the end after it was there
        bar = self.verticalScrollBar()
        if self._follows:
            bar.setValue(bar.maximum())

    @override
    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            row = self.cursorForPosition(event.pos()).blockNumber()
            line = self.whole[row] if row < len(self.whole) else ""
            QToolTip.showText(event.globalPos(), line if line != without_folders(line) else "", self.viewport())
            return True
        return super().viewportEvent(event)


class LogPanel(Card):
    """A log with the time before each line. It lies over its parent's lower right corner; Escape puts it away."""

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__("Log", parent)
        self.setObjectName("sheet")
        self._before: QWidget | None = None
        self.text = named(LogText(), "mono")
        self.text.setReadOnly(True)
        # a long path breaks where it must; it does not make the whole log scroll sideways
        self.text.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.text.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.text.setMaximumBlockCount(MAX_LINES)
        self.text.setAccessibleName("Log")
        self.body.addWidget(self.text, 1)
        self.body.setContentsMargins(1, 1, 1, 6)
        self.text.document().setDocumentMargin(0)
        self.text.setViewportMargins(13, 0, 6, 0)
        copy = IconButton(look, "copy", "Copy the log")
        copy.clicked.connect(self._copy)
        self.header.addWidget(copy)
        away = IconButton(look, "close", "Close the log")
        away.clicked.connect(self.close_drawer)
        self.header.addWidget(away)
        self.hide()
        if parent is not None:
            parent.installEventFilter(self)
        session.note.connect(self.add)
        session.problem.connect(self._on_problem)

    @Slot(str)
    def add(self, line: str) -> None:
        """Add a line."""
        self.text.add(f"{datetime.now():%H:%M:%S}  {line}")

    @Slot(str, str)
    def _on_problem(self, sentence: str, _details: str) -> None:
        self.add(sentence)

    @Slot()
    def _copy(self) -> None:
        self.text.selectAll()
        self.text.copy()
        cursor = self.text.textCursor()
        cursor.clearSelection()
        self.text.setTextCursor(cursor)

    @Slot()
    def toggle(self) -> None:
        """Show the log with the keyboard in it, or put it away."""
        if self.isVisible():
            self.close_drawer()
            return
        self._before = self.window().focusWidget()
        self._place()
        self.show()
        self.raise_()
        self.text.setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot()
    def close_drawer(self) -> None:
        """Put the log away and give the keyboard back."""
        focused: QWidget | None = self.window().focusWidget()
        inside = focused is None or self.isAncestorOf(focused)
        self.hide()
        if inside and self._before is not None and self._before.isVisible():
            self._before.setFocus()
        self._before = None

    def _place(self) -> None:
        area = self.parentWidget()
        if area is not None:
            width, height = min(SIZE[0], area.width() - 2 * MARGIN), min(SIZE[1], area.height() - 2 * MARGIN)
            self.setGeometry(area.width() - width - MARGIN, area.height() - height - MARGIN, width, height)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_drawer()
        else:
            super().keyPressEvent(event)

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False

"""What happened, line by line."""

from datetime import datetime

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QTextOption
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from gui.document.session import Session
from gui.widgets.parts import Card, IconButton, Look, named

MAX_LINES = 2000


class LogPanel(Card):
    """A log with the time before each line."""

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__("Log", parent)
        self.text = named(QPlainTextEdit(), "mono")
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
        session.note.connect(self.add)
        session.problem.connect(self._on_problem)

    @Slot(str)
    def add(self, line: str) -> None:
        """Add a line."""
        self.text.appendPlainText(f"{datetime.now():%H:%M:%S}  {line}")

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

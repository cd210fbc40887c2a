"""Our own fault, said once: the window goes on; the report can be copied."""

from PySide6.QtCore import Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QWidget

from gui.widgets.parts import IconLabel, Look, label, named
from gui.widgets.sheet import Sheet


class CrashSheet(Sheet):
    """Later faults are added to the one that is open."""

    tells, of_model = True, False

    def __init__(self, look: Look, parent: QWidget) -> None:
        super().__init__(parent, "crash", "Something went wrong", 560)
        column = self.column
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(IconLabel(look, "error", "error", 20))
        row.addWidget(label("Internal error", "heading"), 1)
        column.addLayout(row)
        self.sentence = label("", "muted", wrap=True)
        column.addWidget(self.sentence)
        self.text = named(QPlainTextEdit(), "mono")
        self.text.setReadOnly(True)
        self.text.setAccessibleName("Details")
        self.text.setMinimumHeight(180)
        column.addWidget(self.text, 1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        copy = QPushButton("Copy details")
        copy.clicked.connect(self._on_copy)
        buttons.addWidget(copy)
        close = named(QPushButton("Close"), "primary")
        close.clicked.connect(self.leave)
        buttons.addWidget(close)
        column.addLayout(buttons)

    @Slot(str, str)
    def add(self, sentence: str, details: str) -> None:
        """Show another fault."""
        if not self.isVisible():
            self.text.clear()
        self.sentence.setText(sentence)
        self.text.appendPlainText(details)
        self.open()

    @Slot()
    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self.sentence.text()}\n\n{self.text.toPlainText()}")

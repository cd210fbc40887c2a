"""One calm line above the work: what a file is, what went wrong; details on demand, never in the way."""

from PySide6.QtCore import Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from gui.panels.parts import IconButton, IconLabel, Look, named, restyle
from gui.theme import SEVERITY_ICONS


class Banner(QFrame):
    """Shows one sentence with a tone (`info`, `success`, `warning`, `error`), "Details" and "Copy details"."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.tone = "info"
        self._details = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 3, 6, 3)
        column.setSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(10)
        self._icon = IconLabel(look, "info", "info")
        row.addWidget(self._icon)
        self.text = named(QLabel(), "bannerText")
        self.text.setWordWrap(True)
        row.addWidget(self.text, 1)
        self.more = named(QPushButton("Details"), "link")
        self.more.setCheckable(True)
        self.more.toggled.connect(self._on_more)
        self.copy = named(QPushButton("Copy details"), "link")
        self.copy.clicked.connect(self._on_copy)
        self.close_button = IconButton(look, "close", "Dismiss the message")
        self.close_button.clicked.connect(self.dismiss)
        for button in (self.more, self.copy, self.close_button):
            row.addWidget(button)
        column.addLayout(row)
        self._box = named(QPlainTextEdit(), "mono")
        self._box.setReadOnly(True)
        self._box.setAccessibleName("Details")
        self._box.setMaximumHeight(140)
        self._box.hide()
        column.addWidget(self._box)
        self.hide()

    def say(self, tone: str, sentence: str, details: str = "") -> None:
        """Show a sentence in place of the one before."""
        self.tone, self._details = tone, details
        self.setProperty("tone", tone)
        restyle(self)
        self._icon.set_icon(SEVERITY_ICONS[tone], tone)
        self.text.setText(sentence)
        self.setAccessibleName(f"{tone}: {sentence}")
        self.more.setChecked(False)
        self.more.setVisible(bool(details))
        self.copy.setVisible(tone == "error")
        self._box.setPlainText(details)
        self.show()

    @Slot()
    def dismiss(self) -> None:
        """Take the message away."""
        self.hide()

    @Slot(bool)
    def _on_more(self, shown: bool) -> None:
        self._box.setVisible(shown)

    @Slot()
    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details or self.text.text())

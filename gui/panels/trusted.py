"""The files whose stored code may run, each with a button that takes the trust back."""

from datetime import datetime
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.trust_store import Entry, entries
from gui.widgets.parts import ElidedLabel, clear_layout, label, named

MOST = 8


class TrustedFiles(QWidget):
    """`revoke_wanted` carries a digest."""

    revoke_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self.buttons: list[QPushButton] = []

    @Slot()
    def refresh(self) -> None:
        """List what is trusted now, the latest first."""
        clear_layout(self._column)
        self.buttons = []
        self._column.addWidget(label("TRUSTED FILES", "cardTitle"))
        listed = sorted(entries(), key=lambda one: -one.since)
        for entry in listed[:MOST]:
            self._column.addLayout(self._row(entry))
        if len(listed) > MOST:
            self._column.addWidget(label(f"and {len(listed) - MOST} more", "small"))
        if not listed:
            self._column.addWidget(label("No file is trusted to run its stored code.", "small", wrap=True))

    def _row(self, entry: Entry) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        name = ElidedLabel(Path(entry.path).name)
        name.setToolTip(entry.path)
        row.addWidget(name, 1)
        if entry.since:
            row.addWidget(label(f"{datetime.fromtimestamp(entry.since):%Y-%m-%d}", "small"))
        button = named(QPushButton("Revoke"), "link")
        button.setAccessibleName(f"Revoke the trust in {Path(entry.path).name}")
        button.clicked.connect(lambda _=False: self._revoke(entry.digest))
        row.addWidget(button)
        self.buttons.append(button)
        return row

    def _revoke(self, digest: str) -> None:
        self.revoke_wanted.emit(digest)
        self.refresh()

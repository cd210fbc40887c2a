"""An export or a check that is under way, in the status line: what it is at, how far, and a way to stop it."""

from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget
from typing_extensions import override

from gui.document.work import Work
from gui.widgets.parts import named


class RunningLine(QWidget):
    """Shown while the sheet is not; `wanted` asks for the sheet again."""

    wanted = Signal()

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self._sheet: QWidget | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.words = named(QPushButton(), "link")
        self.words.setAccessibleName("Show the export")
        self.words.setToolTip("Show the export")
        self.words.clicked.connect(self.wanted)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setFixedWidth(110)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the export")
        self.cancel = named(QPushButton("Cancel export"), "link")
        self.cancel.clicked.connect(self._on_cancel)
        for widget in (self.words, self.bar, self.cancel):
            row.addWidget(widget)
        work.advance.moved.connect(self.refresh)
        work.changed.connect(self.refresh)
        self.hide()

    def follow(self, sheet: QWidget) -> None:
        """Step aside while this sheet shows the same."""
        self._sheet = sheet
        sheet.installEventFilter(self)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Say what is under way, if anything is."""
        work = self._work
        path = work.exporting.path or work.verifying.path
        if not path or (self._sheet is not None and self._sheet.isVisible()):
            self.hide()
            return
        verb, noun = ("Exporting", "export") if work.exporting.running else ("Checking", "check")
        self.words.setText(f"{verb} {Path(path).name} \u00b7 {work.advance.words}")
        self.bar.setValue(round(work.advance.fraction * 1000))
        self.cancel.setText(f"Cancel {noun}")
        self.cancel.setAccessibleName(f"Cancel the {noun} of {Path(path).name}")
        self.show()

    @Slot()
    def _on_cancel(self) -> None:
        self._work.exporting.cancel()
        self._work.verifying.cancel()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Show, QEvent.Type.Hide):
            self.refresh()
        return False

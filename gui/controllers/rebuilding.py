"""A model that takes the weights of the opened one, whose connections are unknown."""

import os
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtWidgets import QWidget

from gui.controllers.opening import MODELS, OPENING
from gui.controllers.sheets import Sheets
from gui.controllers.unsaved import Unsaved
from gui.document.work import Work
from gui.widgets.file_dialog import ask_file


class Rebuilding(QObject):
    """Owned by the window."""

    def __init__(self, window: QWidget, work: Work, sheets: Sheets, unsaved: Unsaved) -> None:
        super().__init__(window)
        self._window, self._session, self._opening = window, work.session, work.opening
        self._sheets, self._unsaved = sheets, unsaved
        self._taken: tuple[str, str] | None = None
        work.session.source_changed.connect(self._on_source)
        work.opening.failed.connect(self._forget_taken)

    @Slot()
    def take_over(self) -> None:
        """Ask for the rebuilt model that takes the weights of the opened file."""
        source = self._session.source
        if source is not None:
            start = str(Path(source.path).parent)
            ask_file(self._window, "Open the rebuilt model", MODELS, self.take_over_into, start=start)

    @Slot(str)
    def take_over_into(self, path: str) -> None:
        """Open a model, and lay the weights of the one that was open beside its own."""
        source = self._session.source
        if source is None:
            return
        given, path = source.weights_path or source.path, os.path.abspath(path)
        if not os.path.exists(path):
            self._session.problem.emit(f"The file {path} does not exist; choose another.", "")
            return

        def go_on() -> None:
            self._taken = (path, given)
            self._opening.begin(path)

        self._unsaved.ask(go_on, OPENING)

    @Slot()
    def _on_source(self) -> None:
        source, taken = self._session.source, self._taken
        self._taken = None
        if source is not None and taken is not None and source.path == taken[0]:
            # after the engine has been told of the source
            QTimer.singleShot(0, self, lambda: self._sheets.transfer.begin(taken[1]))

    @Slot()
    def _forget_taken(self) -> None:
        self._taken = None

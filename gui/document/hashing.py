"""What files are by their bytes, as the reader finds out."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from core.service.messages import HashFiles
from gui.document.processes import Processes


class Hashing(QObject):
    """Answers whoever asks; a reader that fails answers with nothing."""

    def __init__(self, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reader = processes.reader

    def ask(self, files: tuple[tuple[str, str], ...], answer: Callable[[Any], None]) -> None:
        """`answer` gets a `HashedFile` for each (role, path), or nothing when there is no reader."""
        self._reader.ask(HashFiles(files=files), answer, lambda _: answer(()))

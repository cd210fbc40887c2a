"""Looking at one array of the file."""

from PySide6.QtCore import QObject, Signal, Slot

from core.service.messages import PreviewWeight
from gui.document.processes import Processes
from gui.document.session import Session


class Previewing(QObject):
    """`ready` carries the preview, `failed` the weight and a sentence. Several may be asked at the same time."""

    ready = Signal(object)
    failed = Signal(str, str)

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._reader = session, processes.reader

    @Slot(str, str)
    def begin(self, key: str, weight: str) -> None:
        """Ask the reader for a look at an array by its key."""
        source = self._session.source
        if source is not None:
            body = PreviewWeight(path=source.weights_path or source.path, key=key, weight=weight)
            self._reader.ask(body, self.ready.emit, lambda error: self.failed.emit(weight, error.message))

"""Parts of one array, from the file or of the result: never the whole of it across the pipe."""

from PySide6.QtCore import QObject, Signal

from core.analysis.slices import Slice
from core.service.messages import ReadValues, ResultValues
from gui.document.processes import Processes
from gui.document.session import Session


class Paging(QObject):
    """`ready` carries a `ValuesBlock`, `failed` the weight and a sentence. Several may be asked at the same time."""

    ready = Signal(object)
    failed = Signal(str, str)

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._reader, self._engine = session, processes.reader, processes.engine

    def from_file(self, key: str, weight: str, part: Slice) -> None:
        """Ask the reader for a part of an array of the opened file, by its key."""
        source = self._session.source
        if source is not None:
            body = ReadValues(path=source.weights_path or source.path, key=key, weight=weight, part=part)
            self._reader.ask(body, self.ready.emit, lambda error: self.failed.emit(weight, error.message))

    def from_result(self, weight: str, part: Slice) -> None:
        """Ask the engine for a part of an array as the recipe makes it."""
        body = ResultValues(recipe=self._session.recipe, weight=weight, part=part)
        self._engine.ask(body, self.ready.emit, lambda error: self.failed.emit(weight, error.message))

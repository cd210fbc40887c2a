"""Opening a file: the reader makes a source of it, which becomes the session's."""

from typing import Any

from PySide6.QtCore import QObject
from typing_extensions import override

from core.errors import Cancelled, SutureError
from core.service.messages import OpenModel
from gui.document.job import Job
from gui.document.processes import Processes, details
from gui.document.session import Session


class Opening(Job):
    """The engine starts when the first file is read."""

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(processes.reader, processes.reader.cancel, parent)
        self._session, self._processes = session, processes

    def begin(self, path: str, weights_path: str | None = None) -> None:
        """Read a file, with its arrays from another one if that is named."""
        self._begin(path, OpenModel(path=path, weights_path=weights_path))

    @override
    def settle(self, answer: Any) -> None:
        self._processes.start_engine()
        self._session.set_source(answer)

    @override
    def refuse(self, error: SutureError) -> None:
        self._processes.start_engine()
        if not isinstance(error, Cancelled):
            self._session.problem.emit(error.message, details(error))

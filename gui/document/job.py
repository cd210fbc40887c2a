"""A long job of a helper process. All have one shape: `started`, `progress`, then `finished` or `failed`; `cancel`."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from core.errors import SutureError
from gui.document.service import Line


class Job(QObject):
    """`started` carries what it works on, `progress` a stage and a fraction, `finished` the answer, `failed` the error.

    Only the newest request counts. What a job does to the document it does before it says that it is done.
    """

    started = Signal(str)
    progress = Signal(str, float)
    finished = Signal(object)
    failed = Signal(object)

    def __init__(self, service: Line, stop: Callable[[], object], parent: QObject | None = None) -> None:
        """`stop` ends what the process is at."""
        super().__init__(parent)
        self._service, self._stop = service, stop
        self._number: int | None = None
        self.path = ""
        """What it works on, such as a file; `""` while it rests."""

    @property
    def running(self) -> bool:
        """Whether it is at something."""
        return bool(self.path)

    def _begin(self, path: str, body: Any) -> None:
        if self._number is not None:
            self._service.drop(self._number)
        self.path = path
        self.started.emit(path)
        self._number = self._service.ask(body, self._on_answer, self._on_error, self.progress.emit)

    def _on_answer(self, answer: Any) -> None:
        self._rest()
        self.settle(answer)
        self.finished.emit(answer)

    def _on_error(self, error: SutureError) -> None:
        self._rest()
        self.refuse(error)
        self.failed.emit(error)

    def _rest(self) -> None:
        self._number = None
        self.path = ""

    def settle(self, answer: Any) -> None:
        """What an answer does to the document."""

    def refuse(self, error: SutureError) -> None:
        """What an error does to the document."""

    @Slot()
    def cancel(self) -> None:
        """Stop; whoever waits hears `failed` with `Cancelled`."""
        if self.running:
            self._stop()

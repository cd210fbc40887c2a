"""One helper process as seen from the window: ask, and be answered on the GUI thread.

The process is polled by a timer that runs only while something is outstanding, so an idle window sleeps.
"""

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.errors import SutureError
from core.service.messages import Reply

QUICK_MS = 1
POLL_MS = 5
QUICK_POLLS = 200
"""An answer to an edit is there after a few milliseconds, so at first one looks more often."""

Answer = Callable[[Any], None]
Failure = Callable[[SutureError], None]
Progress = Callable[[str, float], None]


class WorkerLike(Protocol):
    """What `core.service.client.Worker` offers: every request gets exactly one reply with `done=True`."""

    def start(self) -> None:
        """Start the process unless it runs."""

    def send(self, body: Any) -> int:
        """Ask for something; returns the request's id."""

    def poll(self) -> list[Reply]:
        """What has arrived, without waiting."""

    def stop(self) -> None:
        """End the process; what was under way ends with `Cancelled`."""

    def restart(self) -> None:
        """End the process and start a new one."""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""


class _Asked(Struct, frozen=True):
    answer: Answer
    failure: Failure
    progress: Progress | None


class Service(QObject):
    """Asks one helper process and hands each answer to whoever asked.

    `died` carries the kind of process when it ended by itself while something was asked of it; whoever asked has been
    told by then, and a new process is started.
    """

    died = Signal(str)

    def __init__(self, kind: str, worker: WorkerLike, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.kind = kind
        self._worker = worker
        self._asked: dict[int, _Asked] = {}
        self._polls = 0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.poll)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._worker.alive

    @property
    def busy(self) -> bool:
        """Whether an answer is outstanding."""
        return bool(self._asked)

    def start(self) -> None:
        """Start the process unless it runs."""
        self._worker.start()

    def ask(self, body: Any, answer: Answer, failure: Failure, progress: Progress | None = None) -> int:
        """Send a request; one of `answer` and `failure` is called later, unless it is dropped. Returns its id."""
        number = self._worker.send(body)
        self._asked[number] = _Asked(answer, failure, progress)
        self._polls = 0
        self._timer.start(QUICK_MS)
        return number

    def drop(self, number: int) -> None:
        """Forget a request: its answer is thrown away when it comes."""
        self._asked.pop(number, None)

    def cancel(self) -> None:
        """End whatever is under way by ending the process, and start a new one; those who asked hear `Cancelled`."""
        self._worker.restart()
        self.poll()

    def stop(self) -> None:
        """End the process for good; nobody hears of what was under way."""
        self._timer.stop()
        self._asked.clear()
        self._worker.stop()

    @Slot()
    def poll(self) -> None:
        """Take what has arrived; the timer calls this."""
        self._polls += 1
        if self._polls == QUICK_POLLS:
            self._timer.setInterval(POLL_MS)
        for reply in self._worker.poll():
            asked = self._asked.get(reply.id)
            if asked is None:
                continue
            if not reply.done:
                if asked.progress is not None:
                    asked.progress(reply.stage, reply.fraction)
                continue
            del self._asked[reply.id]
            if reply.error is None:
                asked.answer(reply.value)
            else:
                self._fail(asked, reply.error)
        if not self._asked:
            self._timer.stop()

    def _fail(self, asked: _Asked, error: SutureError) -> None:
        asked.failure(error)
        if not self._worker.alive:
            self._worker.start()
            self.died.emit(self.kind)

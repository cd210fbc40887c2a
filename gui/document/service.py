"""One helper process as seen from the window: ask, and be answered on the GUI thread.

All documents of all windows share it. The process is polled by a timer that runs only while something is outstanding,
so an idle window sleeps.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.errors import Cancelled, SutureError
from core.service.messages import Reply

QUICK_MS = 1
POLL_MS = 5
QUICK_POLLS = 200
"""An answer to an edit is there after a few milliseconds, so at first one looks more often."""

NO_DOCUMENT = 0
"""Whose requests are about the process itself; they come first."""

Answer = Callable[[Any], None]
Failure = Callable[[SutureError], None]
Progress = Callable[[str, float], None]


class WorkerLike(Protocol):
    """What `core.service.client.Worker` offers: every request gets exactly one reply with `done=True`."""

    def start(self) -> None:
        """Start the process unless it runs."""

    def send(self, body: Any, document: int = 0) -> int:
        """Ask for something on behalf of a document; returns the request's id."""

    def poll(self) -> list[Reply]:
        """What has arrived, without waiting."""

    def stop(self) -> None:
        """End the process; what was under way ends with `Cancelled`."""

    def restart(self) -> None:
        """End the process and start a new one."""

    def forget(self, document: int) -> None:
        """The document is closed."""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""


class _Asked(Struct, frozen=True):
    body: Any
    document: int
    answer: Answer
    failure: Failure
    progress: Progress | None


class Service(QObject):
    """Asks one helper process and hands each answer to whoever asked.

    The documents take turns: what the process has in hand belongs to one of them, and when another waits, that one is
    next. So a request waits for one request of each other document at most, and what ends the process, be it a fault
    or a cancelled export, ends nothing but what its own document has asked for.

    `died` carries the kind of process when it ended by itself while something was asked of it; whoever asked has been
    told by then, and a new process is started.
    """

    died = Signal(str)

    def __init__(self, kind: str, worker: WorkerLike, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.kind = kind
        self._worker = worker
        self._last = 0
        self._asked: dict[int, _Asked] = {}
        self._waiting: dict[int, deque[int]] = {}
        """What is not sent yet, by document; the document that has waited longest for its turn comes first."""
        self._sent: dict[int, int] = {}
        """What the process has in hand: our numbers by the worker's, dropped ones too."""
        self._turn = NO_DOCUMENT
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

    def in_hand(self, document: int) -> Any:
        """What the process is at for a document, `None` for nothing or something that nobody waits for."""
        asked = self._asked.get(next(iter(self._sent.values()), 0))
        return asked.body if asked is not None and asked.document == document else None

    def start(self) -> None:
        """Start the process unless it runs."""
        self._worker.start()

    def ask(
        self,
        body: Any,
        answer: Answer,
        failure: Failure,
        progress: Progress | None = None,
        document: int = NO_DOCUMENT,
    ) -> int:
        """Send a request; one of `answer` and `failure` is called later, unless it is dropped. Returns its number."""
        self._last += 1
        number = self._last
        self._asked[number] = _Asked(body, document, answer, failure, progress)
        self._waiting.setdefault(document, deque()).append(number)
        self._send()
        self._polls = 0
        self._timer.start(QUICK_MS)
        return number

    def drop(self, number: int) -> None:
        """Forget a request: it is not sent any more, or its answer is thrown away when it comes."""
        asked = self._asked.pop(number, None)
        queue = self._waiting.get(asked.document) if asked is not None else None
        if asked is not None and queue is not None and number in queue:
            queue.remove(number)
            if not queue:
                del self._waiting[asked.document]

    def cancel(self, document: int = NO_DOCUMENT) -> bool:
        """End whatever is asked for a document: who asked hears `Cancelled`.

        Where the process is at it, a new process takes its place, which others do not notice. Returns whether that was
        so.
        """
        waiting = self._waiting.pop(document, ())
        under_way = bool(self._sent) and self._turn == document
        if under_way:
            self._worker.restart()
            self.poll()
        for number in waiting:
            asked = self._asked.pop(number, None)
            if asked is not None:
                asked.failure(Cancelled("Cancelled; nothing was written."))
        return under_way

    def forget(self, document: int) -> None:
        """The document is closed: nobody waits for its answers."""
        for number in [number for number, asked in self._asked.items() if asked.document == document]:
            self.drop(number)
        self._worker.forget(document)

    def stop(self) -> None:
        """End the process for good; nobody hears of what was under way."""
        self._timer.stop()
        for kept in (self._asked, self._waiting, self._sent):
            kept.clear()
        self._worker.stop()

    def _send(self) -> None:
        """Hand on what may be handed on now."""
        while self._waiting:
            if self._sent and self._waiting.keys() != {self._turn}:
                return
            document = NO_DOCUMENT if NO_DOCUMENT in self._waiting else next(iter(self._waiting))
            queue = self._waiting.pop(document)
            number = queue.popleft()
            if queue:
                self._waiting[document] = queue
            self._turn = document
            self._sent[self._worker.send(self._asked[number].body, document)] = number

    @Slot()
    def poll(self) -> None:
        """Take what has arrived; the timer calls this."""
        self._polls += 1
        if self._polls == QUICK_POLLS:
            self._timer.setInterval(POLL_MS)
        for reply in self._worker.poll():
            number = self._sent.pop(reply.id, 0) if reply.done else self._sent.get(reply.id, 0)
            asked = self._asked.get(number)
            if asked is None:
                continue
            if not reply.done:
                if asked.progress is not None:
                    asked.progress(reply.stage, reply.fraction)
                continue
            del self._asked[number]
            if reply.error is None:
                asked.answer(reply.value)
            else:
                self._fail(asked, reply.error)
        self._send()
        if not self._asked:
            self._timer.stop()

    def _fail(self, asked: _Asked, error: SutureError) -> None:
        dead = not self._worker.alive
        asked.failure(error)
        if dead:
            self._worker.start()
            self.died.emit(self.kind)


class Line:
    """A helper process as one document sees it."""

    def __init__(self, service: Service, document: int) -> None:
        self._service, self._document = service, document
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether the process runs, for this document."""
        return self._service.alive and not self._closed

    @property
    def busy(self) -> bool:
        """Whether an answer is outstanding, whoever asked."""
        return self._service.busy

    @property
    def in_hand(self) -> Any:
        """What the process is at for this document, `None` for nothing."""
        return self._service.in_hand(self._document)

    def ask(self, body: Any, answer: Answer, failure: Failure, progress: Progress | None = None) -> int:
        """Send a request; one of `answer` and `failure` is called later, unless it is dropped. Returns its number.

        Once the document is closed nothing is asked any more: a timer of its views may still come.
        """
        if self._closed:
            return 0
        return self._service.ask(body, answer, failure, progress, self._document)

    def drop(self, number: int) -> None:
        """Forget a request."""
        self._service.drop(number)

    def cancel(self) -> bool:
        """End whatever is asked for this document; returns whether the process was at it."""
        return self._service.cancel(self._document)

    def forget(self) -> None:
        """The document is closed."""
        self._closed = True
        self._service.forget(self._document)

"""The window's side of a helper process: send requests, collect replies, end it to cancel. No Qt, no threads."""

import contextlib
import multiprocessing
import os
import pickle
import struct
import sys
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from core.collection import without_collection
from core.errors import Cancelled, FileError, NotChecked, OwnFault, SourceNeeded, SutureError
from core.model.plan import Plan
from core.service.leftovers import WRITERS, Stamp, settle_leftovers, stamp
from core.service.messages import Forget, OpenModel, Reply, Request, SetSource
from core.service.travel import PackedPlan, unpack
from core.service.worker import serve

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

Kind = Literal["reader", "engine"]


class Worker:
    """One helper process. Every request gets exactly one reply with `done=True`, even when the process dies.

    Nothing here blocks: what the child's pipe cannot take yet is kept and sent on at the next `poll`. A plan that is
    waiting or being made when a newer one of its document is asked for ends with `Cancelled`. The source of each
    document is kept: a process that does not have it (any more) gets it again before it is asked about it.
    """

    def __init__(self, kind: Kind, handlers: str | None = None) -> None:
        """`handlers` is the `module:function` run in the child to get its handlers (default: the kind's own)."""
        self.kind = kind
        self._handlers = handlers or f"core.service.handlers:{kind}"
        self._process: SpawnProcess | None = None
        self._requests: Connection | None = None
        self._replies: Connection | None = None
        self._unsent = bytearray()
        self._last_id = 0
        self._pending: dict[int, Request] = {}
        self._stamps: dict[int, Stamp] = {}
        self._ended: list[Reply] = []
        self._sources: dict[int, SetSource] = {}
        self._bases: dict[int, Plan] = {}
        self._latest = 0
        self._told: set[int] = set()
        """Requests before which the source was sent once more."""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """The process's number, `None` before `start` and after `stop`."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process unless it runs.

        It gets the source again that was asked about last, whose reply has an id of its own.
        """
        if self.alive:
            return
        self._ended += self._drain()
        self._close(None)
        context = multiprocessing.get_context("spawn")
        child_requests, self._requests = context.Pipe(duplex=False)
        self._replies, child_replies = context.Pipe(duplex=False)
        if sys.platform != "win32":
            os.set_blocking(self._requests.fileno(), False)
        self._process = context.Process(
            target=serve,
            args=(self.kind, self._handlers, child_requests, child_replies),
            name=f"suture-{self.kind}",
            daemon=True,
        )
        self._process.start()
        child_requests.close()
        child_replies.close()
        source = self._sources.get(self._latest)
        if source is not None:
            self._post(self._number(), source, self._latest)

    def send(self, body: Any, document: int = 0) -> int:
        """Ask for something (`core.service.messages`); starts the process if it is not running. Returns the id."""
        if document in self._sources or isinstance(body, SetSource):
            self._latest = document
        if isinstance(body, SetSource):
            # a process that has to be started must not get the one before, which may be what ended it
            self._sources.pop(document, None)
        self.start()
        if isinstance(body, SetSource):
            self._sources[document] = body
        number = self._number()
        self._post(number, body, document)
        return number

    def forget(self, document: int) -> None:
        """The document is closed: nothing of it is kept, here or in the process."""
        self._sources.pop(document, None)
        if self._bases.pop(document, None) is not None and self.alive:
            self._post(self._number(), Forget(), document)

    def poll(self) -> list[Reply]:
        """The replies that have arrived since the last call, without waiting."""
        self._flush()
        replies = [*self._ended, *self._drain()]
        self._ended = []
        return replies

    def stop(self) -> None:
        """End the process now. What was under way ends with `Cancelled`; half-written results are removed.

        A result that was whole and not yet checked is kept, and ends with `NotChecked`.
        """
        self._ended += self._drain()
        self._close(Cancelled("Cancelled; nothing was written."))

    def restart(self) -> None:
        """End the process and start a new one."""
        self.stop()
        self.start()

    def _number(self) -> int:
        self._last_id += 1
        return self._last_id

    def _post(self, number: int, body: Any, document: int) -> None:
        request = self._pending[number] = Request(number, body, document)
        if isinstance(body, WRITERS):
            self._stamps[number] = stamp(body.out)
        data = pickle.dumps(request)
        assert self._requests is not None
        if sys.platform == "win32":
            with contextlib.suppress(OSError):
                self._requests.send_bytes(data)
        else:
            # the framing of multiprocessing's own `recv_bytes`, which has no sender that does not block
            large = len(data) > 0x7FFFFFFF
            self._unsent += struct.pack("!iQ", -1, len(data)) if large else struct.pack("!i", len(data))
            self._unsent += data
            self._flush()

    def _flush(self) -> None:
        if self._requests is None or not self._unsent:
            return
        try:
            while self._unsent:
                written = os.write(self._requests.fileno(), self._unsent[: 1 << 20])
                del self._unsent[:written]
        except BlockingIOError:
            return
        except OSError:  # the child is gone; `_drain` tells
            self._unsent.clear()

    def _drain(self) -> list[Reply]:
        """Everything that lies in the pipe; the end of everything pending when the process is gone."""
        replies: list[Reply] = []
        if self._replies is None:
            return replies
        try:
            while self._replies.poll():
                with without_collection():
                    reply = self._replies.recv()
                    request = self._pending.pop(reply.id, None) if reply.done else None
                    if request is not None:
                        if self._asked_again(reply, request):
                            continue
                        self._stamps.pop(reply.id, None)
                        reply = self._whole(reply, request)
                replies.append(reply)
        except (EOFError, OSError):
            self._close(None)
            replies += self._ended
            self._ended = []
        return replies

    def _asked_again(self, reply: Reply, request: Request) -> bool:
        """Whether the process lacked the source, and is asked again after getting it."""
        source = self._sources.get(request.document)
        if not isinstance(reply.error, SourceNeeded) or source is None or request.id in self._told:
            self._told.discard(request.id)
            return False
        self._told.add(request.id)
        self._post(self._number(), source, request.document)
        self._post(request.id, request.body, request.document)
        return True

    def _whole(self, reply: Reply, request: Request) -> Reply:
        """The reply with a plan that came as differences put together again.

        A base that is the same once more is the object that the window's views know.
        """
        document, value = request.document, reply.value
        base = self._bases.get(document)
        if isinstance(request.body, SetSource) and isinstance(value, Plan):
            if document in self._sources:
                self._bases[document] = value = value if base is None or base != value else base
            return replace(reply, value=value)
        if isinstance(value, PackedPlan) and base is not None:
            return replace(reply, value=unpack(value, base))
        return reply

    def _close(self, reason: SutureError | None) -> None:
        """End the process and settle what is pending with `reason` (`None`: it died by itself)."""
        process, self._process = self._process, None
        code: int | None = None
        kept: dict[int, NotChecked | None] = {}
        if process is not None:
            pid = process.pid or 0
            if reason is not None:
                process.kill()
            process.join(5)
            code = process.exitcode
            bodies = [request.body for request in self._pending.values()]
            self._sources = {document: _tame(source, bodies) for document, source in self._sources.items()}
            for number, request in self._pending.items():
                if isinstance(request.body, WRITERS):
                    kept[number] = settle_leftovers(request.body, pid, self._stamps.get(number))
            with contextlib.suppress(ValueError):
                process.close()
        for connection in (self._requests, self._replies):
            if connection is not None:
                connection.close()
        self._requests = self._replies = None
        self._unsent.clear()
        pending, self._pending = self._pending, {}
        self._told.clear()
        self._stamps.clear()
        for number, request in pending.items():
            error: SutureError | None = kept.get(number)
            if isinstance(error, NotChecked) and reason is None:
                error = NotChecked(f"The {self.kind} process ended unexpectedly. {error.message}", **error.fields)
            self._ended.append(Reply(number, done=True, error=error or reason or death(self.kind, request.body, code)))


def _tame(source: SetSource, pending: "Iterable[Any]") -> SetSource:
    """What the next process gets: the source without the code that this one was running when it ended."""
    if (source.code or source.trust) and any(body is source for body in pending):
        return replace(source, code=(), trust=False)
    return source


def death(kind: Kind, body: Any, code: int | None) -> SutureError:
    """What to say of a request whose process died under it."""
    if isinstance(body, OpenModel):
        return FileError(
            f"{body.path} could not be read: the reader process ended (code {code}); "
            "the file is probably damaged or too large for this machine's memory.",
            code="file.damaged",
            path=body.path,
        )
    nothing = "Nothing was written; try again" if isinstance(body, WRITERS) else "Try again"
    return OwnFault(
        f"The {kind} process ended unexpectedly (code {code}). {nothing}. "
        f"Details are in {kind}.log in Suture's state folder.",
        report=f"{kind}.log",
    )

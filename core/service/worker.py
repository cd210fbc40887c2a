"""The loop inside a helper process: take a request, do it, send back progress and one end.

Requests arrive on a thread of their own, for two reasons: the window never waits for a busy child to read, and the
pipe's end tells at once that the window is gone, whatever the main thread is doing.
"""

import contextlib
import faulthandler
import gc
import multiprocessing
import os
import pickle
import threading
import time
from collections import deque
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from core.environment import divert_output, prepare_for_engine
from core.errors import Cancelled, FileError, OwnFault, SutureError
from core.reports import own_fault
from core.service.handlers import Handlers, Progress
from core.service.leftovers import WRITERS
from core.service.messages import AskEffect, MakePlan, Reply, Request, Turn, Warm
from core.stopping import Superseded, checkpoint, stoppable
from core.writers.atomic import rescue

READER_BYTES = 4 << 30
"""Address space of the reader: a file that declares absurd sizes meets this, not the machine's memory."""

CPU_SECONDS = 120
"""What reading one file may take of a processor: a damaged table can send HDF5 round in circles."""

PROGRESS_INTERVAL = 0.05


class Inbox:
    """Requests as they arrive, in order, unpickled only when taken."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.out = ""
        self._requests: deque[Request] = deque()
        self._raw: deque[bytes] = deque()
        self._arrived = threading.Semaphore(0)
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self) -> None:
        while True:
            try:
                data = self.connection.recv_bytes()
            except (EOFError, OSError):
                # the window is gone: half a result must not stay behind, and a whole one must not get lost
                if self.out:
                    rescue(self.out, os.getpid())
                os._exit(0)
            self._raw.append(data)
            self._arrived.release()

    def _unpack(self) -> None:
        while self._raw:
            self._requests.append(pickle.loads(self._raw.popleft()))  # our own parent wrote it

    def take(self) -> Request:
        """The next request; waits for one."""
        while not self._requests:
            self._arrived.acquire()
            self._unpack()
        return self._requests.popleft()

    def superseded(self, document: int) -> bool:
        """Whether the very next request is another plan of this document, so that the one in hand need not be made.

        Asked again and again while a plan is made: as long as nothing has arrived, it costs a look at two queues.
        """
        if not self._raw and not self._requests:
            return False
        self._unpack()
        upcoming = self._requests[0]
        return isinstance(upcoming.body, MakePlan) and upcoming.document == document


def serve(kind: str, factory: str, requests: Connection, replies: Connection) -> None:
    """Answer requests until the window goes. `factory` is `module:function` giving the handlers."""
    divert_output(kind)
    faulthandler.enable(2)
    prepare_for_engine()
    if kind == "reader":
        bound_memory(READER_BYTES)
    else:
        multiprocessing.current_process().daemon = False  # the engine has a reader of its own, for files of recipes
    inbox = Inbox(requests)
    module, _, name = factory.partition(":")
    handlers: Handlers | None = None
    document = 0
    while True:
        request = inbox.take()
        inbox.out = request.body.out if isinstance(request.body, WRITERS) else ""
        if kind == "reader":
            bound_time(CPU_SECONDS)
        try:
            if handlers is None:
                handlers = getattr(import_module(module), name)()
            if request.document != document and Turn in handlers:
                handlers[Turn](Turn(document=request.document), _silent)
                document = request.document
            ends = isinstance(request.body, (MakePlan, AskEffect))
            stop = partial(inbox.superseded, request.document) if ends else _never
            with stoppable(stop):
                checkpoint()
                value = handlers[type(request.body)](request.body, _progress(request.id, replies))
            reply = Reply(request.id, done=True, value=value)
        except Superseded:
            reply = Reply(request.id, done=True, error=Cancelled("A newer plan was asked for."))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told and the process goes on
            reply = Reply(request.id, done=True, error=as_told(error, request.body))
        try:
            data = pickle.dumps(reply)
        except Exception as error:  # noqa: BLE001 - an answer that cannot travel is our fault, not the window's end
            data = pickle.dumps(Reply(request.id, done=True, error=as_told(error, request.body)))
        replies.send_bytes(data)
        if isinstance(request.body, Warm):
            # Keras leaves a million objects behind that never go; each full collection would look at them
            # for 0.2 s in the middle of somebody's typing
            gc.collect()
            gc.freeze()


def _never() -> bool:
    return False


def _silent(stage: str, fraction: float) -> None:
    """Progress that nobody hears of."""


def as_told(error: BaseException, body: Any) -> SutureError:
    """The error to send: a `SutureError` as it is, too little memory for a file as such, all else as our own fault."""
    if isinstance(error, SutureError):
        return error
    path = getattr(body, "path", "")
    if isinstance(error, (MemoryError, RecursionError)) and path:
        return FileError(
            f"{path} needs too much memory or is nested too deeply; it is probably damaged.",
            code="file.damaged",
            path=path,
        )
    doing = {
        "OpenModel": "reading a file",
        "MakePlan": "planning",
        "Apply": "writing the result",
        "SaveArrays": "saving arrays",
    }
    fault: OwnFault = own_fault(error, doing.get(type(body).__name__, f"answering {type(body).__name__}"))
    return fault


def _progress(number: int, replies: Connection) -> Progress:
    """A progress function that sends at most 20 replies a second, and each new stage."""
    last_stage, last_time = "", 0.0

    def progress(stage: str, fraction: float) -> None:
        nonlocal last_stage, last_time
        now = time.monotonic()
        if stage != last_stage or now - last_time >= PROGRESS_INTERVAL:
            last_stage, last_time = stage, now
            replies.send(Reply(number, stage=stage, fraction=min(max(float(fraction), 0.0), 1.0)))

    return progress


def bound_memory(limit: int) -> None:
    """Bound the address space where the platform can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


def bound_time(seconds: int) -> None:
    """Bound what this process may still take of a processor, where the platform can: beyond it, the process ends."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + seconds
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (soft if hard < 0 else min(soft, hard), hard))

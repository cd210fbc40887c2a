"""Files read by a process that ends with them: whatever a damaged file does to HDF5, its caller gets a sentence.

The command line has no reader process standing by, and starting one would take as long as reading does. On Linux a fork
is one already: it costs milliseconds while nothing but readers is imported. Where there are threads (TensorFlow's, say)
or no fork, a reader like the window's is started once and kept: the engine process has one for the files that recipes
name.
"""

import os
import pickle
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.analysis.opening import read_model
from core.collection import without_collection
from core.errors import FileError, SutureError
from core.readers import prove_arrays
from core.readers.source import Source
from core.service.client import Worker, death
from core.service.messages import OpenModel
from core.service.worker import CPU_SECONDS, READER_BYTES, as_told, bound_memory

if TYPE_CHECKING:
    from core.layers.kinds import Kinds

_LATE = (
    *(f"formats.{name}" for name in ("keras_zip", "legacy_h5", "saved_model", "weights_file", "architecture")),
    "containers.store",
    "sniff",
)
_PAUSE = 0.002
_kept: list[tuple[str, Worker]] = []


def read_apart(
    path: str | Path, weights: str | Path | None = None, prove: bool = False, kinds: "Kinds | None" = None
) -> Source:
    """`read_model` in a process of its own; with `prove` it also reads the arrays that could do harm when they are.

    Raises `FileError` with one sentence, also when the process dies of the file.
    """
    second = None if weights is None else str(weights)
    body = OpenModel(path=str(path), weights_path=second, prove=prove, kinds=kinds)
    answer = _forked(body) if _can_fork() else _asked(body)
    if isinstance(answer, SutureError):
        raise answer
    assert isinstance(answer, Source)
    return answer


def read_proven(path: str, weights: str | None = None, *, kinds: "Kinds | None" = None) -> Source:
    """`read_apart` for a file whose arrays will be read where Keras is. Raises `FileError`."""
    return read_apart(path, weights, prove=True, kinds=kinds)


def _can_fork() -> bool:
    return sys.platform == "linux" and threading.active_count() == 1 and "tensorflow" not in sys.modules


def _forked(body: OpenModel) -> Any:
    for room in _LATE:
        import_module(f"core.readers.{room}")  # here and not in the fork, so that the next one has it too
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(body, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            data = pipe.read()
        _, status = os.waitpid(child, 0)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    if status != 0 or not data:
        return death("reader", body, os.waitstatus_to_exitcode(status))
    with without_collection():
        return pickle.loads(data)  # our own fork wrote it


def _answer(body: OpenModel, writing: int) -> None:
    """The fork: read, write the answer, end without anything that the parent would do at its end."""
    code = 1
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the parent tells of an interrupt
    try:
        _bound()
        try:
            answer: Any = read_model(body.path, body.weights_path, body.kinds)
            if body.prove:
                prove_arrays(answer)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
            answer = as_told(error, body)
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(answer, pipe, pickle.HIGHEST_PROTOCOL)
        code = 0
    finally:
        os._exit(code)


def _bound() -> None:
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    bound_memory(used + READER_BYTES)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _asked(body: OpenModel) -> Any:
    """The answer of a reader that is kept, started anew when it died or when names would mean other files to it."""
    here = os.getcwd()
    if not _kept or _kept[0][0] != here:
        if _kept:
            _kept.pop()[1].stop()
        _kept.append((here, Worker("reader")))
    worker = _kept[0][1]
    number, end = worker.send(body), time.monotonic() + CPU_SECONDS
    while True:
        for reply in worker.poll():
            if reply.id == number and reply.done:
                return reply.error if reply.error is not None else reply.value
        if time.monotonic() > end:
            worker.stop()
            return FileError(
                f"{body.path} could not be read within {CPU_SECONDS} seconds; the file is probably damaged.",
                code="file.damaged",
                path=body.path,
            )
        time.sleep(_PAUSE)

"""A helper process as the window sees it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.edits import ChangeInput, RemoveLayer
from core.errors import Cancelled, FileError, OwnFault
from core.model.graph import Graph
from core.readers.source import Source
from core.recipes.recipe import Recipe
from core.service.client import Worker
from core.service.messages import Apply, MakePlan, OpenModel, Reply, SetSource

FAKES = "tests.core.service.fakes:make"
PATIENCE = 60.0


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("SUTURE_STATE", str(folder))
    return folder


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("reader", handlers=FAKES)
    worker.start()
    yield worker
    worker.stop()


def collect(worker: Worker, enough: Callable[[list[Reply]], bool]) -> list[Reply]:
    """Poll as the window does until `enough` says so."""
    replies: list[Reply] = []
    end = time.monotonic() + PATIENCE
    while not enough(replies):
        assert time.monotonic() < end, replies
        replies += worker.poll()
        time.sleep(0.002)
    return replies


def ends(replies: list[Reply]) -> dict[int, Reply]:
    return {reply.id: reply for reply in replies if reply.done}


def answer(worker: Worker, number: int) -> Reply:
    return ends(collect(worker, lambda replies: number in ends(replies)))[number]


def source(padding: str = "") -> Source:
    return Source(path="m.keras", format="x", kind="model", graph=Graph("g"), metadata={"padding": padding})


def test_that_a_request_gets_its_answer(worker: Worker) -> None:
    assert answer(worker, worker.send(OpenModel(path="hello"))).value == "hello"
    assert worker.alive


def test_that_sending_starts_the_process() -> None:
    worker = Worker("reader", handlers=FAKES)
    assert not worker.alive
    assert answer(worker, worker.send(OpenModel(path="hello"))).value == "hello"
    worker.stop()
    assert not worker.alive


def test_that_a_refusal_arrives_with_its_fields(worker: Worker) -> None:
    error = answer(worker, worker.send(OpenModel(path="refused"))).error
    assert isinstance(error, FileError)
    assert error.fields == {"path": "refused", "code": "file.damaged"}


def test_that_a_fault_of_ours_is_saved_as_a_report_and_the_process_lives_on(worker: Worker, state: Path) -> None:
    error = answer(worker, worker.send(OpenModel(path="broken"))).error
    assert isinstance(error, OwnFault)
    report = Path(error.fields["report"])
    assert report.parent == state
    assert "ZeroDivisionError: a fault of ours" in report.read_text()
    assert "Traceback" not in error.message
    assert answer(worker, worker.send(OpenModel(path="next"))).value == "next"


def test_that_an_answer_that_cannot_travel_is_a_fault_not_a_hang(worker: Worker) -> None:
    assert isinstance(answer(worker, worker.send(OpenModel(path="unpicklable"))).error, OwnFault)


def test_that_a_process_that_dies_ends_what_was_asked_and_can_be_asked_again(worker: Worker) -> None:
    error = answer(worker, worker.send(OpenModel(path="killed"))).error
    assert isinstance(error, FileError)
    assert "code 7" in error.message
    assert not worker.alive
    assert answer(worker, worker.send(OpenModel(path="again"))).value == "again"


@pytest.mark.skipif(sys.platform != "linux", reason="address space is bounded on Linux")
def test_that_the_reader_meets_its_memory_limit_with_a_sentence(worker: Worker) -> None:
    error = answer(worker, worker.send(OpenModel(path="huge"))).error
    assert isinstance(error, FileError)
    assert error.fields["code"] == "file.damaged"


SLOW = Recipe(edits=(RemoveLayer(layer="slow"),))
"""The handlers' plan of this never ends by itself."""


def test_that_a_newer_plan_ends_the_one_that_is_being_made(worker: Worker) -> None:
    old = worker.send(MakePlan(recipe=SLOW))
    begun = collect(worker, lambda replies: any(reply.id == old and reply.stage == "planning" for reply in replies))
    assert not ends(begun)
    newer = worker.send(MakePlan(recipe=Recipe()))
    done = ends(collect(worker, lambda replies: {old, newer} <= ends(replies).keys()))
    assert isinstance(done[old].error, Cancelled)
    assert done[newer].value == ("planned", 0)


def test_that_only_the_newest_of_waiting_plans_is_made(worker: Worker) -> None:
    busy = worker.send(OpenModel(path="slow"))
    edit = ChangeInput(shape=(8, 8, 1))
    plans = [worker.send(MakePlan(recipe=Recipe(edits=(edit,) * count))) for count in range(5)]
    done = ends(collect(worker, lambda replies: {busy, *plans} <= set(ends(replies))))
    assert all(isinstance(done[number].error, Cancelled) for number in plans[:-1])
    assert done[plans[-1]].value == ("planned", 4)


def test_that_a_plan_before_another_kind_of_request_is_still_made(worker: Worker) -> None:
    worker.send(OpenModel(path="slow"))
    first = worker.send(MakePlan(recipe=Recipe()))
    worker.send(OpenModel(path="between"))
    last = worker.send(MakePlan(recipe=Recipe()))
    done = ends(collect(worker, lambda replies: last in ends(replies)))
    assert done[first].error is None


def test_that_progress_is_told_but_not_more_than_the_eye_can_follow(worker: Worker, tmp_path: Path) -> None:
    began = time.monotonic()
    number = worker.send(Apply(recipe=Recipe(), out=str(tmp_path / "out.keras")))
    replies = collect(worker, lambda replies: number in ends(replies))
    seconds = time.monotonic() - began
    steps = [reply.fraction for reply in replies if not reply.done]
    assert steps == sorted(steps)
    assert 2 <= len(steps) <= seconds / 0.05 + 2
    assert (tmp_path / "out.keras").read_bytes() == b"half"


def test_that_cancelling_leaves_no_partial_file_and_says_so(worker: Worker, tmp_path: Path) -> None:
    number = worker.send(Apply(recipe=Recipe(), out=str(tmp_path / "endless.keras")))
    collect(worker, lambda replies: any(reply.fraction > 0.9 for reply in replies))
    assert [path.name for path in tmp_path.glob(".*")] == [f".endless.keras.partial-{worker.pid}"]
    worker.stop()
    assert not worker.alive
    assert isinstance(answer(worker, number).error, Cancelled)
    assert list(tmp_path.glob("*keras*")) == []


def test_that_a_result_finished_just_before_a_cancel_is_told_as_finished(worker: Worker, tmp_path: Path) -> None:
    number = worker.send(Apply(recipe=Recipe(), out=str(tmp_path / "out.keras")))
    end = time.monotonic() + PATIENCE
    while not (tmp_path / "out.keras").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.2)
    worker.stop()
    assert answer(worker, number).error is None


def test_that_a_restarted_engine_knows_its_source_again(worker: Worker) -> None:
    first = answer(worker, worker.send(SetSource(source=source("xy"))))
    worker.restart()
    again = ends(collect(worker, lambda replies: bool(ends(replies))))
    (reply,) = again.values()
    assert reply.value[0] == "source"
    assert reply.value[2] == 2
    assert reply.value[1] != first.value[1]


def test_that_code_which_ended_the_engine_is_not_run_again(worker: Worker) -> None:
    reply = answer(worker, worker.send(SetSource(source=source("xy"), trust=True)))
    assert isinstance(reply.error, OwnFault)
    worker.start()
    (again,) = ends(collect(worker, lambda replies: bool(ends(replies)))).values()
    assert again.value[2] == 2
    assert worker.alive


def test_that_sending_much_to_a_busy_process_does_not_wait_for_it(worker: Worker) -> None:
    answer(worker, worker.send(OpenModel(path="up")))
    # the child is stopped, so nothing reads: the pipe holds 64 KiB, the rest has to wait on our side
    assert worker.pid is not None
    if sys.platform == "win32":
        pytest.skip("processes cannot be stopped by a signal here")
    import signal

    os.kill(worker.pid, signal.SIGSTOP)
    number = worker.send(SetSource(source=source("x" * 20_000_000)))
    assert worker.poll() == []
    os.kill(worker.pid, signal.SIGCONT)
    assert answer(worker, number).value[2] == 20_000_000


def test_that_what_the_child_prints_goes_to_its_log(
    worker: Worker, state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert answer(worker, worker.send(OpenModel(path="noisy"))).value == "quiet"
    assert capfd.readouterr() == ("", "")
    assert "noise on stderr" in (state / "reader.log").read_text()


def test_that_the_child_ends_when_its_window_dies(tmp_path: Path) -> None:
    script = (
        "import os, time\n"
        "from core.service.client import Worker\n"
        "from core.service.messages import Apply\n"
        "from core.recipes.recipe import Recipe\n"
        "if __name__ == '__main__':\n"
        f"    w = Worker('engine', handlers={FAKES!r}); w.start()\n"
        f"    w.send(Apply(recipe=Recipe(), out={str(tmp_path / 'endless.keras')!r}))\n"
        "    while not any(r.fraction > 0 for r in w.poll()): time.sleep(0.01)\n"
        "    print(w.pid, flush=True); os._exit(1)\n"
    )
    path = tmp_path / "window.py"
    path.write_text(script)
    root = str(Path(__file__).parents[3])
    run = subprocess.run(
        [sys.executable, str(path)], env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, timeout=60
    )
    pid = int(run.stdout)
    end = time.monotonic() + PATIENCE
    while _runs(pid):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert list(tmp_path.glob(".*partial*")) == []


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    # an orphan that has ended stays listed until somebody reaps it
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_that_the_client_imports_nothing_heavy() -> None:
    code = (
        "import sys, core.service.client; "
        "print([m for m in ('tensorflow','keras','h5py','PySide6','typer','rich') if m in sys.modules])"
    )
    root = str(Path(__file__).parents[3])
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"

"""Long jobs have one shape: they begin, tell how far they are, and end once, with an answer or an error."""

from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from core.errors import Cancelled
from gui.document.job import Job
from gui.document.work import Work
from tests.gui.hand_made import FakeWorker, source


@pytest.fixture
def ready(qtbot: QtBot, work: Work) -> Work:
    work.start()
    work.session.set_source(source())
    qtbot.waitUntil(lambda: work.session.plan is not None and work.processes.engine_state == "ready")
    return work


def listen(job: Job) -> list[tuple[str, Any]]:
    """What a job says, in order, but for its progress."""
    heard: list[tuple[str, Any]] = []
    job.started.connect(lambda path: heard.append(("started", path)))
    job.finished.connect(lambda answer: heard.append(("finished", answer)))
    job.failed.connect(lambda error: heard.append(("failed", type(error))))
    return heard


@pytest.mark.parametrize("name", ["exporting", "verifying"])
def test_that_a_job_begins_and_ends_once(qtbot: QtBot, ready: Work, name: str, tmp_path: Path) -> None:
    job = getattr(ready, name)
    heard, out = listen(job), str(tmp_path / "out.keras")
    job.begin(out, **({"verify": False} if name == "exporting" else {}))
    assert job.running
    assert ready.busy
    qtbot.waitUntil(lambda: not job.running)
    assert [what for what, _ in heard] == ["started", "finished"]
    assert heard[0] == ("started", out)
    assert not ready.busy


@pytest.mark.parametrize("name", ["exporting", "verifying"])
def test_that_a_cancelled_job_says_so_and_the_engine_comes_back(
    qtbot: QtBot, ready: Work, engine: FakeWorker, name: str
) -> None:
    job = getattr(ready, name)
    heard, engine.hold = listen(job), True
    job.begin("out.keras", **({"verify": False} if name == "exporting" else {}))
    engine.hold = False
    job.cancel()
    assert heard == [("started", "out.keras"), ("failed", Cancelled)]
    assert not job.running
    qtbot.waitUntil(lambda: ready.processes.engine_state == "ready")


def test_that_only_the_newest_file_is_opened(qtbot: QtBot, ready: Work, reader: FakeWorker) -> None:
    heard, reader.hold = listen(ready.opening), True
    ready.opening.begin("first.keras")
    ready.opening.begin("second.keras")
    assert ready.opening.path == "second.keras"
    reader.hold = False
    qtbot.waitUntil(lambda: not ready.opening.running)
    assert [what for what, _ in heard] == ["started", "started", "finished"]


def test_that_a_job_at_rest_cancels_nothing(ready: Work, reader: FakeWorker, engine: FakeWorker) -> None:
    for job in (ready.opening, ready.exporting, ready.verifying, ready.comparing):
        heard = listen(job)
        job.cancel()
        assert heard == []
    assert reader.alive
    assert engine.alive

"""Every window test runs offscreen, on its own settings file, with workers that need no process."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.readers.source import Source
from core.service.client import Worker
from core.service.messages import AskSizes, Forget
from gui import app
from gui.app import Painter
from gui.document.processes import Helpers
from gui.document.service import Service
from gui.document.session import Session
from gui.document.settings import Settings
from gui.document.work import Work
from gui.widgets.parts import Look
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker, source
from tests.gui.hands import window_of


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings on a file of this test."""
    return Settings(tmp_path / "settings.ini")


@pytest.fixture
def reader() -> FakeWorker:
    """The reader process's stand-in."""
    return FakeWorker()


@pytest.fixture
def engine() -> FakeWorker:
    """The engine process's stand-in."""
    return FakeWorker()


@pytest.fixture
def work(qapp: QApplication, reader: FakeWorker, engine: FakeWorker) -> Iterator[Work]:
    """A document and its jobs over both stand-ins; afterwards nothing may be polled any more."""
    services = Service("reader", reader), Service("engine", engine)
    helpers = Helpers(*services)
    made = Work(helpers)
    yield made
    helpers.stop()
    if shiboken6.isValid(made):  # not if its tab was closed
        made.stop()
    for service in services:
        assert not [timer for timer in service.findChildren(QTimer) if timer.isActive()]
    assert not reader.alive
    assert not engine.alive


@pytest.fixture
def session(work: Work) -> Session:
    """The document of `work`."""
    return work.session


@pytest.fixture
def painter(qapp: QApplication, settings: Settings) -> Iterator[Painter]:
    """The application in its theme."""
    made = Painter(qapp, settings)
    yield made
    made.deleteLater()


@pytest.fixture
def look(painter: Painter) -> Look:
    """The current theme."""
    return painter.look


@pytest.fixture
def window(qtbot: QtBot, work: Work, settings: Settings, painter: Painter) -> MainWindow:
    """A window with nothing open, shown, its stand-ins started."""
    made = window_of(work, settings, painter.look)
    made.theme_chosen.connect(painter.choose)
    qtbot.addWidget(made, before_close_func=lambda _: forget(made))
    made.resize(1440, 900)
    made.show()
    work.start()
    qtbot.waitUntil(lambda: work.processes.engine_state == "ready")
    return made


@pytest.fixture
def opened(qtbot: QtBot, window: MainWindow) -> MainWindow:
    """The window with the hand-made model open and planned."""
    show(qtbot, window, source())
    return window


@pytest.fixture
def open_source(qtbot: QtBot, window: MainWindow) -> Callable[[Source], MainWindow]:
    """Opens a source in the window and waits for its plan."""

    def opener(value: Source) -> MainWindow:
        show(qtbot, window, value)
        return window

    return opener


def show(qtbot: QtBot, window: MainWindow, value: Source) -> None:
    """Open a source and wait for its plan."""
    window.session.set_source(value)
    qtbot.waitUntil(lambda: window.session.plan is not None and not window.session.planning)


class Kept(Worker):
    """A helper process that outlives a window, for the next one; it ends only under what is not finished."""

    def stop(self) -> None:
        # that the last document was closed, or which sizes it could take, holds nobody up: the next asks after it
        if any(not isinstance(request.body, (AskSizes, Forget)) for request in self._pending.values()):
            super().stop()


@pytest.fixture(scope="session")
def kept() -> Iterator[dict[str, Kept]]:
    """The real reader and engine, started once: an engine takes seconds to import TensorFlow."""
    workers = {"reader": Kept("reader"), "engine": Kept("engine")}
    yield workers
    for worker in workers.values():
        Worker.stop(worker)


@pytest.fixture
def real_window(
    qtbot: QtBot, settings: Settings, painter: Painter, kept: dict[str, Kept], monkeypatch: pytest.MonkeyPatch
) -> Iterator[MainWindow]:
    """The window as the program builds it, over processes that earlier tests may have used."""
    monkeypatch.setattr(app, "make_worker", kept.__getitem__)
    yield from _shown(qtbot, settings, painter)


@pytest.fixture
def fresh_window(qtbot: QtBot, settings: Settings, painter: Painter) -> Iterator[MainWindow]:
    """The window as the program builds it, with processes of its own, which are gone afterwards."""
    window = None
    for window in _shown(qtbot, settings, painter):
        yield window
    assert window is not None
    assert not window.work.processes.reader.alive
    assert not window.work.processes.engine.alive


def _shown(qtbot: QtBot, settings: Settings, painter: Painter) -> Iterator[MainWindow]:
    window = app.build(settings, painter.look)
    qtbot.addWidget(window)
    window.resize(1440, 900)
    window.show()
    window.work.start()
    yield window
    for each in list(window.windows.all):
        forget(each)
        each.close()


def forget(window: MainWindow) -> None:
    """Nobody is asked about what is not saved."""
    for page in window.documents:
        page.unsaved.forget()

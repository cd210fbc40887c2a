"""The window's side of a helper process."""

from pytestqt.qtbot import QtBot

from gui.document.service import Service
from tests.gui.hand_made import FakeWorker


def test_that_a_dropped_request_is_never_answered(qtbot: QtBot) -> None:
    worker = FakeWorker()
    service = Service("engine", worker)
    heard: list[object] = []
    service.drop(service.ask("first", heard.append, heard.append))
    service.ask("second", heard.append, heard.append)
    qtbot.waitUntil(lambda: not service.busy)
    service.stop()
    assert len(heard) == 1

"""What the bottom line says while a plan is made."""

from pytestqt.qtbot import QtBot

from core.recipes import gestures
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker


def resize(window: MainWindow, size: int) -> None:
    edit = gestures.make_edit("change_input", shape=[size, size, 3])
    window.session.gesture(lambda recipe: gestures.put(recipe, edit), "Resize")


def test_that_a_plan_that_takes_long_is_said_to_be_under_way(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker
) -> None:
    engine.hold = True
    resize(opened, 64)
    assert opened.status.planning.text() == ""
    qtbot.waitUntil(lambda: "planning" in opened.status.planning.text())
    resize(opened, 65)
    assert "planning" in opened.status.planning.text()
    engine.hold = False
    qtbot.waitUntil(lambda: opened.status.planning.text() == "")
    assert not opened.session.planning


def test_that_a_plan_that_is_there_at_once_is_not_spoken_of(qtbot: QtBot, opened: MainWindow) -> None:
    said: list[str] = []
    opened.session.planning_changed.connect(lambda: said.append(opened.status.planning.text()))
    resize(opened, 64)
    qtbot.waitUntil(lambda: not opened.session.planning)
    assert set(said) == {""}
    assert not opened.status.waiting()

"""Room goes to where the work is: the strip, the log, sides that are put away, sizes for each kind of screen."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QScrollArea, QToolTip, QWidget
from pytestqt.qtbot import QtBot

from core.readers.source import Source
from core.recipes import gestures
from gui.document.settings import Settings
from gui.window import SMALLEST, MainWindow
from gui.workspace import size_class
from tests.gui.hand_made import source
from tests.gui.hands import open_file, planned, window_of

LEFT = Qt.MouseButton.LeftButton
CONTROL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


def press(window: MainWindow, key: Qt.Key, *modifiers: Qt.KeyboardModifier) -> None:
    """Press keys in the window, wherever the keyboard is."""
    held = Qt.KeyboardModifier.NoModifier
    for one in modifiers:
        held |= one
    window.activateWindow()
    QTest.qWaitForWindowActive(window)
    focused: QWidget | None = window.focusWidget()
    QTest.keyClick(focused or window.page, key, held)


def gray(window: MainWindow) -> None:
    edit = gestures.make_edit("change_input", shape=[96, 96, 1], channels="sum")
    window.session.gesture(lambda recipe: recipe.plus(edit), "Gray")


def test_that_findings_and_recipe_are_one_line_until_they_have_something_to_say(
    qtbot: QtBot, opened: MainWindow
) -> None:
    room = opened.workspace
    assert room.strip.isVisible()
    assert not room.findings.isVisible()
    assert room.strip.height() < 50
    gray(opened)
    qtbot.waitUntil(lambda: not opened.session.planning)
    assert room.findings.isVisible()
    assert room.recipe.isVisible()
    assert not room.strip.isVisible()
    opened.actions_["undo"].trigger()
    qtbot.waitUntil(room.strip.isVisible)
    assert not room.recipe.isVisible()


def test_that_the_strip_stays_as_it_was_set_and_says_what_is_in_it(qtbot: QtBot, opened: MainWindow) -> None:
    room = opened.workspace
    gray(opened)
    qtbot.waitUntil(lambda: not opened.session.planning)
    press(opened, Qt.Key.Key_M, CONTROL)
    assert not room.recipe.isVisible()
    assert room.strip.isVisible()
    assert room.strip.recipe.accessibleName() == "Recipe: 1 step"
    edit = gestures.make_edit("set_trainable", layers=["hidden"], trainable=False)
    opened.session.gesture(lambda recipe: recipe.plus(edit), "Freeze")
    qtbot.waitUntil(lambda: not opened.session.planning)
    assert not room.recipe.isVisible()
    assert room.strip.recipe.accessibleName() == "Recipe: 2 steps"
    qtbot.mouseClick(room.strip.recipe, LEFT)
    assert room.recipe.isVisible()
    opened.session.clear_recipe()
    qtbot.waitUntil(lambda: not room.recipe.isVisible())
    qtbot.mouseClick(room.strip.findings, LEFT)
    assert room.findings.isVisible()
    gray(opened)
    opened.session.clear_recipe()
    qtbot.waitUntil(lambda: not opened.session.planning)
    assert room.findings.isVisible()


def test_that_errors_are_counted_on_the_closed_strip(qtbot: QtBot, open_source: Callable[[Source], MainWindow]) -> None:
    window = open_source(source(flatten=True))
    room = window.workspace
    edit = gestures.make_edit("change_input", shape=[128, 128, 3])
    window.session.gesture(lambda recipe: recipe.plus(edit), "Larger")
    qtbot.waitUntil(lambda: not window.session.planning)
    press(window, Qt.Key.Key_M, CONTROL)
    shown = [one for one in room.strip.findChildren(QLabel, "cardCount") if one.isVisible()]
    assert [one.text() for one in shown] == ["1 error", "1"]
    assert shown[0].property("severity") == "error"


@pytest.mark.parametrize("title", ["Input", "Stem", "Head", "Freeze", "Tidy"])
def test_that_every_edit_panel_shows_whole(qtbot: QtBot, opened: MainWindow, title: str) -> None:
    assert opened.size().toTuple() == (1440, 900)
    opened.workspace.show_tab(title)
    area = opened.workspace.tabs.currentWidget()
    assert isinstance(area, QScrollArea)
    QTest.qWait(200)
    assert area.verticalScrollBar().maximum() == 0
    assert opened.workspace.inspector.height() >= 100


def test_that_a_border_moved_by_hand_is_left_alone(qtbot: QtBot, opened: MainWindow) -> None:
    right = opened.workspace.splitters["right"]
    handle = right.handle(1)
    middle = handle.rect().center()
    qtbot.mousePress(handle, LEFT, pos=middle)
    qtbot.mouseMove(handle, middle - QPoint(0, 120))
    qtbot.mouseRelease(handle, LEFT, pos=middle - QPoint(0, 120))
    sizes = right.sizes()
    opened.workspace.show_tab("Tidy")
    QTest.qWait(10)
    assert right.sizes() == sizes
    opened.actions_["reset_layout"].trigger()
    assert right.sizes() != sizes


def test_that_the_log_is_a_drawer_behind_the_status_line(qtbot: QtBot, opened: MainWindow) -> None:
    log = opened.workspace.log
    assert not log.isVisible()
    qtbot.mouseClick(opened.status.log, LEFT)
    assert log.isVisible()
    assert "opened" in log.text.toPlainText()
    QTest.keyClick(log.text, Qt.Key.Key_Escape)
    assert not log.isVisible()
    opened.workspace.layers.tree.setFocus()
    press(opened, Qt.Key.Key_6, ALT)
    assert log.isVisible()
    assert log.text.hasFocus()
    QTest.keyClick(log.text, Qt.Key.Key_Escape)
    assert opened.workspace.layers.tree.hasFocus()


@pytest.mark.qt_log_ignore("This plugin does not support raise", extend=True)  # a tooltip is raised
def test_that_names_of_files_stand_without_their_folders(qtbot: QtBot, opened: MainWindow, tmp_path: Path) -> None:
    folder = tmp_path / "a folder of mine"
    folder.mkdir()
    opened.recipes.save_recipe_to(str(folder / "my recipe.json"))
    text = opened.workspace.log.text
    opened.workspace.go("log")
    last = text.toPlainText().splitlines()[-1]
    assert last.endswith("saved the recipe as my recipe.json")
    cursor = text.textCursor()
    cursor.movePosition(cursor.MoveOperation.End)
    place = text.cursorRect(cursor).center()
    QApplication.sendEvent(text.viewport(), QHelpEvent(QEvent.Type.ToolTip, place, text.viewport().mapToGlobal(place)))
    assert str(folder / "my recipe.json") in QToolTip.text()
    QToolTip.hideText()
    opened.session.problem.emit(f"{folder}/out.keras cannot be written.", "")
    assert opened.banner.text.text() == "out.keras cannot be written."
    assert str(folder) in opened.banner.text.toolTip()


def test_that_on_a_small_screen_the_graph_gets_most_of_the_width(qtbot: QtBot, opened: MainWindow) -> None:
    room = opened.workspace
    opened.resize(1024, 700)
    qtbot.waitUntil(lambda: room.canvas.width() > 1024 * 0.55, timeout=2000)
    assert not room.layers.isVisible()
    assert not room.canvas.minimap.isVisible()
    press(opened, Qt.Key.Key_B, CONTROL)
    assert room.layers.isVisible()
    assert room.layers.tree.hasFocus()
    press(opened, Qt.Key.Key_B, CONTROL)
    assert room.layers_rail.hasFocus()
    qtbot.mouseClick(room.layers_rail, LEFT)
    assert room.layers.isVisible()
    press(opened, Qt.Key.Key_B, CONTROL, Qt.KeyboardModifier.ShiftModifier)
    assert not room.tabs.isVisible()
    qtbot.mouseClick(room.side_rail, LEFT)
    assert room.tabs.isVisible()


def test_that_each_kind_of_screen_keeps_its_own_arrangement(
    qtbot: QtBot, opened: MainWindow, settings: Settings
) -> None:
    room = opened.workspace
    room.toggle_layers()
    assert not room.layers.isVisible()
    opened.resize(1024, 700)
    qtbot.waitUntil(lambda: room.layers_rail.isVisible())
    qtbot.mouseClick(room.layers_rail, LEFT)
    QTest.qWait(20)
    room.splitters["top"].setSizes([310, 400])
    sizes = room.splitters["top"].sizes()
    opened.resize(1440, 900)
    qtbot.waitUntil(lambda: not room.layers.isVisible())
    opened.resize(1024, 700)
    qtbot.waitUntil(lambda: room.layers.isVisible())
    qtbot.waitUntil(lambda: room.splitters["top"].sizes() == sizes)
    opened.unsaved.forget()
    opened.close()
    again = window_of(opened.work, settings, opened.look)
    qtbot.addWidget(again)
    again.resize(1024, 700)
    again.show()
    again.session.source_changed.emit()
    assert again.workspace.layers.isVisible()
    qtbot.waitUntil(lambda: again.workspace.splitters["top"].sizes() == sizes)


@pytest.mark.parametrize(("width", "name"), [(640, "small"), (1024, "small"), (1416, "medium"), (2560, "large")])
def test_that_windows_of_a_kind_share_an_arrangement(width: int, name: str) -> None:
    assert size_class(width) == name


def test_that_the_first_window_fits_its_screen(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    made = window_of(window.work, Settings(tmp_path / "other.ini"), window.look)
    qtbot.addWidget(made)
    room = made.screen().availableGeometry()
    assert made.width() <= room.width()
    assert made.height() < room.height()
    assert made.minimumWidth() <= room.width()
    made.resize(1, 1)
    assert made.width() <= min(SMALLEST[0], room.width())


def test_that_nothing_overlaps_on_the_welcome_page_at_the_smallest_size(qtbot: QtBot, window: MainWindow) -> None:
    window.resize(*SMALLEST)
    target = window.welcome.target
    words = [one for one in target.findChildren(QLabel) if one.isVisible()]
    places = [one.geometry() for one in (*words, *target.findChildren(QPushButton))]
    assert len(places) == 5
    for number, one in enumerate(places):
        assert target.rect().contains(one)
        assert not any(one.intersects(other) for other in places[number + 1 :])
    buttons = window.welcome.findChildren(QPushButton, "listItem")
    page = buttons[0].parentWidget()
    assert page is not None
    below = target.mapTo(page.window(), target.rect().bottomLeft()).y()
    assert all(button.mapTo(page.window(), QPoint()).y() > below for button in buttons)


def test_that_a_new_layer_comes_into_sight_and_a_new_model_starts_at_its_top(
    qtbot: QtBot, real_window: MainWindow, samples: Path
) -> None:
    window = real_window
    open_file(qtbot, window, samples / "digits_residual.keras")
    room = window.workspace
    view, tree = room.canvas.view, room.layers.tree
    window.session.select("image")
    before = window.session.before_graph
    assert before is not None
    config = {"class_name": "Dropout", "config": {"rate": 0.5, "name": "late"}}
    edit = gestures.make_edit("insert_layer", layer=list(before.by_path())[-2], config=config)
    zoom = view.zoom
    window.session.gesture(lambda recipe: recipe.plus(edit), "Insert")
    planned(qtbot, window)
    (node,) = room.canvas.scene.nodes_of("late")
    qtbot.waitUntil(lambda: view.in_sight(node), timeout=3000)
    assert view.zoom == zoom
    assert tree.viewport().rect().contains(tree.visualRect(room.layers.model.index_of("late")).center())
    assert window.session.selection == "image"
    tree.scrollToBottom()
    window.opening.begin(str(samples / "digits_vgg.keras"))
    qtbot.waitUntil(lambda: window.windowTitle().startswith("digits_vgg"), timeout=60_000)
    planned(qtbot, window)
    assert tree.verticalScrollBar().value() == 0

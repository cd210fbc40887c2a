"""Several models: tabs in a window, several windows, and what is a document's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QTabBar, QWidget
from pytestqt.qtbot import QtBot

from core.recipes.gestures import make_edit
from core.service.messages import MakePlan, OpenModel, SetSource
from gui.page import Page
from gui.window import MainWindow
from tests.gui.conftest import forget
from tests.gui.hand_made import FakeWorker

LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
EDIT = make_edit("set_trainable", layers=["hidden"], trainable=False)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Paths that the reader's stand-in makes models of."""
    paths = [tmp_path / f"{name}.keras" for name in ("one", "two", "three")]
    for path in paths:
        path.touch()
    return [str(path) for path in paths]


@pytest.fixture
def three(qtbot: QtBot, window: MainWindow, files: list[str]) -> Iterator[MainWindow]:
    """A window with three models, the first one shown."""
    window.open_paths(files)
    settle(qtbot, window)
    yield window
    for other in list(window.windows.all):
        if other is not window:
            forget(other)
            other.close()


def settle(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: all(page.session.source is not None for page in window.documents), timeout=30_000)
    qtbot.waitUntil(lambda: window.session.plan is not None and not window.session.planning, timeout=30_000)


def names(window: MainWindow) -> list[str]:
    bar = window.tabs.bar
    return [bar.tabText(index).removesuffix(".keras") for index in range(bar.count())]


def freeze(page: Page) -> None:
    page.session.gesture(lambda recipe: recipe.plus(EDIT), "Freeze")


def press(window: MainWindow, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:
    """A key on whatever has the keyboard."""
    if not window.isActiveWindow():
        window.activateWindow()
        assert QTest.qWaitForWindowActive(window)
    focus: QWidget | None = window.focusWidget()
    QTest.keyClick(window if focus is None else focus, key, modifiers)


# opening


def test_that_one_model_has_no_tabs(opened: MainWindow) -> None:
    assert not opened.tabs.isVisible()


def test_that_files_given_together_get_tabs_and_the_first_is_shown(three: MainWindow, files: list[str]) -> None:
    assert three.tabs.isVisible()
    assert names(three) == ["one", "two", "three"]
    assert three.windowTitle().startswith("one.keras")
    assert [page.tab().tip for page in three.documents] == files


def test_that_a_file_beside_an_edited_one_gets_a_tab_and_beside_an_untouched_one_its_place(
    qtbot: QtBot, window: MainWindow, files: list[str]
) -> None:
    window.open_path(files[0])
    settle(qtbot, window)
    window.open_path(files[1])
    qtbot.waitUntil(lambda: window.windowTitle().startswith("two"))
    assert len(window.documents) == 1
    settle(qtbot, window)
    freeze(window.page)
    window.open_path(files[2])
    settle(qtbot, window)
    assert names(window) == ["\u2022 two", "three"]
    assert not window.unsaved.sheet.isVisible()


def test_that_an_open_file_is_shown_and_not_read_again(
    qtbot: QtBot, three: MainWindow, files: list[str], reader: FakeWorker
) -> None:
    three.open_path(files[2])
    assert three.windowTitle().startswith("three")
    assert len(reader.bodies(OpenModel)) == 3


def test_that_several_dropped_files_get_tabs(qtbot: QtBot, window: MainWindow, files: list[str]) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path) for path in files])
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window, QDragEnterEvent(QPoint(9, 9), copy, data, LEFT, none))
    QApplication.sendEvent(window, QDropEvent(QPointF(9, 9), copy, data, LEFT, none))
    settle(qtbot, window)
    assert names(window) == ["one", "two", "three"]


# moving between tabs


def test_that_tabs_are_chosen_by_mouse_and_by_keys(qtbot: QtBot, three: MainWindow) -> None:
    bar = three.tabs.bar
    qtbot.mouseClick(bar, LEFT, pos=bar.tabRect(1).center())
    assert three.windowTitle().startswith("two")
    press(three, Qt.Key.Key_Tab, CONTROL)
    assert three.windowTitle().startswith("three")
    press(three, Qt.Key.Key_Tab, CONTROL)
    assert three.windowTitle().startswith("one")
    press(three, Qt.Key.Key_Backtab, CONTROL | SHIFT)
    assert three.windowTitle().startswith("three")
    press(three, Qt.Key.Key_2, CONTROL)
    assert three.windowTitle().startswith("two")
    press(three, Qt.Key.Key_9, CONTROL)
    assert three.windowTitle().startswith("three")
    assert bar.currentIndex() == 2


def test_that_tabs_change_places_by_dragging_and_by_keys(qtbot: QtBot, three: MainWindow) -> None:
    bar = three.tabs.bar
    start, end = bar.tabRect(0).center(), bar.tabRect(1).center() + QPoint(30, 0)
    QTest.mousePress(bar, LEFT, pos=start)
    for step in range(1, 11):
        QTest.mouseMove(bar, start + (end - start) * step / 10)
        QTest.qWait(1)
    QTest.mouseRelease(bar, LEFT, pos=end)
    qtbot.waitUntil(lambda: names(three) == ["two", "one", "three"])
    assert [page.tab().name for page in three.documents] == ["two.keras", "one.keras", "three.keras"]
    press(three, Qt.Key.Key_PageDown, CONTROL | SHIFT)
    assert names(three) == ["two", "three", "one"]
    press(three, Qt.Key.Key_1, CONTROL)
    assert three.windowTitle().startswith("two")


def test_that_the_plus_makes_a_tab_to_open_a_model_in(
    qtbot: QtBot, three: MainWindow, tmp_path: Path, reader: FakeWorker
) -> None:
    qtbot.mouseClick(three.tabs.add, LEFT)
    assert names(three)[-1] == "New tab"
    assert three.pages.currentWidget() is three.welcome
    fresh = tmp_path / "four.keras"
    fresh.touch()
    three.open_path(str(fresh))
    settle(qtbot, three)
    assert names(three) == ["one", "two", "three", "four"]


# what is a document's own


def test_that_recipe_undo_selection_and_view_are_a_document_s_own(qtbot: QtBot, three: MainWindow) -> None:
    freeze(three.page)
    three.session.select("hidden")
    press(three, Qt.Key.Key_D, Qt.KeyboardModifier.AltModifier)
    assert three.session.view == "difference"
    assert names(three)[0] == "\u2022 one"
    press(three, Qt.Key.Key_Tab, CONTROL)
    settle(qtbot, three)
    assert (three.session.recipe.edits, three.session.selection, three.session.view) == ((), "", "after")
    assert not three.isWindowModified()
    press(three, Qt.Key.Key_Z, CONTROL)
    assert three.documents[0].session.recipe.edits == (EDIT,)
    press(three, Qt.Key.Key_1, CONTROL)
    assert three.isWindowModified()
    press(three, Qt.Key.Key_Z, CONTROL)
    assert three.session.recipe.edits == ()


def test_that_a_document_that_nobody_sees_is_planned_when_somebody_does(
    qtbot: QtBot, three: MainWindow, engine: FakeWorker
) -> None:
    assert len(engine.bodies(SetSource)) == 1
    second = three.documents[1]
    freeze(second)
    QTest.qWait(20)
    assert not engine.bodies(MakePlan)
    press(three, Qt.Key.Key_2, CONTROL)
    settle(qtbot, three)
    assert len(engine.bodies(SetSource)) == 2
    assert len(engine.bodies(MakePlan)) == 1
    assert three.session.recipe.edits == (EDIT,)


# closing


def test_that_a_tab_is_closed_by_button_by_the_middle_button_and_by_key(qtbot: QtBot, three: MainWindow) -> None:
    bar = three.tabs.bar
    pages = list(three.documents)
    button = bar.tabButton(1, QTabBar.ButtonPosition.RightSide)
    assert button.accessibleName() == "Close two.keras"
    qtbot.mouseClick(button, LEFT)
    assert names(three) == ["one", "three"]
    qtbot.mouseClick(bar, MIDDLE, pos=bar.tabRect(0).center())
    assert three.windowTitle().startswith("three")
    assert not three.tabs.isVisible()
    press(three, Qt.Key.Key_W, CONTROL)
    assert three.session.source is None
    assert three.documents == [pages[2]]
    qtbot.waitUntil(lambda: not shiboken6.isValid(pages[0]) and not shiboken6.isValid(pages[1]))


def test_that_closing_an_edited_tab_asks_and_cancel_keeps_it(qtbot: QtBot, three: MainWindow) -> None:
    freeze(three.documents[2])
    three.close_page(three.documents[2])
    assert three.windowTitle().startswith("three")
    sheet = three.unsaved.sheet
    assert sheet.isVisible()
    assert "Closing the tab" in sheet.words.text()
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert len(three.documents) == 3
    press(three, Qt.Key.Key_W, CONTROL)
    qtbot.mouseClick(sheet.discard, LEFT)
    qtbot.waitUntil(lambda: names(three) == ["one", "two"])


def test_that_closing_the_window_asks_about_each_and_loses_nothing_when_somebody_stays(
    qtbot: QtBot, three: MainWindow
) -> None:
    for page in three.documents[:2]:
        freeze(page)
    three.close()
    assert three.windowTitle().startswith("\u2022one") or three.windowTitle().startswith("one")
    qtbot.mouseClick(three.unsaved.sheet.discard, LEFT)
    qtbot.waitUntil(lambda: three.windowTitle().startswith("two") and three.unsaved.sheet.isVisible())
    qtbot.keyClick(three.unsaved.sheet, Qt.Key.Key_Escape)
    assert three.isVisible()
    assert all(page.session.unsaved for page in three.documents[:2])
    three.close()
    qtbot.waitUntil(lambda: three.windowTitle().startswith("one") and three.unsaved.sheet.isVisible())
    qtbot.mouseClick(three.unsaved.sheet.discard, LEFT)
    qtbot.waitUntil(lambda: three.windowTitle().startswith("two") and three.unsaved.sheet.isVisible())
    qtbot.mouseClick(three.unsaved.sheet.discard, LEFT)
    qtbot.waitUntil(lambda: not three.isVisible())


# windows


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # a menu is raised
def test_that_a_tab_moves_to_a_window_of_its_own_with_all_that_is_its(
    qtbot: QtBot, three: MainWindow, reader: FakeWorker
) -> None:
    freeze(three.documents[1])
    menu = three.show_tab_menu(1, three.mapToGlobal(QPoint(200, 20)))
    (move,) = [action for action in menu.actions() if action.text() == "Move to new window"]
    move.trigger()
    menu.close()
    assert names(three) == ["one", "three"]
    (other,) = [window for window in three.windows.all if window is not three]
    settle(qtbot, other)
    assert other.windowTitle().startswith("two")
    assert other.isWindowModified()
    press(other, Qt.Key.Key_Z, CONTROL)
    assert other.session.recipe.edits == ()
    assert not other.isWindowModified()
    assert three.windowTitle().startswith("one")
    other.close()
    qtbot.waitUntil(lambda: not shiboken6.isValid(other))
    assert reader.alive


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # a window is raised
def test_that_a_new_window_shares_the_processes_and_the_last_one_ends_them(
    qtbot: QtBot, three: MainWindow, files: list[str], reader: FakeWorker, engine: FakeWorker
) -> None:
    press(three, Qt.Key.Key_N, CONTROL | SHIFT)
    (other,) = [window for window in three.windows.all if window is not three]
    assert other.work.processes.helpers is three.work.processes.helpers
    other.open_path(files[1])
    assert three.windowTitle().startswith("two")
    assert other.session.source is None
    other.close()
    assert reader.alive
    assert engine.alive
    three.close()
    assert not reader.alive


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # a menu is raised
def test_that_close_others_leaves_one(qtbot: QtBot, three: MainWindow) -> None:
    freeze(three.documents[2])
    menu = three.show_tab_menu(1, three.mapToGlobal(QPoint(200, 20)))
    assert [action.text() for action in menu.actions() if action.text()] == [
        "Close",
        "Close others",
        "Move to new window",
    ]
    menu.actions()[1].trigger()
    menu.close()
    assert three.windowTitle().startswith("three")
    qtbot.mouseClick(three.unsaved.sheet.discard, LEFT)
    qtbot.waitUntil(lambda: names(three) == ["two"])


def test_that_the_menu_lists_the_open_models(three: MainWindow) -> None:
    (listing,) = [menu for menu in three.page.findChildren(QMenu) if menu.title() == "Window"]
    shown = [action.text() for action in listing.actions() if action.isVisible() and action.text()]
    assert shown[-4:] == ["one.keras", "two.keras", "three.keras", "Last tab"]


# after a crash


def test_that_the_recipes_of_all_documents_are_offered_again(
    qtbot: QtBot, window: MainWindow, files: list[str], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    window.windows.recovery.keep_safe(state, window.banner)
    window.open_paths(files[:2])
    settle(qtbot, window)
    for page in window.documents:
        freeze(page)
    qtbot.waitUntil(lambda: len(list(state.glob("*.json"))) == 2)
    kept = {file.name: file.read_bytes() for file in state.glob("*.json")}
    forget(window)
    qtbot.waitUntil(lambda: not list(state.glob("*.json")))
    for page in list(window.documents)[1:]:
        window.close_page(page)
    window.opening.close()
    for name, content in kept.items():
        (state / name).write_bytes(content)
    window.windows.recovery.keep_safe(state, window.banner)
    assert (
        window.banner.text.text()
        == "Suture closed before 1 step for one.keras and 1 step for two.keras could be saved."
    )
    qtbot.mouseClick(window.banner.links[0], LEFT)
    qtbot.waitUntil(lambda: [page.session.recipe.edits for page in window.documents] == [(EDIT,), (EDIT,)])
    assert names(window) == ["\u2022 one", "\u2022 two"]
    assert all(page.session.unsaved for page in window.documents)


def test_that_every_command_has_a_python_object_of_its_own(window: MainWindow) -> None:
    # an action that C++ makes can get the Python object of one that a closed tab left, and is lost with it
    foreign = [name for name, action in window.page.actions_.all().items() if not shiboken6.createdByPython(action)]
    assert foreign == []


def test_that_undo_and_redo_are_named_after_their_step_and_rest_without_one(qtbot: QtBot, three: MainWindow) -> None:
    undo, redo = three.page.actions_["undo"], three.page.actions_["redo"]
    assert (undo.text(), redo.text(), undo.isEnabled(), redo.isEnabled()) == ("Undo", "Redo", False, False)
    freeze(three.page)
    words = three.session.undo_stack.undoText()
    assert words
    assert (undo.text(), undo.isEnabled()) == (f"Undo {words}", True)
    undo.trigger()
    assert (undo.text(), redo.text(), undo.isEnabled(), redo.isEnabled()) == ("Undo", f"Redo {words}", False, True)

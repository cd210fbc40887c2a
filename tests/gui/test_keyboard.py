"""Everything by keyboard: where Tab goes in every panel, menus, the gallery; and lists over the window."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QCompleter,
    QLineEdit,
    QMenu,
    QScrollArea,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from core.recipes import gestures
from core.service.messages import BuildApplication
from gui.app import Painter
from gui.widgets import theme as themes
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker

LEFT, SHIFT = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
PANELS = ("Input", "Stem", "Head", "Freeze", "Tidy")
MOST = 200


def focused() -> QWidget:
    widget: QWidget | None = QApplication.focusWidget()
    assert widget is not None
    return widget


def tabbed(window: MainWindow, start: QWidget, key: Qt.Key = Qt.Key.Key_Tab) -> Iterator[QWidget]:
    """Where Tab goes from a widget until it comes back to it."""
    window.activateWindow()
    QTest.qWaitForWindowActive(window)
    start.setFocus()
    for _ in range(MOST):
        QTest.keyClick(focused(), key)
        if focused() is start:
            return
        yield focused()
    raise AssertionError(f"Tab does not come back to {start.objectName()}")


def spoken(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, (QAbstractButton, QLineEdit)) else ""
    return widget.accessibleName() or text


def wants_focus(area: QWidget) -> list[QWidget]:
    """What a person could want to reach in an area: every control that is seen and takes the keyboard."""
    found = []
    for widget in area.findChildren(QWidget):
        if not (widget.isVisible() and widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus):
            continue
        if widget.window() is area.window() and widget.focusProxy() is None:
            found.append(widget)
    return found


@pytest.mark.parametrize("title", PANELS)
def test_that_tab_goes_from_a_tab_through_its_fields_in_the_order_that_is_seen(opened: MainWindow, title: str) -> None:
    opened.session.select("hidden")
    room = opened.workspace
    room.show_tab(title)
    QTest.qWait(20)
    area = room.tabs.currentWidget()
    assert isinstance(area, QScrollArea)
    panel = area.widget()
    assert panel is not None
    order = list(tabbed(opened, room.tabs.tabBar()))
    inside = [widget for widget in order if panel.isAncestorOf(widget)]
    assert inside
    assert order[: len(inside)] == inside
    assert set(map(id, wants_focus(panel))) == set(map(id, inside))
    tops = [widget.mapTo(panel, widget.rect().center()).y() for widget in inside]
    assert all(later > earlier - 20 for earlier, later in pairwise(tops))


def test_that_tab_reaches_everything_once_by_a_spoken_name_and_shift_tab_goes_back(
    qtbot: QtBot, opened: MainWindow
) -> None:
    edit = gestures.make_edit("change_input", shape=[96, 96, 1], channels="sum")
    opened.session.gesture(lambda recipe: recipe.plus(edit), "Gray")
    qtbot.waitUntil(lambda: not opened.session.planning)
    opened.session.select("hidden")
    recipe = opened.workspace.recipe
    recipe.view.setCurrentIndex(recipe.model.index(0))
    QTest.qWait(20)
    start = opened.top.open
    order = [start, *tabbed(opened, start)]
    assert len({id(widget) for widget in order}) == len(order)
    reached = {id(widget) for widget in order}
    assert [repr(widget) for widget in wants_focus(opened) if id(widget) not in reached] == []
    silent = [f"{type(widget).__name__} {widget.objectName()}" for widget in order if not spoken(widget)]
    assert not silent, silent
    room = opened.workspace
    columns = [room.layers.tree, room.canvas.view, room.recipe.view, room.tabs.tabBar(), room.inspector.weights]
    places = [next(n for n, one in enumerate(order) if one is column or column.isAncestorOf(one)) for column in columns]
    assert places == sorted(places)
    back = [start, *tabbed(opened, start, Qt.Key.Key_Backtab)]
    assert back[1:] == order[:0:-1]


def test_that_fields_made_later_keep_their_place(qtbot: QtBot, opened: MainWindow) -> None:
    row = opened.workspace.input.rows[0]
    qtbot.mouseClick(row.ways.button("front"), LEFT)
    QTest.qWait(20)
    order = list(tabbed(opened, opened.workspace.tabs.tabBar()))
    inside = [widget for widget in order if row.isAncestorOf(widget)]
    assert any(row.front.isAncestorOf(widget) for widget in inside)
    assert order[: len(inside)] == inside


def test_that_a_field_out_of_sight_is_scrolled_to(qtbot: QtBot, opened: MainWindow) -> None:
    opened.resize(900, 560)
    opened.workspace.show_tab("Tidy")
    QTest.qWait(20)
    area = opened.workspace.tabs.currentWidget()
    assert isinstance(area, QScrollArea)
    last = opened.workspace.tidy.formats.inflate
    for widget in tabbed(opened, opened.workspace.tabs.tabBar()):
        if widget is last:
            break
    place = last.mapTo(area.viewport(), last.rect().center())
    assert area.viewport().rect().contains(place)


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # a menu is raised
@pytest.mark.parametrize("place", ["layers", "graph"])
@pytest.mark.parametrize(("key", "held"), [(Qt.Key.Key_F10, SHIFT), (Qt.Key.Key_Menu, Qt.KeyboardModifier.NoModifier)])
def test_that_the_menu_of_a_layer_comes_by_keyboard(
    qtbot: QtBot, opened: MainWindow, place: str, key: Qt.Key, held: Qt.KeyboardModifier
) -> None:
    opened.session.select("hidden")
    room = opened.workspace
    room.go(place)
    target = room.layers.tree if place == "layers" else room.canvas.view
    QTest.keyClick(target, key, held)
    menus = [menu for menu in opened.findChildren(QMenu) if menu.isVisible()]
    assert [menu.accessibleName() for menu in menus] == ["Layer hidden"]
    menus[0].close()


def test_that_return_builds_in_the_gallery(qtbot: QtBot, window: MainWindow, engine: FakeWorker) -> None:
    engine.hold = True
    window.actions_["new_application"].trigger()
    gallery = window.sheets.gallery
    assert gallery is not None
    QTest.keyClicks(gallery.search, "vgg16")
    QTest.keyClick(gallery.search, Qt.Key.Key_Return)
    assert gallery.title.text() == "VGG16"
    assert not engine.bodies(BuildApplication)
    QTest.keyClick(gallery.tree, Qt.Key.Key_Return)
    assert [request.name for request in engine.bodies(BuildApplication)] == ["VGG16"]
    assert gallery.busy
    QTest.keyClick(gallery.height_, Qt.Key.Key_Return)
    assert len(engine.bodies(BuildApplication)) == 1
    engine.hold = False
    qtbot.mouseClick(gallery.cancel, LEFT)


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # a menu is raised
@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK], ids=["light", "dark"])
def test_that_lists_over_the_window_have_a_ground_of_the_theme(
    qtbot: QtBot, opened: MainWindow, painter: Painter, theme: themes.Theme
) -> None:
    painter.use(theme)
    for title in PANELS:
        opened.workspace.show_tab(title)
    lists = [one.popup() for one in opened.findChildren(QCompleter)]
    assert len(lists) >= 2
    grounds: list[QWidget | None] = [*lists, *(one.view().window() for one in opened.findChildren(QComboBox))]
    for ground in grounds:
        assert ground is not None
        ground.resize(160, 120)
        # left of the words, below the current row
        assert ground.grab().toImage().pixelColor(3, 114) == QColor(theme.raised)
    menu = opened.layers.popup("hidden", opened.mapToGlobal(opened.rect().center()))
    assert menu is not None
    picture = menu.grab().toImage()
    assert picture.pixelColor(3, picture.height() // 2) == QColor(theme.raised)
    menu.close()


def test_that_tab_bars_are_named(opened: MainWindow) -> None:
    opened.session.select("hidden")
    bars = [bar for bar in opened.workspace.findChildren(QTabBar) if bar.isVisible()]
    assert {bar.accessibleName() for bar in bars} == {"Edit panels", "Details of the layer"}

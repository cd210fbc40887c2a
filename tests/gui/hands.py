"""What tests of the window's surgery do again and again, and the window over the real reader and engine."""

from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QEvent
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QMenu, QToolTip, QWidget
from pytestqt.qtbot import QtBot

from gui.controllers.layer_menu import START
from gui.document.settings import Settings
from gui.document.work import Work
from gui.widgets.parts import Look
from gui.window import MainWindow
from gui.windows import Windows

PATIENCE = 120_000
S = TypeVar("S", bound=QWidget)


def window_of(work: Work, settings: Settings, look: Look) -> MainWindow:
    """A window around a document that there is already."""
    windows = Windows(work.processes.helpers, settings, look)
    return windows.open_window(windows.new_page(work))


def sheet_of(window: MainWindow, kind: type[S]) -> S:
    """The one sheet of a kind that lies over the window."""
    (sheet,) = [one for one in window.findChildren(kind) if one.isVisible()]
    return sheet


def awake(qtbot: QtBot, window: MainWindow) -> None:
    """Give the window the keyboard, without which keys of commands go nowhere."""
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)


def words_on_canvas(window: MainWindow, path: str) -> str:
    """What the canvas says of a layer when the mouse rests on it."""
    canvas = window.workspace.canvas
    (node,) = canvas.scene.nodes_of(path)
    place = canvas.view.mapFromScene(node.x + 20, node.y + node.height / 2)
    target = canvas.view.viewport()
    QApplication.sendEvent(target, QHelpEvent(QEvent.Type.ToolTip, place, target.mapToGlobal(place)))
    return QToolTip.text()


def menu_of(window: MainWindow, path: str) -> QMenu:
    """The menu of a layer."""
    menu = QMenu(window)
    window.layers.fill(menu, path)
    return menu


def begin_after(window: MainWindow, path: str) -> None:
    """Choose in the menu of a layer that the model begins after it."""
    (action,) = [one for one in menu_of(window, path).actions() if one.text() == START]
    assert action.isEnabled()
    action.trigger()


def planned(qtbot: QtBot, window: MainWindow) -> None:
    """Wait for the plan of the recipe."""
    session = window.session
    qtbot.waitUntil(lambda: session.plan is not None and not session.planning, timeout=PATIENCE)


def open_file(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    """Open a file with the real reader and wait for its plan."""
    window.open_path(str(path))
    qtbot.waitUntil(lambda: window.session.source is not None, timeout=PATIENCE)
    planned(qtbot, window)

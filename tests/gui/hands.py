"""What tests of the window's surgery do again and again, and the window over the real reader and engine."""

from pathlib import Path

from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from gui.controllers.layer_menu import START
from gui.main_window import MainWindow

PATIENCE = 120_000


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

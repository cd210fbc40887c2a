"""Keys, spoken names, themes, remembered sizes."""

from collections import Counter

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLineEdit,
    QListView,
    QMenu,
    QScrollArea,
    QSpinBox,
    QTreeView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from gui.app import Painter
from gui.dialogs.crash import CrashSheet
from gui.document.settings import Settings
from gui.panels.welcome import Welcome
from gui.widgets import theme as themes
from gui.window import SMALLEST, MainWindow
from tests.gui.hands import sheet_of, window_of

LEFT = Qt.MouseButton.LeftButton


def test_that_no_two_commands_share_a_key(window: MainWindow) -> None:
    keys = Counter(key.toString() for action in window.actions_.all().values() for key in action.shortcuts())
    assert [key for key, count in keys.items() if count > 1 and key] == []


def test_that_quit_preferences_undo_and_open_have_keys(window: MainWindow) -> None:
    for name in ("quit", "preferences", "undo", "redo", "open", "export", "find"):
        assert not window.actions_[name].shortcut().isEmpty(), name


def test_that_every_command_is_reachable_from_the_menu(window: MainWindow) -> None:
    shown = {action.objectName() for menu in window.findChildren(QMenu) for action in menu.actions()}
    assert set(window.actions_.all()) - shown - {"menu"} == set()


def is_part_of_a_control(widget: QWidget) -> bool:
    """Popups of combo boxes, clear buttons of fields: Qt's own, spoken with the control that they belong to."""
    above = widget.parentWidget()
    while above is not None:
        if isinstance(above, QComboBox | QLineEdit | QSpinBox):
            return True
        above = above.parentWidget()
    return False


def test_that_every_control_has_a_name_to_be_spoken(opened: MainWindow) -> None:
    opened.actions_["preferences"].trigger()
    kinds = (QAbstractButton, QComboBox, QLineEdit, QTreeView, QListView)
    silent = []
    for kind in kinds:
        for widget in opened.findChildren(kind):
            text = widget.text() if isinstance(widget, QAbstractButton) else ""
            if not (is_part_of_a_control(widget) or text.strip() or widget.accessibleName()):
                silent.append(f"{type(widget).__name__} {widget.objectName()} in {type(widget.parent()).__name__}")
    assert not silent, "\n".join(silent)


def test_that_commands_about_a_model_wait_for_one(window: MainWindow) -> None:
    for name in ("export", "verify", "close", "find", "save_recipe", "fit"):
        assert not window.actions_[name].isEnabled(), name


def test_that_the_theme_can_be_chosen_and_is_remembered(window: MainWindow, settings: Settings) -> None:
    window.actions_["preferences"].trigger()
    sheet = window.sheets.preferences
    assert sheet is not None
    sheet.theme.show_key("dark")
    sheet.theme.activated.emit(sheet.theme.currentIndex())
    assert window.look.theme is themes.DARK
    assert settings.theme == "dark"
    sheet.theme.show_key("light")
    sheet.theme.activated.emit(sheet.theme.currentIndex())
    assert window.look.theme is themes.LIGHT


@pytest.mark.parametrize(
    ("choice", "scheme", "expected"),
    [
        ("auto", Qt.ColorScheme.Dark, themes.DARK),
        ("auto", Qt.ColorScheme.Light, themes.LIGHT),
        ("auto", Qt.ColorScheme.Unknown, themes.LIGHT),
        ("light", Qt.ColorScheme.Dark, themes.LIGHT),
        ("dark", Qt.ColorScheme.Light, themes.DARK),
    ],
)
def test_that_auto_follows_the_desktop(choice: themes.Choice, scheme: Qt.ColorScheme, expected: themes.Theme) -> None:
    assert themes.resolve(choice, scheme) is expected


def test_that_a_change_of_the_desktop_is_followed(painter: Painter) -> None:
    painter._on_scheme(Qt.ColorScheme.Dark)
    assert painter.look.theme is themes.DARK
    painter._on_scheme(Qt.ColorScheme.Light)
    assert painter.look.theme is themes.LIGHT


def test_that_a_fault_of_ours_is_shown_and_the_window_goes_on(window: MainWindow) -> None:
    window.show_crash("Internal error.", "Traceback\n  here")
    sheet = sheet_of(window, CrashSheet)
    window.show_crash("Another internal error.", "Traceback\n  there")
    assert sheet_of(window, CrashSheet) is sheet
    assert sheet.text.toPlainText() == "Traceback\n  here\nTraceback\n  there"


def test_that_sizes_are_remembered(qtbot: QtBot, opened: MainWindow, settings: Settings) -> None:
    opened.workspace.splitters["top"].setSizes([300, 700, 400])
    sizes = opened.workspace.splitters["top"].sizes()
    opened.unsaved.forget()
    opened.close()
    again = window_of(opened.work, settings, opened.look)
    qtbot.addWidget(again)
    again.resize(opened.size())
    again.show()
    again.session.source_changed.emit()
    qtbot.waitUntil(lambda: sum(again.workspace.splitters["top"].sizes()) == sum(sizes))
    assert again.workspace.splitters["top"].sizes() == sizes


def test_that_the_welcome_page_opens_what_is_clicked(qtbot: QtBot, window: MainWindow) -> None:
    welcome = window.findChild(Welcome)
    assert welcome is not None
    button = welcome.findChildren(QAbstractButton, "listItem")[0]
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: window.session.source is not None)
    assert window.session.source is not None
    assert window.session.source.path == button.toolTip()


def fits(area: QWidget | None) -> bool:
    """Whether the content of a scrolling area is no wider than what is seen of it."""
    assert isinstance(area, QScrollArea)
    content = area.widget()
    return content is not None and content.width() <= area.viewport().width()


@pytest.mark.parametrize("size", [(880, 560), (1280, 800), (1920, 1080)])
def test_that_no_panel_is_cut_off_at_its_side(qtbot: QtBot, opened: MainWindow, size: tuple[int, int]) -> None:
    opened.resize(*size)
    row = opened.workspace.input.rows[0]
    qtbot.mouseClick(row.channels.choose, Qt.MouseButton.LeftButton)
    tabs = opened.workspace.tabs
    for index in range(tabs.count()):
        tabs.setCurrentIndex(index)
        qtbot.waitUntil(lambda: fits(tabs.currentWidget()), timeout=2000)


def test_that_the_graph_stays_in_sight_when_the_window_gets_narrow(qtbot: QtBot, opened: MainWindow) -> None:
    opened.resize(1440, 900)
    opened.workspace.arrange(1416, 800)
    opened.resize(*SMALLEST)
    qtbot.waitUntil(lambda: opened.workspace.canvas.width() >= 200, timeout=2000)

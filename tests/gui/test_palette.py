"""The command palette and the page of keys."""

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.dialogs.keys import keys_of, words
from gui.dialogs.palette import PaletteSheet
from gui.window import MainWindow
from tests.gui.hands import awake, sheet_of

LEFT = Qt.MouseButton.LeftButton
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def palette(qtbot: QtBot, window: MainWindow) -> PaletteSheet:
    awake(qtbot, window)
    qtbot.keyClick(window, Qt.Key.Key_P, CTRL | SHIFT)
    return sheet_of(window, PaletteSheet)


def lines(sheet: PaletteSheet) -> list[str]:
    return [entry.text for entry in sheet.model.entries]


def test_that_every_action_is_offered_with_its_keys(qtbot: QtBot, opened: MainWindow) -> None:
    sheet = palette(qtbot, opened)
    assert sheet.box.hasFocus()
    offered = {entry.text: entry for entry in sheet.model.entries}
    for name, action in opened.actions_.all().items():
        if name not in ("palette", "menu"):
            assert offered[words(action)].keys == keys_of(action), name
            assert offered[words(action)].enabled == action.isEnabled(), name


def test_that_letters_arrows_and_return_do_a_command(qtbot: QtBot, opened: MainWindow) -> None:
    sheet = palette(qtbot, opened)
    qtbot.keyClicks(sheet.box, "diff")
    assert lines(sheet)[0] == "Difference"
    qtbot.keyClick(sheet.box, Qt.Key.Key_Return)
    assert not sheet.isVisible()
    assert opened.session.view == "difference"
    sheet = palette(qtbot, opened)
    qtbot.keyClicks(sheet.box, "go to")
    first = sheet.list.currentIndex().row()
    qtbot.keyClick(sheet.box, Qt.Key.Key_Down)
    assert sheet.list.currentIndex().row() == first + 1
    qtbot.keyClick(sheet.box, Qt.Key.Key_Up)
    qtbot.keyClick(sheet.box, Qt.Key.Key_Up)
    assert sheet.list.currentIndex().row() == sheet.model.rowCount() - 1
    qtbot.keyClick(sheet.box, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_that_a_click_does_a_command_and_the_keyboard_goes_back(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.layers.tree.setFocus()
    sheet = palette(qtbot, opened)
    qtbot.keyClicks(sheet.box, "before")
    place = sheet.list.visualRect(sheet.model.index(0)).center()
    qtbot.mouseClick(sheet.list.viewport(), LEFT, pos=place)
    assert opened.session.view == "before"
    assert opened.workspace.layers.tree.hasFocus()


def test_that_what_cannot_be_done_says_why_and_stays(qtbot: QtBot, window: MainWindow) -> None:
    sheet = palette(qtbot, window)
    qtbot.keyClicks(sheet.box, "export")
    (entry,) = [one for one in sheet.model.entries if one.text == "Export"]
    assert not entry.enabled
    assert entry.why == "Open a model first."
    assert sheet.hint.text() == "Open a model first."
    qtbot.keyClick(sheet.box, Qt.Key.Key_Return)
    assert sheet.isVisible()


def test_that_every_disabled_command_says_why(qtbot: QtBot, window: MainWindow, opened: MainWindow) -> None:
    window.session.close_source()
    silent = [one.text for one in palette(qtbot, window).model.entries if not one.enabled and not one.why]
    assert silent == []


def test_that_layers_are_found_by_name_and_gone_to(qtbot: QtBot, opened: MainWindow) -> None:
    sheet = palette(qtbot, opened)
    qtbot.keyClicks(sheet.box, "block1_conv2")
    assert lines(sheet) == ["backbone/block1_conv2"]
    qtbot.keyClick(sheet.box, Qt.Key.Key_Return)
    assert opened.session.selection == "backbone/block1_conv2"


def test_that_the_commands_of_the_selected_layer_are_offered(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.select("dropout")
    sheet = palette(qtbot, opened)
    qtbot.keyClicks(sheet.box, "remove")
    assert lines(sheet)[0] == "Remove"
    qtbot.keyClick(sheet.box, Qt.Key.Key_Return)
    assert [edit.summary() for edit in opened.session.recipe.edits] == ["Remove dropout"]


def test_that_nothing_that_fits_is_told(qtbot: QtBot, opened: MainWindow) -> None:
    sheet = palette(qtbot, opened)
    qtbot.keyClicks(sheet.box, "qqqq")
    assert lines(sheet) == []
    assert sheet.none.isVisible()
    qtbot.keyClick(sheet.box, Qt.Key.Key_Return)
    assert sheet.isVisible()


def test_that_a_question_mark_shows_the_keys_of_every_command(qtbot: QtBot, opened: MainWindow) -> None:
    awake(qtbot, opened)
    opened.workspace.layers.tree.setFocus()
    qtbot.keyClick(opened.workspace.layers.tree, "?")
    sheet = opened.sheets.help
    assert sheet.isVisible()
    text = sheet.text.toPlainText()
    for name, action in opened.actions_.all().items():
        if keys_of(action):
            assert words(action) in text, name
            assert keys_of(action) in text, name
    assert "In the graph" in text


def test_that_a_question_mark_can_be_typed(qtbot: QtBot, opened: MainWindow) -> None:
    opened.top.finder.setFocus()
    qtbot.keyClicks(opened.top.finder, "3x?")
    assert opened.top.finder.text() == "3x?"
    assert not opened.sheets.help.isVisible()


def test_that_the_help_leads_to_the_keys(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["help"].trigger()
    assert opened.sheets.help.show_page("keys")
    assert "Ctrl+Shift+P" in opened.sheets.help.text.toPlainText()

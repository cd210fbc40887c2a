"""Sheets that ask hold what they lie over and go with what they speak of; a changed source is noticed by itself."""

import os
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from core.recipes import gestures
from core.recipes.recipe import Recipe
from gui.controllers.file_watch import FileWatch
from gui.window import MainWindow
from tests.gui.hands import PATIENCE, open_file

LEFT = Qt.MouseButton.LeftButton
GRAY = Recipe().plus(gestures.make_edit("change_input", shape=[96, 96, 1]))


def at(window: MainWindow) -> QWidget:
    """What has the keyboard."""
    return window.focusWidget()


def test_that_a_sheet_that_asks_holds_the_keyboard_and_the_mouse(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.change_recipe(GRAY, "Gray")
    opened.layers.insert("hidden")
    form = opened.layers.form
    qtbot.waitUntil(lambda: form.layer_class is not None)
    for key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
        for _ in range(25):
            qtbot.keyClick(at(opened), key)
            assert form.isAncestorOf(at(opened))
    recipe, view = opened.session.recipe, opened.session.view
    qtbot.keyClick(at(opened), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(at(opened), Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    qtbot.mouseClick(opened.top.export, LEFT)
    qtbot.keyClick(opened.workspace.layers.tree, Qt.Key.Key_Delete)
    assert opened.session.recipe == recipe
    assert opened.session.view == view
    assert form.isVisible()
    qtbot.keyClick(at(opened), Qt.Key.Key_Escape)
    assert not form.isVisible()


def test_that_the_replace_sheet_takes_the_keyboard_when_its_classes_come(qtbot: QtBot, opened: MainWindow) -> None:
    opened.layers.replace("hidden")
    form = opened.layers.form
    qtbot.waitUntil(lambda: form.kind.isEnabled())
    assert at(opened) in (form.kind, form.kind.lineEdit())


def test_that_a_sheet_goes_with_its_model_and_with_its_layer(qtbot: QtBot, opened: MainWindow) -> None:
    opened.layers.rename("hidden")
    assert opened.layers.rename_sheet.isVisible()
    opened.layers.rename_sheet.about_layer = "a layer that is gone"
    opened.session.change_recipe(GRAY, "Gray")
    qtbot.waitUntil(lambda: not opened.layers.rename_sheet.isVisible())
    opened.layers.insert("hidden")
    opened.session.close_source()
    assert not opened.layers.form.isVisible()


def test_that_a_result_waits_for_the_answer_of_a_sheet_that_asks(
    qtbot: QtBot, opened: MainWindow, tmp_path: Path
) -> None:
    opened.export_to(str(tmp_path / "new.keras"))
    sheet = opened.exporting.sheet
    qtbot.keyClick(sheet.cancel, Qt.Key.Key_Escape)
    opened.layers.rename("hidden")
    with qtbot.waitSignal(opened.export_finished):
        pass
    assert not sheet.isVisible()
    qtbot.keyClick(opened.layers.rename_sheet, Qt.Key.Key_Escape)
    assert sheet.isVisible()
    assert sheet.title.text() == "new.keras was written"


def test_that_a_source_that_changes_or_goes_is_told_while_the_window_is_open(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    window, source, other = real_window, tmp_path / "model.keras", tmp_path / "other.keras"
    data = (samples / "digits_vgg.keras").read_bytes()
    source.write_bytes(data)
    open_file(qtbot, window, source)
    heard: list[tuple[str, bool]] = []
    for watch in window.findChildren(FileWatch):
        watch.changed.connect(lambda path, there: heard.append((path, there)))
    # as programs save: a new file takes the name of the old one
    other.write_bytes(data + b"\0")
    os.replace(other, source)
    qtbot.waitUntil(lambda: heard == [(str(source), True)], timeout=PATIENCE)
    source.unlink()
    qtbot.waitUntil(lambda: heard[-1] == (str(source), False), timeout=PATIENCE)

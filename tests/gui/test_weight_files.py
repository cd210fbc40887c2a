"""Weights as tables and as files, by mouse and keyboard, with the real reader and engine."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QFileDialog
from pytestqt.qtbot import QtBot

from core.analysis.slices import MOST, Slice, ValuesBlock, block_of
from core.errors import FileError
from core.service.messages import ReadValues, ResultValues, SaveArrays
from gui.dialogs.save_arrays import SaveArraysSheet
from gui.dialogs.values import ValuesSheet
from gui.models.values import HIGH, PAGE, PENDING, WIDE, ValuesModel, natural, tsv
from gui.window import MainWindow
from tests.core.writers.test_array_files import read_safetensors
from tests.gui.hand_made import FakeWorker
from tests.gui.hands import menu_of, open_file, planned, sheet_of

LEFT, CTRL_ALT = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


# a part of an array


def test_that_a_block_is_the_part_of_the_array_whichever_axes_are_laid_out() -> None:
    array = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    one = block_of(array, "w", Slice(2, 3, (1, 2, 0, 0), 1, 2, 9, 2))
    np.testing.assert_array_equal(one.values, array[1, 2, 1:, 2:4])
    turned = block_of(array, "w", Slice(3, 0, (0, 1, 2, 0), 0, 0, 64, 64))
    np.testing.assert_array_equal(turned.values, array[:, 1, 2, :].T)
    vector = block_of(array[0, 0, 0], "w", Slice(0, None, (0,), 2, 0, 64, 64))
    np.testing.assert_array_equal(vector.values, array[0, 0, 0, 2:, None])
    assert block_of(np.array(7, np.int8), "w", Slice(None, None, (), 0, 0, 64, 64)).values.tolist() == [[7]]


@pytest.mark.parametrize(
    "part",
    [
        Slice(0, 2, (0, 0)),
        Slice(0, 0, (0, 0)),
        Slice(0, None, (0, 9)),
        Slice(0, 1, (0,)),
        Slice(0, 1, (0, 0), 0, 0, MOST, 2),
    ],
)
def test_that_a_part_that_the_array_does_not_have_is_refused(part: Slice) -> None:
    with pytest.raises(FileError):
        block_of(np.zeros((3, 4)), "w", part)


# the table


def filled(model: ValuesModel, array: Any) -> list[Slice]:
    """Answer whatever the table asks for; the list tells what that was."""
    asked: list[Slice] = []

    def answer(part: Slice) -> None:
        asked.append(part)
        model.take(block_of(array, "w", part))

    model.wanted.connect(answer)
    return asked


def test_that_only_what_is_seen_is_asked_for(qtbot: QtBot) -> None:
    array = np.arange(1000 * 900, dtype=np.int32).reshape(1000, 900)
    model = ValuesModel()
    asked = filled(model, array)
    model.show_layout(natural(array.shape))
    assert (model.rowCount(), model.columnCount()) == array.shape
    cell = model.index(700, 33)
    assert cell.data() == PENDING
    qtbot.waitUntil(lambda: cell.data() == str(array[700, 33]))
    assert [(one.top, one.left, one.height, one.width) for one in asked] == [(10 * HIGH, WIDE, HIGH, WIDE)]


def test_that_a_long_axis_is_shown_from_a_place_on(qtbot: QtBot) -> None:
    model = ValuesModel()
    layout = natural((PAGE * 3,))
    model.show_layout(layout)
    assert (model.rowCount(), model.columnCount()) == (PAGE, 1)


def test_that_numbers_that_are_not_finite_are_told_by_colour_and_word(qtbot: QtBot) -> None:
    array = np.array([[np.nan, 0.0], [-np.inf, 0.1]], np.float32)
    model = ValuesModel()
    filled(model, array)
    model.show_layout(natural(array.shape))
    qtbot.waitUntil(lambda: model.index(1, 1).data() == PENDING or True)
    qtbot.waitUntil(lambda: model.index(1, 1).data() == "0.1")
    assert [model.index(0, 0).data(), model.index(1, 0).data()] == ["nan", "-inf"]
    assert model.index(0, 0).data(Qt.ItemDataRole.ForegroundRole).name() == model.theme.error.ink
    assert model.index(1, 1).data(Qt.ItemDataRole.ForegroundRole) is None
    assert "0.10000000149" in model.index(1, 1).data(Qt.ItemDataRole.ToolTipRole)


def test_that_copied_text_gives_every_number_back() -> None:
    rng = np.random.default_rng(2)
    for kind in ("float16", "float32", "float64", "int8"):
        values = (rng.normal(size=(7, 5)) * 50).astype(kind)
        rows = [[float(one) for one in line.split("\t")] for line in tsv(values).split("\n")]
        np.testing.assert_array_equal(np.array(rows).astype(kind), values)


# in the window


def select(window: MainWindow, path: str, weight: str) -> None:
    window.session.select(path)
    window.workspace.inspector.weights.choose(weight)


def click(qtbot: QtBot, window: MainWindow, text: str) -> None:
    (button,) = [one for one in window.findChildren(QAbstractButton) if one.isVisible() and one.text() == text]
    qtbot.mouseClick(button, LEFT)


def answer_dialog(window: MainWindow, path: Path) -> None:
    (dialog,) = window.findChildren(QFileDialog)
    dialog.selectFile(str(path))
    dialog.accept()


def cell(sheet: ValuesSheet, row: int, column: int) -> str:
    return str(sheet.model.index(row, column).data())


def test_that_values_are_seen_copied_and_saved_by_mouse_and_keyboard(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    import keras

    window = real_window
    open_file(qtbot, window, samples / "digits_residual.keras")
    kernel = np.asarray(keras.saving.load_model(samples / "digits_residual.keras").get_layer("stem_conv").kernel)
    select(window, "stem_conv", "kernel")
    click(qtbot, window, "Table of values\u2026")
    sheet = sheet_of(window, ValuesSheet)
    qtbot.waitUntil(lambda: cell(sheet, 2, 2) == f"{kernel[2, 2, 0, 0]:.6g}", timeout=20_000)
    # another place on the last axis, with the keyboard
    place = sheet.places[3]
    place.setFocus()
    qtbot.keyClick(place, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: cell(sheet, 2, 2) == f"{kernel[2, 2, 0, 1]:.6g}", timeout=20_000)
    # other axes: the columns become the filters
    sheet.columns.setFocus()
    qtbot.keyClick(sheet.columns, Qt.Key.Key_End)
    sheet.columns.activated.emit(sheet.columns.currentIndex())
    qtbot.waitUntil(lambda: cell(sheet, 1, 9) == f"{kernel[1, 0, 0, 9]:.6g}", timeout=20_000)
    sheet.table.setFocus()
    qtbot.keyClick(sheet.table, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(sheet.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: "Copied" in sheet.words.text(), timeout=20_000)
    rows = [line.split("\t") for line in QGuiApplication.clipboard().text().split("\n")]
    np.testing.assert_array_equal(np.array(rows, np.float32), kernel[:, 0, 0, :])
    qtbot.keyClick(sheet.table, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    # the result: one channel
    window.workspace.input.rows[0].fields[-1].setFocus()
    window.workspace.input.rows[0].fields[-1].selectAll()
    qtbot.keyClicks(window.workspace.input.rows[0].fields[-1], "1")
    qtbot.waitUntil(lambda: bool(window.session.recipe.edits))
    planned(qtbot, window)
    gray = kernel.sum(axis=2, keepdims=True)
    select(window, "stem_conv", "kernel")
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_T, CTRL_ALT)
    assert sheet.isVisible()
    qtbot.waitUntil(lambda: cell(sheet, 2, 1) != PENDING, timeout=20_000)
    assert float(cell(sheet, 2, 1)) == pytest.approx(float(gray[2, 1, 0, 0]), rel=1e-5)
    sheet.leave()
    # saved: the layer of the result by keyboard, one array of the file by mouse
    qtbot.keyClick(window, Qt.Key.Key_S, CTRL_SHIFT)
    save = sheet_of(window, SaveArraysSheet)
    assert (save.what.key, save.place.key, save.format.key) == ("layer", "result", ".safetensors")
    save.save.setFocus()
    qtbot.keyClick(save.save, Qt.Key.Key_Space)
    answer_dialog(window, tmp_path / "stem")
    qtbot.waitUntil(lambda: save.title.text() == "stem.safetensors was written", timeout=20_000)
    np.testing.assert_allclose(read_safetensors(tmp_path / "stem.safetensors")["stem_conv/kernel"], gray, atol=1e-6)
    qtbot.mouseClick(save.cancel, LEFT)
    assert not save.isVisible()
    (button,) = [
        one for one in window.findChildren(QAbstractButton) if one.accessibleName() == "Save the weight as a file"
    ]
    qtbot.mouseClick(button, LEFT)
    save.place.show_key("file")
    save.place.activated.emit(save.place.currentIndex())
    save.format.show_key(".npy")
    save.format.activated.emit(save.format.currentIndex())
    assert save.format.key == ".npy"
    qtbot.mouseClick(save.save, LEFT)
    answer_dialog(window, tmp_path / "kernel.npy")
    qtbot.waitUntil(lambda: save.title.text() == "kernel.npy was written", timeout=20_000)
    np.testing.assert_array_equal(np.load(tmp_path / "kernel.npy"), kernel)


def test_that_the_menu_of_a_layer_saves_its_weights_where_it_has_some(qtbot: QtBot, opened: MainWindow) -> None:
    entries = {
        path: next(one for one in menu_of(opened, path).actions() if one.text() == "Save weights\u2026")
        for path in ("hidden", "backbone", "dropout")
    }
    assert [one.isEnabled() for one in entries.values()] == [True, True, False]
    entries["backbone"].trigger()
    sheet = sheet_of(opened, SaveArraysSheet)
    assert [sheet.what.itemText(row) for row in range(sheet.what.count())] == [
        "This layer \u00b7 backbone", "The whole model",
    ]  # fmt: skip
    assert [sheet.format.itemData(row) for row in range(sheet.format.count())] == [".safetensors", ".npz"]


def test_that_saving_can_be_cancelled_and_says_so(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    opened.actions_["save_weights"].trigger()
    sheet = sheet_of(opened, SaveArraysSheet)
    engine.hold = True
    sheet.save_to(str(tmp_path / "all"))
    assert engine.bodies(SaveArrays)[-1] == SaveArrays(out=str(tmp_path / "all.safetensors"))
    assert opened.work.busy
    engine.progress("writing", 0.4)
    qtbot.waitUntil(lambda: sheet.bar.value() == 400)
    engine.hold = False
    qtbot.mouseClick(sheet.cancel, LEFT)
    qtbot.waitUntil(lambda: sheet.title.text() == "Nothing was written")
    assert not opened.work.busy


def test_that_a_copied_array_is_read_from_the_file_and_its_table_goes_with_the_model(
    qtbot: QtBot, opened: MainWindow, reader: FakeWorker, engine: FakeWorker
) -> None:
    select(opened, "hidden", "kernel")
    reader.hold = True
    opened.actions_["show_values"].trigger()
    sheet = sheet_of(opened, ValuesSheet)
    qtbot.waitUntil(lambda: bool(reader.bodies(ReadValues)))
    assert engine.bodies(ResultValues) == []
    block = ValuesBlock("hidden/kernel", reader.bodies(ReadValues)[0].part, (32, 128), "float32", np.ones((32, 32)))
    opened.work.paging.ready.emit(block)
    assert cell(sheet, 0, 0) == "1"
    assert sheet.table.viewport().rect().contains(QPoint(4, 4))
    opened.session.close_source()
    assert not sheet.isVisible()


def test_that_saving_goes_on_behind_a_closed_sheet_and_comes_back(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    opened.actions_["save_weights"].trigger()
    sheet = sheet_of(opened, SaveArraysSheet)
    engine.hold = True
    sheet.save_to(str(tmp_path / "all.npz"))
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    assert opened.work.saving_arrays.running
    opened.actions_["save_weights"].trigger()
    assert sheet.isVisible()
    assert sheet.title.text() == "Writing all.npz"
    sheet.leave()
    engine.die(FileError("The disk is full."))
    qtbot.waitUntil(sheet.isVisible)
    assert (sheet.title.text(), sheet.words.text()) == ("Nothing was written", "The disk is full.")
    engine.hold = False

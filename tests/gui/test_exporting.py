"""An export in the window: what is said at every stage, what a cut-off check leaves, and what can be done with it."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from core.errors import NotChecked
from core.model.plan import Verification
from core.recipes import gestures
from core.recipes.recipe import Recipe
from core.service.messages import Apply, CheckAgain
from gui.dialogs.export import ExportSheet
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker
from tests.gui.hands import PATIENCE, open_file, planned

LEFT = Qt.MouseButton.LeftButton
BEFORE: set[int | None] = set()
"""Engines of other tests, which stay as they are."""
GRAY = Recipe().plus(gestures.make_edit("change_input", shape=[96, 96, 1]))


def shown(sheet: ExportSheet) -> list[str]:
    """The buttons that a person sees."""
    return [one.text() for one in sheet.findChildren(QPushButton) if one.isVisible()]


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if "new" in one.name)


def cut_off(
    qtbot: QtBot, window: MainWindow, out: Path, end: Callable[[MainWindow], None], stage: str = "reloading"
) -> ExportSheet:
    """Begin an export and end it as soon as a stage is told of."""
    ended: list[str] = []

    def at(told: str, _fraction: float) -> None:
        if told == stage and not ended:
            ended.append(told)
            end(window)

    window.work.exporting.progress.connect(at)
    with qtbot.waitSignal(window.work.exporting.failed, timeout=PATIENCE):
        window.export_to(str(out))
    window.work.exporting.progress.disconnect(at)
    assert ended
    return window.exporting.sheet


def kill(window: MainWindow) -> None:
    for process in multiprocessing.active_children():
        if process.name == "suture-engine" and process.pid is not None and process.pid not in BEFORE:
            os.kill(process.pid, signal.SIGKILL)


def press_cancel(window: MainWindow) -> None:
    window.exporting.sheet.cancel.click()


@pytest.fixture(autouse=True)
def _others() -> None:
    BEFORE.clear()
    BEFORE.update(one.pid for one in multiprocessing.active_children())


@pytest.mark.skipif(sys.platform == "win32", reason="ends the engine by a signal")
def test_that_a_check_that_is_cut_off_leaves_a_file_to_check_again_keep_or_delete(
    qtbot: QtBot, fresh_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    window, out = fresh_window, tmp_path / "new.keras"
    open_file(qtbot, window, samples / "digits_vgg.keras")
    window.session.change_recipe(Recipe().plus(gestures.make_edit("change_input", shape=[32, 32, 1])), "Gray")
    planned(qtbot, window)

    # killed while it is checked: the file is whole, and is checked by the keyboard
    sheet = cut_off(qtbot, window, out, kill)
    assert sheet.title.text() == "new.keras was written, not checked"
    assert "kept as new.keras.unverified" in sheet.subtitle.text()
    assert "Nothing was written" not in sheet.subtitle.text()
    assert shown(sheet) == ["Delete", "Keep", "Check again"]
    assert names(tmp_path) == ["new.keras.unverified"]
    assert window.isWindowModified()
    assert window.focusWidget() is sheet.again
    with qtbot.waitSignal(window.work.exporting.finished, timeout=PATIENCE):
        qtbot.keyClick(sheet.again, Qt.Key.Key_Return)
    assert sheet.title.text() == "new.keras was written"
    assert names(tmp_path) == ["new.keras"]
    assert not window.isWindowModified()
    qtbot.keyClick(sheet.done_button, Qt.Key.Key_Return)
    assert not sheet.isVisible()
    good = out.read_bytes()

    # cancelled while it is checked, over a good result of before: that stays until somebody says otherwise
    planned(qtbot, window)
    cut_off(qtbot, window, out, press_cancel)
    assert sheet.title.text() == "new.keras was written, not checked"
    assert names(tmp_path) == ["new.keras", "new.keras.unverified"]
    assert out.read_bytes() == good
    qtbot.mouseClick(sheet.keep, LEFT)
    assert sheet.title.text() == "new.keras was written, not checked"
    assert shown(sheet) == ["Show folder", "Close"]
    assert names(tmp_path) == ["new.keras"]
    assert out.read_bytes() != good


def test_that_escape_hides_the_sheet_and_the_status_line_goes_on(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    window = real_window
    open_file(qtbot, window, samples / "digits_vgg.keras")
    line, seen = window.status.running, list[tuple[str, int]]()
    window.work.advance.moved.connect(lambda: seen.append((window.work.advance.words, line.bar.value())))
    window.export_to(str(tmp_path / "new.keras"))
    sheet = window.exporting.sheet
    assert not line.isVisible()
    qtbot.keyClick(sheet.cancel, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    assert line.isVisible()
    assert line.words.text().startswith("Exporting new.keras")
    assert line.cancel.text() == "Cancel export"
    qtbot.mouseClick(line.words, LEFT)
    assert sheet.isVisible()
    assert not line.isVisible()
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    window.workspace.layers.tree.setFocus()
    with qtbot.waitSignal(window.export_finished, timeout=PATIENCE):
        pass
    assert sheet.isVisible()
    assert sheet.title.text() == "new.keras was written"
    assert not line.isVisible()
    words = [words for words, _ in seen]
    for stage in ("reloading in Keras", "comparing the weights", "running the new model"):
        assert stage in words
    bars = [value for words, value in seen if words]
    assert bars == sorted(bars)
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Return)
    assert not sheet.isVisible()


def test_that_the_bar_moves_while_the_engine_says_nothing(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    engine.hold = True
    opened.export_to(str(tmp_path / "new.keras"))
    sheet = opened.exporting.sheet
    engine.progress("reloading", 0.0)
    qtbot.waitUntil(lambda: sheet.subtitle.text() == "reloading in Keras")
    first = sheet.bar.value()
    qtbot.waitUntil(lambda: sheet.bar.value() > first + 5)
    assert sheet.bar.value() < 650
    engine.progress("running", 0.0)
    qtbot.waitUntil(lambda: sheet.bar.value() >= 780)
    engine.hold = False
    with qtbot.waitSignal(opened.export_finished):
        pass
    assert not sheet.bar.isVisible()


def test_that_cancel_is_asked_for_by_name_in_the_status_line(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    engine.hold = True
    opened.export_to(str(tmp_path / "new.keras"))
    qtbot.keyClick(opened.exporting.sheet.cancel, Qt.Key.Key_Escape)
    assert opened.work.exporting.running
    qtbot.mouseClick(opened.status.running.cancel, LEFT)
    qtbot.waitUntil(lambda: not opened.work.exporting.running)
    assert not opened.status.running.isVisible()
    engine.hold = False
    qtbot.waitUntil(lambda: opened.work.processes.engine_state == "ready")


def test_that_a_result_comes_back_without_taking_the_keyboard_from_somebody_who_types(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    engine.hold = True
    opened.export_to(str(tmp_path / "new.keras"))
    qtbot.keyClick(opened.exporting.sheet.cancel, Qt.Key.Key_Escape)
    opened.actions_["find"].trigger()
    engine.hold = False
    with qtbot.waitSignal(opened.export_finished):
        pass
    sheet = opened.exporting.sheet
    assert sheet.isVisible()
    assert opened.focusWidget() is opened.top.finder
    qtbot.keyClick(sheet, Qt.Key.Key_Return)
    assert not sheet.isVisible()


@pytest.mark.parametrize(("button", "left"), [("Keep", ["new.keras.unverified"]), ("Delete", [])])
def test_that_a_result_that_failed_is_kept_or_deleted_by_choice(
    button: str, left: list[str], qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    opened.session.change_recipe(GRAY, "Gray")
    engine.fails = "stem/kernel does not hold the planned values (1 arrays differ)."
    with qtbot.waitSignal(opened.export_finished):
        opened.export_to(str(tmp_path / "new.keras"))
    (tmp_path / "new.keras.unverified").write_bytes(b"failed")
    sheet = opened.exporting.sheet
    assert shown(sheet) == ["Delete", "Keep"]
    (chosen,) = [one for one in sheet.findChildren(QPushButton) if one.isVisible() and one.text() == button]
    qtbot.mouseClick(chosen, LEFT)
    assert names(tmp_path) == left
    assert opened.session.unsaved


def test_that_a_result_found_bad_later_can_be_marked_but_never_the_source(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    out = tmp_path / "new.keras"
    out.write_bytes(b"other")
    sheet = opened.exporting.sheet
    opened.exporting.verify_path(str(out))
    qtbot.waitUntil(lambda: not opened.work.verifying.running)
    sheet.on_verified(Verification(True, True, False, message="fc1/kernel differs.", arrays=3))
    assert shown(sheet) == ["Mark as unverified", "Close"]
    qtbot.mouseClick(sheet.mark, LEFT)
    assert names(tmp_path) == ["new.keras.unverified"]
    source = opened.session.source
    assert source is not None
    opened.exporting.verify_path(source.path)
    qtbot.waitUntil(lambda: not opened.work.verifying.running)
    sheet.on_verified(Verification(True, True, False, message="fc1/kernel differs.", arrays=3))
    assert shown(sheet) == ["Close"]


def test_that_verify_proposes_what_was_written_and_nothing_else(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    opened.settings.folder = str(tmp_path)
    engine.refuse = NotChecked(
        "new.keras was written completely, but it was not checked; it is kept as new.keras.unverified.",
        kept=str(tmp_path / "new.keras.unverified"), out=str(tmp_path / "new.keras"), passed=False,
    )  # fmt: skip
    opened.export_to(str(tmp_path / "new.keras"))
    qtbot.waitUntil(lambda: "not checked" in opened.exporting.sheet.title.text())
    assert opened.exporting.last_out == ""
    (tmp_path / "new.keras.unverified").write_bytes(b"x")
    assert opened.exporting.last_out == str(tmp_path / "new.keras.unverified")
    engine.refuse = None
    opened.exporting.sheet.leave()
    opened.exporting.verify_path(opened.exporting.last_out)
    qtbot.waitUntil(lambda: bool(engine.bodies(CheckAgain)))
    assert engine.bodies(CheckAgain)[0].out == str(tmp_path / "new.keras")
    assert len(engine.bodies(Apply)) == 1


def test_that_a_failed_export_is_not_proposed_for_verification(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    from core.errors import FileError

    opened.settings.folder = str(tmp_path)
    engine.refuse = FileError("The disk is full.")
    opened.export_to(str(tmp_path / "new.keras"))
    qtbot.waitUntil(lambda: opened.exporting.sheet.title.text() == "Nothing was written")
    engine.refuse = None
    opened.actions_["verify"].trigger()
    (dialog,) = opened.findChildren(QFileDialog)
    assert dialog.selectedFiles() in ([], [str(tmp_path)])
    assert dialog.directory().absolutePath() == str(tmp_path)
    dialog.reject()


def test_that_the_result_goes_with_the_model_but_not_work_that_is_under_way(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    with qtbot.waitSignal(opened.export_finished):
        opened.export_to(str(tmp_path / "new.keras"))
    sheet: QWidget = opened.exporting.sheet
    assert sheet.isVisible()
    opened.session.close_source()
    assert not sheet.isVisible()


def test_that_samples_are_not_exported_into_the_program(opened: MainWindow, samples: Path, tmp_path: Path) -> None:
    opened.settings.folder = str(tmp_path)
    opened.settings.folder = str(samples)
    assert opened.settings.folder == str(tmp_path)

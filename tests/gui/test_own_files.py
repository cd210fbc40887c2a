"""Verify on my files: one sheet for the result and the data, which says what the data is before anything runs."""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from core.service.messages import Verify
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker
from tests.gui.hands import PATIENCE, open_file

LEFT = Qt.MouseButton.LeftButton


def test_that_the_shipped_digits_are_looked_at_and_verified_on(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    window, out = real_window, tmp_path / "new.keras"
    open_file(qtbot, window, samples / "digits_vgg.keras")
    with qtbot.waitSignal(window.export_finished, timeout=PATIENCE):
        window.export_to(str(out))
    window.exporting.sheet.leave()
    window.actions_["verify_mine"].trigger()
    sheet = window.exporting.own_files
    assert sheet.result.text() == "new.keras"
    assert not sheet.apply.isEnabled()
    # a file of another kind is a sentence, and nothing can be run on it
    (tmp_path / "notes.txt").write_text("words", encoding="utf-8")
    sheet.take([str(tmp_path / "notes.txt")])
    qtbot.waitUntil(lambda: sheet.problem.isVisible(), timeout=PATIENCE)
    assert sheet.problem.text().startswith("notes.txt is neither an image")
    assert not sheet.apply.isEnabled()
    sheet.take([str(samples / "held_out.npz")])
    qtbot.waitUntil(lambda: sheet.apply.isEnabled(), timeout=PATIENCE)
    assert "32 samples were resized from 8\u00d78 to 32\u00d732." in sheet.said.text()
    with qtbot.waitSignal(window.work.verifying.finished, timeout=PATIENCE):
        qtbot.mouseClick(sheet.apply, LEFT)
    assert window.exporting.sheet.title.text() == "new.keras matches the plan"

    def said() -> str:
        return " ".join(one.text() for one in window.exporting.sheet.findChildren(QLabel) if one.isVisible())

    qtbot.waitUntil(lambda: "resized from 8\u00d78 to 32\u00d732" in said())


def test_that_a_folder_is_chosen_and_everything_is_asked_in_one_sheet(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    out = tmp_path / "out.keras"
    out.write_bytes(b"x")
    opened.actions_["verify_mine"].trigger()
    sheet = opened.exporting.own_files
    assert sheet.isVisible()
    assert sheet.result.text() == "no file yet"
    qtbot.mouseClick(sheet.folder, LEFT)
    (dialog,) = opened.findChildren(QFileDialog)
    assert dialog.fileMode() == QFileDialog.FileMode.Directory
    dialog.reject()
    sheet.take_folder(str(tmp_path))
    qtbot.waitUntil(lambda: "1 sample for image" in sheet.said.text())
    assert not sheet.apply.isEnabled()
    sheet.take_result(str(out))
    assert sheet.apply.isEnabled()
    sheet.apply.setFocus()
    qtbot.keyClick(sheet.apply, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(engine.bodies(Verify)))
    assert engine.bodies(Verify)[-1].inputs == (str(tmp_path),)
    assert not sheet.isVisible()

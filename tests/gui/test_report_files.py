"""The report from the window: by its key, with what was exported, with the pictures of the canvas."""

import base64
import hashlib
import re
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from core.recipes.gestures import make_edit
from gui.window import MainWindow
from tests.core.writers.test_report import read
from tests.gui.hands import PATIENCE, open_file, planned

KEYS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


def test_that_a_report_tells_of_the_export_that_was_made_with_this_recipe(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    window = real_window
    open_file(qtbot, window, samples / "digits_residual.keras")
    edit = make_edit("change_input", shape=[32, 32, 1], channels="sum")
    window.session.gesture(lambda recipe: recipe.plus(edit), "Gray")
    planned(qtbot, window)
    out = tmp_path / "gray.keras"
    with qtbot.waitSignal(window.export_finished, timeout=PATIENCE):
        window.export_to(str(out))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_R, KEYS)
    (dialog,) = window.findChildren(QFileDialog)
    dialog.selectFile(str(tmp_path / "gray-report"))
    with qtbot.waitSignal(window.reports.written, timeout=PATIENCE) as written:
        dialog.accept()
    assert written.args == [str(tmp_path / "gray-report.html")]
    page = (tmp_path / "gray-report.html").read_text()
    found = read(page)
    assert "The file was verified" in found.text
    assert hashlib.sha256(out.read_bytes()).hexdigest() in found.text
    pictures = [QImage.fromData(base64.b64decode(one)) for one in re.findall(r"base64,([^\"]+)", page)]
    assert len(pictures) == 2
    for picture in pictures:
        assert picture.width() > 200
        colours = {picture.pixel(x, y) for x in range(0, picture.width(), 9) for y in range(0, picture.height(), 9)}
        assert len(colours) > 8
    # another step: nothing was exported with this recipe
    window.session.gesture(
        lambda recipe: recipe.plus(make_edit("rename_layer", layer="stem_bn", name="norm")), "Rename"
    )
    planned(qtbot, window)
    with qtbot.waitSignal(window.reports.written, timeout=PATIENCE):
        window.reports.save_to(str(tmp_path / "second.md"))
    text = (tmp_path / "second.md").read_text()
    assert "No file was verified" in text
    assert "norm/gamma" in text.replace("\\", "")


def test_that_a_report_that_cannot_be_written_is_told(qtbot: QtBot, opened: MainWindow, tmp_path: Path) -> None:
    opened.reports.save_to(str(tmp_path / "none" / "report.html"))
    qtbot.waitUntil(lambda: "cannot be written" in opened.banner.text.text())

"""Our own faults: kept in a report and told once."""

import sys
from pathlib import Path

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.crash import CrashWatch


def test_that_a_fault_of_ours_is_saved_and_told_once(qtbot: QtBot, qapp: QApplication) -> None:
    watch = CrashWatch()
    before = sys.excepthook
    watch.install()
    try:
        with qtbot.waitSignal(watch.crashed) as told:
            error = RuntimeError("broken on purpose")
            sys.excepthook(type(error), error, error.__traceback__)
    finally:
        watch.remove()
    assert sys.excepthook is before
    assert told.args is not None
    sentence, details = told.args
    assert "broken on purpose" in details
    report = Path(sentence.rpartition(" is in ")[2].removesuffix("."))
    assert "broken on purpose" in report.read_text(encoding="utf-8")

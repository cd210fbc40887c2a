"""The log follows its end until somebody scrolls up."""

from PySide6.QtWidgets import QAbstractSlider
from pytestqt.qtbot import QtBot

from gui.document.session import Session
from gui.panels.log import LogPanel
from gui.widgets.parts import Look


def test_that_the_log_follows_after_long_lines_and_another_size(qtbot: QtBot, session: Session, look: Look) -> None:
    panel = LogPanel(session, look)
    qtbot.addWidget(panel)
    panel.resize(300, 120)
    panel.show()
    bar = panel.text.verticalScrollBar()
    for number in range(30):
        session.note.emit(f"line {number} " + "word " * (80 if number % 7 == 0 else 1))
        assert bar.value() == bar.maximum()
    panel.resize(200, 110)
    qtbot.waitUntil(lambda: bar.value() == bar.maximum())
    bar.triggerAction(QAbstractSlider.SliderAction.SliderPageStepSub)
    session.note.emit("one more")
    assert bar.value() < bar.maximum()
    bar.triggerAction(QAbstractSlider.SliderAction.SliderToMaximum)
    session.note.emit("the last " + "word " * 80)
    assert bar.value() == bar.maximum()

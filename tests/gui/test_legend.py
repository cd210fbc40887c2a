"""The legend of the graph's colours has room for what it says, however often it says something else."""

from itertools import pairwise

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from gui.app import Painter
from gui.widgets import theme as themes
from gui.window import MainWindow


@pytest.mark.parametrize("measures", [("macs",), ("macs", "params"), ("frozen", "fate", "macs")])
def test_that_every_line_of_the_legend_is_seen_whole(
    qtbot: QtBot, opened: MainWindow, painter: Painter, measures: tuple[str, ...]
) -> None:
    for measure in measures:
        opened.actions_[f"colour_{measure}"].trigger()
        QTest.qWait(20)
    legend = opened.workspace.canvas.legend
    for theme in (themes.LIGHT, themes.DARK):
        painter.use(theme)
        QTest.qWait(20)
        words = [one for one in legend.findChildren(QLabel) if one.isVisible()]
        assert set(legend.lines) <= {one.text() for one in words}
        for one in words:
            assert legend.rect().contains(one.geometry())
            assert one.height() >= one.fontMetrics().height()
        lines = sorted(one.geometry().top() for one in words if one.text() in legend.lines)
        assert all(below > above for above, below in pairwise(lines))

"""A canvas on the screen; afterwards nothing may be moving any more."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QVariantAnimation
from pytestqt.qtbot import QtBot

from core.model.graph import Graph
from gui.canvas import GraphView
from tests.gui.canvas.driver import Shower


@pytest.fixture
def show(qtbot: QtBot) -> Iterator[Shower]:
    views: list[GraphView] = []

    def shower(graph: Graph) -> GraphView:
        made = GraphView()
        qtbot.addWidget(made)
        made.resize(900, 700)
        made.show()
        made.set_graph(graph, {}, keep_view=False)
        views.append(made)
        return made

    yield shower
    for view in views:
        view.close()
        for animation in view.findChildren(QVariantAnimation):
            assert animation.state() == QVariantAnimation.State.Stopped

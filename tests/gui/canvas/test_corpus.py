"""Every file of the collection of public models on the canvas and in the inspector."""

import pytest
from pytestqt.qtbot import QtBot

from core.analysis.opening import read_model
from gui.panels.inspector import Inspector
from tests.gui.canvas.driver import Shower
from tests.helpers import corpus


@pytest.mark.parametrize("name", corpus.names(".keras", ".h5", ".hdf5", ".json") or ["none"])
def test_that_every_public_model_is_drawn_and_inspected(qtbot: QtBot, show: Shower, name: str) -> None:
    source = read_model(corpus.path(name))
    view = show(source.graph)
    view.unfold_all()
    drawn = {node.path for node in view.scene.nodes}
    assert drawn == {path for path, _ in source.graph.walk()}
    assert not view.grab().isNull()
    inspector = Inspector()
    qtbot.addWidget(inspector)
    for path, layer in list(source.graph.walk())[:40]:
        view.select(path)
        inspector.show_layer(path, layer, None, source)
        assert inspector.class_name.text() == layer.class_name
        assert len(inspector.weights.rows) == len(layer.weights)

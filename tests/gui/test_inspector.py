"""The inspector: header, arguments, connections, with plans and without."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.analysis.preview import WeightPreview
from core.model.graph import Graph, Layer, StoreKey, Weight
from core.model.plan import Cost, Fate, Plan
from core.readers.source import Source
from gui.panels.config_table import value_words
from gui.panels.inspector import Inspector
from gui.widgets.theme import DARK
from tests.gui.canvas import graphs


@pytest.fixture
def inspector(qtbot: QtBot) -> Inspector:
    made = Inspector()
    qtbot.addWidget(made)
    made.resize(320, 600)
    made.show()
    return made


def source_of(graph: Graph, path: str = "model.keras") -> Source:
    return Source(path=path, format="Keras 3 (.keras)", kind="model", graph=graph)


def conv(**config: Any) -> Layer:
    made = graphs.layer("conv", "Conv2D", "input", shape=(None, 32, 32, 8), filters=8, kernel_size=[3, 3], **config)
    kernel = Weight("kernel", (3, 3, 3, 8), source=StoreKey("layers/conv/vars/0"))
    return replace(made, weights=(kernel,))


def model(layer: Layer) -> Graph:
    return graphs.graph(graphs.layer("input", "InputLayer"), layer, graphs.layer("head", "Dense", "conv"))


def arguments(inspector: Inspector) -> dict[str, str]:
    tree = inspector.config.tree
    items = [tree.topLevelItem(index) for index in range(tree.topLevelItemCount())]
    return {item.text(0): item.text(1) for item in items if item is not None and not item.isHidden()}


def test_that_without_a_selection_it_says_what_to_do(inspector: Inspector) -> None:
    inspector.show_layer("", None, None, None)
    assert inspector.nothing.isVisible()
    assert not inspector.tabs.isVisible()


def test_that_the_header_tells_what_the_layer_is(inspector: Inspector) -> None:
    graph = model(conv())
    inspector.show_layer("conv", graph.layer("conv"), None, source_of(graph))
    assert inspector.class_name.text() == "Conv2D"
    assert inspector.path.text() == "conv"
    assert "32\u00d732\u00d78" in inspector.facts.text()
    assert "216 parameters" in inspector.facts.text()
    assert inspector.chips.names == []


def test_that_a_plan_adds_fate_freezing_and_costs(inspector: Inspector) -> None:
    before = model(conv())
    frozen = replace(before.layer("conv"), trainable=False)
    after = before.with_layer("conv", frozen)
    plan = Plan(True, after, fates=(Fate("conv/kernel", "adapted", (3, 3, 1, 8)),), costs={"conv": Cost(params=72)})
    inspector.show_layer("conv", frozen, plan, source_of(before))
    assert inspector.chips.names == ["adapted", "frozen"]
    assert "72 parameters" in inspector.facts.text()
    assert inspector.chips.accessibleName() == "adapted, frozen"


def test_that_changed_arguments_show_both_values(inspector: Inspector) -> None:
    before = model(conv(strides=[1, 1]))
    after = model(conv(strides=[2, 2], groups=1))
    inspector.show_layer("conv", after.layer("conv"), Plan(True, after), source_of(before))
    shown = arguments(inspector)
    assert shown["strides"] == "[1, 1] \u2192 [2, 2]"
    assert shown["groups"] == "None \u2192 1"
    assert shown["filters"] == "8"


def test_that_arguments_can_be_filtered_by_name_and_value(inspector: Inspector) -> None:
    graph = model(conv(padding="same"))
    inspector.show_layer("conv", graph.layer("conv"), None, source_of(graph))
    QTest.keyClicks(inspector.config.filter, "SAME")
    assert arguments(inspector) == {"padding": "same"}
    inspector.config.filter.clear()
    assert len(arguments(inspector)) == 3


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"class_name": "GlorotUniform", "config": {"seed": None}, "module": "keras.initializers"}, "GlorotUniform()"),
        ({"class_name": "L2", "config": {"l2": 0.01}}, "L2(l2=0.01)"),
        ({"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}, "mixed_float16"),
        ({"class_name": "function", "config": "relu"}, "relu"),
        ({"class_name": "__tuple__", "items": [1, 2]}, "(1, 2)"),
        ([3, 3], "[3, 3]"),
        ({"a": [1]}, "{a: [1]}"),
        (None, "None"),
        (1e-7, "1e-07"),
    ],
)
def test_that_serialised_values_are_summed_up(value: object, words: str) -> None:
    assert value_words(value) == words


def test_that_no_value_is_longer_than_a_line() -> None:
    assert len(value_words("x" * 5000)) <= 160
    assert "100 in all" in value_words(list(range(100)))


def test_that_connections_lead_to_the_neighbours(qtbot: QtBot, inspector: Inspector) -> None:
    graph = graphs.nested()
    inspector.show_layer("backbone/bn", graph.find("backbone/bn"), None, source_of(graph))
    inspector.tabs.setCurrentIndex(2)
    links = inspector.connections.links
    assert [link.toolTip() for link in links] == ["backbone/conv", "backbone/out"]
    with qtbot.waitSignal(inspector.layer_selected) as caught:
        QTest.mouseClick(links[0], Qt.MouseButton.LeftButton)
    assert caught.args == ["backbone/conv"]


def test_that_each_call_of_a_shared_layer_has_its_own_connections(inspector: Inspector) -> None:
    graph = graphs.shared()
    inspector.show_layer("project", graph.layer("project"), None, source_of(graph))
    texts = [link.text() for link in inspector.connections.links]
    assert len(texts) == 4
    assert "call 2" not in texts[0]
    assert "call 2" in texts[2]
    assert "shared by 2 calls" in inspector.facts.text()


def test_that_a_layer_that_was_removed_is_shown_from_the_source(inspector: Inspector) -> None:
    before = model(conv())
    after = graphs.graph(graphs.layer("input", "InputLayer"))
    plan = Plan(True, after, dropped=("conv/kernel",))
    inspector.show_layer("conv", before.layer("conv"), plan, source_of(before))
    assert inspector.chips.names == ["dropped"]
    assert [row.fate for row in inspector.weights.rows] == ["dropped"]
    assert [link.toolTip() for link in inspector.connections.links] == ["input", "head"]


def test_that_an_opaque_layer_without_calls_is_shown(inspector: Inspector) -> None:
    graph = graphs.opaque(2)
    inspector.show_layer("l0", graph.layer("l0"), None, source_of(graph))
    assert inspector.connections.links == []
    assert inspector.weights.preview.message.text() == "This layer has no weights."


def test_that_a_nested_model_counts_what_is_inside(inspector: Inspector) -> None:
    graph = graphs.nested()
    inspector.show_layer("backbone", graph.layer("backbone"), None, source_of(graph))
    assert inspector.weights.preview.message.text() == "3 weights in the 4 layers inside."


def test_that_the_theme_changes_while_something_is_shown(inspector: Inspector) -> None:
    graph = model(conv())
    inspector.show_layer("conv", graph.layer("conv"), None, source_of(graph))
    before = inspector.grab().toImage()
    inspector.set_theme(DARK)
    assert inspector.grab().toImage() != before
    assert arguments(inspector)["filters"] == "8"


def test_that_previews_of_another_file_are_forgotten(qtbot: QtBot, inspector: Inspector) -> None:
    graph = model(conv())
    inspector.show_layer("conv", graph.layer("conv"), None, source_of(graph))
    with qtbot.waitSignal(inspector.preview_requested) as caught:
        inspector.weights.choose("kernel")
    assert caught.args == ["layers/conv/vars/0", "conv/kernel"]
    inspector.show_preview(
        WeightPreview(
            weight="conv/kernel", shape=(3, 3, 3, 8), dtype="float32", minimum=-1.0, maximum=1.0, mean=0.0, std=0.5,
            zeros=0, not_finite=0, counts=np.ones(4), edges=np.linspace(-1, 1, 5),
        )
    )  # fmt: skip
    assert inspector.weights.preview.shown is not None
    with qtbot.waitSignal(inspector.preview_requested):
        other = source_of(graph, "other.keras")
        inspector.show_layer("head", graph.layer("head"), None, other)
        inspector.show_layer("conv", graph.layer("conv"), None, other)
        inspector.weights.choose("kernel")


def test_that_a_layer_without_weights_says_so_at_the_top_also_when_it_is_the_first(inspector: Inspector) -> None:
    layer = graphs.layer("input", "InputLayer")
    graph = graphs.graph(layer, conv(), graphs.layer("head", "Dense", "conv"))
    inspector.show_layer("input", layer, Plan(ok=True, graph=graph), source_of(graph))
    assert inspector.weights.preview.message.text() == "This layer has no weights."
    assert not inspector.weights.list.isVisible()

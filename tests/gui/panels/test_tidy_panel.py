"""Folding, dropping, replacing and the batch size, from the panel and from the menu of a layer."""

import json
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from core.model.graph import Graph, TensorRef
from core.model.plan import Plan
from core.readers.source import Source
from core.recipes.recipe import to_json
from gui.controllers.layer_menu import FOLD, PLAIN
from gui.panels.replacing import targets
from gui.panels.tidy import TidyPanel, kinds_in
from gui.window import MainWindow
from tests.gui import hand_made
from tests.gui.hand_made import layer


@pytest.fixture
def panel(opened: MainWindow) -> TidyPanel:
    opened.workspace.show_tab("Tidy")
    return opened.workspace.tidy


def edits(window: MainWindow) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(to_json(window.session.recipe))["edits"]
    return found


def noisy() -> Graph:
    """A chain with all that the panel knows of."""
    layers = (
        layer("x", "InputLayer", (4,), batch_shape=[8, 4]),
        layer("d", "Dense", (4,), "x", activation="silu", lora_rank=2),
        layer("a", "Activation", (4,), "d", activation="swish"),
        layer("noise", "GaussianNoise", (4,), "a", stddev=0.1),
        layer("drop", "Dropout", (4,), "noise", rate=0.5),
        layer("fixed", "FixedDropout", (4,), "drop", rate=0.5),
        layer("in", "InstanceNormalization", (4,), "fixed", epsilon=1e-3),
        layer("r", "ReLU", (4,), "in"),
    )
    return Graph("noisy", layers=layers, inputs=TensorRef("x"), outputs=TensorRef("r"))


@pytest.fixture
def noisy_panel(open_source: Any, monkeypatch: pytest.MonkeyPatch) -> TidyPanel:
    monkeypatch.setattr(hand_made, "plan_for", lambda opened, recipe: Plan(True, opened.graph))
    window = open_source(Source("noisy.keras", "Keras 3 (.keras)", "model", noisy()))
    window.workspace.show_tab("Tidy")
    panel: TidyPanel = window.workspace.tidy
    return panel


def test_that_the_panel_counts_and_folds_normalizations(qtbot: QtBot, opened: MainWindow, panel: TidyPanel) -> None:
    assert panel.norms.text() == "Folded into a neighbouring layer, where that is exact: 2 layers."
    assert not panel.plain.isEnabled()
    qtbot.mouseClick(panel.fold, Qt.MouseButton.LeftButton)
    assert edits(opened) == [{"do": "fold_batch_norm"}]


def test_that_the_batch_size_is_typed_and_replaces_an_earlier_one(
    qtbot: QtBot, opened: MainWindow, panel: TidyPanel
) -> None:
    assert panel.batch.blank
    for size in ("4", "16"):
        panel.batch.setFocus()
        panel.batch.setText(size)
        qtbot.keyClick(panel.batch, Qt.Key.Key_Return)
    assert edits(opened) == [{"do": "set_batch", "batch": 16}]
    panel.batch.setText("many")
    qtbot.mouseClick(panel.set, Qt.MouseButton.LeftButton)
    assert "whole number" in panel.form.problem.text()
    assert len(edits(opened)) == 1


def test_that_checked_kinds_are_dropped(qtbot: QtBot, noisy_panel: TidyPanel) -> None:
    panel = noisy_panel
    assert panel.checked() == ["noise"]
    assert panel.kinds["dropout"].text() == "dropout (2)"
    assert panel.kinds["losses"].isHidden()
    qtbot.keyClick(panel.kinds["dropout"], Qt.Key.Key_Space)
    qtbot.mouseClick(panel.drop, Qt.MouseButton.LeftButton)
    window = panel.window()
    assert isinstance(window, MainWindow)
    assert edits(window) == [{"do": "drop_training_only", "kinds": ["noise", "dropout"]}]


def test_that_the_model_says_what_can_be_replaced(qtbot: QtBot, noisy_panel: TidyPanel) -> None:
    texts = [one.text for one in targets(noisy())]
    assert texts == [
        "FixedDropout (1)",
        "InstanceNormalization (1)",
        "activation silu (2)",
        "activation relu (1)",
        "Dropout, rate 0.5 (1)",
    ]
    form = noisy_panel.replacing
    window = noisy_panel.window()
    assert isinstance(window, MainWindow)
    for number in range(len(texts)):
        form.form.choice("what").setCurrentIndex(number)
        form.form.choice("what").activated.emit(number)
        if number == 2:
            form.form.choice("activation").show_key("relu")
        if number == 4:
            form.form.spin("rate").setValue(0.2)
        qtbot.mouseClick(form.button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: not window.session.planning)
        form.form.choice("what").show_key(str(number))
    found = [(one["match"], one["with"]) for one in edits(window)]
    assert found[:3] == [
        ({"class_name": "FixedDropout"}, {"class_name": "Dropout"}),
        ({"class_name": "InstanceNormalization"}, {"class_name": "GroupNormalization"}),
        ({"activation": "silu"}, {"activation": "relu"}),
    ]
    assert found[4] == ({"class_name": "Dropout", "rate": 0.5}, {"rate": 0.2})


def test_that_the_menu_of_a_layer_folds_it(opened: MainWindow) -> None:
    menu = QMenu(opened)
    opened.layers.fill(menu, "backbone/stem_bn")
    (entry,) = [action for action in menu.actions() if action.text() == FOLD]
    entry.trigger()
    assert edits(opened) == [{"do": "fold_batch_norm", "layers": ["backbone/stem_bn"]}]
    other = QMenu(opened)
    opened.layers.fill(other, "backbone/stem_conv")
    assert not {FOLD, PLAIN} & {action.text() for action in other.actions()}


def test_that_the_menu_of_a_layer_makes_its_kernel_plain(noisy_panel: TidyPanel) -> None:
    window = noisy_panel.window()
    assert isinstance(window, MainWindow)
    menu = QMenu(window)
    window.layers.fill(menu, "d")
    (entry,) = [action for action in menu.actions() if action.text() == PLAIN]
    entry.trigger()
    assert edits(window) == [{"do": "fold_weights", "layers": ["d"]}]


def test_that_without_a_model_nothing_can_be_pressed(window: MainWindow) -> None:
    panel = window.workspace.tidy
    buttons = (panel.fold, panel.plain, panel.drop, panel.set, panel.replacing.button)
    assert not any(button.isEnabled() for button in buttons)


def test_that_kinds_are_counted_by_class() -> None:
    assert kinds_in(noisy().layers)["dropout"] == 2
    assert kinds_in(noisy().layers)["losses"] == 0

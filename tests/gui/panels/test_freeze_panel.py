"""Freezing by pattern, by preset and by checkbox."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from core import phrases
from core.model.graph import Graph
from gui.models.digest import frozen_layers
from gui.models.layer_tree import Column
from gui.panels import freeze
from gui.panels.freeze import FreezePanel, with_weights
from gui.window import MainWindow

WITH_WEIGHTS = {
    "backbone/stem_conv",
    "backbone/stem_bn",
    "backbone/block1_conv1",
    "backbone/block1_bn1",
    "backbone/block1_conv2",
    "hidden",
    "predictions",
}


@pytest.fixture
def panel(opened: MainWindow) -> FreezePanel:
    opened.workspace.show_tab("Freeze")
    return opened.workspace.freeze


def frozen(qtbot: QtBot, window: MainWindow) -> frozenset[str]:
    qtbot.waitUntil(lambda: not window.session.planning)
    graph = window.session.after_graph
    assert isinstance(graph, Graph)
    return frozen_layers(graph) & WITH_WEIGHTS


def press(qtbot: QtBot, panel: FreezePanel, text: str) -> None:
    (button,) = [one for one in panel.findChildren(QPushButton) if one.text() == text]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_that_a_pattern_freezes_what_it_names(qtbot: QtBot, opened: MainWindow, panel: FreezePanel) -> None:
    panel.pattern.setText("block1_*")
    qtbot.waitUntil(lambda: panel.matches.text() == "Matches 3 layers with weights.")
    press(qtbot, panel, "Freeze")
    assert frozen(qtbot, opened) == {"backbone/block1_conv1", "backbone/block1_bn1", "backbone/block1_conv2"}


def test_that_a_pattern_is_looked_for_once_when_typing_pauses(
    qtbot: QtBot, opened: MainWindow, panel: FreezePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def counted(graph: Graph, pattern: str) -> list[str]:
        looked.append(pattern)
        return with_weights(graph, pattern)

    monkeypatch.setattr(freeze, "with_weights", counted)
    for end in range(1, 9):
        panel.pattern.setText("block1_*"[:end])
    qtbot.waitUntil(lambda: panel.matches.text() == "Matches 3 layers with weights.")
    assert looked == ["block1_*"]


def test_that_what_a_pattern_could_mean_is_not_guessed_at_while_typing(
    qtbot: QtBot, panel: FreezePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding the nearest of many names takes long, and nobody has asked for it yet."""
    asked: list[str] = []

    def nearest(name: str, known: object, **_: object) -> list[str]:
        asked.append(name)
        return []

    monkeypatch.setattr(phrases, "get_close_matches", nearest)
    panel.pattern.setText("blok1")
    qtbot.waitUntil(lambda: panel.matches.text() == "No layer with weights matches.")
    assert asked == []


def test_that_a_pattern_that_names_nothing_changes_nothing(
    qtbot: QtBot, opened: MainWindow, panel: FreezePanel
) -> None:
    panel.pattern.setText("nowhere_*")
    press(qtbot, panel, "Freeze")
    assert "nothing was changed" in panel.matches.text()
    assert opened.session.recipe.edits == ()


def test_that_all_but_the_head_leaves_the_last_layer(qtbot: QtBot, opened: MainWindow, panel: FreezePanel) -> None:
    press(qtbot, panel, "All but the head")
    assert frozen(qtbot, opened) == WITH_WEIGHTS - {"predictions"}


def test_that_all_but_the_last_leaves_as_many_as_asked(qtbot: QtBot, opened: MainWindow, panel: FreezePanel) -> None:
    panel.count.setValue(2)
    press(qtbot, panel, "All but the last")
    assert frozen(qtbot, opened) == WITH_WEIGHTS - {"predictions", "hidden"}


def test_that_all_but_batch_normalization_leaves_those(qtbot: QtBot, opened: MainWindow, panel: FreezePanel) -> None:
    press(qtbot, panel, "All but BatchNormalization")
    assert frozen(qtbot, opened) == WITH_WEIGHTS - {"backbone/stem_bn", "backbone/block1_bn1"}


def test_that_unfreeze_all_frees_everything(qtbot: QtBot, opened: MainWindow, panel: FreezePanel) -> None:
    press(qtbot, panel, "All but the head")
    press(qtbot, panel, "Unfreeze all")
    assert frozen(qtbot, opened) == set()


def test_that_batch_normalization_follows_its_mode(qtbot: QtBot, opened: MainWindow, panel: FreezePanel) -> None:
    assert not panel.mode.isEnabled()
    press(qtbot, panel, "All but the head")
    panel.mode.show_key("trainable")
    panel.mode.activated.emit(panel.mode.currentIndex())
    assert frozen(qtbot, opened) == {
        "backbone/stem_conv",
        "backbone/block1_conv1",
        "backbone/block1_conv2",
        "hidden",
    }


def test_that_totals_follow_the_plan(qtbot: QtBot, opened: MainWindow, panel: FreezePanel) -> None:
    before = panel.totals.text()
    press(qtbot, panel, "All but the head")
    qtbot.waitUntil(lambda: panel.totals.text() != before)
    assert panel.totals.text().startswith("1.3K of ")


def click_checkbox(qtbot: QtBot, window: MainWindow, path: str) -> None:
    layers = window.workspace.layers
    index = layers.model.index_of(path, Column.FROZEN)
    layers.tree.scrollTo(index)
    place = layers.tree.visualRect(index)
    qtbot.mouseClick(
        layers.tree.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place.left() + 9, place.center().y())
    )


def test_that_clicking_a_checkbox_freezes_the_layer_and_again_frees_it(qtbot: QtBot, opened: MainWindow) -> None:
    click_checkbox(qtbot, opened, "hidden")
    assert frozen(qtbot, opened) == {"hidden"}
    click_checkbox(qtbot, opened, "hidden")
    assert frozen(qtbot, opened) == set()


def test_that_clicking_a_group_freezes_all_of_it(qtbot: QtBot, opened: MainWindow) -> None:
    click_checkbox(qtbot, opened, "backbone")
    assert frozen(qtbot, opened) == {path for path in WITH_WEIGHTS if path.startswith("backbone/")}
    click_checkbox(qtbot, opened, "backbone/stem_conv")
    model = opened.workspace.layers.model
    qtbot.waitUntil(
        lambda: (
            model.index_of("backbone", Column.FROZEN).data(Qt.ItemDataRole.CheckStateRole)
            == Qt.CheckState.PartiallyChecked
        )
    )


def test_that_space_freezes_the_current_layer(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.select("predictions")
    qtbot.keyClick(opened.workspace.layers.tree, Qt.Key.Key_Space)
    assert frozen(qtbot, opened) == {"predictions"}


def test_that_what_a_pattern_matches_does_not_move_the_buttons(
    qtbot: QtBot, opened: MainWindow, panel: FreezePanel
) -> None:
    before = panel.freeze.mapTo(opened, QPoint(0, 0))
    panel.pattern.setText("nothing_like_this")
    qtbot.waitUntil(lambda: bool(panel.matches.text()))
    opened.grab()
    assert panel.freeze.mapTo(opened, QPoint(0, 0)) == before
    qtbot.mouseClick(panel.freeze, Qt.MouseButton.LeftButton)
    assert "nothing was changed" in panel.matches.text()
    opened.grab()
    assert panel.freeze.mapTo(opened, QPoint(0, 0)) == before

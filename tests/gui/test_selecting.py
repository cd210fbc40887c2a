"""Selecting many layers, by mouse and by keyboard, in the tree and in the graph; freezing what is selected."""

from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from core.edits import SetTrainable
from gui.models.digest import frozen_layers
from gui.models.layer_tree import Column
from gui.panels import inspector, weights
from gui.panels.many import ManySelected
from gui.panels.outputs import OutputsForm
from gui.window import MainWindow
from tests.gui.hand_made import source
from tests.gui.hands import awake, menu_of, planned

LEFT = Qt.MouseButton.LeftButton
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NONE = Qt.KeyboardModifier.NoModifier
STEM, NORM, RELU = "backbone/stem_conv", "backbone/stem_bn", "backbone/stem_relu"


def click_row(qtbot: QtBot, window: MainWindow, path: str, held: Qt.KeyboardModifier = NONE) -> None:
    tree, model = window.workspace.layers.tree, window.workspace.layers.model
    index = model.index_of(path)
    tree.scrollTo(index)
    qtbot.mouseClick(tree.viewport(), LEFT, held, tree.visualRect(index).center())


def place_of(window: MainWindow, path: str) -> QPoint:
    canvas = window.workspace.canvas
    (node,) = canvas.scene.nodes_of(path)
    return canvas.view.mapFromScene(node.x + node.width / 2, node.y + node.height / 2)


def click_node(qtbot: QtBot, window: MainWindow, path: str, held: Qt.KeyboardModifier) -> None:
    qtbot.mouseClick(window.workspace.canvas.view.viewport(), LEFT, held, place_of(window, path))


def chosen(window: MainWindow) -> tuple[str, ...]:
    return window.session.chosen


def rows(window: MainWindow) -> set[str]:
    layers = window.workspace.layers
    return {layers.model.path_of(index) for index in layers.tree.selectionModel().selectedRows()}


def framed(window: MainWindow) -> int:
    return window.workspace.canvas.scene.many_chosen


def frozen(window: MainWindow) -> set[str]:
    graph = window.session.after_graph
    assert graph is not None
    return {path for path in frozen_layers(graph) if graph.find(path).inner is None}


def layers_of_step(window: MainWindow) -> tuple[str, ...]:
    (step,) = [edit for edit in window.session.recipe.edits if isinstance(edit, SetTrainable)]
    return step.layers


def test_that_ctrl_and_shift_select_several_rows_and_the_graph_frames_them(qtbot: QtBot, opened: MainWindow) -> None:
    click_row(qtbot, opened, STEM)
    assert framed(opened) == 0
    click_row(qtbot, opened, "pool", CTRL)
    assert chosen(opened) == (STEM, "pool")
    assert opened.session.selection == "pool"
    click_row(qtbot, opened, STEM)
    click_row(qtbot, opened, RELU, SHIFT)
    assert set(chosen(opened)) == {STEM, NORM, RELU} == rows(opened)
    assert framed(opened) == 3
    click_row(qtbot, opened, NORM, CTRL)
    assert set(chosen(opened)) == {STEM, RELU}
    click_row(qtbot, opened, "pool")
    assert chosen(opened) == ("pool",)


def test_that_arrow_keys_with_shift_select_on_and_escape_clears(qtbot: QtBot, opened: MainWindow) -> None:
    click_row(qtbot, opened, STEM)
    tree = opened.workspace.layers.tree
    qtbot.keyClick(tree, Qt.Key.Key_Down, SHIFT)
    qtbot.keyClick(tree, Qt.Key.Key_Down, SHIFT)
    assert set(chosen(opened)) == {STEM, NORM, RELU}
    assert opened.session.selection == RELU
    qtbot.keyClick(tree, Qt.Key.Key_Up, SHIFT)
    assert set(chosen(opened)) == {STEM, NORM}
    assert opened.session.selection == NORM
    qtbot.keyClick(tree, Qt.Key.Key_Escape)
    assert len(chosen(opened)) == 0
    assert opened.session.selection == ""
    assert rows(opened) == set()


def test_that_ctrl_and_shift_clicks_in_the_graph_select_rows_of_the_tree(qtbot: QtBot, opened: MainWindow) -> None:
    click_node(qtbot, opened, STEM, Qt.KeyboardModifier.NoModifier)
    click_node(qtbot, opened, NORM, CTRL)
    click_node(qtbot, opened, RELU, SHIFT)
    assert chosen(opened) == (STEM, NORM, RELU)
    assert rows(opened) == {STEM, NORM, RELU}
    assert framed(opened) == 3
    click_node(qtbot, opened, NORM, CTRL)
    assert chosen(opened) == (STEM, RELU)
    click_node(qtbot, opened, STEM, Qt.KeyboardModifier.NoModifier)
    assert chosen(opened) == (STEM,)
    qtbot.keyClick(opened.workspace.canvas.view, Qt.Key.Key_Escape)
    assert len(chosen(opened)) == 0


@pytest.mark.parametrize("held", [CTRL, SHIFT])
def test_that_a_frame_selects_what_it_touches_and_the_view_stays(
    qtbot: QtBot, opened: MainWindow, held: Qt.KeyboardModifier
) -> None:
    canvas = opened.workspace.canvas
    target, before = canvas.view.viewport(), canvas.view.centre()
    first, last = place_of(opened, STEM) - QPoint(40, 0), place_of(opened, RELU) + QPoint(20, 0)
    qtbot.mousePress(target, LEFT, held, first)
    qtbot.mouseMove(target, last - QPoint(0, 6))
    qtbot.mouseMove(target, last)
    assert canvas.chooser.band.isVisible()
    qtbot.mouseRelease(target, LEFT, held, last)
    assert not canvas.chooser.band.isVisible()
    assert set(chosen(opened)) == {STEM, NORM, RELU}
    assert canvas.view.centre() == before


def test_that_arrow_keys_with_shift_follow_the_graph_and_back(qtbot: QtBot, opened: MainWindow) -> None:
    click_node(qtbot, opened, STEM, Qt.KeyboardModifier.NoModifier)
    view = opened.workspace.canvas.view
    qtbot.keyClick(view, Qt.Key.Key_Down, SHIFT)
    qtbot.keyClick(view, Qt.Key.Key_Down, SHIFT)
    assert set(chosen(opened)) == {STEM, NORM, RELU}
    qtbot.keyClick(view, Qt.Key.Key_Up, SHIFT)
    assert set(chosen(opened)) == {STEM, NORM}
    assert opened.session.selection == NORM


def test_that_everything_is_selected_and_cleared_by_keys(qtbot: QtBot, opened: MainWindow) -> None:
    awake(qtbot, opened)
    graph = opened.session.after_graph
    assert graph is not None
    leaves = {path for path, layer in graph.walk() if layer.inner is None}
    for place in (opened.workspace.layers.tree, opened.workspace.canvas.view):
        place.setFocus()
        qtbot.keyClick(place, Qt.Key.Key_A, CTRL)
        assert set(chosen(opened)) == leaves
        qtbot.keyClick(place, Qt.Key.Key_A, CTRL | SHIFT)
        assert len(chosen(opened)) == 0


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_that_the_selection_survives_an_edit_and_a_menu_and_not_another_model(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.choose((STEM, NORM), STEM)
    opened.actions_["freeze_these"].trigger()
    planned(qtbot, opened)
    assert rows(opened) == {STEM, NORM}
    menu = opened.layers.popup(NORM, QPoint())
    assert menu is not None
    menu.close()
    assert chosen(opened) == (STEM, NORM)
    assert opened.session.selection == NORM
    opened.session.set_source(source())
    assert len(chosen(opened)) == 0


def entry(menu: QMenu, text: str) -> None:
    (action,) = [one for one in menu.actions() if one.text() == text]
    assert action.isEnabled()
    action.trigger()


def test_that_the_menu_freezes_along_the_connections_and_what_is_selected(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.select(RELU)
    entry(menu_of(opened, RELU), "Freeze up to here")
    planned(qtbot, opened)
    assert layers_of_step(opened) == (f"..{RELU}",)
    assert frozen(opened) == {STEM, NORM}
    opened.session.undo_stack.undo()
    entry(menu_of(opened, RELU), "Freeze from here")
    planned(qtbot, opened)
    assert STEM not in frozen(opened)
    assert {"hidden", "predictions", "backbone/block1_conv1"} <= frozen(opened)
    opened.session.undo_stack.undo()
    opened.session.choose((STEM, "hidden"))
    entry(menu_of(opened, STEM), "Freeze these 2 layers")
    planned(qtbot, opened)
    assert frozen(opened) == {STEM, "hidden"}
    entry(menu_of(opened, STEM), "Unfreeze these 2 layers")
    planned(qtbot, opened)
    assert frozen(opened) == set()


def test_that_keys_freeze_what_is_selected(qtbot: QtBot, opened: MainWindow) -> None:
    awake(qtbot, opened)
    click_row(qtbot, opened, STEM)
    click_row(qtbot, opened, "hidden", CTRL)
    tree = opened.workspace.layers.tree
    qtbot.keyClick(tree, Qt.Key.Key_F, CTRL | SHIFT)
    planned(qtbot, opened)
    assert frozen(opened) == {STEM, "hidden"}
    qtbot.keyClick(tree, Qt.Key.Key_Space)
    planned(qtbot, opened)
    assert frozen(opened) == set()
    click_row(qtbot, opened, NORM)
    qtbot.keyClick(tree, Qt.Key.Key_Up, SHIFT | Qt.KeyboardModifier.AltModifier)
    planned(qtbot, opened)
    assert frozen(opened) == {STEM, NORM}


def test_that_nothing_can_be_frozen_without_a_selection(opened: MainWindow) -> None:
    opened.session.select("")
    assert not opened.actions_["freeze_these"].isEnabled()
    opened.session.select(STEM)
    assert opened.actions_["freeze_these"].isEnabled()


def test_that_a_model_that_is_meant_whole_is_named_once(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["select_all"].trigger()
    opened.actions_["freeze_these"].trigger()
    assert layers_of_step(opened) == ("*",)
    opened.session.undo_stack.undo()
    planned(qtbot, opened)
    graph = opened.session.after_graph
    assert graph is not None
    opened.session.choose(path for path, layer in graph.walk() if path.startswith("backbone/"))
    opened.actions_["freeze_these"].trigger()
    assert layers_of_step(opened) == ("backbone",)


def test_that_a_checkbox_of_one_of_many_freezes_them_all(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.choose((STEM, "hidden"), STEM)
    layers = opened.workspace.layers
    layers.tree.setFocus()
    cell = layers.model.index_of(STEM, Column.FROZEN)
    assert layers.tree.currentIndex().row() == cell.row()
    qtbot.keyClick(layers.tree, Qt.Key.Key_Space)
    planned(qtbot, opened)
    assert frozen(opened) == {STEM, "hidden"}


def test_that_sums_are_shown_for_many_and_the_layer_for_one(qtbot: QtBot, opened: MainWindow) -> None:
    (many,) = opened.workspace.inspector.findChildren(ManySelected)
    click_row(qtbot, opened, STEM)
    click_row(qtbot, opened, "hidden", CTRL)
    qtbot.waitUntil(lambda: many.isVisible() and many.title.text() == "2 selected")
    total = 7 * 7 * 3 * 32 + 32 + 32 * 128 + 128
    assert many.numbers["Parameters"].toolTip() == f"{total:,} parameters"
    assert many.classes.text() == "1 Conv2D, 1 Dense"
    qtbot.mouseClick(many.freeze, LEFT)
    planned(qtbot, opened)
    qtbot.waitUntil(lambda: many.numbers["Trained"].text() == "0 (2 frozen)")
    assert frozen(opened) == {STEM, "hidden"}
    assert not many.freeze.isEnabled()
    qtbot.mouseClick(many.unfreeze, LEFT)
    planned(qtbot, opened)
    assert frozen(opened) == set()
    click_row(qtbot, opened, STEM)
    assert not many.isVisible()
    assert opened.workspace.inspector.class_name.text() == "Conv2D"


def test_that_the_freeze_panel_freezes_around_the_selection(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.show_tab("Freeze")
    panel = opened.workspace.freeze.selected
    opened.session.select("")
    qtbot.waitUntil(lambda: not panel.buttons["these", True].isEnabled())
    click_row(qtbot, opened, RELU)
    button = panel.buttons["up_to", True]
    qtbot.waitUntil(button.isEnabled)
    qtbot.waitUntil(lambda: "2 layers with weights that it depends on" in button.accessibleDescription())
    assert not panel.buttons["these", True].isEnabled()  # a ReLU has no weights
    qtbot.mouseClick(button, LEFT)
    planned(qtbot, opened)
    assert frozen(opened) == {STEM, NORM}
    qtbot.mouseClick(panel.buttons["up_to", False], LEFT)
    planned(qtbot, opened)
    assert frozen(opened) == set()


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_that_the_freeze_pattern_takes_lists_and_takes_away(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.show_tab("Freeze")
    panel = opened.workspace.freeze
    panel.pattern.setFocus()
    qtbot.keyClicks(panel.pattern, "backbone, !backbone/stem*, hidden")
    qtbot.waitUntil(lambda: panel.matches.text() == "Matches 4 layers with weights.")
    qtbot.mouseClick(panel.freeze, LEFT)
    planned(qtbot, opened)
    assert frozen(opened) == {"backbone/block1_conv1", "backbone/block1_bn1", "backbone/block1_conv2", "hidden"}


def test_that_the_graph_shows_a_lock_on_what_is_frozen(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.choose((STEM, "hidden"))
    opened.actions_["freeze_these"].trigger()
    planned(qtbot, opened)
    scene = opened.workspace.canvas.scene
    locked = {node.path for node in scene.nodes if scene.badges[node.key].frozen}
    assert locked == {STEM, "hidden"}


def test_that_a_selection_is_shown_once_and_no_list_of_layers_is_made_again(
    opened: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    listed: list[object] = []

    def rows_of(path: str, *rest: Any) -> list[weights.WeightRow]:
        shown.append(path)
        return weights.rows_of(path, *rest)

    def candidates(_: OutputsForm, graph: object) -> list[str]:
        listed.append(graph)
        return []

    monkeypatch.setattr(inspector, "rows_of", rows_of)
    monkeypatch.setattr(OutputsForm, "candidates", candidates)
    opened.session.select(STEM)
    opened.session.select(NORM)
    assert shown == [STEM, NORM]
    assert listed == []


def test_that_the_lists_header_does_not_look_through_what_is_selected(opened: MainWindow) -> None:
    tree = opened.workspace.layers.tree
    tree.selectAll()
    assert tree.selectionModel().hasSelection()
    assert not tree.header().selectionModel().hasSelection()

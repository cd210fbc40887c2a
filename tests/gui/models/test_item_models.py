"""Every item model keeps Qt's rules after every kind of change."""

from typing import Any

from PySide6.QtCore import Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from core.findings import Finding
from core.recipes.gestures import make_edit, remove_step
from core.recipes.recipe import Recipe
from gui.canvas.plan_digest import PlanDigest
from gui.models.digest import frozen_layers
from gui.models.findings import FindingsModel
from gui.models.layer_tree import BadgeRole, Column, Extras, LayerTreeModel, PathRole
from gui.models.recipe import RecipeModel
from tests.gui.hand_made import mismatch, model, plan_for, source, steps

CHECK = Qt.ItemDataRole.CheckStateRole


def tree(frozen: set[str] | None = None) -> LayerTreeModel:
    made = LayerTreeModel()
    made.set_graph(model(), Extras(frozen=frozenset(frozen or ())))
    return made


def state(made: LayerTreeModel, path: str) -> Any:
    return made.index_of(path, Column.FROZEN).data(CHECK)


def test_that_the_layer_tree_keeps_the_rules_through_every_change(qtmodeltester: ModelTester) -> None:
    made = LayerTreeModel()
    qtmodeltester.check(made)
    assert made.set_graph(model()) is True
    assert made.set_graph(model(64, 1)) is False
    assert made.set_graph(model(flatten=True)) is True
    assert made.set_graph(model(), only={"backbone/stem_conv"}) is True
    assert made.set_graph(None) is True
    assert made.rowCount() == 0


def test_that_the_tree_shows_nested_layers_below_their_model() -> None:
    made = tree()
    index = made.index_of("backbone/stem_conv")
    assert index.data() == "stem_conv"
    assert index.parent().data() == "backbone"
    assert not index.parent().parent().isValid()
    assert made.path_of(index) == index.data(PathRole) == "backbone/stem_conv"


def test_that_shapes_and_parameters_are_shown() -> None:
    made = tree()
    row = [made.index_of("backbone/stem_conv", column).data() for column in range(4)]
    assert row == ["stem_conv", "48\u00d748\u00d732", "7\u00d77\u00d73\u00d732", "4.7K"]


def test_that_a_group_is_half_checked_while_some_of_it_is_frozen() -> None:
    frozen = {"backbone/stem_conv"}
    assert state(tree(frozen), "backbone/stem_conv") == Qt.CheckState.Checked
    assert state(tree(frozen), "backbone") == Qt.CheckState.PartiallyChecked
    assert state(tree(), "backbone") == Qt.CheckState.Unchecked


def test_that_layers_without_weights_have_no_checkbox() -> None:
    assert state(tree(), "backbone/stem_relu") is None
    assert state(tree(), "pool") is None


def test_that_a_frozen_model_freezes_every_layer_in_it() -> None:
    recipe = Recipe().plus(make_edit("set_trainable", layers=["backbone"]))
    frozen = frozen_layers(plan_for(source(), recipe).graph)
    assert {"backbone", "backbone/stem_conv", "backbone/block1_bn1"} <= frozen
    assert "hidden" not in frozen


def test_that_a_checkbox_asks_for_a_gesture_and_changes_nothing_itself(qtbot: QtBot) -> None:
    made = tree()
    with qtbot.waitSignal(made.frozen_toggled) as asked:
        made.setData(made.index_of("hidden", Column.FROZEN), Qt.CheckState.Checked, CHECK)
    assert asked.args == ["hidden", True]
    assert state(made, "hidden") == Qt.CheckState.Unchecked


def test_that_badges_sum_up_in_groups() -> None:
    recipe = Recipe().plus(make_edit("change_input", shape=[96, 96, 1]))
    plan = plan_for(source(), recipe)
    made = LayerTreeModel()
    made.set_graph(plan.graph, Extras(badges=PlanDigest(plan, plan.graph).badges))
    assert made.index_of("backbone/stem_conv").data(BadgeRole).fate == "adapted"
    assert made.index_of("backbone").data(BadgeRole).fate == "adapted"
    assert made.index_of("hidden").data(BadgeRole).fate == "copied"
    assert "1 adapted: Sum of the channels (sum)" in made.index_of("backbone", Column.FATE).data(
        Qt.ItemDataRole.ToolTipRole
    )


def test_that_findings_keep_the_rules_and_stand_in_the_order_of_gravity(qtmodeltester: ModelTester) -> None:
    made = FindingsModel()
    qtmodeltester.check(made)
    calm = Finding("info", "adapt.lossy", "", "Colour is gone.")
    assert made.set_findings((calm, mismatch("hidden", (1, 2))))
    assert [finding.severity for finding in made.findings] == ["error", "info"]
    assert not made.set_findings((calm, mismatch("hidden", (1, 2))))
    assert made.set_findings(())


def test_that_the_recipe_list_keeps_the_rules_through_every_change(qtmodeltester: ModelTester) -> None:
    made = RecipeModel()
    qtmodeltester.check(made)
    recipe = Recipe().plus(make_edit("change_input", shape=[8, 8, 1]), make_edit("set_trainable", layers=["a"]))
    for each in (recipe, remove_step(recipe, 0), Recipe(), recipe):
        made.set_recipe(each)
        assert made.rowCount() == len(steps(each))


def test_that_dropping_a_step_asks_for_a_move(qtbot: QtBot) -> None:
    made = RecipeModel()
    made.set_recipe(Recipe().plus(*(make_edit("set_trainable", layers=[name]) for name in "abc")))
    carried = made.mimeData([made.index(0)])
    with qtbot.waitSignal(made.moved) as asked:
        made.dropMimeData(carried, Qt.DropAction.MoveAction, 3, 0, made.index(-1))
    assert asked.args == [0, 2]
    assert [edit.layers for edit in steps(made.recipe)] == [("a",), ("b",), ("c",)]

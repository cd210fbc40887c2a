"""The stem panel: the first convolution is found, and what differs from it becomes one step."""

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.recipes.gestures import make_edit
from core.recipes.recipe import Recipe
from gui.panels.stem import StemPanel
from gui.window import MainWindow
from tests.gui.hand_made import steps


@pytest.fixture
def panel(opened: MainWindow) -> StemPanel:
    opened.workspace.show_tab("Stem")
    return opened.workspace.stem


def test_that_the_first_convolution_inside_a_nested_model_is_found(opened: MainWindow, panel: StemPanel) -> None:
    assert panel.found.text() == "backbone/stem_conv"
    assert "7\u00d77\u00d73\u00d732" in panel.shape_line.text()
    assert [
        field.placeholderText() for field in (panel.form.number("filters"), *panel.form.numbers("kernel_size")[:2])
    ] == ["32", "7", "7"]


def test_that_its_name_leads_to_the_layer(qtbot: QtBot, opened: MainWindow, panel: StemPanel) -> None:
    qtbot.mouseClick(panel.found, Qt.MouseButton.LeftButton)
    assert opened.session.selection == "backbone/stem_conv"


def test_that_only_what_was_changed_is_in_the_step(qtbot: QtBot, opened: MainWindow, panel: StemPanel) -> None:
    panel.form.number("filters").setFocus()
    qtbot.keyClicks(panel.form.number("filters"), "128")
    qtbot.keyClicks(panel.form.numbers("kernel_size")[0], "5")
    qtbot.waitUntil(lambda: len(steps(opened.session.recipe)) == 1)
    box = panel.form.box("batch_norm")
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=box.rect().center() / 8)
    panel.form.settle()
    (edit,) = steps(opened.session.recipe)
    assert (edit.filters, edit.kernel_size, edit.batch_norm, edit.strides, edit.activation) == (
        128,
        (5, 7),
        True,
        None,
        None,
    )


def test_that_rules_count_only_where_something_changes(qtbot: QtBot, opened: MainWindow, panel: StemPanel) -> None:
    assert not panel.form.choice("kernel_rule").isEnabled()
    qtbot.keyClicks(panel.form.numbers("kernel_size")[0], "5")
    panel.form.settle()
    assert panel.form.choice("kernel_rule").isEnabled()
    assert not panel.form.choice("filters_rule").isEnabled()


def test_that_a_bad_number_is_one_sentence(qtbot: QtBot, opened: MainWindow, panel: StemPanel) -> None:
    panel.form.number("filters").setFocus()
    qtbot.keyClicks(panel.form.number("filters"), "many")
    qtbot.waitUntil(panel.form.problem.isVisible)
    assert panel.form.problem.text().startswith("Filters must be a whole number from 1")
    assert panel.form.number("filters").text() == "many"
    assert opened.session.recipe == Recipe()


def test_that_undo_empties_the_form(qtbot: QtBot, opened: MainWindow, panel: StemPanel) -> None:
    qtbot.keyClicks(panel.form.number("filters"), "64")
    panel.form.settle()
    opened.session.undo_stack.undo()
    assert panel.form.number("filters").text() == ""
    assert not panel.reset.isEnabled()


def test_that_reset_takes_the_step_out(qtbot: QtBot, opened: MainWindow, panel: StemPanel) -> None:
    qtbot.keyClicks(panel.form.number("filters"), "64")
    panel.form.settle()
    qtbot.mouseClick(panel.reset, Qt.MouseButton.LeftButton)
    assert opened.session.recipe == Recipe()
    assert panel.form.number("filters").text() == ""


def test_that_the_recipe_says_the_first_convolution_and_keeps_a_name_that_it_gave(
    qtbot: QtBot, opened: MainWindow, panel: StemPanel
) -> None:
    field = panel.form.number("filters")
    field.setFocus()
    qtbot.keyClicks(field, "40")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert [(edit.layer, edit.filters) for edit in steps(opened.session.recipe)] == [(None, 40)]
    named = make_edit("replace_first_conv", layer="backbone/stem_conv", filters=48)
    opened.session.change_recipe(Recipe(edits=(named,)), "An older recipe")
    assert field.value == 48
    field.selectAll()
    qtbot.keyClicks(field, "64")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert [(edit.layer, edit.filters) for edit in steps(opened.session.recipe)] == [("backbone/stem_conv", 64)]

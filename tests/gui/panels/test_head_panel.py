"""The head panel: keep, remove, replace."""

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QRadioButton
from pytestqt.qtbot import QtBot

from core.model.graph import TensorRef
from core.recipes.gestures import make_edit, tag
from core.recipes.recipe import Recipe
from gui.dialogs.classes import ClassesSheet
from gui.document.session import Session
from gui.panels.head import HeadPanel
from gui.window import MainWindow
from tests.gui.hand_made import source, steps


@pytest.fixture
def panel(opened: MainWindow) -> HeadPanel:
    opened.workspace.show_tab("Head")
    return opened.workspace.head


def choose(qtbot: QtBot, button: QRadioButton) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(8, button.height() // 2))


def test_that_the_head_is_kept_at_first(opened: MainWindow, panel: HeadPanel) -> None:
    assert panel.keep.isChecked()
    assert not panel.form.isVisible()


def test_that_removing_the_head_is_one_step_with_its_pooling(
    qtbot: QtBot, opened: MainWindow, panel: HeadPanel
) -> None:
    choose(qtbot, panel.remove)
    panel.form.choice("pooling").show_key("max")
    panel.form.choice("pooling").activated.emit(panel.form.choice("pooling").currentIndex())
    assert [(tag(edit), edit.pooling) for edit in steps(opened.session.recipe)] == [("remove_head", "max")]


def test_that_a_new_head_has_what_the_form_says(qtbot: QtBot, opened: MainWindow, panel: HeadPanel) -> None:
    choose(qtbot, panel.attach)
    panel.form.number("classes").setText("7")
    panel.form.line("hidden").setText("256, 64")
    panel.form.line("dropout").setText("0.25")
    panel.apply()
    edit = steps(opened.session.recipe)[-1]
    assert (edit.classes, edit.hidden, edit.dropout, edit.activation) == (7, (256, 64), 0.25, "softmax")


def test_that_keeping_the_head_again_takes_the_steps_out(qtbot: QtBot, opened: MainWindow, panel: HeadPanel) -> None:
    choose(qtbot, panel.attach)
    choose(qtbot, panel.keep)
    assert opened.session.recipe == Recipe()


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("classes", "", "Enter the number of classes"),
        ("classes", "none", "Classes must be a whole number"),
        ("hidden", "12, x", "Hidden layers must be whole numbers"),
        ("hidden", "0", "Hidden layers must be whole numbers"),
        ("dropout", "1", "Dropout must be at least 0"),
        ("dropout", "half", "Dropout must be at least 0"),
    ],
)
def test_that_a_bad_value_is_one_sentence_and_stays_in_its_field(
    qtbot: QtBot, opened: MainWindow, panel: HeadPanel, field: str, text: str, sentence: str
) -> None:
    choose(qtbot, panel.attach)
    before = opened.session.recipe
    panel.form.line(field).setText(text)
    panel.apply()
    assert panel.form.problem.text().startswith(sentence)
    assert panel.form.line(field).text() == text
    assert opened.session.recipe == before


def test_that_what_the_form_has_no_field_for_is_kept(qtbot: QtBot, opened: MainWindow, panel: HeadPanel) -> None:
    step = make_edit("attach_head", classes=3, seed=9)
    opened.session.change_recipe(Recipe().plus(make_edit("remove_head"), step), "Load")
    panel.form.line("dropout").setText("0.1")
    panel.apply()
    edit = steps(opened.session.recipe)[-1]
    assert (edit.classes, edit.seed, edit.dropout) == (3, 9, 0.1)


def test_that_undo_brings_the_choice_back(qtbot: QtBot, opened: MainWindow, panel: HeadPanel) -> None:
    choose(qtbot, panel.remove)
    opened.session.undo_stack.undo()
    assert panel.keep.isChecked()


def test_that_a_head_for_each_place_keeps_the_map(qtbot: QtBot, opened: MainWindow, panel: HeadPanel) -> None:
    choose(qtbot, panel.attach)
    qtbot.mouseClick(
        panel.form.box("dense"), Qt.MouseButton.LeftButton, pos=QPoint(8, panel.form.box("dense").height() // 2)
    )
    removed, attached = steps(opened.session.recipe)
    assert (removed.pooling, attached.dense) == ("none", True)
    assert not panel.form.choice("pooling").isEnabled()
    qtbot.mouseClick(
        panel.form.box("dense"), Qt.MouseButton.LeftButton, pos=QPoint(8, panel.form.box("dense").height() // 2)
    )
    removed, attached = steps(opened.session.recipe)
    assert (removed.pooling, attached.dense) == ("avg", False)


def test_that_one_of_several_outputs_can_be_chosen(
    qtbot: QtBot, opened: MainWindow, panel: HeadPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = replace(source().graph, outputs=[TensorRef("predictions"), TensorRef("hidden")])
    monkeypatch.setattr(Session, "before_graph", property(lambda _: graph))
    panel.refresh()
    assert not panel.form.choice("output").isVisible()
    choose(qtbot, panel.remove)
    assert panel.form.choice("output").isVisible()
    panel.form.choice("output").show_key("1")
    panel.form.choice("output").activated.emit(1)
    (edit,) = steps(opened.session.recipe)
    assert (tag(edit), edit.output) == ("remove_head", 1)
    assert panel.form.choice("output").key == "1"


def test_that_the_classes_of_every_head_are_one_step(qtbot: QtBot, opened: MainWindow, panel: HeadPanel) -> None:
    qtbot.mouseClick(panel.every, Qt.MouseButton.LeftButton)
    sheet = panel.window().findChild(ClassesSheet)
    assert sheet is not None
    assert not sheet.apply.isEnabled()
    qtbot.keyClicks(sheet.now, "80")
    qtbot.keyClicks(sheet.wanted, "3")
    qtbot.keyClicks(sheet.kept, "0, 95")
    assert sheet.problem.text() == "The model has classes 0 to 79."
    sheet.kept.setText("2, 5")
    qtbot.keyClick(sheet.kept, Qt.Key.Key_Return)
    (edit,) = steps(opened.session.recipe)
    assert (tag(edit), edit.classes, edit.old_classes, edit.keep) == ("change_classes", 3, 80, (2, 5))

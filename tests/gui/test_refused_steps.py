"""Steps that the engine refuses: marked, told with ways out, and nothing is exported while they are there."""

import json
from pathlib import Path

import keras
import pytest
from keras import layers
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from core.recipes.recipe import Recipe
from gui.panels.input import InputRow
from gui.window import MainWindow
from tests.gui.hand_made import steps
from tests.gui.hands import open_file, planned

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def three_heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    inputs = keras.Input((16, 16, 3), name="image")
    x = layers.Conv2D(4, 3, name="conv_first")(inputs)
    x = layers.Conv2D(4, 3, name="conv_second")(x)
    x = layers.Flatten(name="flat")(x)
    model = keras.Model(inputs, [layers.Dense(2, name=name)(x) for name in ("a", "b", "c")])
    path = tmp_path_factory.mktemp("heads") / "heads.keras"
    model.save(path)
    return path


def load(qtbot: QtBot, window: MainWindow, folder: Path, *edits: dict[str, object]) -> None:
    """Load a recipe from a file."""
    path = folder / "r.json"
    path.write_text(json.dumps({"suture": 1, "edits": edits}))
    window.recipes.load_recipe_from(str(path))
    planned(qtbot, window)


def press_fix(qtbot: QtBot, window: MainWindow, title: str) -> None:
    (button,) = [one for one in window.workspace.findings.buttons if one.text() == title]
    qtbot.mouseClick(button, LEFT)
    planned(qtbot, window)


def test_that_refused_steps_are_marked_told_and_settled_by_mouse_and_keyboard(
    qtbot: QtBot, real_window: MainWindow, three_heads: Path, tmp_path: Path
) -> None:
    window, session = real_window, real_window.session
    open_file(qtbot, window, three_heads)
    load(
        qtbot,
        window,
        tmp_path,
        {"do": "replace_first_conv", "layer": "conv1_conv", "filters": 8},
        {"do": "change_input", "shape": [16, 16, 1], "channels": "sum"},
        {"do": "attach_head", "classes": 7},
    )
    panel = window.workspace.recipe
    marks = [panel.model.index(row).data(Qt.ItemDataRole.DecorationRole) is not None for row in range(3)]
    assert marks == [True, False, True]
    assert "conv1_conv" in panel.model.index(0).data(Qt.ItemDataRole.ToolTipRole)
    errors = [one for one in session.findings if one.severity == "error"]
    assert [(one.code, one.step) for one in errors] == [("step.refused", 1), ("step.refused", 3)]
    assert "Steps 1 and 3 cannot be applied" in window.banner.text.text()
    assert session.plan is not None
    assert session.plan.inputs[0].shape == (None, 16, 16, 1)
    # Export says why not and asks for no file
    window.actions_["export"].trigger()
    assert window.banner.text.text().startswith("Nothing can be exported yet.")
    assert "conv1_conv" in window.banner.text.text()
    # by mouse
    press_fix(qtbot, window, "Use the first convolution (conv_first)")
    assert steps(session.recipe)[0].layer is None
    assert [one.step for one in session.findings if one.code == "step.refused"] == [3]
    press_fix(qtbot, window, "Disable this step")
    assert [one.enabled for one in session.recipe.edits] == [True, True, False]
    assert session.hindrance == ""
    assert not window.banner.isVisible()
    # by keyboard
    window.actions_["undo"].trigger()
    planned(qtbot, window)
    assert window.banner.isVisible()
    (button,) = [one for one in window.workspace.findings.buttons if one.text() == "Use the output b"]
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_Space)
    planned(qtbot, window)
    assert steps(session.recipe)[2].output == 1
    assert not [one for one in session.findings if one.code == "step.refused"]


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
def test_that_inner_outputs_stand_instead_of_the_head_or_beside_it_and_undo_names_the_step(
    qtbot: QtBot, real_window: MainWindow, three_heads: Path
) -> None:
    window, session = real_window, real_window.session
    open_file(qtbot, window, three_heads)
    window.workspace.show_tab("Head")
    head = window.workspace.head
    assert head.keep.isChecked()
    head.outputs.name.insert("conv_second")
    qtbot.keyClick(head.outputs.name, Qt.Key.Key_Return)
    planned(qtbot, window)
    assert not head.keep.isChecked()
    assert head.replaced.text()
    (told,) = [one for one in session.findings if one.code == "outputs.replaced"]
    assert "conv_second replaces a, b, c" in told.message
    assert window.actions_["undo"].text() == "Undo Outputs at conv_second"
    qtbot.mouseClick(head.outputs.ways.button("beside"), LEFT)
    planned(qtbot, window)
    assert session.plan is not None
    assert steps(session.recipe)[0].layers == ("a", "b", "c", "conv_second")
    assert session.plan.dropped == ()
    assert head.keep.isChecked()
    qtbot.mouseClick(head.outputs.ways.button("instead"), LEFT)
    planned(qtbot, window)
    assert steps(session.recipe)[0].layers == ("conv_second",)
    qtbot.mouseClick(head.keep, LEFT, pos=QPoint(8, head.keep.height() // 2))
    planned(qtbot, window)
    assert head.keep.isChecked()
    assert steps(session.recipe)[0].layers == ("a", "b", "c", "conv_second")
    focus(window, head.outputs.name)
    for _ in range(4):
        qtbot.keyClick(head.outputs.name, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert session.recipe == Recipe()
    assert window.actions_["redo"].text() == "Redo Outputs at conv_second"


def focus(window: MainWindow, widget: QWidget) -> None:
    window.activateWindow()
    widget.setFocus()


def test_that_what_does_not_fit_is_no_longer_said_once_it_is_settled(
    qtbot: QtBot, real_window: MainWindow, three_heads: Path
) -> None:
    window, session = real_window, real_window.session
    open_file(qtbot, window, three_heads)
    (row,) = window.workspace.input.rows
    assert isinstance(row, InputRow)
    qtbot.waitUntil(lambda: row.legal.known is not None, timeout=60_000)
    for field in row.fields[:2]:
        field.setFocus()
        field.selectAll()
        qtbot.keyClicks(field, "32")
        qtbot.keyClick(field, Qt.Key.Key_Return)
    planned(qtbot, window)
    qtbot.waitUntil(lambda: bool(row.legal.buttons), timeout=60_000)
    while any(one.severity == "error" for one in session.findings):
        qtbot.mouseClick(window.workspace.findings.buttons[0], LEFT)
        planned(qtbot, window)
    assert session.plan is not None
    assert session.plan.inputs[0].shape == (None, 32, 32, 3)
    assert row.legal.buttons == []
    assert row.legal.forbidden.text() == ""

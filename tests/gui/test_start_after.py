"""Where a model begins: from the menu of a layer, by mouse and keyboard, and from the input panel."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from core.errors import EditError
from core.recipes.gestures import make_edit, tag
from core.recipes.recipe import Recipe
from core.service.messages import MakePlan
from gui.controllers.layer_menu import START
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker, steps
from tests.gui.hands import PATIENCE, begin_after, menu_of, open_file, planned

LEFT = Qt.MouseButton.LeftButton
KEYBOARD = QContextMenuEvent.Reason.Keyboard

pytestmark = pytest.mark.qt_log_ignore(r"This plugin does not support (raise|grabbing)", extend=True)


def starts(recipe: Recipe) -> list[tuple[str, ...]]:
    return [edit.layers for edit in steps(recipe) if tag(edit) == "start_at"]


# the menu


def test_that_the_menu_of_a_layer_begins_the_model_after_it_and_undo_takes_it_back(
    opened: MainWindow, engine: FakeWorker, qtbot: QtBot
) -> None:
    begin_after(opened, "pool")
    assert starts(opened.session.recipe) == [("pool",)]
    qtbot.waitUntil(lambda: not opened.session.planning)
    assert engine.bodies(MakePlan)[-1].recipe == opened.session.recipe
    assert opened.session.undo_stack.undoText() == "Start after pool"
    assert opened.workspace.recipe.model.index(0).data() == "Start after pool"
    opened.actions_["undo"].trigger()
    assert opened.session.recipe == Recipe()
    opened.actions_["redo"].trigger()
    assert starts(opened.session.recipe) == [("pool",)]


def test_that_beginning_elsewhere_moves_the_last_step_and_leaves_earlier_ones(opened: MainWindow) -> None:
    begin_after(opened, "pool")
    begin_after(opened, "hidden")
    assert starts(opened.session.recipe) == [("hidden",)]
    opened.session.undo_stack.undo()
    assert starts(opened.session.recipe) == [("pool",)]
    opened.session.change_recipe(opened.session.recipe.plus(make_edit("remove_layer", layer="dropout")), "Remove")
    begin_after(opened, "hidden")
    assert starts(opened.session.recipe) == [("pool",), ("hidden",)]


def test_that_a_start_at_several_layers_is_kept_as_it_is_written(opened: MainWindow) -> None:
    opened.session.change_recipe(Recipe().plus(make_edit("start_at", layers=["pool", "dropout"])), "Load")
    begin_after(opened, "hidden")
    assert starts(opened.session.recipe) == [("pool", "dropout"), ("hidden",)]


def test_that_a_model_begins_at_its_top_level_and_after_what_is_no_input(opened: MainWindow) -> None:
    for path in ("input_layer", "backbone/block1_add"):
        (action,) = [one for one in menu_of(opened, path).actions() if one.text() == START]
        assert not action.isEnabled(), path


@pytest.mark.parametrize("name", ["tree", "graph"])
def test_that_the_keyboard_alone_begins_the_model_at_a_layer(qtbot: QtBot, opened: MainWindow, name: str) -> None:
    opened.session.select("hidden")
    workspace = opened.workspace
    target: Any = workspace.layers.tree.viewport() if name == "tree" else workspace.canvas.findChild(QWidget, "canvas")
    place = QPoint(20, 20)
    QApplication.sendEvent(target, QContextMenuEvent(KEYBOARD, place, target.mapToGlobal(place)))
    (menu,) = [one for one in opened.findChildren(QMenu) if one.accessibleName() == "Layer hidden"]
    for _ in range(30):
        action: Any = menu.activeAction()
        if action is not None and action.text() == START:
            break
        qtbot.keyClick(menu, Qt.Key.Key_Down)
    qtbot.keyClick(menu, Qt.Key.Key_Return)
    assert starts(opened.session.recipe) == [("hidden",)]


def test_that_a_refusal_is_a_sentence_and_nothing_is_lost(qtbot: QtBot, opened: MainWindow, engine: FakeWorker) -> None:
    before = opened.session.plan
    engine.refuse = EditError("Nothing comes after predictions that reaches an output.")
    begin_after(opened, "predictions")
    qtbot.waitUntil(lambda: opened.banner.isVisible() and opened.banner.tone == "error")
    assert opened.banner.text.text() == "Nothing comes after predictions that reaches an output."
    assert opened.session.plan is before
    engine.refuse = None
    opened.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: not opened.banner.isVisible())
    assert opened.session.recipe == Recipe()


# the panel


def test_that_the_input_panel_begins_the_model_after_several_layers_by_mouse_and_keyboard(
    qtbot: QtBot, opened: MainWindow
) -> None:
    opened.workspace.show_tab("Input")
    form = opened.workspace.input.starts
    assert form is not None
    opened.session.select("backbone/stem_conv")
    assert not form.selected.isEnabled()
    opened.session.select("pool")
    qtbot.mouseClick(form.selected, LEFT)
    assert starts(opened.session.recipe) == [("pool",)]
    form.name.setFocus()
    qtbot.keyClicks(form.name, "hidden")
    qtbot.keyClick(form.name, Qt.Key.Key_Return)
    assert starts(opened.session.recipe) == [("pool", "hidden")]
    assert [form.list.item(row).text() for row in range(form.list.count())] == ["pool", "hidden"]
    form.list.setFocus()
    qtbot.keyClick(form.list, Qt.Key.Key_Home)
    qtbot.mouseClick(form.trash, LEFT)
    assert starts(opened.session.recipe) == [("hidden",)]
    qtbot.mouseClick(form.trash, LEFT)
    assert opened.session.recipe == Recipe()


@pytest.mark.parametrize("name", ["predictions", "backbone/stem_conv", "input_layer", "nonsense"])
def test_that_the_panel_refuses_layers_that_nothing_follows_at_the_top(
    qtbot: QtBot, opened: MainWindow, name: str
) -> None:
    form = opened.workspace.input.starts
    assert form is not None
    form.name.setText(name)
    form.add_typed()
    assert form.problem.text() == f"There is no layer \u201c{name}\u201d at the top level that another layer follows."
    assert opened.session.recipe == Recipe()


# with the real reader and engine


def test_that_the_tail_is_planned_written_and_equal_to_the_whole_behind_its_start(
    qtbot: QtBot, real_window: MainWindow, tmp_path: Path
) -> None:
    import keras

    image = keras.Input((12, 12, 3), name="image")
    stem = keras.layers.Conv2D(4, 3, padding="same", name="stem")(image)
    deep = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="deep")(stem)
    joined = keras.layers.Add(name="joined")([deep, stem])
    top = keras.layers.Dense(2, name="top")(keras.layers.GlobalAveragePooling2D(name="pool")(joined))
    whole = keras.Model(image, top)
    whole.save(tmp_path / "whole.keras")
    open_file(qtbot, real_window, tmp_path / "whole.keras")

    begin_after(real_window, "top")
    qtbot.waitUntil(lambda: real_window.banner.tone == "error" and real_window.banner.isVisible(), timeout=PATIENCE)
    assert "Nothing comes after top" in real_window.banner.text.text()
    real_window.session.undo_stack.undo()

    begin_after(real_window, "deep")
    planned(qtbot, real_window)
    plan = real_window.session.plan
    assert plan is not None
    assert plan.ok
    assert [port.name for port in plan.inputs] == ["deep_input", "stem_input"]
    assert any("stem also leads past the cut" in one.message for one in real_window.session.findings)
    assert not real_window.banner.isVisible()
    out = tmp_path / "tail.keras"
    with qtbot.waitSignal(real_window.work.exporting.finished, timeout=PATIENCE):
        real_window.export_to(str(out))
    inner = keras.Model(image, [deep, stem])
    given = np.random.default_rng(7).normal(size=(2, 12, 12, 3)).astype("float32")
    tail = keras.saving.load_model(out)
    np.testing.assert_allclose(tail(inner(given)), whole(given), rtol=1e-5, atol=1e-6)

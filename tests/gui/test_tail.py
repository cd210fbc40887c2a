"""Where a model begins, from the menu of a layer; and what a model class of its own leads to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from core.analysis.opaque import opaque_findings
from core.analysis.opening import read_model
from core.errors import EditError, FileError
from core.readers.source import Source
from core.recipes.gestures import make_edit, tag
from core.recipes.recipe import Recipe
from core.service.messages import MakePlan
from core.service.questions import MatchWeights
from gui.app import Painter, build
from gui.controllers.layer_menu import START
from gui.controllers.opened import REBUILT
from gui.main_window import MainWindow
from gui.settings import Settings
from tests.gui.hand_made import FakeWorker, layer, source, steps

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 120_000
KEYBOARD = QContextMenuEvent.Reason.Keyboard

pytestmark = pytest.mark.qt_log_ignore(r"This plugin does not support (raise|grabbing)", extend=True)


def starts(recipe: Recipe) -> list[tuple[str, ...]]:
    return [edit.layers for edit in steps(recipe) if tag(edit) == "start_at"]


def menu_of(window: MainWindow, path: str) -> QMenu:
    menu = QMenu(window)
    window.surgery.layers.fill(menu, path)
    return menu


def begin_after(window: MainWindow, path: str) -> None:
    (action,) = [one for one in menu_of(window, path).actions() if one.text() == START]
    assert action.isEnabled()
    action.trigger()


# the menu


def test_that_the_menu_of_a_layer_begins_the_model_after_it_and_undo_takes_it_back(
    opened: MainWindow, engine: FakeWorker, qtbot: QtBot
) -> None:
    begin_after(opened, "pool")
    assert starts(opened.session.recipe) == [("pool",)]
    qtbot.waitUntil(lambda: not opened.session.planning)
    assert engine.bodies(MakePlan)[-1].recipe == opened.session.recipe
    assert opened.session.undo_stack.undoText() == "Begin after pool"
    assert opened.workspace.recipe.model.index(0).data() == "Begin after pool"
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


# a model class of its own


def subclassed(path: str = "net.keras") -> Source:
    """What the reader makes of a subclassed model: groups of arrays, and what it says of them."""
    plain = source(path)
    held = tuple(
        replace(layer(name, "conv", (1,), weights={"0": (3,)}), calls=(), opaque=True) for name in ("conv", "top")
    )
    graph = replace(plain.graph, class_name="Net", opaque=True, layers=held, inputs=None, outputs=None)
    return replace(plain, graph=graph, findings=opaque_findings(graph))


def link(window: MainWindow, text: str) -> QPushButton:
    (found,) = [one for one in window.banner.links if one.text() == text]
    return found


def rebuilt_link(window: MainWindow) -> QPushButton:
    (found,) = [one for one in window.workspace.findings.view.findChildren(QPushButton) if one.text() == REBUILT]
    return found


def test_that_a_class_of_its_own_says_what_is_possible_and_offers_no_code(
    open_source: Callable[[Source], MainWindow],
) -> None:
    window = open_source(subclassed())
    (finding,) = [one for one in window.session.findings if one.code == "graph.opaque"]
    assert "shown and kept" in finding.message
    assert "transfer_weights" in finding.message
    assert not window.actions_["define_class"].isEnabled()
    assert link(window, REBUILT).isVisible()
    assert rebuilt_link(window).isEnabled()


@pytest.mark.parametrize("start", [lambda window: link(window, REBUILT), rebuilt_link], ids=["banner", "finding"])
def test_that_its_weights_are_laid_beside_the_rebuilt_model(
    qtbot: QtBot,
    open_source: Callable[[Source], MainWindow],
    engine: FakeWorker,
    tmp_path: Path,
    start: Callable[[MainWindow], QPushButton],
) -> None:
    rebuilt = tmp_path / "rebuilt.keras"
    rebuilt.touch()
    window = open_source(subclassed(str(tmp_path / "net.keras")))
    sheet = window.surgery.transfer
    sheet.way, sheet.pairs = "order", {"hidden": "other"}
    qtbot.mouseClick(start(window), LEFT)
    (dialog,) = window.findChildren(QFileDialog)
    dialog.fileSelected.emit(str(rebuilt))
    dialog.close()
    qtbot.waitUntil(lambda: sheet.isVisible() and sheet.model.rowCount() == 4)
    opened_now = window.session.source
    assert opened_now is not None
    assert opened_now.path == str(rebuilt)
    asked = engine.bodies(MatchWeights)[-1]
    assert (asked.file, asked.match, asked.pairs) == (str(tmp_path / "net.keras"), "name", ())
    qtbot.mouseClick(sheet.apply, LEFT)
    (edit,) = steps(window.session.recipe)
    assert (tag(edit), edit.file, edit.match) == ("transfer_weights", str(tmp_path / "net.keras"), "name")


def test_that_a_rebuilt_model_that_cannot_be_opened_leaves_everything_and_is_forgotten(
    qtbot: QtBot, open_source: Callable[[Source], MainWindow], reader: FakeWorker, tmp_path: Path
) -> None:
    rebuilt = tmp_path / "rebuilt.keras"
    rebuilt.touch()
    window = open_source(subclassed())
    reader.files[str(rebuilt)] = FileError("rebuilt.keras is damaged.")
    window.surgery.take_over_into(str(rebuilt))
    qtbot.waitUntil(lambda: window.banner.text.text() == "rebuilt.keras is damaged.")
    assert window.session.source is not None
    assert window.session.source.graph.opaque
    qtbot.waitUntil(lambda: window.surgery._taken is None)
    del reader.files[str(rebuilt)]
    shown: list[str] = []
    window.session.plan_changed.connect(lambda: shown.append(window.session.source.path if window.session.plan else ""))
    window.open_path(str(rebuilt))
    qtbot.waitUntil(lambda: str(rebuilt) in shown)
    assert not window.surgery.transfer.isVisible()


def test_that_a_recipe_that_would_be_lost_is_asked_about_and_staying_forgets_the_other_model(
    qtbot: QtBot, open_source: Callable[[Source], MainWindow], tmp_path: Path
) -> None:
    rebuilt = tmp_path / "rebuilt.keras"
    rebuilt.touch()
    window = open_source(subclassed())
    window.session.change_recipe(Recipe().plus(make_edit("rename_layer", layer="conv", name="a")), "Rename")
    window.surgery.take_over_into(str(rebuilt))
    assert window.unsaved.sheet.isVisible()
    qtbot.keyClick(window.unsaved.sheet, Qt.Key.Key_Escape)
    assert window.surgery._taken is None
    assert window.session.source is not None
    assert window.session.source.graph.opaque
    window.surgery.take_over_into(str(rebuilt))
    window.unsaved.sheet.discard_wanted.emit()
    qtbot.waitUntil(lambda: window.surgery.transfer.isVisible())
    assert window.session.source.path == str(rebuilt)


# with the real reader and engine


@pytest.fixture
def real(qtbot: QtBot, settings: Settings, painter: Painter) -> Iterator[MainWindow]:
    window = build(settings, painter.look)
    qtbot.addWidget(window)
    window.resize(1440, 900)
    window.show()
    window.session.start_processes()
    yield window
    window.close()


def planned(qtbot: QtBot, window: MainWindow) -> None:
    session = window.session
    qtbot.waitUntil(lambda: session.plan is not None and not session.planning, timeout=PATIENCE)


def open_file(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    window.open_path(str(path))
    qtbot.waitUntil(lambda: window.session.source is not None, timeout=PATIENCE)
    planned(qtbot, window)


def test_that_the_tail_is_planned_written_and_equal_to_the_whole_behind_its_start(
    qtbot: QtBot, real: MainWindow, tmp_path: Path
) -> None:
    import keras

    image = keras.Input((12, 12, 3), name="image")
    stem = keras.layers.Conv2D(4, 3, padding="same", name="stem")(image)
    deep = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="deep")(stem)
    joined = keras.layers.Add(name="joined")([deep, stem])
    top = keras.layers.Dense(2, name="top")(keras.layers.GlobalAveragePooling2D(name="pool")(joined))
    whole = keras.Model(image, top)
    whole.save(tmp_path / "whole.keras")
    open_file(qtbot, real, tmp_path / "whole.keras")

    begin_after(real, "top")
    qtbot.waitUntil(lambda: real.banner.tone == "error" and real.banner.isVisible(), timeout=PATIENCE)
    assert "Nothing comes after top" in real.banner.text.text()
    real.session.undo_stack.undo()

    begin_after(real, "deep")
    planned(qtbot, real)
    plan = real.session.plan
    assert plan is not None
    assert plan.ok
    assert [port.name for port in plan.inputs] == ["deep_input", "stem_input"]
    assert any("stem also leads past the cut" in one.message for one in real.session.findings)
    assert not real.banner.isVisible()
    out = tmp_path / "tail.keras"
    with qtbot.waitSignal(real.session.export_finished, timeout=PATIENCE):
        real.export_to(str(out))
    inner = keras.Model(image, [deep, stem])
    given = np.random.default_rng(7).normal(size=(2, 12, 12, 3)).astype("float32")
    tail = keras.saving.load_model(out)
    np.testing.assert_allclose(tail(inner(given)), whole(given), rtol=1e-5, atol=1e-6)


def test_that_a_subclassed_model_gives_its_weights_to_a_rebuilt_one(
    qtbot: QtBot, real: MainWindow, tmp_path: Path
) -> None:
    import keras

    class Net(keras.Model):
        def __init__(self, **fields: Any) -> None:
            super().__init__(**fields)
            self.first = keras.layers.Conv2D(4, 3, name="first")
            self.norm = keras.layers.BatchNormalization(name="norm")
            self.top = keras.layers.Dense(2, name="top")

        def call(self, image: Any) -> Any:
            return self.top(self.norm(self.first(image)))

    image = keras.Input((8, 8, 3))
    body = keras.layers.BatchNormalization(name="norm")(keras.layers.Conv2D(4, 3, name="first")(image))
    keras.Model(image, keras.layers.Dense(2, name="top")(body)).save(tmp_path / "rebuilt.keras")
    net, given = Net(), np.random.default_rng(3).normal(size=(2, 8, 8, 3)).astype("float32")
    net(given)
    for weight in net.weights:  # none is where a new model starts
        weight.assign(weight + 0.25)
    net.save(tmp_path / "net.keras")
    assert read_model(tmp_path / "net.keras").graph.opaque

    open_file(qtbot, real, tmp_path / "net.keras")
    assert link(real, REBUILT).isVisible()
    real.session.select("first")
    assert "code missing" in real.workspace.inspector.facts.text()
    assert not real.workspace.inspector.code.isVisible()
    assert not [one for one in menu_of(real, "first").actions() if "defined" in one.text()]
    begin_after(real, "first")
    qtbot.waitUntil(lambda: real.banner.tone == "error", timeout=PATIENCE)
    assert "connected is not known" in real.banner.text.text()
    real.session.undo_stack.undo()
    real.surgery.take_over_into(str(tmp_path / "rebuilt.keras"))
    sheet = real.surgery.transfer
    qtbot.waitUntil(lambda: sheet.isVisible() and sheet.apply.isEnabled(), timeout=PATIENCE)
    assert [row.source for row in sheet.model.rows if not row.source] == []
    qtbot.mouseClick(sheet.apply, LEFT)
    planned(qtbot, real)
    with qtbot.waitSignal(real.session.export_finished, timeout=PATIENCE):
        real.export_to(str(tmp_path / "taken.keras"))
    taken = keras.saving.load_model(tmp_path / "taken.keras")
    np.testing.assert_allclose(taken(given), net(given), rtol=1e-5, atol=1e-6)


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

"""The window as a whole: one selection, views, fixes, recipe, export."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from core.errors import PlanRefused
from core.readers.source import Source
from core.recipes import gestures
from core.recipes.recipe import Recipe, load_recipe, to_json
from core.service.messages import Apply, Verify
from gui.models.layer_tree import Column
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker, source, steps
from tests.gui.hands import words_on_canvas

LEFT = Qt.MouseButton.LeftButton


def resize(qtbot: QtBot, window: MainWindow, size: int, channels: int = 3) -> None:
    window.session.gesture(
        lambda recipe: gestures.set_input(recipe, None, (size, size, channels), "auto", (96, 96, 3)), "Resize"
    )
    qtbot.waitUntil(lambda: not window.session.planning)


# one selection


def test_that_the_tree_leads_canvas_and_inspector(qtbot: QtBot, opened: MainWindow) -> None:
    tree = opened.workspace.layers.tree
    index = opened.workspace.layers.model.index_of("backbone/stem_conv")
    tree.scrollTo(index)
    qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.visualRect(index).center())
    assert opened.session.selection == "backbone/stem_conv"
    assert opened.workspace.canvas.selected == "backbone/stem_conv"
    assert opened.workspace.inspector.path.text() == "backbone/stem_conv"


def test_that_the_canvas_leads_the_tree(opened: MainWindow) -> None:
    opened.workspace.canvas.layer_selected.emit("hidden")
    layers = opened.workspace.layers
    assert layers.model.path_of(layers.tree.currentIndex()) == "hidden"
    assert opened.workspace.inspector.path.text() == "hidden"


def test_that_the_selection_survives_a_plan(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.select("backbone/stem_conv")
    resize(qtbot, opened, 64)
    layers = opened.workspace.layers
    assert layers.model.path_of(layers.tree.currentIndex()) == "backbone/stem_conv"
    assert opened.workspace.canvas.selected == "backbone/stem_conv"


def test_that_finding_a_layer_goes_to_it(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["find"].trigger()
    opened.top.finder.setText("block1_conv2")
    qtbot.keyClick(opened.top.finder, Qt.Key.Key_Return)
    assert opened.session.selection == "backbone/block1_conv2"


# views


def test_that_difference_shows_only_what_differs(qtbot: QtBot, opened: MainWindow) -> None:
    resize(qtbot, opened, 96, 1)
    qtbot.mouseClick(opened.top.views.button("difference"), LEFT)
    paths = opened.workspace.layers.model.paths()
    assert "backbone/stem_conv" in paths
    assert "predictions" not in paths
    qtbot.mouseClick(opened.top.views.button("after"), LEFT)
    assert "predictions" in opened.workspace.layers.model.paths()


def test_that_before_shows_the_source_s_shapes(qtbot: QtBot, opened: MainWindow) -> None:
    resize(qtbot, opened, 64)
    model = opened.workspace.layers.model
    assert model.index_of("input_layer", Column.OUTPUT).data() == "64\u00d764\u00d73"
    opened.actions_["before"].trigger()
    assert model.index_of("input_layer", Column.OUTPUT).data() == "96\u00d796\u00d73"


# findings


@pytest.mark.qt_log_ignore("This plugin does not support raise", extend=True)  # a tooltip is raised
def test_that_a_mismatch_shows_in_tree_graph_and_findings_and_one_click_settles_it(
    qtbot: QtBot, open_source: Callable[[Source], MainWindow]
) -> None:
    window = open_source(source(flatten=True))
    resize(qtbot, window, 128)
    findings, layers = window.workspace.findings, window.workspace.layers
    assert [finding.layer for finding in findings.model.findings] == ["hidden"]
    badge = layers.model.index_of("hidden", Column.FATE)
    assert "1 mismatched" in badge.data(Qt.ItemDataRole.ToolTipRole)
    assert "does not fit yet" in words_on_canvas(window, "hidden")
    row = findings.view.visualRect(findings.model.index(0))
    qtbot.mouseClick(findings.view.viewport(), LEFT, pos=QPoint(row.left() + 60, row.top() + 10))
    assert window.session.selection == "hidden"
    qtbot.mouseClick(findings.buttons[0], LEFT)
    qtbot.waitUntil(lambda: not window.session.planning)
    assert window.session.plan is not None
    assert window.session.plan.ok
    assert findings.model.rowCount() == 0
    window.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: not window.session.planning)
    assert [finding.code for finding in findings.model.findings] == ["weight.mismatch"]


def test_that_f8_walks_through_the_findings(qtbot: QtBot, open_source: Callable[[Source], MainWindow]) -> None:
    window = open_source(source(flatten=True))
    resize(qtbot, window, 128, 1)
    window.actions_["next_finding"].trigger()
    assert window.session.selection == "hidden"
    window.actions_["next_finding"].trigger()
    assert window.session.selection == "backbone/stem_conv"
    window.actions_["previous_finding"].trigger()
    assert window.session.selection == "hidden"


def test_that_a_refused_recipe_is_a_banner_until_it_is_mended(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker
) -> None:
    from core.errors import RecipeError

    engine.refuse = RecipeError("Edit 1 names a layer that is not there.", edit=1)
    resize(qtbot, opened, 64)
    qtbot.waitUntil(lambda: opened.banner.tone == "error")
    assert opened.banner.text.text() == "Edit 1 names a layer that is not there."
    engine.refuse = None
    opened.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: not opened.banner.isVisible())


# recipe


def test_that_steps_are_switched_removed_and_moved_by_undoable_gestures(qtbot: QtBot, opened: MainWindow) -> None:
    resize(qtbot, opened, 64)
    opened.session.gesture(lambda recipe: gestures.set_frozen(recipe, ["hidden"], True), "Freeze")
    panel = opened.workspace.recipe
    panel.model.setData(panel.model.index(0), Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    assert [edit.enabled for edit in steps(opened.session.recipe)] == [False, True]
    panel.view.setCurrentIndex(panel.model.index(1))
    qtbot.keyClick(panel.view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert [edit.enabled for edit in steps(opened.session.recipe)] == [True, False]
    qtbot.keyClick(panel.view, Qt.Key.Key_Delete)
    assert len(steps(opened.session.recipe)) == 1
    for _ in range(5):
        opened.actions_["undo"].trigger()
    assert opened.session.recipe == Recipe()


def test_that_a_recipe_is_saved_and_loaded(qtbot: QtBot, opened: MainWindow, tmp_path: Path) -> None:
    resize(qtbot, opened, 64)
    file = tmp_path / "recipe.json"
    opened.recipes.save_recipe_to(str(file))
    assert file.read_text(encoding="utf-8") == to_json(opened.session.recipe)
    saved = opened.session.recipe
    opened.session.clear_recipe()
    opened.recipes.load_recipe_from(str(file))
    assert opened.session.recipe == saved


def test_that_a_loaded_recipe_may_say_a_rules_fields_beside_it(opened: MainWindow, tmp_path: Path) -> None:
    file = tmp_path / "recipe.json"
    file.write_text('{"edits": [{"do": "set_rule", "weight": "a/kernel", "rule": "initialize", "seed": 3}]}')
    opened.recipes.load_recipe_from(str(file))
    assert opened.session.recipe == load_recipe(file)


def test_that_a_recipe_is_saved_as_a_program(qtbot: QtBot, opened: MainWindow, tmp_path: Path) -> None:
    resize(qtbot, opened, 64)
    assert opened.actions_["save_script"].isEnabled()
    opened.recipes.save_script_to(str(tmp_path / "adapt"))
    text = (tmp_path / "adapt.py").read_text(encoding="utf-8")
    compile(text, "adapt.py", "exec")
    assert to_json(opened.session.recipe) in text


@pytest.mark.parametrize("text", ["", "[]", '{"edits": [{"do": "dance"}]}', '{"edits": [], "extra": 1}'])
def test_that_a_file_that_is_no_recipe_is_one_sentence(opened: MainWindow, tmp_path: Path, text: str) -> None:
    file = tmp_path / "recipe.json"
    file.write_text(text, encoding="utf-8")
    opened.recipes.load_recipe_from(str(file))
    assert opened.banner.tone == "error"
    assert opened.banner.text.text().startswith("recipe.json is not a recipe")
    assert opened.session.recipe == Recipe()


# export


def test_that_an_export_shows_progress_then_what_keras_says(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    engine.hold = True
    opened.export_to(str(tmp_path / "out"))
    sheet = opened.exporting.sheet
    assert sheet.isVisible()
    assert not opened.actions_["export"].isEnabled()
    engine.progress("writing", 0.5)
    qtbot.waitUntil(lambda: sheet.bar.value() >= 270)
    assert sheet.subtitle.text() == "writing the weights"
    engine.hold = False
    with qtbot.waitSignal(opened.export_finished):
        pass
    assert engine.bodies(Apply)[0].out == str(tmp_path / "out.keras")
    assert sheet.title.text() == "out.keras was written"
    assert opened.actions_["export"].isEnabled()
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_that_export_asks_for_a_name_that_is_not_the_source_s(qtbot: QtBot, opened: MainWindow, tmp_path: Path) -> None:
    opened.settings.folder = str(tmp_path)
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
    qtbot.mouseClick(opened.top.export, LEFT)
    (dialog,) = opened.findChildren(QFileDialog)
    assert [Path(path).name for path in dialog.selectedFiles()] == ["digits-adapted.keras"]
    with qtbot.waitSignal(opened.export_finished):
        dialog.accept()
    assert opened.exporting.sheet.title.text() == "digits-adapted.keras was written"


def test_that_an_export_that_fails_its_check_says_where_it_is_kept(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    opened.session.change_recipe(Recipe().plus(gestures.make_edit("change_input", shape=[96, 96, 1])), "Gray")
    engine.fails = "stem/kernel does not hold the planned values (1 arrays differ)."
    with qtbot.waitSignal(opened.export_finished):
        opened.export_to(str(tmp_path / "out.keras"))
    sheet = opened.exporting.sheet
    assert sheet.title.text() == "out.keras failed verification"
    assert "Kept as out.keras.unverified" in sheet.subtitle.text()
    assert "stem/kernel does not hold the planned values (1 arrays differ)." in sheet.subtitle.text()
    assert opened.session.unsaved


def test_that_an_export_without_a_check_says_so(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    opened.settings.verify_after_export = False
    with qtbot.waitSignal(opened.export_finished):
        opened.export_to(str(tmp_path / "out.keras"))
    assert opened.exporting.sheet.title.text() == "out.keras was written, not checked"


def test_that_an_export_can_be_cancelled(qtbot: QtBot, opened: MainWindow, engine: FakeWorker) -> None:
    engine.hold = True
    opened.export_to("out.h5")
    qtbot.mouseClick(opened.exporting.sheet.cancel, LEFT)
    qtbot.waitUntil(lambda: not opened.work.exporting.path)
    assert not opened.exporting.sheet.isVisible()
    engine.hold = False
    qtbot.waitUntil(lambda: opened.work.processes.engine_state == "ready")


def test_that_a_refused_export_is_one_sentence(qtbot: QtBot, opened: MainWindow, engine: FakeWorker) -> None:
    engine.refuse = PlanRefused("The plan has 1 error, so nothing was written.")
    opened.export_to("out.keras")
    qtbot.waitUntil(lambda: opened.exporting.sheet.title.text() == "Nothing was written")
    assert opened.exporting.sheet.subtitle.text() == "The plan has 1 error, so nothing was written."


def test_that_a_written_file_can_be_verified_again(qtbot: QtBot, opened: MainWindow, engine: FakeWorker) -> None:
    opened.exporting.verify_path("out.keras")
    qtbot.waitUntil(lambda: opened.exporting.sheet.title.text() == "out.keras matches the plan")
    assert engine.bodies(Verify) == [Verify(recipe=Recipe(), out="out.keras")]

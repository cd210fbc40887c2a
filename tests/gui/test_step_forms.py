"""Steps in forms: every kind can be edited, explained, copied; and what switching one off would change."""

import json
import shlex
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QGuiApplication, QHelpEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import main
from core.edits import AnyEdit
from core.recipes.recipe import from_json, to_json
from core.recipes.words import TEXTS, TITLES, explained
from gui.dialogs.step import StepSheet
from gui.models.step_form import fields_of, said_step, shown_values
from gui.widgets.form import Form
from gui.window import MainWindow
from tests.gui.hand_made import steps
from tests.gui.hands import open_file, planned, sheet_of

LEFT = Qt.MouseButton.LeftButton
GRAY = {"do": "change_input", "shape": [32, 32, 1], "channels": "sum"}
MANY: list[dict[str, Any]] = [
    {"do": "accept_losses", "dropped": ["a/*"], "initialized": ["b/kernel", "c/bias"]},
    {"do": "attach_head", "classes": 7, "hidden": [], "output": 1},
    {"do": "attach_head", "classes": 7, "keep": [0, "cat"], "labels": ["a", "b"], "hidden": []},
    {"do": "change_classes", "classes": 4, "old_classes": 10},
    GRAY,
    {"do": "change_input", "shape": [None, None, 2], "channels": {"rule": "map", "take": [0, None]}, "input": "x"},
    {"do": "cut_at", "layers": ["a", "b/c"], "enabled": False},
    {"do": "data_format", "to": "channels_first"},
    {"do": "drop_training_only"},
    {"do": "fold_batch_norm", "layers": ["block_*"]},
    {"do": "inflate", "shape": [8, 32, 32, 3]},
    {"do": "insert_adapter", "fit": "pad", "shape": [30, 30, 3], "multiple": 8, "crop_back": False},
    {"do": "insert_front", "shape": [32, 32, 5], "layers": [{"class_name": "Conv2D", "config": {"filters": 3}}]},
    {"do": "insert_layer", "layer": "a", "config": {"class_name": "ReLU", "config": {}}},
    {"do": "keep_words", "vocabulary": ["a", "b"]},
    {"do": "remove_head", "pooling": "max"},
    {"do": "rename_layer", "layer": "a", "name": "b"},
    {"do": "replace_all", "match": {"activation": "relu"}, "with": {"activation": "gelu"}},
    {"do": "replace_first_conv", "kernel_size": [5, 3], "filters": 12, "use_bias": False, "batch_norm": True},
    {"do": "set_batch", "batch": 4},
    {"do": "set_dtype", "policy": "float32"},
    {"do": "set_rule", "weight": "a/kernel", "rule": "initialize"},
    {"do": "set_rule", "weight": "a/kernel", "rule": {"rule": "initialize", "seed": 4}},
    {"do": "set_trainable", "layers": ["a", "*"], "trainable": True, "batch_norm": "frozen"},
    {"do": "transfer_weights", "file": "/a b/w.h5", "match": "pairs", "pairs": [["a", "b"]]},
]


@pytest.mark.parametrize("step", MANY, ids=lambda step: step["do"])
def test_that_a_form_shows_a_step_and_says_the_same(qtbot: QtBot, step: dict[str, Any]) -> None:
    (edit,) = from_json(json.dumps({"suture": 1, "edits": [step]})).edits
    form = Form(fields_of(edit))
    qtbot.addWidget(form)
    form.show_values(shown_values(edit))
    assert form.wrong() == ""
    said = said_step(edit, form.says())
    assert from_json(json.dumps({"suture": 1, "edits": [said]})).edits == (edit,)
    assert explained(edit)


def test_that_every_kind_of_step_is_explained_and_has_fields() -> None:
    kinds = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyEdit)}
    assert set(TITLES) == set(TEXTS) == set(kinds)
    for kind in kinds.values():
        names = {one.encode_name for one in msgspec.structs.fields(kind)} - {"enabled"}
        assert names


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
def test_that_a_step_is_edited_explained_copied_and_weighed_in_the_real_window(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    window, session = real_window, real_window.session
    source = tmp_path / "my model's.keras"
    source.write_bytes((samples / "digits_residual.keras").read_bytes())
    open_file(qtbot, window, source)
    window.recipes.load_recipe_from(str(_file(tmp_path, GRAY, {"do": "set_trainable", "layers": ["stem_*"]})))
    planned(qtbot, window)
    panel = window.workspace.recipe
    panel.view.setCurrentIndex(panel.model.index(0))
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_Return)
    sheet = sheet_of(window, StepSheet)
    assert sheet.title.text() == "Step 1: Change input"
    assert "Channels by: sum" in sheet.words.text()
    qtbot.waitUntil(lambda: "32\u00d732\u00d71 \u2192 32\u00d732\u00d73" in sheet.effect.text(), timeout=60_000)
    line = sheet.fields.line("shape")
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, "48, wide, 1")
    assert "must be a whole number" in sheet.problem.text()
    assert not sheet.apply.isEnabled()
    line.selectAll()
    qtbot.keyClicks(line, "48, 48, 1")
    assert json.loads(sheet.text.toPlainText())["shape"] == [48, 48, 1]
    qtbot.mouseClick(sheet.copy_json, LEFT)
    assert json.loads(QGuiApplication.clipboard().text())["shape"] == [48, 48, 1]
    qtbot.mouseClick(sheet.apply, LEFT)
    planned(qtbot, window)
    assert steps(session.recipe)[0].shape == (48, 48, 1)
    # the mouse rests on the step
    rect = panel.view.visualRect(panel.model.index(1))
    viewport = panel.view.viewport()
    QApplication.sendEvent(
        viewport, QHelpEvent(QEvent.Type.ToolTip, rect.center(), viewport.mapToGlobal(rect.center()))
    )
    qtbot.waitUntil(lambda: 1 in panel.model.effects, timeout=60_000)
    assert any(one.startswith("Trained parameters") for one in panel.model.effects[1])
    assert "If you switch it off:" in panel.model.index(1).data(Qt.ItemDataRole.ToolTipRole)
    # what is copied works in a terminal
    window.actions_["copy_command"].trigger()
    words = shlex.split(QGuiApplication.clipboard().text())
    at = words.index("apply")
    assert main.main(["plan", *words[at + 1 : at + 3], "--json"]) == 0
    answer = json.loads(capfd.readouterr().out)
    assert answer["inputs"][0]["shape"] == [None, 48, 48, 1]
    assert words[words.index("-o") + 1].startswith(str(tmp_path))
    assert json.loads(words[at + 2]) == json.loads(to_json(session.recipe))


def test_that_recent_recipes_are_offered_again(qtbot: QtBot, opened: MainWindow, tmp_path: Path) -> None:
    path = _file(tmp_path, {"do": "rename_layer", "layer": "hidden", "name": "inner"})
    opened.recipes.load_recipe_from(str(path))
    opened.actions_["clear_recipe"].trigger()
    opened.recipes.recent.aboutToShow.emit()
    (action,) = opened.recipes.recent.actions()
    assert action.text() == path.name
    action.trigger()
    assert steps(opened.session.recipe)[0].name == "inner"


def test_that_sizes_keep_their_proportions_while_that_is_wanted(qtbot: QtBot, opened: MainWindow) -> None:
    (row,) = opened.workspace.input.rows
    height, width = row.fields[:2]

    def type_in(field: Any, text: str) -> None:
        field.setFocus()
        field.selectAll()
        qtbot.keyClicks(field, text)
        qtbot.keyClick(field, Qt.Key.Key_Return)

    type_in(width, "192")
    type_in(height, "96")
    row.lock.setFocus()
    qtbot.keyClick(row.lock, Qt.Key.Key_Space)
    type_in(height, "64")
    assert steps(opened.session.recipe)[0].shape == (64, 128, 3)
    type_in(width, "64")
    assert steps(opened.session.recipe)[0].shape == (32, 64, 3)
    qtbot.mouseClick(row.lock, LEFT)
    row.lock.setChecked(False)
    type_in(height, "100")
    assert steps(opened.session.recipe)[0].shape == (100, 64, 3)


def _file(folder: Path, *edits: dict[str, Any]) -> Path:
    path = folder / "the recipe.json"
    path.write_text(json.dumps({"suture": 1, "edits": edits}))
    return path

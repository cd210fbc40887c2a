"""Data format, one more axis and another model, by mouse and by keyboard."""

import json
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from core.model.graph import Graph, TensorRef
from core.model.plan import Plan
from core.readers.source import Source
from core.recipes.recipe import to_json
from gui.dialogs.join import JoinSheet
from gui.panels.formats import FormatsForm
from gui.window import MainWindow
from tests.gui import hand_made
from tests.gui.hand_made import layer


@pytest.fixture
def form(opened: MainWindow) -> FormatsForm:
    opened.workspace.show_tab("Tidy")
    return opened.workspace.tidy.formats


def edits(window: MainWindow) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(to_json(window.session.recipe))["edits"]
    return found


def shown(open_source: Any, monkeypatch: pytest.MonkeyPatch, graph: Graph) -> tuple[MainWindow, FormatsForm]:
    monkeypatch.setattr(hand_made, "plan_for", lambda opened, recipe: Plan(True, opened.graph))
    window: MainWindow = open_source(Source("other.keras", "Keras 3 (.keras)", "model", graph))
    window.workspace.show_tab("Tidy")
    return window, window.workspace.tidy.formats


def first_channels() -> Graph:
    fields: dict[str, Any] = {"data_format": "channels_first"}
    layers = (
        layer("x", "InputLayer", (3, 8, 8), batch_shape=[None, 3, 8, 8]),
        layer("c", "Conv2D", (4, 6, 6), "x", filters=4, kernel_size=[3, 3], **fields),
        layer("p", "GlobalAveragePooling2D", (4,), "c", **fields),
    )
    return Graph("first", layers=layers, inputs=TensorRef("x"), outputs=TensorRef("p"))


def vectors() -> Graph:
    layers = (layer("x", "InputLayer", (4,), batch_shape=[None, 4]), layer("d", "Dense", (2,), "x", units=2))
    return Graph("vectors", layers=layers, inputs=TensorRef("x"), outputs=TensorRef("d"))


def test_that_the_format_is_named_and_turned(qtbot: QtBot, open_source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    window, form = shown(open_source, monkeypatch, first_channels())
    assert form.format.text() == "Channels come first."
    assert form.turn.text() == "Convert to channels last"
    qtbot.mouseClick(form.turn, Qt.MouseButton.LeftButton)
    assert edits(window) == [{"do": "data_format", "to": "channels_last"}]


def test_that_one_more_axis_is_typed(qtbot: QtBot, opened: MainWindow, form: FormatsForm) -> None:
    assert form.grown.text().startswith("Images become clips or volumes: 2-D layers 3-D")
    form.form.line("frames").setText("16")
    form.form.line("depth").setText("3")
    form.form.box("along").setChecked(True)
    form.form.choice("how").show_key("mean")
    qtbot.keyClick(form.form.line("frames"), Qt.Key.Key_Return)
    graph = opened.session.source
    assert graph is not None
    shape = list(graph.graph.input_layers()[0].config["batch_shape"][1:])
    step = edits(opened)[0]
    assert step == {
        "do": "inflate", "shape": [16, *shape], "how": "mean", "input": step["input"], "depth": 3, "stride": "same",
        "pool": "same",
    }  # fmt: skip
    form.form.line("frames").setText("few")
    qtbot.mouseClick(form.inflate, Qt.MouseButton.LeftButton)
    assert "whole number" in form.form.problem.text()
    assert len(edits(opened)) == 1


def test_that_frames_come_behind_channels_that_come_first(
    qtbot: QtBot, open_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, form = shown(open_source, monkeypatch, first_channels())
    qtbot.mouseClick(form.inflate, Qt.MouseButton.LeftButton)
    assert edits(window)[0]["shape"] == [3, None, 8, 8]


def test_that_vectors_have_no_format_and_get_no_axis(open_source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, form = shown(open_source, monkeypatch, vectors())
    assert not form.turn.isEnabled()
    assert not form.inflate.isEnabled()
    assert form.join.isEnabled()
    assert form.format.text() == "No layer of this model has one."


@pytest.fixture
def sheet(opened: MainWindow, tmp_path: Path) -> JoinSheet:
    opened.sheets.join.begin(str(tmp_path / "second.keras"))
    return opened.sheets.join


def test_that_another_model_goes_behind_a_layer(qtbot: QtBot, opened: MainWindow, sheet: JoinSheet) -> None:
    assert sheet.isVisible()
    assert sheet.output.itemText(0).startswith("its output (")
    names = [sheet.output.itemText(number) for number in range(1, sheet.output.count())]
    sheet.output.show_key(names[0])
    sheet.input.setText("vector")
    sheet.nested.setChecked(True)
    qtbot.keyClick(sheet.input, Qt.Key.Key_Return)
    assert not sheet.isVisible()
    assert edits(opened) == [
        {"do": "join_models", "file": sheet.path, "output": names[0], "input": "vector", "nested": True}
    ]


def test_that_another_model_stands_beside(qtbot: QtBot, opened: MainWindow, sheet: JoinSheet) -> None:
    qtbot.mouseClick(sheet.ways.button("parallel"), Qt.MouseButton.LeftButton)
    assert sheet.merge.isVisible()
    assert not sheet.output.isVisible()
    sheet.shared.setChecked(True)
    sheet.merge.show_key("average")
    sheet.prefix.setText("b")
    sheet.take_weights("second.weights.h5")
    qtbot.mouseClick(sheet.apply, Qt.MouseButton.LeftButton)
    assert edits(opened) == [
        {
            "do": "join_models", "file": sheet.path, "how": "parallel", "weights": "second.weights.h5", "shared": True,
            "merge": "average", "prefix": "b",
        }
    ]  # fmt: skip


def test_that_what_makes_no_sense_is_said_in_the_sheet(qtbot: QtBot, opened: MainWindow, sheet: JoinSheet) -> None:
    sheet.prefix.setText("/")
    qtbot.mouseClick(sheet.apply, Qt.MouseButton.LeftButton)
    assert sheet.isVisible()
    assert sheet.problem.text().startswith("prefix is empty")
    assert not edits(opened)


def test_that_the_sheet_opens_by_its_command_and_asks_for_a_file(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["join"].trigger()
    sheet = opened.sheets.join
    (dialog,) = opened.findChildren(QFileDialog)
    assert dialog.isVisible()
    assert not sheet.apply.isEnabled()
    dialog.close()
    sheet.take("second.keras")
    assert sheet.apply.isEnabled()

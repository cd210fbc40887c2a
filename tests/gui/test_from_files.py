"""Weights of another file, costs inside a model and adapters, as a person meets them in the real window."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QFileDialog, QLabel, QWidget
from pytestqt.qtbot import QtBot

from core.analysis.opening import read_model
from core.readers import open_store
from gui.dialogs.compare import CompareSheet
from gui.models.layer_tree import BadgeRole, Column
from gui.panels.layers import BadgeLabel
from gui.window import MainWindow
from tests.gui.hands import PATIENCE, awake, open_file, planned, sheet_of, words_on_canvas

LEFT, CONTROL, ALT = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
NO_RAISE = pytest.mark.qt_log_ignore("This plugin does not support raise", extend=True)  # a tooltip is raised
ARROW = "\u2192"


def image_model(stem: str, seed: int) -> Any:
    """A model with one inside; its first convolution is of the class `stem`."""
    import keras

    inside = keras.Input((12, 12, 3), name="inside")
    x = getattr(keras.layers, stem)(4, 3, name="stem")(inside)
    x = keras.layers.BatchNormalization(name="norm")(x)
    start = keras.Input((12, 12, 3), name="image")
    x = keras.Model(inside, x, name="backbone")(start)
    x = keras.layers.Flatten(name="flatten")(x)
    model = keras.Model(start, keras.layers.Dense(3, name="last")(x))
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.uniform(0.1, 1.0, weight.shape))
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models that differ in the class of one layer, and one that reads a sequence, tokens and plain values."""
    import keras

    made = tmp_path_factory.mktemp("files")
    image_model("Conv2D", 1).save(made / "mine.keras")
    image_model("SeparableConv2D", 2).save(made / "donor.keras")
    series, tokens, values = (keras.Input(shape, name=name) for name, shape in INPUTS.items())
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(2, 3, name="conv")(series))
    y = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(9, 2, name="table")(tokens))
    joined = keras.layers.Concatenate(name="joined")([x, y, values])
    keras.Model([series, tokens, values], keras.layers.Dense(2, name="last")(joined)).save(made / "texts.keras")
    return made


INPUTS = {"series": (20, 6), "tokens": (12,), "values": (5,)}


def stored(path: Path) -> dict[str, Any]:
    """Every array of a file by its path."""
    source = read_model(path)
    with open_store(source) as store:
        return {
            f"{at}/{weight.name}": store.read(weight.source.key)
            for at, layer in source.graph.walk()
            for weight in layer.weights
            if weight.source is not None
        }


def transfer(qtbot: QtBot, window: MainWindow, donor: Path) -> dict[str, tuple[str, str]]:
    """Ask for a file with the keyboard; for each weight the file's array and what is said to happen."""
    awake(qtbot, window)
    qtbot.keyClick(window, Qt.Key.Key_T, CONTROL)
    (dialog,) = window.findChildren(QFileDialog)
    dialog.selectFile(str(donor))
    dialog.accept()
    sheet = window.sheets.transfer
    qtbot.waitUntil(lambda: sheet.apply.isEnabled(), timeout=PATIENCE)
    model = sheet.model
    texts = [[str(model.index(row, column).data()) for column in range(5)] for row in range(model.rowCount())]
    return {mine: (theirs, happens) for theirs, _, mine, _, happens in texts}


def texts(widget: QWidget) -> str:
    """All words that a person reads in a widget."""
    return "\n".join(one.text() for one in widget.findChildren(QLabel) if one.isVisible())


def button(widget: QWidget, text: str) -> QAbstractButton:
    """The one visible button with a text."""
    (found,) = [one for one in widget.findChildren(QAbstractButton) if one.isVisible() and one.text() == text]
    return found


def tab(qtbot: QtBot, window: MainWindow, title: str) -> None:
    """Click a tab of the edit panel."""
    bar = window.workspace.tabs.tabBar()
    (index,) = [index for index in range(bar.count()) if bar.tabText(index) == title]
    qtbot.mouseClick(bar, LEFT, pos=bar.tabRect(index).center())


@NO_RAISE
def test_that_preview_plan_file_and_every_view_say_the_same_of_weights_from_another_file(
    qtbot: QtBot, real_window: MainWindow, folder: Path, tmp_path: Path
) -> None:
    window, donor = real_window, folder / "donor.keras"
    open_file(qtbot, window, folder / "mine.keras")
    seen = transfer(qtbot, window, donor)
    sheet = window.sheets.transfer
    assert {name for name, (_, happens) in seen.items() if happens == "keeps its own"} == {
        "backbone/stem/kernel",
        "backbone/stem/bias",
    }
    assert "2 layers take 6 of 8 weights from the file \u00b7 1 layer of the file is unused" in texts(sheet)
    qtbot.keyClick(sheet.apply, Qt.Key.Key_Space)
    planned(qtbot, window)
    plan = window.session.plan
    assert plan is not None
    assert plan.ok
    assert {fate.weight: fate.fate for fate in plan.fates} == {
        name: "transferred" if happens == "taken" else "copied" for name, (_, happens) in seen.items()
    }
    say_where_from(qtbot, window)
    out = tmp_path / "out.keras"
    with qtbot.waitSignal(window.export_finished, timeout=PATIENCE):
        window.export_to(str(out))
    ours, mine, theirs = stored(out), stored(folder / "mine.keras"), stored(donor)
    for name, (array, happens) in seen.items():
        np.testing.assert_array_equal(ours[name], theirs[array] if happens == "taken" else mine[name], err_msg=name)


def say_where_from(qtbot: QtBot, window: MainWindow) -> None:
    """Badges, tooltips, counts, legend, inspector and Difference name the file."""
    workspace = window.workspace
    tree = workspace.layers.model
    for path, fate, words in (
        ("last", "transferred", "2 from donor.keras"),
        ("backbone/norm", "transferred", "4 from donor.keras"),
        ("backbone/stem", "copied", "2 copied"),
    ):
        assert tree.index_of(path, Column.FATE).data(Qt.ItemDataRole.ToolTipRole).startswith(words)
        assert tree.index_of(path, Column.FATE).data(BadgeRole).fate == fate
    assert "copied unchanged from donor.keras" in words_on_canvas(window, "last")
    assert "unchanged from donor.keras" not in words_on_canvas(window, "backbone/stem")
    counts = {one.accessibleName(): one.toolTip() for one in workspace.layers.findChildren(BadgeLabel)}
    assert counts["6 from donor.keras"] == "6 weights: copied unchanged from donor.keras"
    assert "2 copied" in counts
    place = workspace.layers.tree.visualRect(tree.index_of("backbone/norm", Column.NAME))
    qtbot.mouseClick(workspace.layers.tree.viewport(), LEFT, pos=place.center())
    chips = workspace.inspector.chips
    assert chips.accessibleName() == "from donor.keras"
    awake(qtbot, window)
    qtbot.keyClick(window, Qt.Key.Key_2, CONTROL | ALT)
    qtbot.waitUntil(lambda: "From donor.keras" in workspace.canvas.legend.lines)
    qtbot.keyClick(window, Qt.Key.Key_D, ALT)
    shown = {path for path in ("last", "backbone", "backbone/norm", "backbone/stem") if tree.index_of(path).isValid()}
    assert shown == {"last", "backbone", "backbone/norm"}
    assert "copied unchanged from donor.keras" in words_on_canvas(window, "backbone/norm")


def test_that_costs_inside_a_model_are_known_before_an_edit_and_compared_after_it(
    qtbot: QtBot, real_window: MainWindow, folder: Path
) -> None:
    window = real_window
    open_file(qtbot, window, folder / "mine.keras")
    facts = window.workspace.inspector.facts
    window.session.select("backbone/stem")
    assert "10.8K MACs" in facts.text()  # 10 * 10 places, 3 * 3 * 3 taps, 4 filters
    assert ARROW not in facts.text()
    field = window.workspace.input.rows[0].fields[0]
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "22")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    planned(qtbot, window)
    assert f"10.8K {ARROW} 21.6K MACs" in facts.text()


def test_that_only_adapters_are_offered_that_can_work_for_the_input(
    qtbot: QtBot, real_window: MainWindow, folder: Path
) -> None:
    window = real_window
    open_file(qtbot, window, folder / "texts.keras")
    tab(qtbot, window, "Input")
    offered = {}
    for row in window.workspace.input.rows:
        qtbot.mouseClick(row.ways.button("adapt"), LEFT)
        form = row.adapt
        choice = form.form.choice("fit")
        kinds = [choice.itemData(at) for at in range(choice.count())] if choice.isVisible() else []
        offered[row.layer_name] = kinds
        assert form.apply.isVisible() == bool(kinds)
        assert ("Adapters work on" in texts(form)) != bool(kinds)
    assert offered == {"series": ["pad", "crop", "project", "repeat"], "tokens": [], "values": []}
    for kind, shape in (("pad", (15, 6)), ("crop", (25, 6)), ("project", (20, 3)), ("repeat", (20, 1))):
        row = next(one for one in window.workspace.input.rows if one.layer_name == "series")
        qtbot.mouseClick(row.ways.button("adapt"), LEFT)
        form = row.adapt
        form.form.choice("fit").setFocus()
        form.form.choice("fit").setCurrentIndex(offered["series"].index(kind))
        form.form.choice("fit").activated.emit(offered["series"].index(kind))
        for field, size in zip(form.form.numbers("shape"), shape, strict=True):
            field.selectAll()
            QTest.keyClicks(field, str(size))
        qtbot.mouseClick(form.apply, LEFT)
        planned(qtbot, window)
        assert window.session.plan is not None
        assert window.session.plan.ok, kind
        assert window.session.plan.inputs[0].shape == (None, *shape)
        row = next(one for one in window.workspace.input.rows if one.layer_name == "series")
        qtbot.mouseClick(row.adapt.remove, LEFT)
        planned(qtbot, window)


def test_that_fixes_say_what_they_do_and_a_comparison_how_it_was_made(
    qtbot: QtBot, real_window: MainWindow, folder: Path
) -> None:
    window = real_window
    open_file(qtbot, window, folder / "mine.keras")
    row = window.workspace.input.rows[0]
    for field, size in zip(row.fields, ("16", "16", "1"), strict=True):
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, size)
        qtbot.keyClick(field, Qt.Key.Key_Return)
    planned(qtbot, window)
    findings = window.workspace.findings
    tips = {one.text(): one.toolTip() for one in findings.buttons}
    said = tips["Resize the kernel over the map"]
    assert said.startswith("Resamples the weights over the flattened map")
    assert "Adds the step: last/kernel: spatial_resize" in said
    assert "Starts anew at glorot_uniform values; what was learned is lost." in tips["Reinitialize it"]
    assert "Puts another layer in the place" in tips["Pool instead of flattening"]
    assert all(tip and not tip.startswith(text) for text, tip in tips.items())
    compare = button(findings.view.indexWidget(findings.model.index(0)), "Compare\u2026")
    assert compare.toolTip().startswith("Runs the model with each of these fixes")
    qtbot.mouseClick(compare, LEFT)
    sheet = sheet_of(window, CompareSheet)
    qtbot.waitUntil(lambda: bool(sheet.buttons), timeout=PATIENCE)
    words = texts(sheet)
    assert "the scale is logarithmic" in words
    assert (
        "The old model gets the same input 'image', resized from 16\u00d716 to 12\u00d712 (bilinear, antialiased) and "
        "its channel repeated to make 3."
    ) in words

"""The whole job with the mouse alone, in the real window with the real reader and engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QAbstractButton, QApplication
from pytestqt.qtbot import QtBot

from core.recipes.gestures import make_edit
from gui.models.layer_tree import Column
from gui.panels.input import InputRow
from gui.window import MainWindow
from tests.gui.hands import words_on_canvas

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 120_000


def drop(window: MainWindow, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window.welcome.target, QDragEnterEvent(QPoint(20, 20), copy, data, LEFT, none))
    QApplication.sendEvent(window.welcome.target, QDropEvent(QPointF(20, 20), copy, data, LEFT, none))


def planned(qtbot: QtBot, window: MainWindow) -> None:
    session = window.session
    qtbot.waitUntil(lambda: session.plan is not None and not session.planning, timeout=PATIENCE)


def click_chip(qtbot: QtBot, row: InputRow, text: str) -> None:
    (chip,) = [button for button in row.chips if button.text() == text]
    qtbot.mouseClick(chip, LEFT)


def click_tab(qtbot: QtBot, window: MainWindow, title: str) -> None:
    bar = window.workspace.tabs.tabBar()
    (index,) = [index for index in range(bar.count()) if bar.tabText(index) == title]
    qtbot.mouseClick(bar, LEFT, pos=bar.tabRect(index).center())


def native(source: Path, size: int) -> Any:
    """The same model built by hand for gray images of another size, its first kernel summed over colours."""
    import keras

    old = keras.saving.load_model(source, compile=False)
    body = keras.applications.MobileNetV2(input_shape=(size, size, 1), include_top=False, weights=None)
    new = keras.Sequential(
        [
            keras.Input((size, size, 1)),
            body,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    for mine, theirs in zip(new.weights, old.weights, strict=True):
        values = np.asarray(theirs)
        mine.assign(values if values.shape == tuple(mine.shape) else values.sum(axis=2, keepdims=True))
    return new


@pytest.mark.slow
def test_that_a_nested_mobilenet_goes_from_224_colour_to_160_gray_by_mouse_alone(
    qtbot: QtBot, real_window: MainWindow, zoo: Callable[..., Path], tmp_path: Path
) -> None:
    import keras

    source = zoo("MobileNetV2", wrap="sequential", include_top=False, input_shape=(224, 224, 3))
    drop(real_window, source)
    qtbot.waitUntil(lambda: real_window.session.source is not None, timeout=PATIENCE)
    planned(qtbot, real_window)
    (row,) = real_window.workspace.input.rows
    assert [field.text() for field in row.fields] == ["224", "224", "3"]
    click_chip(qtbot, row, "160")
    click_chip(qtbot, row, "Gray")
    planned(qtbot, real_window)
    plan = real_window.session.plan
    assert plan is not None
    assert plan.ok
    assert plan.inputs[0].shape == (None, 160, 160, 1)
    adapted = [fate.weight for fate in plan.fates if fate.fate != "copied"]
    assert [weight.rpartition("/")[2] for weight in adapted] == ["kernel"]
    real_window.settings.verify_after_export = True
    out = tmp_path / "gray.keras"
    with qtbot.waitSignal(real_window.export_finished, timeout=PATIENCE) as finished:
        real_window.export_to(str(out))
    assert finished.args is not None
    assert finished.args[0].verification.ok
    images = np.random.default_rng(0).uniform(0, 255, (2, 160, 160, 1)).astype("float32")
    written = keras.saving.load_model(out, compile=False)
    np.testing.assert_allclose(written(images), native(source, 160)(images), rtol=1e-4, atol=1e-5)


@pytest.mark.qt_log_ignore("This plugin does not support raise", extend=True)  # a tooltip is raised
def test_that_a_mismatch_is_seen_everywhere_and_one_click_makes_the_plan_clean(
    qtbot: QtBot, real_window: MainWindow, samples: Path
) -> None:
    drop(real_window, samples / "digits_vgg.keras")
    qtbot.waitUntil(lambda: real_window.session.source is not None, timeout=PATIENCE)
    planned(qtbot, real_window)
    click_chip(qtbot, real_window.workspace.input.rows[0], "64")
    planned(qtbot, real_window)
    plan = real_window.session.plan
    assert plan is not None
    assert not plan.ok
    findings = real_window.workspace.findings
    (finding,) = [one for one in findings.model.findings if one.severity == "error"]
    assert "does not fit yet" in words_on_canvas(real_window, finding.layer)
    tip = real_window.workspace.layers.model.index_of(finding.layer, Column.FATE).data(Qt.ItemDataRole.ToolTipRole)
    assert "1 mismatched" in tip
    place = findings.view.visualRect(findings.model.index(0))
    qtbot.mouseClick(findings.view.viewport(), LEFT, pos=QPoint(place.left() + 60, place.top() + 12))
    assert real_window.session.selection == finding.layer
    qtbot.mouseClick(findings.buttons[0], LEFT)
    planned(qtbot, real_window)
    assert real_window.session.plan is not None
    assert real_window.session.plan.ok


@pytest.mark.slow
def test_that_freezing_by_mouse_reaches_the_written_file(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    import keras

    drop(real_window, samples / "digits_residual.keras")
    qtbot.waitUntil(lambda: real_window.session.source is not None, timeout=PATIENCE)
    planned(qtbot, real_window)
    click_tab(qtbot, real_window, "Freeze")
    (button,) = [one for one in real_window.findChildren(QAbstractButton) if one.text() == "All but the head"]
    qtbot.mouseClick(button, LEFT)
    planned(qtbot, real_window)
    out = tmp_path / "frozen.keras"
    with qtbot.waitSignal(real_window.export_finished, timeout=PATIENCE):
        real_window.export_to(str(out))
    written = keras.saving.load_model(out, compile=False)
    assert [weight.path.split("/")[-2] for weight in written.trainable_weights] == [written.layers[-1].name] * 2


def test_that_a_hostile_file_ends_the_reader_at_worst(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "cut.keras"
    bad.write_bytes((samples / "digits_vgg.keras").read_bytes()[:9000])
    real_window.open_path(str(bad))
    qtbot.waitUntil(lambda: real_window.banner.tone == "error" and real_window.banner.isVisible(), timeout=PATIENCE)
    assert "Traceback" not in real_window.banner.text.text()
    real_window.open_path(str(samples / "digits_vgg.keras"))
    qtbot.waitUntil(lambda: real_window.session.source is not None, timeout=PATIENCE)


def fine(window: MainWindow) -> bool:
    return window.session.plan is not None and window.session.plan.ok


def _first_findings(window: MainWindow, code: str) -> None:
    """Choose the first error of this kind, so that its buttons show."""
    findings = window.workspace.findings
    row = next(
        number for number, one in enumerate(findings.model.findings) if (one.code, one.severity) == (code, "error")
    )
    findings.view.setCurrentIndex(findings.model.index(row))


def test_that_what_a_file_lacks_is_an_error_until_one_click_accepts_it(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    import h5py
    import keras

    torn = tmp_path / "torn.h5"
    model = keras.saving.load_model(samples / "digits_residual.keras", compile=False)
    model.save(torn)
    with h5py.File(torn, "r+") as file:
        group = file[f"model_weights/{model.layers[-1].name}"]
        names = list(group.attrs["weight_names"])
        group.attrs["weight_names"] = names[:1]
        for name in names[1:]:
            del group[name]
    drop(real_window, torn)
    qtbot.waitUntil(lambda: real_window.session.source is not None, timeout=PATIENCE)
    planned(qtbot, real_window)
    assert not fine(real_window)
    _first_findings(real_window, "weight.unmatched")
    button = next(one for one in real_window.workspace.findings.buttons if "initial values" in one.text())
    qtbot.mouseClick(button, LEFT)
    planned(qtbot, real_window)
    assert fine(real_window)
    assert next(one.summary() for one in real_window.session.recipe.edits).startswith("Accept:")


def test_that_the_choice_of_what_becomes_of_a_kernel_is_one_click_or_one_key(
    qtbot: QtBot, real_window: MainWindow, samples: Path
) -> None:
    drop(real_window, samples / "digits_residual.keras")
    qtbot.waitUntil(lambda: real_window.session.source is not None, timeout=PATIENCE)
    planned(qtbot, real_window)
    config = {"class_name": "Conv2DTranspose", "config": {"filters": 16, "kernel_size": 2, "padding": "same"}}
    edit = make_edit("replace_layer", layer="stem_conv", config=config)
    real_window.session.gesture(lambda recipe: recipe.plus(edit), "Replace stem_conv")
    planned(qtbot, real_window)
    _first_findings(real_window, "weight.mismatch")
    buttons = real_window.workspace.findings.buttons
    assert [one.text().replace("&", "") for one in buttons][-1] == "Start it at initial values"
    buttons[-1].setFocus()
    qtbot.keyClick(buttons[-1], Qt.Key.Key_Space)
    planned(qtbot, real_window)
    assert [getattr(one, "carry", "") for one in real_window.session.recipe.edits] == ["none"]
    assert fine(real_window)

"""Layers put in from the list by dragging and by key, taken out, copied and pasted, with the real engine."""

from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.layers.descriptions import Argument, LayerClass
from gui.controllers.adding import copied, why_it_stays
from gui.dialogs.layer_form import LayerForm
from gui.models.addable import MIME, grouped, guessed
from gui.window import MainWindow
from tests.gui.hand_answers import CLASSES
from tests.gui.hand_made import model
from tests.gui.hands import PATIENCE, menu_of, open_file, planned, sheet_of

LEFT, COPY, NONE = Qt.MouseButton.LeftButton, Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
CTRL = Qt.KeyboardModifier.ControlModifier


def held(name: str) -> QMimeData:
    data = QMimeData()
    data.setData(MIME, QByteArray(name.encode()))
    return data


def drag(window: MainWindow, name: str, place: QPoint) -> bool:
    """Hold a layer over a place of the graph; whether it could be let go there."""
    target, data = window.workspace.canvas.view.viewport(), held(name)
    QApplication.sendEvent(target, QDragEnterEvent(place, COPY, data, LEFT, NONE))
    move = QDragMoveEvent(place, COPY, data, LEFT, NONE)
    QApplication.sendEvent(target, move)
    return move.isAccepted()


def drop(window: MainWindow, name: str, place: QPoint) -> bool:
    data = held(name)
    event = QDropEvent(QPointF(place), COPY, data, LEFT, NONE)
    QApplication.sendEvent(window.workspace.canvas.view.viewport(), event)
    return event.isAccepted()


def edge_place(window: MainWindow, source: str, target: str) -> QPoint:
    """The middle of an edge on the screen."""
    canvas = window.workspace.canvas
    (node,) = canvas.scene.nodes_of(source)
    (edge,) = [one for one in canvas.scene.edges_of(node)[1] if one.target.path == target]
    (x1, y1), (x2, y2) = edge.points[-2:]
    return canvas.view.mapFromScene(QPointF((x1 + x2) / 2, (y1 + y2) / 2))


def steps(window: MainWindow) -> list[str]:
    return [edit.summary() for edit in window.session.recipe.edits]


def key(qtbot: QtBot, window: MainWindow, what: Qt.Key, modifier: Qt.KeyboardModifier = NONE) -> None:
    view = window.workspace.canvas.view
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    view.setFocus()
    qtbot.keyClick(view, what, modifier)


# the list


def test_that_layers_are_grouped_and_found_by_name_purpose_and_family() -> None:
    assert [title for title, _ in grouped(CLASSES)] == ["Convolution", "Pooling", "Regularization"]
    assert [one.name for _, some in grouped(CLASSES, "pool") for one in some] == ["MaxPooling2D"]
    assert [one.name for _, some in grouped(CLASSES, "applies") for one in some] == ["Dropout"]
    assert grouped(CLASSES, "nothing such") == []


def test_that_a_guess_keeps_the_shape_and_what_cannot_be_guessed_is_asked() -> None:
    conv = CLASSES[0]
    assert guessed(conv, (None, 8, 8, 24)) == {"filters": 24, "kernel_size": 3, "padding": "same"}
    odd = LayerClass("EinsumDense", "core", "", (Argument("equation", "text", required=True),))
    assert guessed(odd, (None, 8)) is None


@pytest.mark.parametrize(
    ("path", "words"),
    [("input_layer", "is an input"), ("backbone/block1_add", "takes 2 tensors"), ("dropout", "")],
)
def test_that_a_layer_that_has_to_stay_says_why(path: str, words: str) -> None:
    why = why_it_stays(model(), path)
    assert (words in why) if words else why == ""


# in the window


def test_that_a_layer_goes_onto_an_edge_by_mouse_and_nothing_else_changes(
    qtbot: QtBot, real_window: MainWindow, samples: Path
) -> None:
    window = real_window
    open_file(qtbot, window, samples / "digits_residual.keras")
    window.actions_["add_layer"].trigger()
    panel, dropping = window.workspace.add, window.workspace.dropping
    assert panel.isVisible()
    qtbot.waitUntil(lambda: panel.tree.topLevelItemCount() > 5, timeout=PATIENCE)
    place = edge_place(window, "stage1_relu2", "stage2_conv1")
    # what does not fit says why before it is let go, and is not taken
    drag(window, "Flatten", place)
    qtbot.waitUntil(lambda: "does not fit" in dropping.tip.text(), timeout=PATIENCE)
    assert dropping.tip.isVisible()
    assert not drag(window, "Flatten", place) or not dropping.allowed
    qtbot.waitUntil(lambda: not dropping.allowed, timeout=PATIENCE)
    assert not drop(window, "Flatten", place)
    assert steps(window) == []
    # what fits is told where it goes
    assert drag(window, "ReLU", place)
    assert dropping.tip.text() == "Insert ReLU between stage1_relu2 and stage2_conv1."
    assert drop(window, "ReLU", place)
    assert not dropping.tip.isVisible()
    planned(qtbot, window)
    assert steps(window) == ["Insert ReLU between stage1_relu2 and stage2_conv1"]
    graph = window.session.after_graph
    assert graph is not None
    assert [ref.layer for ref in graph.layer("stage2_project").calls[0].inputs()] == ["stage1_relu2"]
    (new,) = [ref.layer for ref in graph.layer("stage2_conv1").calls[0].inputs()]
    assert graph.layer(new).class_name == "ReLU"


def test_that_layers_are_put_in_taken_out_copied_and_pasted_by_keyboard(
    qtbot: QtBot, real_window: MainWindow, samples: Path
) -> None:
    window = real_window
    open_file(qtbot, window, samples / "digits_residual.keras")
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.session.select("stage1_conv1")
    qtbot.keyClick(window, Qt.Key.Key_Insert)
    panel = window.workspace.add
    assert panel.search.hasFocus()
    qtbot.keyClicks(panel.search, "gaussiandropout")
    qtbot.waitUntil(lambda: panel.tree.chosen == "GaussianDropout", timeout=PATIENCE)
    assert "Enter inserts after stage1_conv1" in panel.where.text()
    qtbot.keyClick(panel.search, Qt.Key.Key_Return)
    form = sheet_of(window, LayerForm)
    qtbot.keyClick(form.apply, Qt.Key.Key_Space)
    planned(qtbot, window)
    assert steps(window) == ["Insert GaussianDropout after stage1_conv1"]
    # copied and pasted: the same arguments, new weights
    window.session.select("stage1_conv2")
    key(qtbot, window, Qt.Key.Key_C, CTRL)
    assert [one["class_name"] for one in copied()] == ["Conv2D"]
    assert "name" not in copied()[0]["config"]
    key(qtbot, window, Qt.Key.Key_V, CTRL)
    planned(qtbot, window)
    plan = window.session.plan
    assert plan is not None
    assert plan.ok
    fresh = [fate for fate in plan.fates if fate.fate == "initialized"]
    assert {fate.shape for fate in fresh} >= {(3, 3, 16, 16)}
    # what cannot go says why; what can, goes
    window.session.select("stage1_add")
    key(qtbot, window, Qt.Key.Key_Delete)
    assert "takes 2 tensors" in window.banner.text.text()
    window.session.select("stage2_relu1")
    key(qtbot, window, Qt.Key.Key_Delete)
    planned(qtbot, window)
    assert steps(window)[-1] == "Remove stage2_relu1"
    QGuiApplication.clipboard().clear()
    key(qtbot, window, Qt.Key.Key_V, CTRL)
    assert "no layer to paste" in window.banner.text.text()


def test_that_insert_before_changes_that_layer_alone(qtbot: QtBot, opened: MainWindow) -> None:
    (entry,) = [
        one for one in menu_of(opened, "backbone/block1_conv1").actions() if one.text() == "Insert before\u2026"
    ]
    entry.trigger()
    form = sheet_of(opened, LayerForm)
    qtbot.waitUntil(lambda: form.kind.count() > 2)
    form.kind.setCurrentIndex(form.kind.findText("MaxPooling2D"))
    qtbot.mouseClick(form.apply, LEFT)
    (edit,) = opened.session.recipe.edits
    assert edit.summary() == "Insert MaxPooling2D between backbone/stem_relu and backbone/block1_conv1"


def test_that_a_layer_held_over_nothing_needs_no_words(opened: MainWindow) -> None:
    # Qt warns of a tip without words, which has no height
    canvas = opened.workspace.canvas
    drag(opened, "ReLU", QPoint(canvas.view.viewport().width() - 3, 3))
    assert not opened.workspace.dropping.tip.isVisible()

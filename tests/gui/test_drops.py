"""A model or a recipe that is dropped anywhere in the window is taken, and never moved from its place."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from core.recipes import gestures
from core.recipes.recipe import Recipe, to_json
from gui.window import MainWindow
from tests.gui.hands import planned

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
COPY, MOVE, LINK = Qt.DropAction.CopyAction, Qt.DropAction.MoveAction, Qt.DropAction.LinkAction


def hold(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def drag(window: MainWindow, place: QPoint, data: QMimeData, actions: Qt.DropAction = COPY | MOVE) -> Qt.DropAction:
    """Drag files to a place in the window and let go, as the desktop does it; what happened to them."""
    handle = window.windowHandle()
    entering = QDragEnterEvent(place, actions, data, LEFT, NONE)
    entering.setDropAction(MOVE)
    QApplication.sendEvent(handle, entering)
    over = QDragMoveEvent(place, actions, data, LEFT, NONE)
    over.setDropAction(MOVE)
    QApplication.sendEvent(handle, over)
    if not (entering.isAccepted() and over.isAccepted()):
        return Qt.DropAction.IgnoreAction
    dropping = QDropEvent(QPointF(place), actions, data, LEFT, NONE)
    dropping.setDropAction(MOVE)
    QApplication.sendEvent(handle, dropping)
    return dropping.dropAction() if dropping.isAccepted() else Qt.DropAction.IgnoreAction


def middle(window: MainWindow, widget: QWidget) -> QPoint:
    return widget.mapTo(window, widget.rect().center())


PLACES: dict[str, Callable[[MainWindow], QWidget]] = {
    "graph": lambda window: window.workspace.canvas.view.viewport(),
    "tree": lambda window: window.workspace.layers.tree.viewport(),
    "field": lambda window: window.workspace.input.rows[0].fields[0],
    "finder": lambda window: window.top.finder,
    "inspector": lambda window: window.workspace.inspector,
    "strip": lambda window: window.workspace.strip,
    "status": lambda window: window.status,
}


@pytest.mark.parametrize("place", PLACES)
def test_that_a_recipe_is_taken_as_a_copy_wherever_it_is_dropped(
    opened: MainWindow, tmp_path: Path, place: str
) -> None:
    recipe = Recipe().plus(gestures.make_edit("set_trainable", layers=["hidden"], trainable=False))
    file = tmp_path / "recipe.json"
    file.write_text(to_json(recipe), encoding="utf-8")
    assert drag(opened, middle(opened, PLACES[place](opened)), hold(file)) == COPY
    assert opened.session.recipe == recipe
    assert file.exists()


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # the list of matches is raised
def test_that_text_is_still_dragged_into_fields(opened: MainWindow) -> None:
    words = QMimeData()
    words.setText("hidden")
    place = middle(opened, opened.top.finder)
    handle = opened.windowHandle()
    entering = QDragEnterEvent(place, COPY, words, LEFT, NONE)
    QApplication.sendEvent(handle, entering)
    assert entering.isAccepted()
    QApplication.sendEvent(handle, QDropEvent(QPointF(place), COPY, words, LEFT, NONE))
    assert opened.top.finder.text() == "hidden"


def test_that_a_source_that_can_only_move_is_refused(opened: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"")
    place = middle(opened, opened.workspace.canvas)
    assert drag(opened, place, hold(tmp_path / "model.keras"), MOVE) == Qt.DropAction.IgnoreAction
    assert drag(opened, place, hold(tmp_path / "model.keras"), MOVE | LINK) == LINK


def test_that_a_recipe_without_a_model_is_told_where_it_belongs(window: MainWindow, tmp_path: Path) -> None:
    file = tmp_path / "recipe.json"
    file.write_text(to_json(Recipe()), encoding="utf-8")
    target = window.welcome.target
    handle, place = window.windowHandle(), middle(window, target)
    data = hold(file)
    QApplication.sendEvent(handle, QDragEnterEvent(place, COPY, data, LEFT, NONE))
    assert target.property("over") is True
    assert drag(window, place, data) == COPY
    assert target.property("over") is False
    assert window.banner.text.text() == "recipe.json is a recipe. Open a model first, then drop the recipe on it."


@pytest.mark.parametrize("through", ["window", "graph"])
def test_that_a_model_dropped_on_the_graph_is_opened(
    qtbot: QtBot, real_window: MainWindow, samples: Path, through: str
) -> None:
    window = real_window
    window.open_path(str(samples / "digits_residual.keras"))
    qtbot.waitUntil(lambda: window.session.source is not None, timeout=120_000)
    planned(qtbot, window)
    view = window.workspace.canvas.view.viewport()
    data = hold(samples / "digits_vgg.keras")
    if through == "window":
        assert drag(window, middle(window, view), data) == COPY
    else:
        # without the desktop, the graph leaves files to what lies around it
        QApplication.sendEvent(view, QDragEnterEvent(QPoint(20, 20), COPY | MOVE, data, LEFT, NONE))
        dropping = QDropEvent(QPointF(20, 20), COPY | MOVE, data, LEFT, NONE)
        QApplication.sendEvent(view, dropping)
        assert dropping.isAccepted()
        assert dropping.dropAction() == COPY
    qtbot.waitUntil(lambda: window.windowTitle().startswith("digits_vgg"), timeout=120_000)
    planned(qtbot, window)

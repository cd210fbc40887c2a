"""Opening: by dialog, by dropping, from lists; what goes wrong is a sentence."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
)
from pytestqt.qtbot import QtBot

from core.errors import FileError
from core.findings import Finding, NameCode
from core.service.messages import OpenModel
from gui.document.settings import Settings
from gui.models.layer_tree import Column
from gui.models.opened import opened as summary
from gui.panels.welcome import samples
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker, source

LEFT = Qt.MouseButton.LeftButton


def test_that_a_new_user_sees_where_to_drop_a_model(window: MainWindow) -> None:
    assert window.pages.currentWidget() is window.welcome
    assert window.welcome.target.isVisible()


def test_that_the_bundled_samples_are_listed_by_name(window: MainWindow) -> None:
    assert len(samples()) >= 3
    names = [button.toolTip() for button in window.welcome.findChildren(QAbstractButton, "listItem")]
    assert [str(path) for path in samples()][:5] == names


def test_that_opening_shows_layers_and_graph_before_the_engine_answers(
    qtbot: QtBot, window: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    engine.hold = True
    file = tmp_path / "model.keras"
    file.touch()
    with qtbot.waitSignal(window.session.source_changed):
        window.open_path(str(file))
    assert window.workspace.layers.model.index_of("backbone/stem_conv", Column.OUTPUT).data() == "48\u00d748\u00d732"
    assert window.workspace.canvas.graph is not None
    assert window.session.plan is None
    assert window.windowTitle().startswith("model.keras")


def test_that_a_file_that_is_not_there_is_one_sentence(window: MainWindow, reader: FakeWorker) -> None:
    window.open_path("/nowhere/at/all.keras")
    assert window.banner.isVisible()
    assert window.banner.text.text().startswith("The file /nowhere/at/all.keras does not exist")
    assert reader.bodies(OpenModel) == []


def test_that_a_damaged_file_leaves_the_window_alive(
    qtbot: QtBot, opened: MainWindow, reader: FakeWorker, tmp_path: Path
) -> None:
    file = tmp_path / "bad.keras"
    file.touch()
    reader.files[str(file)] = FileError("bad.keras ends too early.", code="file.damaged", path=str(file))
    opened.open_path(str(file))
    qtbot.waitUntil(lambda: opened.banner.tone == "error" and opened.banner.isVisible())
    assert opened.banner.text.text() == "bad.keras ends too early."
    assert opened.pages.currentWidget() is opened.workspace
    opened.banner.copy.click()
    assert "file.damaged" in QApplication.clipboard().text()


def test_that_reading_can_be_cancelled(qtbot: QtBot, window: MainWindow, reader: FakeWorker, tmp_path: Path) -> None:
    reader.hold = True
    file = tmp_path / "large.keras"
    file.touch()
    window.open_path(str(file))
    assert window.status.cancel.isVisible()
    qtbot.mouseClick(window.status.cancel, LEFT)
    qtbot.waitUntil(lambda: not window.work.opening.path)
    assert reader.restarts == 1
    assert window.pages.currentWidget() is window.welcome
    assert not window.status.cancel.isVisible()


@pytest.mark.parametrize("target", ["window", "drop area"])
def test_that_a_dropped_file_is_opened(
    qtbot: QtBot, window: MainWindow, reader: FakeWorker, tmp_path: Path, target: str
) -> None:
    file = tmp_path / "dropped.keras"
    file.touch()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    where = window if target == "window" else window.welcome.target
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    entered = QDragEnterEvent(QPoint(9, 9), copy, data, LEFT, none)
    QApplication.sendEvent(where, entered)
    assert entered.isAccepted()
    QApplication.sendEvent(where, QDropEvent(QPointF(9, 9), copy, data, LEFT, none))
    qtbot.waitUntil(lambda: window.session.source is not None)
    assert [Path(body.path) for body in reader.bodies(OpenModel)] == [file]


def test_that_opened_files_are_remembered(qtbot: QtBot, window: MainWindow, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "first.keras"
    file.touch()
    window.open_path(str(file))
    qtbot.waitUntil(lambda: window.session.source is not None)
    assert settings.recent == [str(file)]
    window.opening.close()
    assert window.pages.currentWidget() is window.welcome
    assert str(file) in [button.toolTip() for button in window.welcome.findChildren(QAbstractButton, "listItem")]


def test_that_an_architecture_takes_weights_from_another_file(
    qtbot: QtBot, opened: MainWindow, reader: FakeWorker
) -> None:
    opened.opening.open_weights_path("weights.h5")
    qtbot.waitUntil(lambda: bool(opened.session.source and opened.session.source.weights_path))
    assert reader.bodies(OpenModel)[-1].weights_path == "weights.h5"
    assert "weights from weights.h5" in opened.banner.text.text()


def test_that_the_banner_tells_kind_repairs_and_what_is_missing() -> None:
    findings = (
        Finding("info", "legacy.repaired", "conv", "groups was dropped."),
        Finding("warning", "code.custom", "magic", "The class Magic is not in Keras."),
    )
    said = summary(source(findings=findings))
    assert said.tone == "warning"
    assert said.sentence.startswith("Keras 3 (.keras), 17 layers")
    assert said.sentence.endswith("1 layer without code \u00b7 1 repair")
    assert [(group.tone, group.lines, group.link and group.link.action) for group in said.groups] == [
        ("warning", ("The class Magic is not in Keras.",), NameCode("")),
        ("info", ("groups was dropped.",), None),
    ]


def test_that_the_next_file_takes_the_error_of_the_last_away(
    qtbot: QtBot, window: MainWindow, reader: FakeWorker, tmp_path: Path
) -> None:
    broken, whole = tmp_path / "broken.keras", tmp_path / "whole.keras"
    for path in (broken, whole):
        path.touch()
    reader.files[str(broken)] = FileError("broken.keras is truncated.")
    window.open_path(str(broken))
    qtbot.waitUntil(lambda: window.banner.tone == "error" and window.banner.isVisible())
    reader.hold = True
    window.open_path(str(whole))
    assert not window.banner.isVisible()
    reader.hold = False
    qtbot.waitUntil(lambda: window.session.source is not None)

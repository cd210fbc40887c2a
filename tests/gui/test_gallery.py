"""New from Keras Applications: search, what ImageNet's weights fix, building, opening, refusals."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from core.errors import FileError
from core.layers.applications import ARCHITECTURES
from core.service.messages import BuildApplication, OpenModel
from gui.dialogs.gallery import GallerySheet
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTURE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def gallery(qtbot: QtBot, window: MainWindow) -> GallerySheet:
    qtbot.mouseClick(window.welcome.target.new, LEFT)
    assert window.sheets.gallery.isVisible()
    return window.sheets.gallery


def shown(gallery: GallerySheet) -> list[str]:
    return [name for name, item in gallery._items.items() if not item.isHidden()]


def test_that_every_architecture_is_listed_and_can_be_searched(qtbot: QtBot, gallery: GallerySheet) -> None:
    assert sorted(shown(gallery)) == sorted(one.name for one in ARCHITECTURES)
    qtbot.keyClicks(gallery.search, "v2b")
    assert shown(gallery) == ["EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3"]
    qtbot.keyClick(gallery.search, Qt.Key.Key_Return)
    assert gallery.title.text() == "EfficientNetV2B0"
    gallery.search.setText("nothing of that name")
    assert gallery.nothing.isVisible()
    assert shown(gallery) == []


def test_that_each_architecture_brings_its_own_size(gallery: GallerySheet) -> None:
    for one in ARCHITECTURES:
        gallery.choose(one.name)
        request = gallery.request()
        assert (request.name, request.input_shape) == (one.name, (one.size, one.size, 3))
        assert gallery.preprocessing.isVisible() == one.preprocessing


def test_that_imagenet_fixes_channels_and_with_the_classifier_size_and_classes(
    qtbot: QtBot, gallery: GallerySheet
) -> None:
    gallery.height_.setText("100")
    gallery.channels.setText("5")
    gallery.classes.setText("7")
    qtbot.mouseClick(gallery.weights.button("imagenet"), LEFT)
    request = gallery.request()
    assert (request.weights, request.input_shape, request.classes) == ("imagenet", (224, 224, 3), 1000)
    assert not any(field.isEnabled() for field in gallery.fields)
    gallery.top.click()
    assert gallery.height_.isEnabled()
    assert not gallery.channels.isEnabled()
    assert not gallery.request().include_top


@pytest.mark.parametrize("text", ["", "0", "many", "31", "1.5"])
def test_that_a_size_that_makes_no_sense_is_said_and_not_built(gallery: GallerySheet, text: str) -> None:
    gallery.width_.setText(text)
    assert not gallery.build.isEnabled()
    assert gallery.problem.text().startswith("Width")
    gallery.width_.setText("64")
    assert gallery.build.isEnabled()
    assert not gallery.problem.isVisible()


def test_that_a_weights_file_has_to_be_named(qtbot: QtBot, gallery: GallerySheet, tmp_path: Path) -> None:
    qtbot.mouseClick(gallery.weights.button("file"), LEFT)
    assert gallery.file_row.isVisible()
    assert not gallery.build.isEnabled()
    gallery.file.setText(str(tmp_path / "mine.weights.h5"))
    assert gallery.request().weights == str(tmp_path / "mine.weights.h5")


def test_that_the_built_model_is_opened(
    qtbot: QtBot, window: MainWindow, gallery: GallerySheet, engine: FakeWorker, reader: FakeWorker
) -> None:
    gallery.height_.setText("96")
    gallery.top.click()
    qtbot.mouseClick(gallery.build, LEFT)
    qtbot.waitUntil(lambda: window.session.source is not None)
    (asked,) = engine.bodies(BuildApplication)
    assert asked.input_shape == (96, 224, 3)
    assert Path(asked.out).name == "MobileNetV2-new-96x224x3-features.keras"
    assert [body.path for body in reader.bodies(OpenModel)] == [asked.out]
    assert not gallery.isVisible()


def test_that_a_refusal_is_one_sentence_and_the_form_stays(
    qtbot: QtBot, window: MainWindow, gallery: GallerySheet, engine: FakeWorker
) -> None:
    engine.refuse_code = FileError("The ImageNet weights could not be downloaded; try again.")
    qtbot.mouseClick(gallery.weights.button("imagenet"), LEFT)
    qtbot.mouseClick(gallery.build, LEFT)
    qtbot.waitUntil(lambda: bool(gallery.problem.text()))
    assert gallery.problem.text() == "The ImageNet weights could not be downloaded; try again."
    assert gallery.isVisible()
    assert gallery.build.isEnabled()
    assert window.session.source is None


def test_that_building_can_be_stopped(
    qtbot: QtBot, window: MainWindow, gallery: GallerySheet, engine: FakeWorker
) -> None:
    engine.hold = True
    qtbot.mouseClick(gallery.build, LEFT)
    assert gallery.bar.isVisible()
    engine.progress("building MobileNetV2", 0.1)
    qtbot.waitUntil(lambda: gallery.state.text() == "Building MobileNetV2\u2026")
    assert gallery.cancel.text() == "Stop"
    qtbot.mouseClick(gallery.cancel, LEFT)
    engine.hold = False
    assert gallery.state.text() == "Stopped; nothing was built."
    assert gallery.build.isEnabled()
    assert engine.restarts == 1


def test_that_imagenet_weights_made_before_need_neither_engine_nor_network(
    qtbot: QtBot, window: MainWindow, gallery: GallerySheet, engine: FakeWorker
) -> None:
    qtbot.mouseClick(gallery.weights.button("imagenet"), LEFT)
    Path(gallery.request().out).touch()
    qtbot.mouseClick(gallery.build, LEFT)
    qtbot.waitUntil(lambda: window.session.source is not None)
    assert engine.bodies(BuildApplication) == []


def test_that_the_gallery_opens_and_closes_by_keyboard(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    gallery = window.sheets.gallery
    assert gallery.isVisible()
    assert gallery.search.hasFocus()
    assert [button for button in gallery.findChildren(QPushButton) if not button.text()] == []
    qtbot.keyClick(gallery, Qt.Key.Key_Escape)
    assert not gallery.isVisible()

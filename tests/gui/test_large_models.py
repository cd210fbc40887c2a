"""A model of many blocks: folded, unfolded, coloured, sorted and made a picture of, by mouse and by keyboard."""

import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from gui.canvas.flow import Node
from gui.dialogs.picture import PictureSheet
from gui.models.layer_tree import BarRole, Column
from gui.window import MainWindow
from tests.gui.hands import open_file, sheet_of

BLOCKS = 52
KEY = Qt.KeyboardModifier


@pytest.fixture(scope="module")
def many_blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blocks of Dense, ReLU and Add between a stem and a head, built by Keras."""
    import keras

    image = keras.Input((6,), name="image")
    x = keras.layers.Dense(5, name="stem")(image)
    for number in range(BLOCKS):
        y = keras.layers.ReLU(name=f"unit{number}_relu")(keras.layers.Dense(5, name=f"unit{number}_dense")(x))
        x = keras.layers.Add(name=f"unit{number}_add")([x, y])
    path = tmp_path_factory.mktemp("many") / "many_blocks.keras"
    keras.Model(image, keras.layers.Dense(700, name="head")(x)).save(path)
    return path


@pytest.fixture
def shown(qtbot: QtBot, real_window: MainWindow, many_blocks: Path) -> MainWindow:
    open_file(qtbot, real_window, many_blocks)
    real_window.activateWindow()
    real_window.workspace.canvas.setFocus()
    qtbot.waitUntil(real_window.isActiveWindow)
    return real_window


def groups(window: MainWindow) -> list[Node]:
    return [node for node in window.workspace.canvas.scene.nodes if node.group is not None]


def place(window: MainWindow, node: Node) -> QPoint:
    return window.workspace.canvas.view.mapFromScene(QPointF(node.x + 60, node.y + 12))


def test_that_blocks_fold_and_unfold_by_mouse_and_keyboard_and_are_remembered(
    qtbot: QtBot, shown: MainWindow, many_blocks: Path
) -> None:
    canvas = shown.workspace.canvas
    (card,) = groups(shown)
    assert card.group is not None
    assert (card.group.count, card.detail) == (BLOCKS, f"{3 * BLOCKS} layers\u2009\u00b7\u20091.6K")
    assert canvas.scene.nodes_of("unit7_dense") == []
    QTest.mouseDClick(canvas.view.viewport(), Qt.MouseButton.LeftButton, pos=place(shown, card))
    assert len(groups(shown)) == BLOCKS + 1
    QTest.keyClick(canvas.view, Qt.Key.Key_Space)
    assert len(groups(shown)) == 1
    shown.session.select("unit7_relu")
    assert len(canvas.scene.nodes_of("unit7_relu")) == 1
    assert len([node for node in groups(shown) if node.inner is not None]) == 2
    around = [node for node in canvas.scene.nodes if node.outside]
    assert {node.layer.name for node in around} == {"stem", "unit6_add"}
    open_file(qtbot, shown, many_blocks)
    assert len(canvas.scene.nodes_of("unit7_relu")) == 1
    QTest.keyClick(shown, Qt.Key.Key_BracketRight, KEY.ControlModifier)
    assert groups(shown) == []
    assert len(canvas.scene.nodes) == 3 * BLOCKS + 3
    QTest.keyClick(shown, Qt.Key.Key_BracketLeft, KEY.ControlModifier)
    assert len(groups(shown)) == 1


def test_that_an_edit_inside_of_a_folded_block_shows_on_its_card_and_does_not_unfold_it(
    qtbot: QtBot, shown: MainWindow
) -> None:
    canvas = shown.workspace.canvas
    QTest.keyClick(shown, Qt.Key.Key_BracketLeft, KEY.ControlModifier)
    (card,) = groups(shown)
    assert canvas.scene.badges[card.key].frozen is False
    tree = shown.workspace.layers.tree
    tree.setFocus()
    tree.selectAll()
    for path in (f"unit{number}_dense" for number in range(BLOCKS)):
        shown.workspace.layers.model.setData(
            shown.workspace.layers.model.index_of(path, Column.FROZEN), Qt.CheckState.Checked,
            Qt.ItemDataRole.CheckStateRole,
        )  # fmt: skip
    qtbot.waitUntil(lambda: not shown.session.planning, timeout=60_000)
    card = next(node for node in groups(shown) if node.group is not None and node.group.count == BLOCKS)
    assert canvas.scene.badges[card.key].frozen


def test_that_colours_follow_the_numbers_and_the_list_shows_and_sorts_them(shown: MainWindow) -> None:
    canvas, layers = shown.workspace.canvas, shown.workspace.layers
    assert not canvas.legend.isVisible()
    QTest.keyClick(shown, Qt.Key.Key_4, KEY.ControlModifier | KEY.AltModifier)
    assert canvas.legend.isVisible()
    assert canvas.legend.lines[-1] == "None, or not known"
    (head,) = canvas.scene.nodes_of("head")
    (stem,) = canvas.scene.nodes_of("stem")
    ramp = canvas.look.ramp
    assert canvas.scene.paints[head.key] is ramp[-1]
    assert canvas.scene.paints[stem.key] is ramp[0]
    index = layers.model.index_of("head", Column.PARAMS)
    assert (index.data(), index.data(BarRole)) == ("4.2K", 1.0)
    header = layers.tree.header()
    spot = QPoint(header.sectionViewportPosition(Column.PARAMS) + 12, header.height() // 2)
    rows = [layers.model.index(row, 0).data() for row in range(3)]
    assert rows == ["image", "stem", "unit0_dense"]
    QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert layers.model.index(0, 0).data() == "head"
    assert shown.workspace.layers.model.index_of("head").row() == 0
    QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert [layers.model.index(row, 0).data() for row in range(3)] == rows
    QTest.keyClick(shown, Qt.Key.Key_9, KEY.ControlModifier | KEY.AltModifier)
    assert layers.model.index(0, 0).data() == "head"
    QTest.keyClick(shown, Qt.Key.Key_M, KEY.ControlModifier | KEY.AltModifier)
    assert [layers.model.index(row, 0).data() for row in range(3)] == rows
    QTest.mouseClick(canvas.legend.close_button, Qt.MouseButton.LeftButton)
    assert not canvas.legend.isVisible()
    assert canvas.scene.paints == {}


def pixels_of(path: Path) -> tuple[int, int]:
    """Size of a PNG, every row unpacked by the standard library."""
    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    packed, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += 12 + length
    assert len(zlib.decompress(packed)) == height * (1 + 3 * width)
    return width, height


def test_that_a_whole_graph_is_saved_as_png_svg_and_pdf_and_copied(
    qtbot: QtBot, shown: MainWindow, tmp_path: Path
) -> None:
    QTest.keyClick(shown, Qt.Key.Key_BracketRight, KEY.ControlModifier)
    frame = shown.page.pictures.frame("whole")
    assert frame is not None
    assert frame.caption.title == "many_blocks.keras"
    shown.page.pictures.save(str(tmp_path / "one.png"), "whole", "png", 1)
    qtbot.waitUntil(lambda: (tmp_path / "one.png").exists(), timeout=60_000)
    width, height = pixels_of(tmp_path / "one.png")
    assert (width, height) == (round(frame.size.width()), round(frame.size.height()))
    assert height > 5_000
    picture = QImage(str(tmp_path / "one.png"))
    (card,) = shown.workspace.canvas.scene.nodes_of(f"unit{BLOCKS - 1}_dense")
    middle = QPoint(round(card.x - frame.area.left() + 2), round(card.y - frame.area.top() + 62 + 20))
    colours = {picture.pixel(x, middle.y()) for x in range(middle.x() - 4, middle.x() + 5)}
    assert len(colours) > 2
    for kind in ("svg", "pdf"):
        shown.page.pictures.save(str(tmp_path / f"one.{kind}"), "whole", kind, 1)
        qtbot.waitUntil((tmp_path / f"one.{kind}").exists, timeout=60_000)
    texts = "".join(ElementTree.parse(tmp_path / "one.svg").getroot().itertext())
    assert "many_blocks.keras" in texts
    assert f"unit{BLOCKS - 1}_dense" in texts
    assert (tmp_path / "one.pdf").read_bytes().startswith(b"%PDF")
    made = sorted(path.name for path in tmp_path.iterdir() if path.name != "settings.ini")
    assert made == ["one.pdf", "one.png", "one.svg"]
    QGuiApplication.clipboard().clear()
    QTest.keyClick(shown, Qt.Key.Key_C, KEY.ControlModifier | KEY.ShiftModifier)
    qtbot.waitUntil(lambda: not QGuiApplication.clipboard().image().isNull(), timeout=60_000)


def test_that_a_picture_too_large_to_open_is_refused_with_what_to_do(
    shown: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.canvas.picture.MOST_PIXELS", 3_000_000)
    QTest.keyClick(shown, Qt.Key.Key_P, KEY.ControlModifier | KEY.AltModifier)
    sheet = sheet_of(shown, PictureSheet)
    assert sheet.apply.isEnabled()
    QTest.keyClick(shown, Qt.Key.Key_BracketRight, KEY.ControlModifier)
    shown.workspace.canvas.unfold_all()
    sheet.check()
    assert not sheet.apply.isEnabled()
    assert "fold blocks, choose the visible part, or save SVG or PDF" in sheet.problem.text()

"""Help pages in the window, and files that change while they are open."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QEvent, Qt, QUrl
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.readers.source import Source
from core.rules import RULES
from core.service.messages import Apply, OpenModel
from gui.app import Painter
from gui.dialogs.help import PAGES, pages
from gui.widgets import theme as themes
from gui.widgets.actions import COMMANDS
from gui.window import MainWindow
from tests.gui.conftest import show
from tests.gui.hand_made import FakeWorker, source
from tests.gui.test_window import resize

LEFT = Qt.MouseButton.LeftButton


# help


def test_that_help_opens_by_its_key_and_shows_every_page(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.keyClick(window, Qt.Key.Key_F1)
    sheet = window.sheets.help
    assert sheet.isVisible()
    for stem, title in pages().items():
        assert sheet.show_page(stem)
        assert sheet.text.toPlainText().startswith(title)
    assert set(pages()) == {path.stem for path in PAGES.glob("*.md")}


def test_that_links_between_pages_stay_in_the_window(qtbot: QtBot, window: MainWindow) -> None:
    window.actions_["help"].trigger()
    window.sheets.help.text.anchorClicked.emit(QUrl("trust.md"))
    assert window.sheets.help.text.toPlainText().startswith("What is never run")


def test_that_every_rule_has_its_line_in_the_help() -> None:
    text = (PAGES / "rules.md").read_text(encoding="utf-8")
    assert [name for name in RULES if f"`{name}`" not in text] == []


def test_that_the_keys_in_the_help_are_the_window_s() -> None:
    text = (PAGES / "index.md").read_text(encoding="utf-8")
    known = {keys for command in COMMANDS for keys in command.keys}
    for keys in ("Ctrl+O", "Ctrl+N", "Ctrl+F", "F8", "Shift+F8", "Ctrl+E", "Ctrl+Shift+E", "F1", "F5", "F10", "Alt+6"):
        assert keys in text
        assert keys in known


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK], ids=lambda theme: theme.name)
def test_that_a_page_is_in_the_window_s_colours(window: MainWindow, painter: Painter, theme: themes.Theme) -> None:
    window.actions_["help"].trigger()
    painter.use(theme)
    document = window.sheets.help.text.document()
    inks = set()
    block = document.begin()
    while block.isValid():
        pieces = block.begin()
        while not pieces.atEnd():
            inks.add(pieces.fragment().charFormat().foreground().color().name())
            pieces += 1
        block = block.next()
    assert inks == {theme.text, theme.muted, theme.accent}


# files that change


@pytest.fixture
def on_disk(qtbot: QtBot, window: MainWindow, reader: FakeWorker, tmp_path: Path) -> tuple[MainWindow, Path]:
    path = tmp_path / "model.keras"
    path.write_bytes(b"as it was")
    reader.files[str(path)] = fresh(path)
    show(qtbot, window, fresh(path))
    return window, path


def fresh(path: Path) -> Source:
    status = path.stat()
    return replace(source(str(path)), size=status.st_size, mtime_ns=status.st_mtime_ns)


def come_back(window: MainWindow) -> None:
    QApplication.sendEvent(window, QEvent(QEvent.Type.WindowActivate))


def test_that_coming_back_to_an_unchanged_file_says_nothing(on_disk: tuple[MainWindow, Path]) -> None:
    window, _ = on_disk
    window.banner.dismiss()
    come_back(window)
    assert not window.banner.isVisible()


def test_that_a_changed_file_is_told_once_and_reloading_keeps_the_recipe(
    qtbot: QtBot, on_disk: tuple[MainWindow, Path], reader: FakeWorker
) -> None:
    window, path = on_disk
    resize(qtbot, window, 64)
    recipe = window.session.recipe
    path.write_bytes(b"another")
    come_back(window)
    assert window.banner.text.text().startswith("model.keras has changed on disk")
    window.banner.dismiss()
    come_back(window)
    assert not window.banner.isVisible()
    reader.files[str(path)] = fresh(path)
    window.actions_["reload"].trigger()
    qtbot.waitUntil(lambda: window.session.recipe == recipe and not window.session.planning)
    assert [body.path for body in reader.bodies(OpenModel)] == [str(path)]
    assert window.session.plan is not None
    assert window.session.plan.inputs[0].shape == (None, 64, 64, 3)
    window.actions_["undo"].trigger()
    assert window.session.recipe.edits == ()


def test_that_an_export_from_a_changed_file_is_not_begun(
    on_disk: tuple[MainWindow, Path], engine: FakeWorker, tmp_path: Path
) -> None:
    window, path = on_disk
    os.utime(path, ns=(1, 1))
    window.export_to(str(tmp_path / "out.keras"))
    assert engine.bodies(Apply) == []
    assert window.banner.text.text().startswith("model.keras has changed on disk")
    assert [link.text() for link in window.banner.links] == ["Reload"]


def test_that_a_file_that_is_gone_is_told(on_disk: tuple[MainWindow, Path]) -> None:
    window, path = on_disk
    path.unlink()
    come_back(window)
    assert window.banner.text.text().startswith("model.keras was moved or deleted")
    assert window.banner.links == []


# weights and architectures


def test_that_an_architecture_offers_to_open_its_weights_and_weights_their_architecture(
    qtbot: QtBot, window: MainWindow, reader: FakeWorker
) -> None:
    show(qtbot, window, replace(source("net.json"), kind="architecture"))
    assert [link.text() for link in window.banner.links] == ["Open its weights\u2026"]
    assert window.actions_["open_weights"].isEnabled()
    assert not window.actions_["open_architecture"].isEnabled()
    show(qtbot, window, replace(source("net.h5"), kind="weights"))
    assert [link.text() for link in window.banner.links] == ["Open its architecture\u2026"]
    assert window.actions_["open_architecture"].isEnabled()
    window.opening.open_architecture_path("net.json")
    qtbot.waitUntil(lambda: bool(window.session.source and window.session.source.weights_path))
    assert reader.bodies(OpenModel)[-1] == OpenModel(path="net.json", weights_path="net.h5")
    assert "weights from net.h5" in window.banner.text.text()

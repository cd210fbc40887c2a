"""Models of the gallery are kept in a folder with a size, listed and cleared in the preferences."""

import os
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.models.made_models import applications_folder, kept, made_here, note_use, remove, trim
from gui.window import MainWindow
from tests.gui.conftest import show
from tests.gui.hand_made import source

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTURE_CACHE", str(tmp_path / "cache"))


def make(name: str, size: int, used: int) -> str:
    path = applications_folder() / f"{name}.keras"
    path.write_bytes(bytes(size))
    os.utime(path, (used, used))
    return str(path)


def names() -> list[str]:
    return [one.name for one in kept()]


def test_that_the_models_not_used_for_longest_make_room() -> None:
    old, new = make("old", 600, 1000), make("new", 600, 3000)
    make("middle", 600, 2000)
    assert names() == ["new", "middle", "old"]
    assert trim(1300, [new]) == [old]
    assert names() == ["new", "middle"]
    assert trim(None, []) == []
    assert trim(100, [new]) == [str(applications_folder() / "middle.keras")]
    assert names() == ["new"]


def test_that_a_use_counts_and_changes_nothing_about_the_file() -> None:
    old = make("old", 10, 1000)
    make("new", 10, 3000)
    before = os.stat(old).st_mtime_ns
    note_use(old)
    assert names() == ["old", "new"]
    assert os.stat(old).st_mtime_ns == before


def test_that_nothing_else_is_ever_removed(tmp_path: Path) -> None:
    other = tmp_path / "mine.keras"
    other.write_bytes(b"abc")
    assert not made_here(str(other))
    assert remove([str(other)]) == 0
    assert other.exists()


def test_that_the_preferences_list_and_remove_and_an_open_model_stays(qtbot: QtBot, window: MainWindow) -> None:
    opened, other, third = make("open", 2000, 3), make("other", 5000, 2), make("third", 900, 1)
    show(qtbot, window, source(opened))
    window.actions_["preferences"].trigger()
    made = window.sheets.preferences.made
    assert made.total.text() == "3 models, 7.9 KB"
    assert [one.text() for one in made.buttons] == ["Open now", "Remove", "Remove"]
    assert [one.isEnabled() for one in made.buttons] == [False, True, True]
    qtbot.mouseClick(made.buttons[1], LEFT)
    assert not Path(other).exists()
    assert made.total.text() == "2 models, 2.9 KB"
    made.clear.setFocus()
    qtbot.keyClick(made.clear, Qt.Key.Key_Space)
    assert not Path(third).exists()
    assert Path(opened).exists()
    assert not made.clear.isEnabled()


def test_that_the_limit_is_remembered_and_holds_when_a_model_is_built(qtbot: QtBot, window: MainWindow) -> None:
    window.actions_["preferences"].trigger()
    made = window.sheets.preferences.made
    assert made.total.text() == "No model is kept."
    made.limit.setFocus()
    qtbot.keyClick(made.limit, Qt.Key.Key_Home)
    assert made.limit.key == "1"
    assert window.settings.word_of("kept_models") == "1"
    large, old = applications_folder() / "large.keras", make("old", 10, 5)
    with large.open("wb") as file:
        file.truncate(1_000_000_001)  # takes no room on the disk
    window.sheets.gallery.built.emit(str(large))
    assert large.exists()
    assert not Path(old).exists()

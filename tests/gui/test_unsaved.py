"""A recipe is not lost unasked: closing, opening another file, and a run that ended by itself."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from core.recipes.gestures import make_edit
from core.recipes.recipe import Recipe, from_json, to_json
from core.service.messages import OpenModel
from gui.controllers.recovery import Keeper, Slots
from gui.document.session import Session
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker, source

LEFT = Qt.MouseButton.LeftButton
EDIT = make_edit("set_trainable", layers=["hidden"], trainable=False)


@pytest.fixture
def edited(qtbot: QtBot, opened: MainWindow) -> MainWindow:
    opened.session.gesture(lambda recipe: recipe.plus(EDIT), "Freeze")
    qtbot.waitUntil(lambda: not opened.session.planning)
    return opened


@pytest.fixture
def other(tmp_path: Path) -> str:
    path = tmp_path / "other.keras"
    path.touch()
    return str(path)


def asks(window: MainWindow) -> bool:
    return window.unsaved.sheet.isVisible()


def is_open(window: MainWindow, path: str) -> bool:
    return window.session.source is not None and window.session.source.path == path


def has_weights(window: MainWindow, path: str) -> bool:
    return window.session.source is not None and window.session.source.weights_path == path


def test_that_a_model_without_edits_is_left_unasked(qtbot: QtBot, opened: MainWindow, other: str) -> None:
    opened.open_path(other)
    qtbot.waitUntil(lambda: is_open(opened, other))
    assert not asks(opened)
    assert opened.close()


def test_that_closing_with_an_unsaved_recipe_asks_and_cancel_stays(qtbot: QtBot, edited: MainWindow) -> None:
    assert not edited.close()
    assert edited.isVisible()
    assert asks(edited)
    assert edited.focusWidget() is edited.unsaved.sheet.save
    assert "1 step that is" in edited.unsaved.sheet.words.text()
    qtbot.keyClick(edited.unsaved.sheet, Qt.Key.Key_Escape)
    assert not asks(edited)
    assert edited.session.recipe.edits == (EDIT,)
    assert edited.work.processes.reader.alive


def test_that_discarding_closes_the_window(qtbot: QtBot, edited: MainWindow) -> None:
    edited.close()
    sheet = edited.unsaved.sheet
    qtbot.keyClick(sheet.save, Qt.Key.Key_Backtab)
    qtbot.keyClick(sheet.cancel, Qt.Key.Key_Backtab)
    assert edited.focusWidget() is sheet.discard
    qtbot.keyClick(sheet.discard, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not edited.isVisible())
    assert not edited.work.processes.reader.alive


def test_that_opening_other_weights_asks_first_and_goes_on_when_discarded(
    qtbot: QtBot, edited: MainWindow, reader: FakeWorker, other: str
) -> None:
    edited.opening.open_weights_path(other)
    assert asks(edited)
    assert not reader.bodies(OpenModel)
    qtbot.mouseClick(edited.unsaved.sheet.discard, LEFT)
    qtbot.waitUntil(lambda: has_weights(edited, other))
    assert edited.session.recipe == Recipe()
    assert not asks(edited)


def test_that_another_file_gets_a_tab_and_nothing_is_asked(qtbot: QtBot, edited: MainWindow, other: str) -> None:
    first = edited.page
    edited.open_path(other)
    assert not asks(edited)
    qtbot.waitUntil(lambda: is_open(edited, other))
    assert edited.page is not first
    assert first.session.recipe.edits == (EDIT,)


def test_that_saving_writes_the_recipe_and_goes_on(
    qtbot: QtBot, edited: MainWindow, other: str, tmp_path: Path
) -> None:
    edited.opening.open_weights_path(other)
    qtbot.mouseClick(edited.unsaved.sheet.save, LEFT)
    (dialog,) = edited.findChildren(QFileDialog)
    assert dialog.acceptMode() == QFileDialog.AcceptMode.AcceptSave
    file = tmp_path / "kept.json"
    dialog.fileSelected.emit(str(file))
    dialog.close()
    assert from_json(file.read_bytes()).edits == (EDIT,)
    qtbot.waitUntil(lambda: has_weights(edited, other))


def test_that_saving_again_takes_the_same_file_and_asks_nothing(
    qtbot: QtBot, edited: MainWindow, other: str, tmp_path: Path
) -> None:
    file = tmp_path / "recipe.json"
    edited.recipes.save_recipe_to(str(file))
    edited.session.gesture(lambda recipe: recipe.plus(EDIT, EDIT), "Twice")
    edited.opening.open_weights_path(other)
    qtbot.mouseClick(edited.unsaved.sheet.save, LEFT)
    assert not edited.findChildren(QFileDialog)
    assert len(from_json(file.read_bytes()).edits) > 1
    qtbot.waitUntil(lambda: has_weights(edited, other))


def test_that_the_title_says_whether_something_is_unsaved(opened: MainWindow, tmp_path: Path) -> None:
    assert "[*]" in opened.windowTitle()
    assert not opened.isWindowModified()
    opened.session.gesture(lambda recipe: recipe.plus(EDIT), "Freeze")
    assert opened.isWindowModified()
    opened.session.undo_stack.undo()
    assert not opened.isWindowModified()
    opened.session.undo_stack.redo()
    assert opened.isWindowModified()
    opened.recipes.save_recipe_to(str(tmp_path / "recipe.json"))
    assert not opened.isWindowModified()


def test_that_a_save_that_fails_loses_nothing(qtbot: QtBot, edited: MainWindow, other: str, tmp_path: Path) -> None:
    edited.opening.open_weights_path(other)
    edited.recipes.save_recipe_to(str(tmp_path / "missing" / "kept.json"))
    assert asks(edited)
    assert edited.session.recipe.edits == (EDIT,)
    assert edited.banner.tone == "error"


@pytest.mark.parametrize("how", ["saved", "exported", "undone"])
def test_that_a_recipe_that_is_elsewhere_too_or_gone_is_not_asked_about(
    qtbot: QtBot, edited: MainWindow, tmp_path: Path, how: str
) -> None:
    if how == "saved":
        edited.recipes.save_recipe_to(str(tmp_path / "recipe.json"))
    elif how == "exported":
        with qtbot.waitSignal(edited.export_finished):
            edited.export_to(str(tmp_path / "out.keras"))
    else:
        edited.actions_["undo"].trigger()
    edited.opening.close()
    assert not asks(edited)
    assert edited.session.source is None


def test_that_an_edit_after_saving_is_asked_about(edited: MainWindow, tmp_path: Path) -> None:
    edited.recipes.save_recipe_to(str(tmp_path / "recipe.json"))
    edited.session.clear_recipe()
    edited.session.gesture(lambda recipe: recipe.plus(EDIT, EDIT), "Twice")
    edited.opening.close()
    assert asks(edited)
    assert edited.session.source is not None


def test_that_reloading_keeps_what_was_saved_as_saved(qtbot: QtBot, edited: MainWindow, tmp_path: Path) -> None:
    edited.recipes.save_recipe_to(str(tmp_path / "recipe.json"))
    edited.opening.reload()
    qtbot.waitUntil(lambda: edited.session.recipe.edits == (EDIT,) and not edited.session.planning)
    assert not edited.session.unsaved


# a run that ended by itself


def left_behind(folder: Path, model: Path) -> Path:
    """What a run that was killed leaves: a recipe in a slot that nobody holds."""
    file = folder / "unsaved-3.json"
    recipe = to_json(Recipe().plus(EDIT))
    file.write_text(f'{{"path": "{model.as_posix()}", "weights_path": null, "recipe": {recipe}}}', encoding="utf-8")
    return file


def test_that_an_unsaved_recipe_lies_in_a_file_until_it_is_saved(
    qtbot: QtBot, edited: MainWindow, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    edited.windows.recovery.keep_safe(state, edited.banner)
    edited.session.gesture(lambda recipe: recipe.plus(EDIT), "Again")
    qtbot.waitUntil(lambda: bool(list(state.glob("*.json"))))
    (file,) = state.glob("*.json")
    assert EDIT.layers[0] in file.read_text(encoding="utf-8")
    edited.recipes.save_recipe_to(str(tmp_path / "recipe.json"))
    qtbot.waitUntil(lambda: not file.exists())


def test_that_a_recipe_left_behind_is_offered_and_restored(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    model = tmp_path / "digits.keras"
    model.touch()
    left_behind(tmp_path, model)
    window.windows.recovery.keep_safe(tmp_path, window.banner)
    assert window.banner.text.text() == "Suture closed before 1 step for digits.keras could be saved."
    (restore, _) = window.banner.links
    assert isinstance(restore, QPushButton)
    qtbot.mouseClick(restore, LEFT)
    qtbot.waitUntil(lambda: window.session.recipe.edits == (EDIT,))
    assert window.session.unsaved


def test_that_a_recipe_left_behind_is_forgotten_when_discarded(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    model = tmp_path / "digits.keras"
    model.touch()
    file = left_behind(tmp_path, model)
    window.windows.recovery.keep_safe(tmp_path, window.banner)
    qtbot.mouseClick(window.banner.links[1], LEFT)
    assert not file.exists()
    assert not window.banner.isVisible()


@pytest.mark.parametrize("text", ["", "[]", '{"path": 3}', '{"path": "/nowhere", "recipe": {"edits": []}}'])
def test_that_a_file_without_sense_is_not_offered(tmp_path: Path, text: str) -> None:
    (tmp_path / "unsaved-0.json").write_text(text, encoding="utf-8")
    assert Slots(tmp_path).left() == []


def test_that_two_documents_do_not_share_a_file(session: Session, tmp_path: Path) -> None:
    first, second = Keeper(session), Keeper(session)
    first.slots, second.slots = Slots(tmp_path), Slots(tmp_path)
    session.set_source(source())
    session.gesture(lambda recipe: recipe.plus(EDIT), "Freeze")
    first.write()
    second.write()
    assert len(list(tmp_path.glob("*.json"))) == 2
    first.close()
    second.close()
    assert not list(tmp_path.glob("*.json"))

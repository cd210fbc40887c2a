"""Presets and the step editor: steps by one click, and as text."""

import json

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.recipes.presets import Preset, presets
from core.recipes.recipe import Recipe
from gui.dialogs.step import StepSheet
from gui.window import MainWindow
from tests.gui.hand_made import steps

LEFT = Qt.MouseButton.LeftButton


def use(qtbot: QtBot, window: MainWindow, file: str) -> Preset:
    """Take a preset from the sheet by its button, with the words that it shows there."""
    window.actions_["presets"].trigger()
    sheet = window.sheets.presets
    (preset,) = [one for one in sheet.presets if one.file == file]
    button = sheet.buttons[sheet.presets.index(preset)]
    qtbot.waitUntil(button.isEnabled)
    assert preset.hint in sheet.reasons[sheet.presets.index(preset)].text()
    qtbot.mouseClick(button, LEFT)
    assert not sheet.isVisible()
    return preset


def edit_first(window: MainWindow) -> StepSheet:
    """Open the first step as text, by the pencil of the recipe."""
    panel = window.workspace.recipe
    panel.view.setCurrentIndex(panel.model.index(0))
    panel.pencil.click()
    (sheet,) = window.findChildren(StepSheet)
    assert sheet.isVisible()
    return sheet


def test_that_every_preset_is_a_recipe_with_a_title(opened: MainWindow) -> None:
    assert all(preset.title and preset.text for preset in presets())
    assert all(preset.steps() for preset in presets())


def test_that_a_preset_adds_its_steps_and_says_what_to_adapt(qtbot: QtBot, opened: MainWindow) -> None:
    preset = use(qtbot, opened, "head-128.json")
    assert preset.hint
    assert opened.session.recipe.edits == preset.steps()
    assert opened.session.undo_stack.undoText() == preset.title
    opened.actions_["undo"].trigger()
    assert opened.session.recipe == Recipe()


def test_that_a_step_is_edited_as_text(qtbot: QtBot, opened: MainWindow) -> None:
    use(qtbot, opened, "gray-input.json")
    sheet = edit_first(opened)
    step = json.loads(sheet.text.toPlainText())
    step["shape"] = [96, 96, 1]
    sheet.text.setPlainText(json.dumps(step))
    qtbot.mouseClick(sheet.apply, LEFT)
    assert steps(opened.session.recipe)[0].shape == (96, 96, 1)
    assert not sheet.isVisible()


@pytest.mark.parametrize("text", ["{", "[]", '{"do": "dance"}', '{"do": "change_input", "shape": [0, 1, 1]}'])
def test_that_a_step_that_makes_no_sense_cannot_be_applied(qtbot: QtBot, opened: MainWindow, text: str) -> None:
    use(qtbot, opened, "gray-input.json")
    sheet = edit_first(opened)
    before = opened.session.recipe
    sheet.text.setPlainText(text)
    assert sheet.problem.text()
    assert not sheet.apply.isEnabled()
    assert opened.session.recipe == before

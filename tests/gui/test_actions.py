"""Buttons of findings: each carries its action, and every action leads somewhere."""

from collections.abc import Callable
from typing import get_args

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from core.findings import Action, CompareFixes, Finding, Fix, OpenArchitecture, OpenWeights, RebuildModel
from core.readers.source import Source
from core.service.messages import CompareRules
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker, rule_edit, source, steps

LEFT = Qt.MouseButton.LeftButton


def press(qtbot: QtBot, window: MainWindow, action: Action) -> None:
    (button,) = [one for one in window.workspace.findings.view.findChildren(QPushButton) if one.text() == action.title]
    qtbot.mouseClick(button, LEFT)


def said(*actions: Action) -> Source:
    return source(findings=(Finding("warning", "weight.unmatched", "", "Something is to be done.", actions),))


def test_that_a_fix_becomes_a_step_and_the_other_actions_do_not(
    qtbot: QtBot, open_source: Callable[[Source], MainWindow], engine: FakeWorker
) -> None:
    fix, compare = Fix("Start it anew", (rule_edit("predictions/kernel"),)), CompareFixes("predictions/kernel")
    window = open_source(said(fix, compare))
    press(qtbot, window, compare)
    qtbot.waitUntil(lambda: bool(engine.bodies(CompareRules)))
    assert engine.bodies(CompareRules)[-1].weight == "predictions/kernel"
    assert steps(window.session.recipe) == []
    press(qtbot, window, fix)
    assert steps(window.session.recipe) == list(fix.edits)


DIALOGS = {
    OpenWeights(): "Open weights with this architecture",
    OpenArchitecture(): "Open the architecture of these weights",
    RebuildModel(): "Open the rebuilt model",
}


@pytest.mark.parametrize("action", DIALOGS, ids=lambda one: type(one).__name__)
def test_that_an_action_on_files_asks_for_one(
    qtbot: QtBot, open_source: Callable[[Source], MainWindow], action: Action
) -> None:
    window = open_source(said(action))
    press(qtbot, window, action)
    assert [one.windowTitle() for one in window.findChildren(QFileDialog) if one.isVisible()] == [DIALOGS[action]]


def test_that_two_actions_with_the_same_words_stay_two_actions(
    qtbot: QtBot, open_source: Callable[[Source], MainWindow], engine: FakeWorker
) -> None:
    fix = Fix(CompareFixes.title, (rule_edit("predictions/kernel"),))
    window = open_source(said(fix))
    press(qtbot, window, fix)
    assert steps(window.session.recipe) == list(fix.edits)
    assert engine.bodies(CompareRules) == []


def test_that_every_kind_of_action_has_words_of_its_own() -> None:
    kinds = [kind for kind in get_args(Action) if kind is not Fix]
    titles = {kind.title for kind in kinds}
    assert len(titles) == len(kinds)

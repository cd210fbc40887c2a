"""The input panel: what is typed becomes the recipe, live, and nothing typed is ever lost."""

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.recipes.recipe import Recipe
from gui.panels.input import InputRow, dim_names
from gui.window import MainWindow
from tests.gui.hand_made import steps


@pytest.fixture
def row(opened: MainWindow) -> InputRow:
    (only,) = opened.workspace.input.rows
    return only


def retype(qtbot: QtBot, row: InputRow, number: int, text: str) -> None:
    field = row.fields[number]
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, text) if text else qtbot.keyClick(field, Qt.Key.Key_Delete)


def planned(qtbot: QtBot, window: MainWindow, shape: tuple[int | None, ...]) -> None:
    qtbot.waitUntil(
        lambda: bool(
            window.session.plan
            and not window.session.planning
            and window.session.plan.inputs
            and [tuple(edit.shape) for edit in steps(window.session.recipe)] == [shape]
        )
    )


def test_that_the_fields_show_the_source_s_shape(row: InputRow) -> None:
    assert [(field.name, field.text()) for field in row.fields] == [
        ("Height", "96"),
        ("Width", "96"),
        ("Channels", "3"),
    ]


def test_that_typing_a_size_plans_it(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    retype(qtbot, row, 0, "128")
    planned(qtbot, opened, (128, 96, 3))
    assert opened.workspace.layers.model.index_of("input_layer", 1).data() == "128\u00d7128\u00d73"


def test_that_a_typing_burst_is_one_step_of_undo(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    for text in ("1", "12", "128"):
        row.fields[0].setFocus()
        row.fields[0].setText(text)
        row.fields[0].textEdited.emit(text)
        row.form.settle()
    assert opened.session.undo_stack.count() == 1
    opened.session.undo_stack.undo()
    assert opened.session.recipe == Recipe()
    assert row.fields[0].text() == "96"


def test_that_another_field_is_another_step(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    retype(qtbot, row, 0, "64")
    planned(qtbot, opened, (64, 96, 3))
    retype(qtbot, row, 1, "64")
    planned(qtbot, opened, (64, 64, 3))
    assert opened.session.undo_stack.count() == 2


@pytest.mark.parametrize("text", ["0", "-3", "word", "1.5", "99999999"])
def test_that_a_bad_size_is_one_sentence_and_nothing_is_lost(
    qtbot: QtBot, opened: MainWindow, row: InputRow, text: str
) -> None:
    retype(qtbot, row, 0, "64")
    planned(qtbot, opened, (64, 96, 3))
    retype(qtbot, row, 0, text)
    qtbot.waitUntil(row.form.problem.isVisible)
    assert "Height must be a whole number from 1" in row.form.problem.text()
    assert row.fields[0].text() == text
    assert [tuple(edit.shape) for edit in steps(opened.session.recipe)] == [(64, 96, 3)]
    retype(qtbot, row, 0, "72")
    planned(qtbot, opened, (72, 96, 3))
    assert not row.form.problem.isVisible()


def test_that_an_empty_size_is_any_size(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    retype(qtbot, row, 0, "any")
    planned(qtbot, opened, (None, 96, 3))


def test_that_the_rule_counts_only_when_channels_change(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    rule = row.channels.rule
    assert [rule.itemData(at) for at in range(rule.count())] == ["auto", "map"]
    retype(qtbot, row, 2, "1")
    planned(qtbot, opened, (96, 96, 1))
    assert {rule.itemData(at) for at in range(rule.count())} >= {"auto", "sum", "mean", "repeat", "fold", "map"}
    row.channels.rule.show_key("mean")
    row.channels.rule.activated.emit(row.channels.rule.currentIndex())
    planned(qtbot, opened, (96, 96, 1))
    assert steps(opened.session.recipe)[0].channels == "mean"
    assert "Averages" in row.channels.explanation.text()
    assert opened.session.undo_stack.count() == 2


def test_that_reset_takes_the_step_out(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    retype(qtbot, row, 0, "64")
    planned(qtbot, opened, (64, 96, 3))
    qtbot.mouseClick(row.reset, Qt.MouseButton.LeftButton)
    assert opened.session.recipe == Recipe()
    assert row.fields[0].text() == "96"
    assert not row.reset.isEnabled()


def test_that_rules_are_compared_and_one_is_taken(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    assert not row.channels.compare.isEnabled()
    retype(qtbot, row, 2, "1")
    planned(qtbot, opened, (96, 96, 1))
    qtbot.mouseClick(row.channels.compare, Qt.MouseButton.LeftButton)
    sheet = opened.sheets.comparison
    assert sheet is not None
    qtbot.waitUntil(lambda: len(sheet.buttons) == 2)
    assert [button.accessibleName() for button in sheet.buttons] == ["Use sum", "Use mean"]
    sheet.buttons[1].click()
    assert [edit.channels for edit in steps(opened.session.recipe)] == ["mean"]
    assert not sheet.isVisible()


@pytest.mark.parametrize(
    ("rank", "channel", "names"),
    [
        (3, 2, ["Height", "Width", "Channels"]),
        (3, 0, ["Channels", "Height", "Width"]),
        (4, 3, ["Depth", "Height", "Width", "Channels"]),
        (2, 1, ["Steps", "Channels"]),
        (1, 0, ["Features"]),
        (1, None, ["Length"]),
        (2, None, ["Size 1", "Size 2"]),
    ],
)
def test_that_dimensions_have_the_names_people_use(rank: int, channel: int | None, names: list[str]) -> None:
    assert dim_names(rank, channel) == names

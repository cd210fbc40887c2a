"""Channel by channel: what each new channel is made of, by mouse and keyboard, and back from a recipe."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.recipes import gestures
from core.recipes.recipe import Recipe, from_json, to_json
from core.rules import AnyRule, FoldChannels, MapChannels
from gui.panels.input import InputRow
from gui.panels.mapping import MapForm, names_problem, numbers, said_by
from gui.widgets.fields import Choice
from gui.window import MainWindow
from tests.gui.hand_made import steps

LEFT = Qt.MouseButton.LeftButton
RGB = ("R", "G", "B")


@pytest.fixture
def row(qtbot: QtBot, opened: MainWindow) -> InputRow:
    opened.workspace.show_tab("Input")
    row = opened.workspace.input.rows[0]
    (chip,) = [button for button in row.chips if button.text() == "4 bands"]
    qtbot.mouseClick(chip, LEFT)
    return row


def rule(window: MainWindow) -> MapChannels:
    (edit,) = steps(window.session.recipe)
    assert isinstance(edit.channels, MapChannels)
    return edit.channels


def pick(choice: Choice, key: str) -> None:
    choice.setFocus()
    choice.setCurrentIndex(choice.findData(key))
    choice.activated.emit(choice.currentIndex())


def test_that_a_new_channel_takes_an_old_one_by_name_with_the_keyboard(
    qtbot: QtBot, opened: MainWindow, row: InputRow
) -> None:
    row.channels.rule.setFocus()
    qtbot.keyClick(row.channels.rule, Qt.Key.Key_End)
    assert row.channels.rule.key == "map"
    form = row.channels.mapping
    assert form.isVisible()
    assert [line.name.text() for line in form.rows] == ["R", "G", "B", "new3"]
    nir = form.rows[3]
    nir.name.setFocus()
    nir.name.selectAll()
    qtbot.keyClicks(nir.name, "NIR")
    qtbot.keyClick(nir.name, Qt.Key.Key_Tab)
    assert opened.focusWidget() is nir.source
    qtbot.keyClicks(nir.source, "R")
    assert rule(opened) == MapChannels(take=("R <- R", "G <- G", "B <- B", "NIR <- R"), names=RGB)
    assert "(channels: R <- R, G <- G, B <- B, NIR <- R)" in steps(opened.session.recipe)[0].summary()


def test_that_the_link_beside_the_rules_leads_to_the_newest_channel(
    qtbot: QtBot, opened: MainWindow, row: InputRow
) -> None:
    qtbot.mouseClick(row.channels.choose, LEFT)
    assert opened.focusWidget() is row.channels.mapping.rows[3].source
    qtbot.waitUntil(lambda: not row.channels.mapping.rows[0].source.visibleRegion().isEmpty())
    assert not row.channels.choose.isVisible()
    assert rule(opened).matrix(4, 3)[3].tolist() == [1 / 3] * 3


def test_that_tab_goes_through_the_lines_from_top_to_bottom(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    pick(row.channels.rule, "map")
    form = row.channels.mapping
    form.names.setFocus()
    for line in form.rows:
        for wanted in (line.name, line.source):
            focused = opened.focusWidget()
            assert focused is not None
            qtbot.keyClick(focused, Qt.Key.Key_Tab)
            assert opened.focusWidget() is wanted
    qtbot.keyClick(form.rows[-1].source, Qt.Key.Key_Tab)
    assert opened.focusWidget() is form.share


def test_that_the_mean_of_all_and_zero_are_sources(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    pick(row.channels.rule, "map")
    lines = row.channels.mapping.rows
    pick(lines[2].source, "zero")
    pick(lines[3].source, "mean")
    wanted = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    assert np.allclose(rule(opened).matrix(4, 3), wanted)
    assert "B <- zero, new3 <- mean" in steps(opened.session.recipe)[0].summary()


def test_that_weights_of_ones_own_are_typed_and_a_wrong_number_of_them_is_said(
    qtbot: QtBot, opened: MainWindow, row: InputRow
) -> None:
    pick(row.channels.rule, "map")
    form = row.channels.mapping
    line = form.rows[3]
    pick(line.source, "0")
    pick(line.source, "weights")
    assert opened.focusWidget() is line.weights
    assert line.weights.text() == "1, 0, 0"
    line.weights.selectAll()
    qtbot.keyClicks(line.weights, "0.3, 0.59")
    qtbot.keyClick(line.weights, Qt.Key.Key_Return)
    assert form.problem.text() == "The weights of new3 are 3 numbers, for R, G, B."
    qtbot.keyClicks(line.weights, ", 0.11")
    qtbot.keyClick(line.weights, Qt.Key.Key_Return)
    assert not form.problem.isVisible()
    assert rule(opened).matrix(4, 3)[3].tolist() == [0.3, 0.59, 0.11]
    assert "new3 <- 0.3 R + 0.59 G + 0.11 B" in steps(opened.session.recipe)[0].summary()


def test_that_copies_share_their_strength_unless_one_says_otherwise(
    qtbot: QtBot, opened: MainWindow, row: InputRow
) -> None:
    pick(row.channels.rule, "map")
    pick(row.channels.mapping.rows[3].source, "0")
    assert np.allclose(rule(opened).matrix(4, 3).sum(axis=0), 1)
    qtbot.mouseClick(row.channels.mapping.share, LEFT, pos=QPoint(8, row.channels.mapping.share.height() // 2))
    assert rule(opened).matrix(4, 3)[[0, 3], 0].tolist() == [1, 1]


def test_that_old_channels_are_named_once_and_every_line_offers_them(
    qtbot: QtBot, opened: MainWindow, row: InputRow
) -> None:
    pick(row.channels.rule, "map")
    form = row.channels.mapping
    form.names.setFocus()
    form.names.selectAll()
    qtbot.keyClicks(form.names, "B4, B3")
    qtbot.keyClick(form.names, Qt.Key.Key_Return)
    assert form.problem.text() == "The model has 3 channels; 2 are named."
    qtbot.keyClicks(form.names, ", B2")
    qtbot.keyClick(form.names, Qt.Key.Key_Return)
    assert rule(opened).names == ("B4", "B3", "B2")
    assert form.rows[0].source.itemText(2) == "B2"


def test_that_channels_are_reordered_without_changing_their_number(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.show_tab("Input")
    row = opened.workspace.input.rows[0]
    qtbot.mouseClick(row.channels.choose, LEFT)
    pick(row.channels.mapping.rows[0].source, "2")
    pick(row.channels.mapping.rows[2].source, "0")
    assert rule(opened).matrix(3, 3).tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert row.reset.isEnabled()
    qtbot.mouseClick(row.reset, LEFT)
    assert opened.session.recipe == Recipe()
    assert not row.channels.mapping.isVisible()


def test_that_another_number_of_channels_adds_and_takes_lines(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    pick(row.channels.rule, "map")
    field = row.fields[2]
    for text in ("6", "2"):
        field.setFocus()
        field.selectAll()
        qtbot.keyClicks(field, text)
        qtbot.keyClick(field, Qt.Key.Key_Return)
        assert len(row.channels.mapping.rows) == int(text)
        assert rule(opened).matrix(int(text), 3).shape == (int(text), 3)
    assert [line.source.isVisible() for line in row.channels.mapping.lines] == [True] * 2 + [False] * 4


def test_that_changing_the_size_keeps_the_rule_of_the_recipe(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    mapped = MapChannels(take=("NIR <- B", None, 1, "G"), names=RGB, new_names=("NIR", "x", "y", "z"))
    given: tuple[AnyRule, ...] = (FoldChannels(steps=()), mapped)
    for channels in given:
        opened.session.change_recipe(gestures.set_input(Recipe(), None, (96, 96, 4), channels, row.original), "Rule")
        (chip,) = [button for button in row.chips if button.text() == "128"]
        qtbot.mouseClick(chip, LEFT)
        (edit,) = steps(opened.session.recipe)
        assert edit.shape == (128, 128, 4)
        assert edit.channels.name == channels.name
    assert np.array_equal(edit.channels.matrix(4, 3), mapped.matrix(4, 3))


@pytest.mark.parametrize(
    "channels",
    [
        MapChannels(take=("NIR <- B", None, "G <- G"), names=RGB, new_names=("NIR", "none", "G")),
        MapChannels(take=("a <- R", "b <- R", "c <- B"), names=RGB, share=False),
        MapChannels(
            matrix_rows=((0.5, 0, 0), (0.5, 0, 0), (1 / 3, 1 / 3, 1 / 3), (0.25, 0.5, -1)),
            names=RGB,
            new_names=("a", "b", "c", "d"),
        ),
        MapChannels(
            matrix_rows=((1, 0, 0), (1, 0, 0), (0, 0, 0), (1, 2, 3)), names=RGB, new_names=("a", "b", "c", "d")
        ),
    ],
)
def test_that_the_form_says_what_it_was_shown(qtbot: QtBot, channels: MapChannels) -> None:
    form = MapForm(3)
    qtbot.addWidget(form)
    count = len(channels.take or channels.matrix_rows or ())
    form.show_rule(channels, count)
    said = form.rule()
    assert said is not None
    assert np.allclose(said.matrix(count, 3), channels.matrix(count, 3))
    recipe = gestures.set_input(Recipe(), None, (8, 8, count), said, (8, 8, 3))
    assert from_json(to_json(recipe).encode()) == recipe


def test_that_names_and_numbers_that_make_no_sense_are_refused() -> None:
    assert names_problem(("R", "r", "B"), 3) == "Two old channels have the same name."
    assert names_problem(("a <- b",), 1) == "A name cannot contain <-."
    assert numbers("1, nan, 2", 3) is None
    assert numbers("1; 2 3", 3) == (1, 2, 3)
    assert said_by(MapChannels(take=("X",), names=RGB), 3) is None


def test_that_scrolling_over_a_choice_does_not_change_it(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    choice = row.channels.rule
    row.fields[0].setFocus()
    none = Qt.KeyboardModifier.NoModifier
    wheel = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton, none,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(choice, wheel)
    assert choice.key == "auto"


def test_that_channel_by_channel_is_no_step_until_something_is_changed(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.show_tab("Input")
    row = opened.workspace.input.rows[0]
    qtbot.mouseClick(row.channels.choose, LEFT)
    assert row.channels.mapping.isVisible()
    assert opened.session.recipe == Recipe()
    opened.session.gesture(lambda recipe: gestures.set_frozen(recipe, ["hidden"], True), "Freeze")
    assert row.channels.mapping.isVisible()
    opened.actions_["undo"].trigger()
    pick(row.channels.mapping.rows[0].source, "2")
    assert rule(opened).take == ("R <- B", "G <- G", "B <- B")


def test_that_new_channels_have_names_of_their_own(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    pick(row.channels.rule, "map")
    name = row.channels.mapping.rows[3].name
    name.setFocus()
    name.selectAll()
    qtbot.keyClicks(name, "R")
    qtbot.keyClick(name, Qt.Key.Key_Return)
    pick(row.channels.mapping.rows[3].source, "0")
    assert rule(opened).take == ("R <- R", "G <- G", "B <- B", "R 2 <- R")

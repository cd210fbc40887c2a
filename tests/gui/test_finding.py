"""Finding layers: the box, its count, the way from one to the next, the list and the graph that follow."""

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.window import MainWindow
from tests.gui.hand_made import source
from tests.gui.hands import awake, planned

LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier
CONVS = ("backbone/stem_conv", "backbone/block1_conv1", "backbone/block1_conv2")


def look_for(qtbot: QtBot, window: MainWindow, query: str) -> None:
    """Type into the box as a person does, and wait until it was looked."""
    box = window.top.finder
    awake(qtbot, window)
    box.setFocus()
    box.selectAll()
    qtbot.keyClick(box, Qt.Key.Key_Delete)
    qtbot.keyClicks(box, query)
    qtbot.waitUntil(lambda: not window.finding._pause.isActive())


def listed(window: MainWindow) -> list[str]:
    return window.workspace.layers.model.paths()


def marked(window: MainWindow) -> int:
    return window.workspace.canvas.scene.many_found


def test_that_the_box_counts_and_the_list_and_the_graph_show_what_is_found(qtbot: QtBot, opened: MainWindow) -> None:
    look_for(qtbot, opened, "conv")
    assert opened.top.finder.count.text() == "3 found"
    assert listed(opened) == ["backbone", *CONVS]
    assert opened.workspace.layers.tree.isExpanded(opened.workspace.layers.model.index_of("backbone"))
    assert marked(opened) == 3
    qtbot.keyClick(opened.top.finder, Qt.Key.Key_Escape)
    assert opened.top.finder.text() == ""
    assert opened.top.finder.count.text() == ""
    assert len(listed(opened)) == 17
    assert marked(opened) == 0


def test_that_enter_and_f3_go_around_what_is_found(qtbot: QtBot, opened: MainWindow) -> None:
    look_for(qtbot, opened, "conv2d")
    box = opened.top.finder
    seen = []
    for key, held in (
        (Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_F3, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_F3, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_F3, SHIFT),
        (Qt.Key.Key_Return, SHIFT),
    ):
        qtbot.keyClick(box, key, held)
        seen.append((opened.session.selection, box.count.text()))
    assert seen == [
        (CONVS[0], "1 of 3"), (CONVS[1], "2 of 3"), (CONVS[2], "3 of 3"), (CONVS[0], "1 of 3"), (CONVS[2], "3 of 3"),
        (CONVS[1], "2 of 3"),
    ]  # fmt: skip
    assert box.hasFocus()
    assert opened.workspace.canvas.selected == CONVS[1]


def test_that_buttons_in_the_box_go_on_and_clear_it(qtbot: QtBot, opened: MainWindow) -> None:
    look_for(qtbot, opened, "conv2d")
    box = opened.top.finder
    qtbot.mouseClick(box.next, LEFT)
    qtbot.mouseClick(box.next, LEFT)
    qtbot.mouseClick(box.previous, LEFT)
    assert opened.session.selection == CONVS[0]
    qtbot.mouseClick(box.clearer, LEFT)
    assert len(listed(opened)) == 17


def test_that_next_begins_behind_the_selected_layer(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.select("backbone/block1_relu")
    look_for(qtbot, opened, "conv2d")
    qtbot.keyClick(opened.top.finder, Qt.Key.Key_Return)
    assert opened.session.selection == CONVS[2]


def test_that_nothing_and_a_broken_expression_are_told(qtbot: QtBot, opened: MainWindow) -> None:
    look_for(qtbot, opened, "nowhere")
    box = opened.top.finder
    assert box.count.text() == "no match"
    assert box.count.property("none") is True
    assert listed(opened) == []
    assert not opened.actions_["find_next"].isEnabled()
    look_for(qtbot, opened, "/conv[/")
    assert box.count.text() == "not complete"
    assert "regular expression" in box.accessibleDescription()
    assert len(listed(opened)) == 17
    look_for(qtbot, opened, "/conv[12]$/")
    assert box.count.text() == "2 found"


def test_that_a_folded_model_unfolds_for_what_is_found_in_it(qtbot: QtBot, opened: MainWindow) -> None:
    canvas = opened.workspace.canvas
    canvas.fold_all()
    assert canvas.scene.nodes_of(CONVS[0]) == []
    look_for(qtbot, opened, "stem_conv")
    assert marked(opened) == 1  # the folded model, in which it is
    qtbot.keyClick(opened.top.finder, Qt.Key.Key_Return)
    assert canvas.scene.nodes_of(CONVS[0])


def test_that_what_is_found_follows_the_recipe(qtbot: QtBot, opened: MainWindow) -> None:
    look_for(qtbot, opened, "frozen")
    assert opened.top.finder.count.text() == "no match"
    opened.session.select("hidden")
    opened.actions_["freeze_these"].trigger()
    planned(qtbot, opened)
    assert opened.top.finder.count.text() == "1 of 1"
    assert listed(opened) == ["hidden"]


def test_that_all_that_is_found_can_be_selected_and_frozen(qtbot: QtBot, opened: MainWindow) -> None:
    look_for(qtbot, opened, "conv2d !stem")
    opened.workspace.layers.tree.setFocus()
    qtbot.keyClick(opened.workspace.layers.tree, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert opened.session.chosen == CONVS[1:]


def test_that_another_model_begins_with_an_empty_box(qtbot: QtBot, opened: MainWindow) -> None:
    look_for(qtbot, opened, "conv")
    opened.session.set_source(source())
    planned(qtbot, opened)
    assert opened.top.finder.text() == ""
    assert len(listed(opened)) == 17

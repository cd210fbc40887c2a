"""The canvas driven with mouse and keyboard."""

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QContextMenuEvent, QNativeGestureEvent, QPointingDevice
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.canvas.scene import FAR_ZOOM
from tests.gui.canvas import graphs
from tests.gui.canvas.driver import Shower, click, close_to, node, place, ring, wheel


def test_that_a_click_selects_a_layer(qtbot: QtBot, show: Shower) -> None:
    view = show(graphs.chain(3))
    with qtbot.waitSignal(view.layer_selected) as caught:
        click(view, "l1")
    assert caught.args == ["l1"]
    assert view.selected == "l1"
    found = node(view, "l1")
    assert ring(view).contains(QRectF(found.x, found.y, found.width, found.height))


def test_that_each_section_of_a_block_is_selected_by_itself(show: Shower) -> None:
    view = show(graphs.residual(1))
    for path in ("b0_a", "b0_a_bn", "b0_a_relu"):
        click(view, path)
        assert view.selected == path


def test_that_a_click_beside_the_cards_changes_nothing(show: Shower) -> None:
    view = show(graphs.chain(3))
    view.select("l1")
    QTest.mouseClick(view.view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert view.selected == "l1"


def test_that_select_emits_nothing(qtbot: QtBot, show: Shower) -> None:
    view = show(graphs.chain(3))
    with qtbot.assertNotEmitted(view.layer_selected):
        view.select("l2")
    assert view.selected == "l2"
    view.select("")
    assert ring(view).isEmpty()


def test_that_select_brings_a_far_layer_into_the_window(qtbot: QtBot, show: Shower) -> None:
    view = show(graphs.chain(80))
    view.select("l79")
    found = node(view, "l79")
    qtbot.waitUntil(lambda: view.view.visible_rect().contains(QRectF(found.x, found.y, found.width, found.height)))


def test_that_selecting_the_same_layer_again_leaves_the_view_where_it_is(show: Shower) -> None:
    view = show(graphs.chain(80))
    view.select("l40")
    view.view.settle()
    view.view.look_at(QPointF(0, 0))
    before = view.view.centre()
    view.select("l40")
    view.view.settle()
    assert view.view.centre() == before


def test_that_select_unfolds_the_models_around_a_layer(show: Shower) -> None:
    view = show(graphs.nested())
    view.fold_all()
    assert not view.scene.nodes_of("backbone/conv")
    view.select("backbone/conv")
    assert view.scene.nodes_of("backbone/conv")
    assert not ring(view).isEmpty()


def test_that_an_unknown_layer_is_no_selection(show: Shower) -> None:
    view = show(graphs.nested())
    view.select("nowhere/at/all")
    assert ring(view).isEmpty()


def test_that_all_calls_of_a_shared_layer_are_marked(show: Shower) -> None:
    view = show(graphs.shared())
    view.select("project")
    first, second = view.scene.nodes_of("project")
    assert ring(view).left() < min(first.x, second.x)
    assert ring(view).right() > max(first.x + first.width, second.x + second.width)


def test_that_the_wheel_zooms_about_the_mouse(show: Shower) -> None:
    view = show(graphs.chain(30))
    at = place(view, "l3")
    before, zoom = view.view.mapToScene(at), view.view.zoom
    wheel(view, at, 240)
    assert view.view.zoom == pytest.approx(zoom * 1.25**2)
    assert close_to(view.view.mapToScene(at), before)
    wheel(view, at, -480)
    assert view.view.zoom == pytest.approx(zoom / 1.25**2)
    assert close_to(view.view.mapToScene(at), before, 3.0)


def test_that_zoom_has_ends(show: Shower) -> None:
    view = show(graphs.chain(30))
    for _ in range(40):
        view.zoom_in()
    assert view.view.zoom == 4.0
    for _ in range(80):
        view.zoom_out()
    assert 0.01 <= view.view.zoom <= FAR_ZOOM


def test_that_a_pinch_on_the_touch_pad_zooms(show: Shower) -> None:
    view = show(graphs.chain(30))
    zoom = view.view.zoom
    middle = QPointF(view.view.viewport().rect().center())
    event = QNativeGestureEvent(
        Qt.NativeGestureType.ZoomNativeGesture, QPointingDevice.primaryPointingDevice(), 2, middle, middle, middle,
        0.5, QPointF(),
    )  # fmt: skip
    QApplication.sendEvent(view.view.viewport(), event)
    assert view.view.zoom == pytest.approx(zoom * 1.5)


def test_that_dragging_pans_and_selects_nothing(qtbot: QtBot, show: Shower) -> None:
    view = show(graphs.chain(60))
    viewport = view.view.viewport()
    at = place(view, "l3")
    before = view.view.mapToScene(at)
    with qtbot.assertNotEmitted(view.layer_selected):
        QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=at)
        QTest.mouseMove(viewport, at - QPoint(0, 30))
        QTest.mouseMove(viewport, at - QPoint(0, 90))
        QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=at - QPoint(0, 90))
    assert close_to(view.view.mapToScene(at - QPoint(0, 90)), before)


def test_that_a_double_click_folds_and_unfolds_a_model(show: Shower) -> None:
    view = show(graphs.nested())
    viewport = view.view.viewport()
    assert view.scene.nodes_of("backbone/conv")
    QTest.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=place(view, "backbone", 120))
    assert not view.scene.nodes_of("backbone/conv")
    QTest.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=place(view, "backbone"))
    assert view.scene.nodes_of("backbone/conv")


def test_that_a_click_on_the_chevron_folds(qtbot: QtBot, show: Shower) -> None:
    view = show(graphs.nested())
    with qtbot.assertNotEmitted(view.layer_selected):
        QTest.mouseClick(view.view.viewport(), Qt.MouseButton.LeftButton, pos=place(view, "backbone", 18, 18))
    assert not view.scene.nodes_of("backbone/conv")


def test_that_folding_leaves_the_model_where_it_was_on_the_screen(show: Shower) -> None:
    model = graphs.layer("m", "Functional", "l20", inner=graphs.chain(40))
    behind = graphs.layer("l21", "Dense", "m")
    first, last = graphs.chain(40).layers[:22], graphs.chain(40).layers[23:]
    view = show(graphs.graph(*first, model, behind, *last))
    view.select("m")
    view.view.settle()
    before = place(view, "m", 0, 0)
    view.view.fold_requested.emit(*view.scene.nodes_of("m"))
    after = place(view, "m", 0, 0)
    assert abs(before.y() - after.y()) <= 2


def test_that_all_models_fold_and_unfold_at_once(show: Shower) -> None:
    view = show(graphs.shared())
    view.fold_all()
    assert len(view.scene.nodes) == 7
    view.unfold_all()
    assert len(view.scene.nodes) == 15
    button = view.controls.folder
    assert button.accessibleName() == "Fold everything"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert len(view.scene.nodes) == 7
    assert button.accessibleName() == "Unfold everything"


def test_that_a_double_click_on_a_layer_activates_it(qtbot: QtBot, show: Shower) -> None:
    view = show(graphs.chain(3))
    with qtbot.waitSignal(view.layer_activated) as caught:
        QTest.mouseDClick(view.view.viewport(), Qt.MouseButton.LeftButton, pos=place(view, "l2"))
    assert caught.args == ["l2"]


def test_that_arrows_walk_along_connections(show: Shower) -> None:
    view = show(graphs.residual(1))
    walked = []
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Up):
        QTest.keyClick(view.view, key)
        walked.append(view.selected)
    assert walked == ["input", "b0_a", "b0_a_bn", "b0_a_relu", "b0_a_bn", "b0_a"]


def test_that_arrows_reach_branches_to_the_side(show: Shower) -> None:
    view = show(graphs.inception())
    view.select("br2_0")
    QTest.keyClick(view.view, Qt.Key.Key_Left)
    left = view.selected
    QTest.keyClick(view.view, Qt.Key.Key_Right)
    assert view.selected == "br2_0"
    QTest.keyClick(view.view, Qt.Key.Key_Right)
    assert {left, view.selected} <= {"br0_0", "br1_0", "br3_0"}
    assert left != view.selected


def test_that_arrows_lead_into_models_and_out_of_them(show: Shower) -> None:
    view = show(graphs.nested())
    view.select("backbone")
    walked = []
    for _ in range(5):
        QTest.keyClick(view.view, Qt.Key.Key_Down)
        walked.append(view.selected)
    assert walked == ["backbone/in", "backbone/conv", "backbone/bn", "backbone/out", "dense"]
    QTest.keyClick(view.view, Qt.Key.Key_Up)
    assert view.selected == "backbone/out"


def test_that_arrows_walk_through_a_model_without_calls(show: Shower) -> None:
    view = show(graphs.opaque(3))
    for _ in range(3):
        QTest.keyClick(view.view, Qt.Key.Key_Down)
    assert view.selected == "l2"
    QTest.keyClick(view.view, Qt.Key.Key_Up)
    assert view.selected == "l1"


def test_that_enter_activates_and_space_folds(qtbot: QtBot, show: Shower) -> None:
    view = show(graphs.nested())
    view.select("backbone")
    with qtbot.waitSignal(view.layer_activated) as caught:
        QTest.keyClick(view.view, Qt.Key.Key_Return)
    assert caught.args == ["backbone"]
    QTest.keyClick(view.view, Qt.Key.Key_Space)
    assert not view.scene.nodes_of("backbone/conv")


def test_that_keys_zoom_and_fit(show: Shower) -> None:
    view = show(graphs.chain(60))
    zoom = view.view.zoom
    QTest.keyClick(view.view, Qt.Key.Key_Plus)
    assert view.view.zoom == pytest.approx(zoom * 1.25)
    QTest.keyClick(view.view, Qt.Key.Key_Minus)
    assert view.view.zoom == pytest.approx(zoom)
    QTest.keyClick(view.view, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    assert view.view.visible_rect().contains(view.scene.bounds)


def test_that_the_context_menu_is_asked_for_with_the_layer(qtbot: QtBot, show: Shower) -> None:
    view = show(graphs.chain(3))
    at = place(view, "l0")
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, view.view.viewport().mapToGlobal(at))
    with qtbot.waitSignal(view.context_requested) as caught:
        QApplication.sendEvent(view.view.viewport(), event)
    assert caught.args is not None
    assert caught.args[0] == "l0"


@pytest.mark.parametrize("zoom", [0.3, 0.55, 1.0, 2.0])
def test_that_selecting_keeps_the_zoom_and_moves_only_to_what_is_out_of_sight(show: Shower, zoom: float) -> None:
    view = show(graphs.chain(80))
    view.view.set_zoom(zoom)
    first, last = view.scene.nodes_of("l1")[0], view.scene.nodes_of("l79")[0]
    view.view.look_at(QPointF(first.x + first.width / 2, first.y))
    place = view.view.centre()
    view.select("l1")
    view.view.settle()
    assert (view.view.zoom, view.view.centre()) == (zoom, place)
    assert not view.view.in_sight(last)
    view.select("l79")
    view.view.settle()
    assert view.view.zoom == zoom
    assert view.view.in_sight(last)


def test_that_a_click_on_a_node_at_the_edge_moves_nothing(show: Shower) -> None:
    view = show(graphs.chain(80))
    view.view.set_zoom(1.0)
    node = view.scene.nodes_of("l40")[0]
    seen = view.view.visible_rect().height()
    view.view.look_at(QPointF(node.x + node.width / 2, node.y + node.height / 2 + seen / 2 - 12))
    place = view.view.centre()
    at = view.view.mapFromScene(node.x + node.width / 2, node.y + node.height / 2)
    QTest.mouseClick(view.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    view.view.settle()
    assert view.selected == "l40"
    assert view.view.centre() == place

"""The canvas driven with mouse and keyboard."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, QVariantAnimation
from PySide6.QtGui import QColor, QContextMenuEvent, QImage, QNativeGestureEvent, QPainter, QPointingDevice, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from core.graph import Graph
from core.plan import Fate, Plan
from gui.canvas import Badge, GraphView, flow
from gui.canvas.flow import Node
from gui.canvas.items import tooltip
from gui.canvas.look import Look
from gui.canvas.scene import FAR_ZOOM
from gui.theme import DARK, LIGHT
from tests.gui.canvas import graphs

Shower = Callable[[Graph], GraphView]


@pytest.fixture
def show(qtbot: QtBot) -> Iterator[Shower]:
    views: list[GraphView] = []

    def shower(graph: Graph) -> GraphView:
        made = GraphView()
        qtbot.addWidget(made)
        made.resize(900, 700)
        made.show()
        made.set_graph(graph, {}, keep_view=False)
        views.append(made)
        return made

    yield shower
    for view in views:
        view.close()
        for animation in view.findChildren(QVariantAnimation):
            assert animation.state() == QVariantAnimation.State.Stopped


def node(view: GraphView, path: str) -> Node:
    return view.scene.nodes_of(path)[0]


def place(view: GraphView, path: str, dx: float = 40, dy: float = 10) -> QPoint:
    found = node(view, path)
    return view.view.mapFromScene(QPointF(found.x + dx, found.y + dy))


def click(view: GraphView, path: str) -> None:
    QTest.mouseClick(view.view.viewport(), Qt.MouseButton.LeftButton, pos=place(view, path))


def wheel(
    view: GraphView, at: QPoint, turn: int, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    viewport = view.view.viewport()
    event = QWheelEvent(
        QPointF(at), QPointF(viewport.mapToGlobal(at)), QPoint(), QPoint(0, turn), Qt.MouseButton.NoButton, modifiers,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(viewport, event)


def close_to(one: QPointF, other: QPointF, tolerance: float = 2.0) -> bool:
    return (one - other).manhattanLength() <= tolerance


def hovered(view: GraphView) -> Node | None:
    return view.view.hovered


def ring(view: GraphView) -> QRectF:
    marked = view.scene._ring
    assert marked is not None
    return marked.path.boundingRect()


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
    view.toggle_fold("m")
    after = place(view, "m", 0, 0)
    assert abs(before.y() - after.y()) <= 2


def test_that_all_models_fold_and_unfold_at_once(show: Shower) -> None:
    view = show(graphs.shared())
    view.fold_all()
    assert len(view.scene.nodes) == 7
    view.unfold_all()
    assert len(view.scene.nodes) == 15
    button = view.controls.folder
    assert button.accessibleName() == "Fold all nested models"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert len(view.scene.nodes) == 7
    assert button.accessibleName() == "Unfold all nested models"


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


def test_that_hovering_lights_up_what_goes_in_and_out(show: Shower) -> None:
    view = show(graphs.residual(2))
    QTest.mouseMove(view.view.viewport(), place(view, "b0_add"))
    assert hovered(view) is node(view, "b0_add")
    highlight = view.scene._highlight
    assert highlight is not None
    incoming, outgoing = view.scene.edges_of(node(view, "b0_add"))
    assert (len(incoming), len(outgoing)) == (2, 2)
    assert highlight.boundingRect().top() < node(view, "b0_add").y < highlight.boundingRect().bottom()
    QApplication.sendEvent(view.view.viewport(), QEvent(QEvent.Type.Leave))
    assert hovered(view) is None
    assert highlight.boundingRect().isEmpty()


def test_that_tips_tell_everything() -> None:
    shown = Badge("adapted", frozen=True, severity="warning", messages=("Lossy <here>.",))
    level = flow.build(graphs.shared(), lambda path, layer: True)
    text = tooltip(next(node for node in level.nodes if node.path == "project" and node.call == 1), shown)
    for part in ("Dense", "project", "call 2 of 2", "adapted from the source", "Lossy &lt;here&gt;.", "16"):
        assert part in text


def test_that_edits_keep_place_and_zoom(show: Shower) -> None:
    view = show(graphs.chain(60))
    view.view.set_zoom(0.8)
    view.select("l30")
    view.view.settle()
    before = place(view, "l30", 0, 0)
    grown = graphs.graph(graphs.layer("first", "Dense"), *graphs.chain(60).layers)
    view.set_graph(grown, {}, keep_view=True)
    assert view.view.zoom == pytest.approx(0.8)
    assert close_to(QPointF(place(view, "l30", 0, 0)), QPointF(before), 3.0)
    assert view.selected == "l30"


def test_that_another_model_starts_at_its_beginning(show: Shower) -> None:
    view = show(graphs.chain(60))
    view.select("l59")
    view.view.settle()
    view.set_graph(graphs.residual(30), {}, keep_view=False)
    first = node(view, "input")
    assert view.view.visible_rect().contains(QRectF(first.x, first.y, first.width, first.height))
    assert view.view.zoom >= 0.6


def test_that_a_small_graph_is_shown_whole_and_needs_no_minimap(show: Shower) -> None:
    view = show(graphs.chain(3))
    assert view.view.visible_rect().contains(view.scene.bounds)
    assert not view.minimap.isVisible()


def test_that_the_minimap_follows_and_leads(show: Shower) -> None:
    view = show(graphs.chain(80))
    assert view.minimap.isVisible()
    top = view.minimap.frame_on_map().top()
    QTest.mouseClick(view.minimap, Qt.MouseButton.LeftButton, pos=QPoint(30, view.minimap.height() - 12))
    assert view.view.centre().y() > view.scene.bounds.height() * 0.8
    assert view.minimap.frame_on_map().top() > top
    view.fit()
    assert not view.minimap.isVisible()


def test_that_the_minimaps_frame_can_be_dragged_from_anywhere_inside(show: Shower) -> None:
    view = show(graphs.chain(80))
    frame = view.minimap.frame_on_map()
    grip = QPoint(round(frame.center().x()), round(frame.bottom()) - 2)
    before = view.view.centre().y()
    QTest.mousePress(view.minimap, Qt.MouseButton.LeftButton, pos=grip)
    assert abs(view.view.centre().y() - before) < 0.05 * view.scene.bounds.height()
    QTest.mouseMove(view.minimap, grip + QPoint(0, 60))
    QTest.mouseRelease(view.minimap, Qt.MouseButton.LeftButton, pos=grip + QPoint(0, 60))


def test_that_from_afar_one_item_stands_for_all_cards(show: Shower) -> None:
    view = show(graphs.residual(200))
    assert view.scene._cards is not None
    assert view.scene._far_item is not None
    view.view.set_zoom(1.0)
    assert (view.scene._cards.isVisible(), view.scene._far_item.isVisible()) == (True, False)
    view.fit()
    assert view.view.zoom < FAR_ZOOM
    assert (view.scene._cards.isVisible(), view.scene._far_item.isVisible()) == (False, True)


def test_that_an_empty_graph_is_no_obstacle(show: Shower) -> None:
    view = show(graphs.graph())
    view.fit()
    view.select("x")
    view.fold_all()
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Plus, Qt.Key.Key_Home, Qt.Key.Key_Return):
        QTest.keyClick(view.view, key)
    wheel(view, QPoint(50, 50), 120)
    QTest.mouseClick(view.view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    assert not view.grab().isNull()


@pytest.mark.parametrize("mode", ["before", "after", "difference"])
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_that_every_mode_is_drawn_in_every_theme_at_every_zoom(show: Shower, mode: str, theme: object) -> None:
    view = show(graphs.nested())
    view.set_theme(theme)  # type: ignore[arg-type]
    before = graphs.nested()
    new = graphs.layer("logits", "Dense", "backbone", origin=None, weights=("kernel",))
    after = graphs.graph(*before.layers[:3], new)
    fates = (Fate("logits/kernel", "mismatched", (3, 3)), Fate("backbone/conv/kernel", "adapted", (3, 3)))
    view.set_plan(Plan(False, after, fates=fates, dropped=("dense/kernel",)), before, mode)  # type: ignore[arg-type]
    paths = {node.path for node in view.scene.nodes}
    assert ("logits" in paths) == (mode != "before")
    assert ("dense" in paths) == (mode != "after")
    for zoom in (0.1, 0.35, 0.6, 1.0, 2.0):
        view.view.set_zoom(zoom)
        picture = view.grab().toImage()
        shades = {picture.pixel(x, y) for x in range(0, 900, 7) for y in range(0, 600, 7)}
        assert len(shades) > 3


def test_that_ghosts_are_selected_by_their_path_in_the_source(qtbot: QtBot, show: Shower) -> None:
    before = graphs.nested()
    head = graphs.layer("dense", "Dense", "backbone", origin=None)
    view = show(before)
    view.set_plan(Plan(True, graphs.graph(*before.layers[:3], head)), before, "difference")
    ghost = next(node for node in view.scene.nodes if node.ghost)
    with qtbot.waitSignal(view.layer_selected) as caught:
        at = view.view.mapFromScene(QPointF(ghost.x + 40, ghost.y + 20))
        QTest.mouseClick(view.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert caught.args == ["dense"]


def pixel(view: GraphView, path: str, dx: float, dy: float) -> int:
    picture = QImage(view.view.viewport().size(), QImage.Format.Format_ARGB32_Premultiplied)
    painter = QPainter(picture)
    view.view.render(painter)
    painter.end()
    return picture.pixel(place(view, path, dx, dy))


def test_that_a_card_has_its_familys_stripe_and_a_mismatch_its_border(show: Shower) -> None:
    view = show(graphs.chain(2, "Conv2D"))
    look = Look(LIGHT)
    assert pixel(view, "l0", 2.5, 25) == look.families["conv"].stripe.color().rgb()
    badges = {"l0": Badge("mismatched", severity="error")}
    view.set_graph(graphs.chain(2, "Conv2D"), badges, keep_view=True)
    assert pixel(view, "l0", 100, 50) == QColor(LIGHT.mismatched.ink).rgb()


def test_that_unchanged_cards_are_grey_in_the_difference(show: Shower) -> None:
    view = show(graphs.chain(2, "Conv2D"))
    changed = graphs.chain(2, "Conv2D").with_layer("l1", graphs.layer("l1", "Conv2D", "l0", filters=9))
    view.set_plan(Plan(True, changed), graphs.chain(2, "Conv2D"), "difference")
    look = Look(LIGHT)
    assert pixel(view, "l0", 2.5, 25) == look.neutral.stripe.color().rgb()
    assert pixel(view, "l1", 2.5, 25) == look.families["conv"].stripe.color().rgb()


def test_that_the_canvas_can_be_found_and_read_by_assistive_tools(show: Shower) -> None:
    view = show(graphs.nested())
    assert view.view.accessibleName() == "Graph"
    assert "Arrow keys" in view.view.accessibleDescription()
    assert view.minimap.accessibleName()
    for button in view.findChildren(QToolButton):
        assert button.accessibleName()


def test_that_a_closed_canvas_moves_no_more(show: Shower) -> None:
    view = show(graphs.chain(80))
    view.select("l79")
    view.close()
    assert view.view._slide.state() == QVariantAnimation.State.Stopped


def test_that_resizing_keeps_the_first_look_until_somebody_moves(show: Shower) -> None:
    view = show(graphs.chain(60))
    view.resize(700, 500)
    first = node(view, "input")
    assert view.view.visible_rect().contains(QRectF(first.x, first.y, first.width, first.height))
    view.zoom_in()
    zoom = view.view.zoom
    view.resize(900, 700)
    assert view.view.zoom == zoom


def test_that_pens_are_as_wide_on_fine_screens() -> None:
    assert Look(LIGHT, 2.0).edge.widthF() == 2 * Look(LIGHT).edge.widthF()


@pytest.mark.parametrize("name", ["a/b", "with space", "\u00e9mo\U0001f600ji", "x" * 4000, "", "a\nb", "<b>&amp;"])
def test_that_no_name_is_an_obstacle(qtbot: QtBot, show: Shower, name: str) -> None:
    odd = graphs.layer(name, "Conv2D", "input", inner=graphs.backbone())
    view = show(graphs.graph(graphs.layer("input", "InputLayer"), odd, graphs.layer("a", "Dense", name)))
    assert len({node.key for node in view.scene.nodes}) == 7
    click(view, name)
    assert view.selected == name
    assert len(tooltip(node(view, name), Badge())) < 1000
    assert not view.grab().isNull()


def test_that_two_layers_of_one_name_are_both_shown(show: Shower) -> None:
    view = show(graphs.graph(graphs.layer("a", "Dense"), graphs.layer("a", "Conv2D"), graphs.layer("b", "Dense", "a")))
    first, second = view.scene.nodes_of("a")
    assert (first.x, first.y) != (second.x, second.y)

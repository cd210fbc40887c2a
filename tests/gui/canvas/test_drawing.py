"""What the canvas shows: places, marks, colours, the minimap, odd models."""

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, QVariantAnimation
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from core.model.plan import Fate, Plan
from gui.canvas import GraphView, Marks, flow
from gui.canvas.items import tooltip
from gui.canvas.look import Look
from gui.canvas.scene import FAR_ZOOM
from gui.widgets.theme import DARK, LIGHT
from tests.gui.canvas import graphs
from tests.gui.canvas.driver import Shower, click, close_to, hovered, node, pixel, place, wheel


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
    shown = Marks("adapted", frozen=True, severity="warning", messages=("Lossy <here>.",))
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


def _visible(view: GraphView) -> bool:
    """Whether the cards are shown; all of them or none."""
    (shown,) = {cards.isVisible() for cards in view.scene._cards}
    return shown


def test_that_from_afar_one_item_stands_for_all_cards(show: Shower) -> None:
    view = show(graphs.residual(200))
    view.unfold_all()
    assert len(view.scene._cards) > 1
    assert view.scene._far_item is not None
    view.view.set_zoom(1.0)
    assert (_visible(view), view.scene._far_item.isVisible()) == (True, False)
    view.fit()
    assert view.view.zoom < FAR_ZOOM
    assert (_visible(view), view.scene._far_item.isVisible()) == (False, True)


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


def test_that_a_card_has_its_familys_stripe_and_a_mismatch_its_border(show: Shower) -> None:
    view = show(graphs.chain(2, "Conv2D"))
    look = Look(LIGHT)
    assert pixel(view, "l0", 2.5, 25) == look.families["conv"].stripe.color().rgb()
    badges = {"l0": Marks("mismatched", severity="error")}
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
    assert len(tooltip(node(view, name), Marks())) < 1000
    assert not view.grab().isNull()


def test_that_two_layers_of_one_name_are_both_shown(show: Shower) -> None:
    view = show(graphs.graph(graphs.layer("a", "Dense"), graphs.layer("a", "Conv2D"), graphs.layer("b", "Dense", "a")))
    first, second = view.scene.nodes_of("a")
    assert (first.x, first.y) != (second.x, second.y)


def test_that_the_canvas_shows_that_the_keyboard_is_its_own(qtbot: QtBot, show: Shower) -> None:
    view = show(graphs.chain(3))
    view.activateWindow()
    qtbot.waitUntil(view.isActiveWindow)
    assert not view.focus_frame.isVisible()
    view.controls.near.setFocus(Qt.FocusReason.TabFocusReason)
    view.setFocus(Qt.FocusReason.TabFocusReason)
    assert view.focus_frame.isVisible()
    assert view.focus_frame.geometry() == view.rect()
    view.controls.near.setFocus(Qt.FocusReason.TabFocusReason)
    assert not view.focus_frame.isVisible()
    view.setFocus(Qt.FocusReason.MouseFocusReason)
    assert not view.focus_frame.isVisible()


def test_that_the_ring_of_a_layer_with_an_error_is_no_red_area(show: Shower) -> None:
    view = show(graphs.chain(80))
    marks = {"l40": Marks(fate="mismatched", severity="error", messages=("It does not fit.",))}
    assert view.graph is not None
    view.set_graph(view.graph, marks, keep_view=True)
    view.select("l40")
    view.view.settle()
    found = node(view, "l40")
    seen = view.view.visible_rect().height()
    for below in (found.height / 2, 60.0):  # no card is drawn after it
        view.view.look_at(QPointF(found.x + found.width / 2, found.y + below - seen / 2))
        picture = view.view.viewport().grab().toImage()
        inside = [place(view, "l40", across, 12) for across in (100, 130, 160)]
        assert QColor(LIGHT.error.ink) not in [picture.pixelColor(at) for at in inside]


def test_that_what_is_seen_stays_in_place_when_a_panel_opens_below(show: Shower) -> None:
    view = show(graphs.chain(80))
    view.zoom_in()
    view.view.look_at(view.scene.bounds.center())
    corner = view.view.mapToScene(QPoint(0, 0))
    view.resize(view.width(), view.height() - 160)
    assert (view.view.mapToScene(QPoint(0, 0)) - corner).manhattanLength() < 3

"""An edit that moves no card changes the cards that are there; what is seen must be what a fresh canvas shows."""

import dataclasses
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from PySide6.QtGui import QImage

from core.findings import Finding
from core.model.graph import Graph, Layer, TensorSpec
from core.model.plan import Fate, Plan
from gui.canvas import GraphView
from gui.canvas.plan_digest import PlanDigest
from tests.gui.canvas import graphs
from tests.gui.canvas.driver import Shower

MODELS: list[Callable[[], Graph]] = [
    lambda: graphs.residual(4),
    graphs.inception,
    graphs.nested,
    graphs.shared,
    lambda: graphs.unet(3),
]


def _resized(graph: Graph) -> Graph:
    """Every shape and some arguments are others; layers, calls and connections are equal, but none is the same."""

    def change(path: str, layer: Layer) -> Layer:
        calls = tuple(
            replace(call, args=tuple(call.args), outputs=tuple(_doubled(spec) for spec in call.outputs or ()))
            for call in layer.calls
        )
        config = {**layer.config, "filters": 48} if layer.class_name == "Conv2D" else layer.config
        return replace(layer, calls=calls, config=config)

    return graph.replace_layers(change)


def _doubled(spec: TensorSpec) -> TensorSpec:
    return TensorSpec(tuple(size and size * 100 for size in spec.shape or ()), spec.dtype)


def _plan(graph: Graph, fate: str) -> Plan:
    paths = [path for path, layer in graph.walk() if layer.inner is None]
    fates = tuple(Fate(f"{path}/kernel", fate, (3, 3)) for path in paths[::2])  # type: ignore[arg-type]
    return Plan(True, graph, fates=fates, findings=(Finding("warning", "adapt.lossy", paths[1], "Look here."),))


def _seen(view: GraphView) -> tuple[QImage, QImage]:
    return view.view.viewport().grab().toImage(), view.minimap.grab().toImage()


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("zoom", [1.5, 0.7, 0.3, 0.1])
def test_that_new_shapes_and_fates_look_as_on_a_fresh_canvas(
    show: Shower, make: Callable[[], Graph], zoom: float
) -> None:
    source = make()
    plan = _plan(_resized(source), "adapted")
    kept = show(source)
    kept.view.set_zoom(zoom)
    kept.set_plan(_plan(source, "copied"), source, "after")
    old = _seen(kept)
    cards = list(kept.scene.items())
    kept.set_plan(plan, source, "after")
    assert list(kept.scene.items()) == cards
    fresh = show(source)
    fresh.view.set_zoom(zoom)
    fresh.set_graph(plan.graph, PlanDigest(plan, plan.graph).marks, keep_view=False)
    fresh.view.set_zoom(kept.view.zoom)
    fresh.view.look_at(kept.view.centre())
    kept.view.look_at(kept.view.centre())
    assert _seen(kept) == _seen(fresh)
    assert _seen(kept) != old


def test_that_only_cards_with_another_mark_are_painted_again(show: Shower) -> None:
    source = graphs.chain(300)
    view = show(source)
    plan = _plan(source, "copied")
    view.set_plan(plan, source, "after")
    marks = PlanDigest(plan, plan.graph).marks
    assert view.scene.retake(marks, set()) == 0
    marks["l200"] = dataclasses.replace(marks["l200"], severity="error")
    assert view.scene.retake(marks, set()) == 1


def test_that_a_layer_more_is_laid_out_anew(show: Shower) -> None:
    source = graphs.chain(6)
    view = show(source)
    longer = graphs.chain(7)
    view.set_plan(Plan(True, longer), source, "after")
    assert [node.path for node in view.scene.nodes] == [path for path, _ in longer.walk()]
    assert view.scene.bounds.height() > 0


def test_that_another_connection_is_laid_out_anew(show: Shower) -> None:
    steps = [("a", "InputLayer", ()), ("b", "Dense", ("a",)), ("c", "Dense", ("a",)), ("d", "Add", ("b", "c"))]
    source = graphs.of(steps)
    view = show(source)
    moved = graphs.of([*steps[:2], ("c", "Dense", ("b",)), ("d", "Add", ("b", "c"))])
    view.set_plan(Plan(True, moved), source, "after")
    assert [edge.source.path for edge in view.scene.edges_of(view.scene.nodes_of("c")[0])[0]] == ["b"]


def test_that_a_model_that_grew_too_large_to_be_open_folds(show: Shower) -> None:
    def around(count: int) -> Graph:
        return graphs.graph(
            graphs.layer("image", "InputLayer"), graphs.layer("body", "Functional", "image", inner=graphs.chain(count))
        )

    view = show(around(10))
    assert view.scene.nodes_of("body/l3")
    view.set_plan(Plan(True, around(400)), around(10), "after")
    assert not view.scene.nodes_of("body/l3")


def test_that_the_view_and_the_selection_stay(show: Shower) -> None:
    source = graphs.residual(30)
    view = show(source)
    view.select("b20_add")
    view.view.settle()
    centre, zoom, current = view.view.centre(), view.view.zoom, view.view.current
    view.set_plan(_plan(_resized(source), "copied"), source, "after")
    assert view.view.centre() == centre
    assert view.view.zoom == zoom
    assert view.view.current is current
    assert current is not None
    assert current.layer.calls[0].outputs == (TensorSpec((None, 800, 800, 400)),)

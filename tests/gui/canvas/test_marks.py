"""Badges from plans, and the union of before and after."""

from msgspec.structs import replace

from core.findings import Finding
from core.model.graph import Graph, Layer
from core.model.plan import Fate, FateName, Plan
from gui.canvas.badges import Marks, badges_before, dominant, source_paths
from gui.canvas.difference import difference
from gui.canvas.plan_digest import PlanDigest
from tests.gui.canvas import graphs


def fate(weight: str, name: FateName, source: str | None = None) -> Fate:
    return Fate(weight, name, (3, 3), source=source)


def badges_after(plan: Plan) -> dict[str, Marks]:
    return PlanDigest(plan, plan.graph).marks


def without(graph: Graph, *names: str) -> Graph:
    return replace(graph, layers=tuple(layer for layer in graph.layers if layer.name not in names))


def test_that_the_fate_which_most_needs_a_look_stands_for_a_layer() -> None:
    assert dominant(["copied", "adapted", "copied"]) == "adapted"
    assert dominant(["dropped", "copied", "initialized", "mismatched"]) == "mismatched"
    assert dominant([]) is None


def test_that_a_model_sums_up_what_is_inside() -> None:
    fates = (
        fate("backbone/conv/kernel", "adapted"),
        fate("backbone/conv/bias", "copied"),
        fate("dense/kernel", "copied"),
    )
    findings = (Finding("warning", "adapt.lossy", "backbone/conv", "Lossy."),)
    badges = badges_after(Plan(True, graphs.nested(), fates=fates, findings=findings))
    assert badges["backbone/conv"] == Marks("adapted", severity="warning", messages=("Lossy.",))
    assert badges["backbone"] == Marks("adapted", severity="warning")
    assert badges["dense"].fate == "copied"
    assert badges["scale"] == Marks()


def test_that_an_error_outweighs_a_warning() -> None:
    findings = (
        Finding("warning", "adapt.lossy", "backbone/conv", "a"),
        Finding("error", "weight.mismatch", "backbone/bn", "b"),
        Finding("info", "legacy.repaired", "dense", "c"),
    )
    badges = badges_after(Plan(False, graphs.nested(), findings=findings))
    assert badges["backbone"].severity == "error"
    assert badges["dense"].severity is None


def test_that_a_frozen_parent_freezes_what_is_inside() -> None:
    graph = graphs.nested()
    frozen = graph.with_layer("backbone", replace(graph.layer("backbone"), trainable=False))
    badges = badges_after(Plan(True, frozen))
    assert badges["backbone"].frozen
    assert badges["backbone/conv"].frozen
    assert not badges["dense"].frozen
    assert not badges["scale"].frozen


def test_that_before_shows_what_will_happen_to_the_sources_weights() -> None:
    source = graphs.nested()
    fates = (fate("renamed/kernel", "adapted", "backbone/conv/kernel"),)
    findings = (Finding("error", "weight.mismatch", "backbone/new", "c"),)
    inner = graphs.backbone()
    new_inner = replace(inner, layers=(replace(inner.layers[1], name="new"),))
    after = source.with_layer("backbone", replace(source.layer("backbone"), inner=new_inner))
    badges = badges_before(Plan(True, after, fates=fates, dropped=("dense/kernel",), findings=findings), source)
    assert badges["backbone/conv"] == Marks("adapted", severity="error", messages=("c",))
    assert badges["dense"].fate == "dropped"


def test_that_origins_may_be_paths_or_names() -> None:
    source = graphs.nested()
    assert source_paths(source, source)["backbone/conv"] == "backbone/conv"
    moved = graphs.graph(
        graphs.layer("conv", "Conv2D", origin="backbone/conv"), graphs.layer("new", "Dense", origin=None)
    )
    assert source_paths(source, moved) == {"conv": "backbone/conv"}


def test_that_equal_graphs_differ_in_nothing() -> None:
    both = difference(graphs.nested(), graphs.nested())
    assert both.graph == graphs.nested()
    assert (both.ghosts, both.added, both.changed) == ({}, frozenset(), frozenset())


def test_that_a_removed_layer_stays_as_a_ghost_between_its_neighbours() -> None:
    before = graphs.chain(3)
    kept = without(before, "l1")
    after = kept.with_layer("l2", graphs.layer("l2", "Dense", "l0"))
    both = difference(before, after)
    assert both.ghosts == {"l1": "l1"}
    assert [layer.name for layer in both.graph.layers] == ["input", "l0", "l1", "l2"]
    inputs = {layer.name: [ref.layer for ref in layer.calls[0].inputs()] for layer in both.graph.layers}
    assert inputs["l1"] == ["l0"]
    assert inputs["l2"] == ["l0", "l1"]
    assert both.badges({})["l1"] == Marks("dropped", ghost=True)
    folded = Plan(True, after, merged=(("l1/kernel", "l2/kernel"),))
    assert both.badges({}, folded)["l1"] == Marks("merged", ghost=True)
    assert both.badges({}, replace(folded, dropped=("l1/bias",)))["l1"] == Marks("dropped", ghost=True)


def test_that_a_ghost_gives_way_to_a_new_layer_of_its_name() -> None:
    before = graphs.chain(2)
    head = graphs.layer("l1", "Dense", "l0", origin=None, units=5)
    both = difference(before, graphs.graph(*before.layers[:2], head))
    assert both.ghosts == {"l1 (removed)": "l1"}
    assert both.added == {"l1"}
    marks = both.badges({})
    assert marks["l1"] == Marks("initialized", changed=True)
    assert marks["l1 (removed)"].ghost


def test_that_changes_inside_a_nested_model_mark_the_models_around() -> None:
    before = graphs.nested()
    inner = graphs.backbone()
    conv = replace(inner.layer("conv"), config={"filters": 16})
    new = replace(inner, layers=(inner.layers[0], conv, *inner.layers[3:]))
    after = before.with_layer("backbone", replace(before.layer("backbone"), inner=new))
    both = difference(before, after)
    assert both.changed == {"backbone", "backbone/conv"}
    assert both.ghosts == {"backbone/bn": "backbone/bn"}
    assert both.graph.find("backbone/bn").class_name == "BatchNormalization"


def test_that_a_removed_model_takes_everything_inside_along() -> None:
    before = graphs.nested()
    both = difference(before, without(before, "backbone"))
    assert set(both.ghosts) == {"backbone", "backbone/in", "backbone/conv", "backbone/bn", "backbone/out"}


def test_that_a_changed_training_flag_is_a_change() -> None:
    before = graphs.nested()
    dense: Layer = replace(before.layer("dense"), trainable=False)
    assert difference(before, before.with_layer("dense", dense)).changed == {"dense"}

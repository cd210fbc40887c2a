"""Several layers together."""

from core.analysis.sums import Sums, sums
from core.model.graph import Graph, Layer, Weight
from core.model.plan import Cost, Plan

INSIDE = Graph("in", layers=(Layer("a", "Dense", weights=(Weight("kernel", (2, 3)),)), Layer("b", "ReLU")))
GRAPH = Graph(
    "m", layers=(Layer("nested", "Functional", inner=INSIDE), Layer("c", "Dense", weights=(Weight("kernel", (3, 4)),)))
)


def test_that_a_nested_model_and_a_layer_inside_it_count_each_layer_once() -> None:
    costs = {"nested/a": Cost(6, 6, 60, 3), "nested/b": Cost(0, 0, 0, 3), "c": Cost(12, 0, None, 4)}
    plan = Plan(ok=True, graph=GRAPH, costs=costs)
    found = sums(GRAPH, plan, ["nested", "nested/a", "c", "gone"])
    assert found == Sums(3, 18, 6, 60, 10, 1, 0, (("Dense", 2), ("ReLU", 1)))


def test_that_without_a_plan_the_arrays_count_and_costs_are_unknown() -> None:
    found = sums(GRAPH, None, ["c"])
    assert (found.layers, found.params, found.trainable_params, found.unknown) == (1, 12, 12, 1)


def test_that_nothing_is_nothing() -> None:
    assert sums(GRAPH, None, []) == Sums()

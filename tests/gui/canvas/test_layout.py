"""Where cards and edges stand: properties that hold for every graph, and the pictures people expect of known ones."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.model.graph import Graph, Layer
from gui.canvas import flow, ordering
from gui.canvas.columns import GAP
from gui.canvas.flow import Edge, Level, Node
from gui.canvas.layout import layout
from gui.canvas.ordering import acyclic
from tests.gui.canvas import graphs


def placed(graph: Graph, unfolded: bool = True) -> Level:
    level = flow.build(graph, lambda path, layer: unfolded)
    layout(level)
    return level


def by_name(level: Level) -> dict[str, Node]:
    return {node.path: node for node in level.walk()}


def centre(node: Node) -> float:
    return node.x + node.width / 2


def lane(edge: Edge) -> float:
    """The x of an edge's longest straight piece."""
    steps = [(end[1] - start[1], start[0]) for start, end in pairwise(edge.points) if start[0] == end[0]]
    return max(steps)[1]


def overlap(one: Node, other: Node) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def assert_sound(level: Level) -> None:
    """No two cards overlap, edges run from bottom to top of their cards and through no other card."""
    nodes = level.nodes
    for index, node in enumerate(nodes):
        assert node.x >= -0.01
        assert node.x + node.width <= level.width + 0.01 or node.inner is None
        for other in nodes[index + 1 :]:
            assert not overlap(node, other), (node.path, other.path)
    for edge in level.edges:
        if not edge.points:
            continue  # inside a block
        assert edge.points[0][1] == pytest.approx(edge.source.y + edge.source.height)
        assert edge.points[-1][1] == pytest.approx(edge.target.y)
        assert edge.source.x <= edge.points[0][0] <= edge.source.x + edge.source.width
        assert edge.target.x <= edge.points[-1][0] <= edge.target.x + edge.target.width
        for start, end in pairwise(edge.points):
            assert end[1] >= start[1]
            if start[0] == end[0]:
                for node in nodes:
                    inside = node.x < start[0] < node.x + node.width
                    crossed = inside and max(start[1], node.y) < min(end[1], node.y + node.height) - 0.01
                    assert not crossed, (edge.source.path, edge.target.path, node.path)
    for node in nodes:
        if node.inner is not None:
            for child in node.inner.nodes:
                assert node.x < child.x
                assert child.x + child.width < node.x + node.width
                assert node.y < child.y
                assert child.y + child.height < node.y + node.height
            assert_children_sound(node.inner)


def assert_children_sound(level: Level) -> None:
    for index, node in enumerate(level.nodes):
        for other in level.nodes[index + 1 :]:
            assert not overlap(node, other)


@st.composite
def models(draw: st.DrawFn) -> Graph:
    """Random acyclic models of mixed classes, some layers without any connection."""
    count = draw(st.integers(1, 28))
    classes = ("Conv2D", "BatchNormalization", "Activation", "Add", "Concatenate", "Dense", "Functional")
    layers: list[Layer] = []
    for number in range(count):
        sources = draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else []
        kind = draw(st.sampled_from(classes))
        inner = graphs.chain(draw(st.integers(0, 2))) if kind == "Functional" else None
        layers.append(graphs.layer(f"n{number}", kind, *(f"n{source}" for source in sources), inner=inner))
    return graphs.graph(*layers)


@settings(max_examples=150, deadline=None)
@given(models())
def test_that_no_layout_has_overlaps_or_edges_through_cards(model: Graph) -> None:
    assert_sound(placed(model))


def test_that_a_residual_network_stands_in_one_straight_column() -> None:
    level = placed(graphs.residual(6))
    assert len({round(centre(node), 3) for node in level.nodes}) == 1
    assert_sound(level)


def test_that_skip_connections_run_close_beside_what_they_skip() -> None:
    level = placed(graphs.residual(6))
    lanes = [lane(edge) for edge in level.edges if edge.long]
    assert lanes
    left = min(node.x for node in level.nodes)
    assert all(left - GAP <= x < left for x in lanes)


def test_that_branches_of_an_inception_module_stand_on_both_sides() -> None:
    nodes = by_name(placed(graphs.inception()))
    main = centre(nodes["stem"])
    assert centre(nodes["join"]) == main
    sides = {branch: centre(nodes[f"br{branch}_0"]) - main for branch in range(4)}
    assert sides[2] == 0  # the longest is the main column
    assert min(sides.values()) < 0 < max(sides.values())


def test_that_branches_are_straight_from_top_to_bottom() -> None:
    nodes = by_name(placed(graphs.inception()))
    assert centre(nodes["br1_0"]) == centre(nodes["br1_1"])
    assert centre(nodes["br3_0"]) == centre(nodes["br3_1"])


def test_that_nested_skips_of_a_unet_do_not_cross() -> None:
    level = placed(graphs.unet(4))
    skips = {edge.source.path: lane(edge) for edge in level.edges if edge.long}
    distances = [abs(skips[f"down{number}"] - centre(level.nodes[0])) for number in range(4)]
    assert distances == sorted(distances, reverse=True)
    assert_sound(level)


def test_that_an_unfolded_model_encloses_what_is_inside() -> None:
    level = placed(graphs.nested())
    assert_sound(level)
    nodes = by_name(level)
    assert centre(nodes["scale"]) == pytest.approx(centre(nodes["backbone/conv"]))


def test_that_a_model_without_calls_is_a_column_without_edges() -> None:
    level = placed(graphs.opaque(12))
    assert level.edges == []
    assert len({node.x for node in level.nodes}) == 1
    assert [node.y for node in level.nodes] == sorted(node.y for node in level.nodes)
    assert_sound(level)


def test_that_unconnected_parts_stand_side_by_side() -> None:
    parts = graphs.graph(
        graphs.layer("a", "Dense"), graphs.layer("b", "Dense", "a"),
        graphs.layer("c", "Dense"), graphs.layer("d", "Dense", "c"), graphs.layer("alone", "Dense"),
    )  # fmt: skip
    level = placed(parts)
    nodes = by_name(level)
    assert centre(nodes["a"]) < centre(nodes["c"]) < centre(nodes["alone"])
    assert nodes["a"].y == nodes["c"].y == nodes["alone"].y == 0
    assert_sound(level)


def test_that_an_empty_graph_has_no_size() -> None:
    level = placed(graphs.graph())
    assert (level.width, level.height, level.nodes) == (0.0, 0.0, [])


def test_that_a_cyclic_graph_is_laid_out_all_the_same() -> None:
    level = placed(graphs.of([("a", "Dense", ("c",)), ("b", "Dense", ("a",)), ("c", "Dense", ("b", "c"))]))
    assert not any(overlap(one, other) for one, other in pairwise(level.nodes))


def test_that_cycles_are_broken_and_nothing_else() -> None:
    assert acyclic(4, [(0, 1), (1, 2), (2, 0), (2, 3), (3, 3), (0, 1)]) == [(0, 1), (1, 2), (2, 3)]


def test_that_edges_with_too_many_bends_run_in_lanes_beside_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "MAX_BENDS", 40)
    level = placed(graphs.unet(12))
    cards = max(node.x + node.width for node in level.nodes)
    beside = {max(point[0] for point in edge.points) for edge in level.edges if edge.long}
    assert any(x > cards for x in beside)
    assert level.width > cards
    assert_sound(level)


def test_that_a_graph_too_large_for_ordering_is_ranked_by_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "MAX_BLOCKS", 10)
    assert_sound(placed(graphs.residual(8)))


@pytest.mark.parametrize("length", [1_000, 10_000])
def test_that_long_chains_are_laid_out_whole(length: int) -> None:
    level = placed(graphs.chain(length))
    assert len(level.nodes) == length + 1
    tops = [node.y for node in level.nodes]
    assert tops == sorted(set(tops))


def test_that_a_deep_residual_network_keeps_its_order() -> None:
    level = placed(graphs.residual(400))
    tops = [block[0].y for block in level.blocks]
    assert tops == sorted(tops)

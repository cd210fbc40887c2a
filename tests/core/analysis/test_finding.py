"""Queries: a graph, a plan and words make paths."""

import pytest

from core.analysis.finding import find, parse
from core.model.graph import Call, Graph, Layer, TensorSpec, Weight
from core.model.plan import Fate, Plan


def layer(name: str, kind: str, shape: tuple[int, ...] = (), out: tuple[int, ...] = (), **more: object) -> Layer:
    weights = (Weight("kernel", shape), Weight("bias", shape[-1:])) if shape else ()
    outputs = (TensorSpec((None, *out)),) if out else None
    return Layer(name, kind, weights=weights, calls=(Call(outputs=outputs),), origin=name, **more)  # type: ignore[arg-type]


INSIDE = Graph(
    "backbone",
    layers=(
        layer("block1_conv", "Conv2D", (3, 3, 3, 64), (32, 32, 64), trainable=False),
        layer("block2_conv", "Conv2D", (3, 3, 64, 128), (16, 16, 128)),
        layer("pool", "MaxPooling2D", (), (8, 8, 128)),
    ),
)
GRAPH = Graph(
    "model",
    layers=(
        layer("image", "InputLayer", (), (32, 32, 3)),
        layer("backbone", "Functional", inner=INSIDE),
        layer("frozen_name", "Dense", (128, 10), (10,)),
        layer("1x1", "Conv2D", (1, 1, 10, 10)),
    ),
)
PLAN = Plan(
    ok=False,
    graph=GRAPH,
    fates=(
        Fate("backbone/block1_conv/kernel", "adapted", (3, 3, 1, 64), source="backbone/block1_conv/kernel"),
        Fate("backbone/block1_conv/bias", "copied", (64,), source="backbone/block1_conv/bias"),
        Fate("backbone/block2_conv/kernel", "mismatched", (5, 5, 64, 128), source="backbone/block2_conv/kernel"),
        Fate("frozen_name/kernel", "initialized", (128, 7)),
    ),
    dropped=("frozen_name/kernel", "gone/kernel"),
)
ONE, TWO = "backbone/block1_conv", "backbone/block2_conv"


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("block", (ONE, TWO)),
        ("BLOCK2", (TWO,)),
        ("conv2d", (ONE, TWO, "1x1")),
        ("backbone pool", ("backbone/pool",)),
        ("block?_conv", (ONE, TWO)),
        ("*_conv", (ONE, TWO)),
        ("3x3x3x64", (ONE,)),
        ("3\N{MULTIPLICATION SIGN}3\N{MULTIPLICATION SIGN}3\N{MULTIPLICATION SIGN}64", (ONE,)),
        ("(3,3,3,64)", (ONE,)),
        ("3X3X1X64", (ONE,)),
        ("3x3", (ONE, TWO)),
        ("5x5x64x128", (TWO,)),
        ("3x3x?x128", (TWO,)),
        ("16x16x128", (TWO,)),
        ("128x10", ("frozen_name",)),
        ("1x1", ("1x1",)),
        ("frozen", (ONE,)),
        ("trained", (TWO, "frozen_name", "1x1")),
        ('"frozen"', ("frozen_name",)),
        ("adapted", (ONE,)),
        ("mismatch", (TWO,)),
        ("Mismatched", (TWO,)),
        ("initialized", ("frozen_name",)),
        ("dropped", ("frozen_name",)),
        ("copied", (ONE,)),
        ("/block[12]_conv$/", (ONE, TWO)),
        ("/^Dense$/", ("frozen_name",)),
        ("/conv | Dense/", ()),
        ("/block/ frozen", (ONE,)),
        ("conv2d !frozen", (TWO, "1x1")),
        ("!/./", ()),
        ("nothing here", ()),
        ("", ()),
        ("   ", ()),
    ],
)
def test_that_a_query_means_these_layers_in_the_order_of_the_graph(query: str, paths: tuple[str, ...]) -> None:
    assert find(GRAPH, PLAN, query).paths == paths


def test_that_without_a_plan_names_shapes_and_flags_are_known_and_fates_are_not() -> None:
    assert find(GRAPH, None, "3x3x3x64").paths == (ONE,)
    assert find(GRAPH, None, "frozen").paths == (ONE,)
    assert find(GRAPH, None, "adapted").paths == ()


@pytest.mark.parametrize("query", ["/[/", "/(/", "/a{2,1}/", "conv /*/"])
def test_that_a_broken_expression_is_told_and_finds_nothing(query: str) -> None:
    found = find(GRAPH, PLAN, query)
    assert found.paths == ()
    assert found.problem.startswith("The regular expression is not complete: ")
    assert found.problem.endswith(".")


def test_that_the_graph_before_shows_fates_where_the_arrays_were() -> None:
    after = Graph("model", layers=(Layer("renamed", "Dense", origin="was"), Layer("was", "Dense", origin=None)))
    before = Graph("model", layers=(Layer("was", "Dense", origin="was"), Layer("gone", "Dense", origin="gone")))
    plan = Plan(
        ok=True,
        graph=after,
        fates=(Fate("renamed/kernel", "adapted", (1,), source="was/kernel"), Fate("was/kernel", "initialized", (1,))),
        dropped=("gone/kernel",),
    )
    assert find(before, plan, "adapted", before=True).paths == ("was",)
    assert find(before, plan, "dropped", before=True).paths == ("gone",)
    assert find(before, plan, "initialized", before=True).paths == ()
    assert find(after, plan, "adapted").paths == ("renamed",)
    assert find(after, plan, "initialized").paths == ("was",)


def test_that_weights_with_slashes_in_their_names_belong_to_their_layer() -> None:
    graph = Graph("m", layers=(Layer("lstm", "LSTM", weights=(Weight("cell/kernel", (2, 8)),)),))
    plan = Plan(ok=True, graph=graph, fates=(Fate("lstm/cell/kernel", "copied", (2, 8), source="lstm/cell/kernel"),))
    assert find(graph, plan, "copied").paths == ("lstm",)


def test_that_words_are_looked_at_once_for_each_layer() -> None:
    """Ten times the layers are ten times the work, counted in reads of the classes."""

    def reads(count: int) -> int:
        seen = 0

        class Counted(str):
            def __contains__(self, part: str) -> bool:  # type: ignore[override]
                nonlocal seen
                seen += 1
                return super().__contains__(part)

            def lower(self) -> "Counted":
                return Counted(super().lower())

        graph = Graph("big", layers=tuple(Layer(f"l{number}", Counted("Dense")) for number in range(count)))
        assert len(find(graph, None, "dense").paths) == count
        return seen

    assert reads(1000) == 10 * reads(100) > 0


def test_that_a_query_says_of_itself_what_its_words_are() -> None:
    kinds = [(word.kind, word.text, word.out) for word in parse('Conv 3x3 !frozen "x" a* /b c/').words]
    assert kinds == [
        ("text", "conv", False), ("shape", "3x3", False), ("state", "frozen", True), ("text", "x", False),
        ("glob", "a*", False), ("regex", "b c", False),
    ]  # fmt: skip

"""What a graph keeps of itself: its layers by name and path, who takes a tensor, an order of its calls."""

import pickle

import pytest
from msgspec.structs import replace

from core.errors import EditError
from core.model.graph import Call, Graph, Layer, TensorRef, TensorSpec
from core.model.levels import owner, with_level


def dense(name: str, *inputs: str, **fields: object) -> Layer:
    args = tuple(TensorRef(one) for one in inputs)
    return Layer(name, "Dense", calls=(Call(args=args, outputs=(TensorSpec((None, 4)),)),), **fields)  # type: ignore[arg-type]


def model(name: str, *layers: Layer) -> Layer:
    inner = Graph(name, layers=layers, inputs=TensorRef(layers[0].name), outputs=TensorRef(layers[-1].name))
    return Layer(name, "Functional", inner=inner, calls=(Call(args=(TensorRef("in"),)),))


@pytest.fixture
def slashed() -> Graph:
    """Names that hold a slash, and paths that could be taken for them."""
    return Graph(
        "g",
        layers=(
            Layer("in", "InputLayer", calls=(Call(),)),
            dense("a/b", "in", origin="the name with a slash"),
            model("a", dense("c", origin="inside a"), dense("b", "c", origin="hidden behind the name")),
            model("x/y", dense("z", origin="inside x/y"), model("n", dense("m/o", origin="deep"))),
        ),
    )


@pytest.mark.parametrize(
    ("path", "trail", "origin"),
    [
        ("a/b", ("a/b",), "the name with a slash"),
        ("a/c", ("a", "c"), "inside a"),
        ("x/y/z", ("x/y", "z"), "inside x/y"),
        ("x/y/n/m/o", ("x/y", "n", "m/o"), "deep"),
    ],
)
def test_that_a_name_with_a_slash_is_not_taken_for_a_nested_layer(
    slashed: Graph, path: str, trail: tuple[str, ...], origin: str
) -> None:
    assert slashed.trail(path) == trail
    assert slashed.find(path).origin == origin
    assert slashed.by_path()[path].origin == origin


@pytest.mark.parametrize("path", ["a", "x/y", "x/y/n"])
def test_that_models_are_found_too(slashed: Graph, path: str) -> None:
    assert slashed.find(path).is_model


@pytest.mark.parametrize("path", ["", "b", "a/d", "a/b/c", "x", "x/y/n/m", "x/z", "in/in"])
def test_that_what_is_not_there_is_not_found(slashed: Graph, path: str) -> None:
    with pytest.raises(KeyError):
        slashed.find(path)
    with pytest.raises(EditError, match="There is no layer"):
        owner(slashed, path)


def test_that_a_replaced_layer_lands_where_its_path_leads(slashed: Graph) -> None:
    for path in ("a/b", "a/c", "x/y/n/m/o"):
        after = slashed.with_layer(path, replace(slashed.find(path), origin="changed"))
        assert [one for one, layer in after.walk() if layer.origin == "changed"] == [path]
        assert len([1 for layer in after.by_path().values() if layer.origin == "changed"]) == 1


def test_that_many_layers_are_replaced_as_one_after_the_other(slashed: Graph) -> None:
    fresh = {path: replace(slashed.find(path), trainable=False) for path in ("a/b", "a/c", "x/y/z", "x/y/n/m/o")}
    expected = slashed
    for path, layer in fresh.items():
        expected = expected.with_layer(path, layer)
    assert slashed.with_layers(fresh) == expected
    assert slashed.with_layers({}) is slashed


def test_that_layers_inside_one_that_is_replaced_go_into_what_it_brings(slashed: Graph) -> None:
    other = replace(slashed.find("a"), inner=replace(slashed.find("a").inner, name="another"))  # type: ignore[type-var]
    inside = replace(slashed.find("a/c"), origin="changed")
    after = slashed.with_layers({"a/c": inside, "a": other})
    assert after.inside(("a",)).name == "another"
    assert after.find("a/c").origin == "changed"


def test_that_a_level_is_found_and_put_back_by_the_names_around_it(slashed: Graph) -> None:
    assert set(slashed.levels()) == {"", "a/", "x/y/", "x/y/n/"}
    for path in ("a/b", "a/c", "x/y/z", "x/y/n/m/o"):
        prefix, level = owner(slashed, path)
        assert slashed.levels()[prefix] is level
        assert with_level(slashed, prefix, replace(level, name="renamed")).levels()[prefix].name == "renamed"


def test_that_calls_come_after_those_they_depend_on_whatever_the_order_of_layers() -> None:
    layers = [dense("d", "b", "c"), dense("b", "a"), dense("c", "a"), Layer("a", "InputLayer", calls=(Call(),))]
    order = Graph("g", layers=tuple(layers)).order
    place = {name: number for number, (name, _) in enumerate(order)}
    assert sorted(place) == ["a", "b", "c", "d"]
    assert place["a"] < min(place["b"], place["c"]) < max(place["b"], place["c"]) < place["d"]


def test_that_a_shared_layer_is_ordered_call_by_call() -> None:
    twice = Layer("twice", "Dense", calls=(Call(args=(TensorRef("in"),)), Call(args=(TensorRef("between"),))))
    graph = Graph("g", layers=(twice, dense("between", "twice"), Layer("in", "InputLayer", calls=(Call(),))))
    assert graph.order == (("in", 0), ("twice", 0), ("between", 0), ("twice", 1))


def test_that_a_circle_is_ordered_somehow_and_ends() -> None:
    graph = Graph("g", layers=(dense("a", "b"), dense("b", "a")))
    assert sorted(graph.order) == [("a", 0), ("b", 0)]


def test_that_what_a_graph_keeps_neither_travels_nor_counts(slashed: Graph) -> None:
    fresh = replace(slashed)
    _ = slashed.order, slashed.consumers(), slashed.by_path(), slashed.find("a/c")
    assert slashed == fresh
    assert len(pickle.dumps(slashed)) == len(pickle.dumps(fresh))
    assert pickle.loads(pickle.dumps(slashed)) == slashed


def test_that_a_graph_does_not_keep_what_was_true_of_the_one_before(slashed: Graph) -> None:
    _ = slashed.order, slashed.consumers(), slashed.by_path(), slashed.by_name(), slashed.find("a/c")
    fewer = replace(slashed, layers=slashed.layers[:1])
    assert fewer.order == (("in", 0),)
    assert list(fewer.by_path()) == list(fewer.by_name()) == ["in"]
    assert fewer.consumers() == {}


def test_that_order_and_consumers_go_along_only_where_the_calls_are_the_very_same(slashed: Graph) -> None:
    _ = slashed.order, slashed.consumers()
    same = replace(slashed, layers=tuple(replace(layer, trainable=False) for layer in slashed.layers))
    assert same.wired_as(slashed).order is slashed.order
    rewired = replace(slashed, layers=(*slashed.layers[:1], dense("a/b", "a"), *slashed.layers[2:]))
    assert rewired.wired_as(slashed).order is not slashed.order
    assert TensorRef("a") in rewired.consumers()

"""The tail of a model, with what crosses the cut as its inputs."""

from typing import Any

import pytest
from msgspec.structs import replace

from core.edits.cut_at import CutAt
from core.edits.start_at import StartAt
from core.errors import EditError
from tests.core.edits.bench import Bench
from tests.core.engine.small_models import build
from tests.helpers.edits import applied


def tail(name: str, *layers: str) -> Any:
    return Bench(build(name)).edited(StartAt(layers=layers))


def test_that_a_sequential_begins_at_its_middle() -> None:
    graph = tail("chain", "conv2d")
    assert [layer.class_name for layer in graph.layers] == ["InputLayer", "Flatten", "Dense", "Dense"]
    assert graph.input_layers()[0].config["batch_shape"] == [None, 8, 8, 4]


def test_that_a_nested_model_can_be_what_is_left() -> None:
    graph = tail("nested", "before")
    assert [layer.name for layer in graph.layers][:2] == ["before_input", "block"]
    assert graph.layer("block").inner is not None


def test_that_another_branch_enters_where_it_crosses_the_cut() -> None:
    graph = tail("dicts", "flatten")
    assert [layer.name for layer in graph.input_layers()] == ["flatten_input", "dense_input"]


def test_that_inputs_that_are_still_needed_stay() -> None:
    graph = tail("siamese", "twin")
    assert [layer.name for layer in graph.input_layers()] == ["twin_input", "twin_input_2"]
    graph = tail("model_with_two_ports", "inner")
    assert [layer.name for layer in graph.input_layers()] == ["inner_input", "inner_input_2"]


def test_that_outputs_before_the_cut_are_gone() -> None:
    graph = tail("branches", "concatenate")
    assert len(graph.output_refs()) == 1


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((), "at least one"),
        (("dense", "dense"), "none twice"),
        (("nowhere",), "no layer"),
        (("dense_1",), "Nothing comes"),
    ],
)
def test_that_what_cannot_be_is_refused_in_a_sentence(layers: tuple[str, ...], words: str) -> None:
    with pytest.raises(EditError, match=words):
        tail("chain", *layers)


def test_that_a_layer_inside_a_nested_model_is_refused_with_what_to_name() -> None:
    bench = Bench(build("nested"))
    inside = next(path for path, _ in bench.graph.walk() if path.startswith("block/"))
    with pytest.raises(EditError, match=r"inside a nested model.*; use block"):
        bench.edited(StartAt(layers=(inside,)))


@pytest.mark.parametrize("edit", [StartAt(layers=("conv2d",)), CutAt(layers=("conv2d",))])
def test_that_a_model_whose_connections_are_unknown_is_not_cut(edit: StartAt | CutAt) -> None:
    graph = replace(Bench(build("chain")).graph, opaque=True)
    with pytest.raises(EditError, match="are unknown"):
        applied(graph, edit)

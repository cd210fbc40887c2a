"""Repeated blocks are found by structure alone; the counts are those of the papers that the models come from."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from core.analysis.blocks import MOST_AT_ONCE, MOST_SHOWN, Group, groups, members
from core.analysis.opening import read_model
from core.model.graph import Call, Graph, Layer, TensorRef, map_leaves
from core.phrases import TIMES
from tests.helpers import models

REPEATS = {
    # He et al. 2016: 3, 4, 6 and 3 bottlenecks, the first of each stage with a shortcut of its own
    "ResNet50": ["2 x bottleneck", "3 x bottleneck", "5 x bottleneck", "2 x bottleneck"],
    # Huang et al. 2017
    "DenseNet121": [f"{count} x densely connected block" for count in (6, 12, 24, 16)],
    # Sandler et al. 2018: n = 1, 2, 3, 4, 3, 3, 1, the first of each stage with other strides or widths
    "MobileNetV2": [f"{count} x inverted bottleneck" for count in (2, 3, 2, 2)],
    # Tan and Le 2019: 1, 2, 2, 3, 3, 4, 1; what is alone in its stage repeats nothing
    "EfficientNetB0": [f"{count} x MBConv block" for count in (2, 2, 3)],
}


def architecture(name: str, folder: Path) -> Graph:
    path = folder / f"{name}.json"
    path.write_text(models.architecture(name, input_shape=(64, 64, 3), classes=3))
    return read_model(path).graph


def call(ref: Callable[[TensorRef], TensorRef], old: Call) -> Call:
    return replace(old, args=map_leaves(ref, old.args), kwargs=map_leaves(ref, old.kwargs))


def renamed(graph: Graph, names: dict[str, str]) -> Graph:
    def ref(old: TensorRef) -> TensorRef:
        return replace(old, layer=names[old.layer])

    layers = [
        replace(
            layer,
            name=names[layer.name],
            config={**layer.config, "name": names[layer.name]},
            calls=tuple(
                replace(call, args=map_leaves(ref, call.args), kwargs=map_leaves(ref, call.kwargs))
                for call in layer.calls
            ),
        )
        for layer in graph.layers
    ]
    return replace(graph, layers=tuple(layers), outputs=map_leaves(ref, graph.outputs))


def repeats(graph: Graph) -> list[Group]:
    return [group for one in groups(graph) for group in one.walk() if group.kind == "repeat"]


def titles(graph: Graph) -> list[str]:
    return [group.title.replace(TIMES, "x") for group in repeats(graph)]


def chain(length: int, classes: tuple[str, ...] = ("Dense",), **config: Any) -> Graph:
    layers = [Layer("in", "InputLayer", calls=(Call(),))]
    for number in range(length):
        call = Call((TensorRef(layers[-1].name),))
        layers.append(Layer(f"l{number}", classes[number % len(classes)], config=dict(config), calls=(call,)))
    return Graph("chain", layers=tuple(layers), outputs=TensorRef(layers[-1].name))


def transformer(count: int) -> Graph:
    """Pre-norm blocks that all take one mask: attention and a feed-forward part, each with a skip connection."""
    layers = [Layer("tokens", "InputLayer", calls=(Call(),)), Layer("mask", "InputLayer", calls=(Call(),))]
    last = "tokens"

    def add(name: str, class_name: str, *sources: str, **kwargs: Any) -> str:
        args = ([TensorRef(one) for one in sources],) if class_name == "Add" else tuple(map(TensorRef, sources))
        layers.append(Layer(name, class_name, calls=(Call(args, kwargs),)))
        return name

    for number in range(count):
        normed = add(f"n{number}", "LayerNormalization", last)
        seen = add(f"a{number}", "MultiHeadAttention", normed, normed, attention_mask=TensorRef("mask"))
        middle = add(f"s{number}", "Add", last, seen)
        fed = add(f"d{number}", "Dense", add(f"m{number}", "LayerNormalization", middle))
        last = add(f"t{number}", "Add", middle, fed)
    return Graph("transformer", layers=tuple(layers), outputs=TensorRef(last))


@pytest.mark.parametrize("name", REPEATS)
def test_that_the_blocks_of_well_known_models_are_found_whatever_their_layers_are_called(
    name: str, tmp_path: Path
) -> None:
    graph = architecture(name, tmp_path)
    assert titles(graph) == REPEATS[name]
    order = [f"layer_{number}" for number in range(len(graph.layers))]
    random.Random(3).shuffle(order)
    other = renamed(graph, dict(zip((layer.name for layer in graph.layers), order, strict=True)))
    assert titles(other) == REPEATS[name]
    for one in (graph, other):
        inside = [name for member in members(one) for name in ([member] if isinstance(member, str) else member.names())]
        assert sorted(inside) == sorted(layer.name for layer in one.layers)
        assert len(members(one)) <= MOST_AT_ONCE


def test_that_transformer_blocks_with_one_mask_for_all_are_alike() -> None:
    (group,) = repeats(transformer(7))
    assert group.title == f"7 {TIMES} transformer block"
    assert [next(one.names()) for one in group.members if isinstance(one, Group)] == [
        f"n{number}" for number in range(7)
    ]


def test_that_another_setting_of_one_layer_ends_a_repetition_and_a_name_does_not() -> None:
    graph = chain(12, ("Dense", "ReLU"), units=8)
    assert [group.count for group in repeats(graph)] == [6]
    layers = list(graph.layers)
    layers[7] = replace(layers[7], config={"units": 9})
    assert [group.count for group in repeats(replace(graph, layers=tuple(layers)))] == [3]
    layers[7] = replace(layers[7], config={"units": 8, "name": "another"})
    assert [group.count for group in repeats(replace(graph, layers=tuple(layers)))] == [6]


def test_that_other_connections_end_a_repetition() -> None:
    graph = transformer(6)
    layers = [
        replace(layer, calls=(Call(([TensorRef("s0"), TensorRef("d3")],)),)) if layer.name == "t3" else layer
        for layer in graph.layers
    ]
    found = repeats(replace(graph, layers=tuple(layers)))
    assert [group.count for group in found if "transformer" in group.title] == [3, 2]


def test_that_a_tensor_from_inside_of_the_first_block_is_not_one_that_all_blocks_take() -> None:
    layers = [
        replace(layer, calls=(Call(([TensorRef("l1"), *layer.calls[0].args],)),)) if number % 4 == 0 else layer
        for number, layer in enumerate(chain(24, ("Dense", "ReLU", "Flatten", "Add")).layers)
        if number
    ]
    graph = Graph("chain", layers=(Layer("in", "InputLayer", calls=(Call(),)), *layers), outputs=TensorRef("l23"))
    # the first block takes a tensor of its own, each other one the first's
    assert [group.count for group in repeats(graph)] == [5]


def test_that_layers_that_share_the_beginning_of_their_names_are_a_group() -> None:
    classes = ("Conv2D", "ReLU", "Dense", "Add", "Flatten")
    graph = chain(5, classes)
    names = {"in": "in", **{f"l{number}": f"stage_1_{kind}" for number, kind in enumerate("abcde")}}
    (group,) = groups(renamed(graph, names))
    assert (group.kind, group.title) == ("named", "stage_1")
    assert list(group.names()) == [f"stage_1_{kind}" for kind in "abcde"]


def test_that_no_group_of_ten_thousand_layers_has_too_many_members_at_once() -> None:
    graph = chain(10_000, ("Dense", "BatchNormalization", "ReLU"))
    top = repeats(graph)[0]
    assert top.count == 3333
    assert all(len(group.members) <= MOST_SHOWN for group in top.walk())
    keys = [group.key for one in groups(graph) for group in one.walk()]
    assert len(keys) == len(set(keys))


def test_that_layers_without_connections_are_put_into_stretches_and_odd_configs_are_taken() -> None:
    layers = [
        Layer(f"w{number}", f"Class{number}", config={"x": json.dumps, "y": {"name": "n"}}) for number in range(500)
    ]
    found = groups(Graph("weights", layers=tuple(layers)))
    assert {group.kind for group in found} == {"stretch"}
    assert [name for group in found for name in group.names()] == [layer.name for layer in layers]

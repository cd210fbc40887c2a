from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from core.edits import InsertLayer, RemoveLayer, RenameLayer, ReplaceLayer
from core.errors import EditError
from tests.core.edits.bench import drift
from tests.helpers.edits import applied

RNG = np.random.default_rng(10)
NOISE = {"class_name": "GaussianNoise", "config": {"stddev": 0.1, "name": "noise"}}


def images(source: Any) -> Any:
    return [RNG.uniform(0, 1, (2, *ref.shape[1:])).astype("float32") for ref in source.model.inputs]


@pytest.mark.parametrize(("name", "where"), [("flat", "stem"), ("nested", "backbone/stem"), ("shared", "stem")])
def test_that_a_layer_goes_behind_every_call_of_another(bench: Any, name: Any, where: Any) -> None:
    source = bench(name)
    built = source.built(InsertLayer(layer=where, config=NOISE))
    x = images(source)
    assert drift(built(*x), source.old(*x)) < 1e-6
    level = built.model.get_layer("backbone") if "/" in where else built.model
    assert len(level.get_layer("noise")._inbound_nodes) == (2 if name == "shared" else 1)


def test_that_no_weight_shifts_when_a_convolution_is_inserted(bench: Any) -> None:
    conv = {"class_name": "Conv2D", "filters": 8, "kernel_size": 3, "padding": "same", "name": "extra"}
    built = bench("flat").built(InsertLayer(layer="stem", config=conv))
    assert built.fates.pop("extra/kernel") == "initialized"
    assert built.fates.pop("extra/bias") == "initialized"
    assert set(built.fates.values()) == {"copied"}


@pytest.mark.parametrize(
    ("name", "where"), [("flat", "stem_relu"), ("sequential", "pool"), ("nested", "backbone/stem_bn")]
)
def test_that_a_layer_can_be_taken_out(bench: Any, name: Any, where: Any) -> None:
    source = bench(name)
    graph = source.edited(RemoveLayer(layer=where))
    assert where not in {path for path, _ in graph.walk()}


def test_that_taking_out_a_layer_without_effect_changes_nothing(bench: Any) -> None:
    source = bench("flat")
    x = images(source)
    built = source.built(InsertLayer(layer="add", config=NOISE), RemoveLayer(layer="noise"))
    assert drift(built(*x), source.old(*x)) == 0.0


def test_that_a_layer_gets_other_arguments_and_keeps_its_weights(bench: Any) -> None:
    built = bench("flat").built(ReplaceLayer(layer="stem", config={"activation": "tanh"}))
    assert built.model.get_layer("stem").activation.__name__ == "tanh"
    assert built.fates["stem/kernel"] == "copied"


def test_that_a_layer_of_another_class_takes_the_place(bench: Any) -> None:
    source = bench("flat")
    config = {"class_name": "LeakyReLU", "config": {"negative_slope": 0.2}}
    built = source.built(ReplaceLayer(layer="stem_relu", config=config))
    layer = built.model.get_layer("stem_relu")
    assert type(layer).__name__ == "LeakyReLU"
    assert layer.negative_slope == pytest.approx(0.2)


@pytest.mark.parametrize(("name", "old"), [("flat", "stem"), ("nested", "backbone/stem"), ("nested", "backbone")])
def test_that_a_renamed_layer_keeps_its_weights_and_its_place(bench: Any, name: Any, old: Any) -> None:
    source = bench(name)
    built = source.built(RenameLayer(layer=old, name="renamed"))
    x = images(source)
    assert drift(built(*x), source.old(*x)) == 0.0
    assert set(built.fates.values()) == {"copied"}
    assert any("renamed" in path for path in built.fates)


def test_that_an_input_can_be_renamed(bench: Any) -> None:
    built = bench("flat").built(RenameLayer(layer="image", name="picture"))
    assert [tensor.name for tensor in built.model.inputs] == ["picture"]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (InsertLayer(layer="stemm", config=NOISE), "no layer 'stemm'"),
        (InsertLayer(layer="stem", config={}), "class_name"),
        (RemoveLayer(layer="add"), "takes 2 tensors"),
        (RemoveLayer(layer="image"), "is an input"),
        (RenameLayer(layer="stem", name="dw"), "layer named dw already exists"),
        (RenameLayer(layer="stem", name="a/b"), "not a valid layer name"),
        (ReplaceLayer(layer="stem", config={}), "config is empty"),
        (ReplaceLayer(layer="image", config={"dtype": "float16"}), "InputLayer"),
    ],
)
def test_that_what_cannot_be_is_refused_in_a_sentence(bench: Any, edit: Any, words: Any) -> None:
    with pytest.raises(EditError, match=words):
        bench("flat").edited(edit)


@pytest.mark.parametrize(
    "edit",
    [
        InsertLayer(layer="stem", config=NOISE),
        RemoveLayer(layer="stem"),
        ReplaceLayer(layer="stem", config={"filters": 3}),
    ],
)
def test_that_nothing_is_put_into_a_model_whose_connections_are_unknown(bench: Any, edit: Any) -> None:
    graph = replace(bench("flat").graph, opaque=True)
    with pytest.raises(EditError, match="The connections of stem are unknown"):
        applied(graph, edit)

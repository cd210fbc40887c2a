"""Edits follow what the table says of a class: random image layers, adaptive pooling, layers with a data format."""

import inspect
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import ChangeInput, DropTrainingOnly, RemoveLayer, ReplaceFirstConv, ReplaceLayer
from core.edits.base import Context
from core.layers.axes import axes_of
from core.layers.shapes.others import RULES
from core.model.graph import Call, Graph, Layer, TensorRef
from core.rules import KeepRows
from gui.models.digest import can_freeze
from tests.core.edits.bench import Bench, drift
from tests.helpers.contracts import kind as contract_kind

L = keras.layers
SIZE = 6


def model(*ahead: Any) -> Any:
    inputs = x = keras.Input((SIZE, SIZE, 3), name="image")
    for layer in ahead:
        x = layer(x, training=False) if "training" in inspect.signature(layer.call).parameters else layer(x)
    return keras.Model(inputs, L.Conv2D(4, 3, padding="same", name="stem")(x))


def images(channels: int = 3) -> Any:
    return np.random.default_rng(0).uniform(0, 255, (2, SIZE, SIZE, channels)).astype("float32")


@pytest.mark.parametrize(
    "layer",
    [
        L.AdaptiveAveragePooling2D(3, name="ahead"),
        L.AdaptiveMaxPooling2D(3, name="ahead"),
        L.RandomContrast(0.5, name="ahead"),
        L.AutoContrast(name="ahead"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_that_channels_are_followed_through_what_keeps_them_apart(layer: Any) -> None:
    source = Bench(model(layer))
    edit = ChangeInput(shape=(SIZE, SIZE, 1))
    gray = images(1)
    assert drift(source.built(edit)(gray), source.old(np.repeat(gray, 3, axis=-1))) < 1e-5
    assert all(contract_kind(one) == "gray" for one in source.outcome(edit).contracts)


def test_that_a_scale_is_not_folded_through_a_layer_that_stretches_each_channel() -> None:
    source = Bench(model(L.Rescaling([1.0, 0.5, 0.25], [0.0, 20.0, 40.0]), L.AutoContrast()))
    edit = ChangeInput(shape=(SIZE, SIZE, 1))
    (contract,) = source.outcome(edit).contracts
    gray = images(1)
    off = drift(source.built(edit)(gray), source.old(np.repeat(gray, 3, axis=-1)))
    assert not contract.exact or off < 1e-5


@pytest.mark.parametrize(
    "between",
    [
        (L.AdaptiveAveragePooling2D(3), L.SpatialDropout2D(0.2)),
        (L.CenterCrop(4, 4), L.PReLU()),
        (L.BatchNormalization(), L.AdaptiveMaxPooling2D(2)),
        (L.Resizing(4, 4), L.ELU()),
    ],
    ids=lambda layers: type(layers[0]).__name__,
)
def test_that_wider_channels_pass_through_what_keeps_them_apart(between: Any) -> None:
    inputs = keras.Input((SIZE, SIZE, 3), name="image")
    x = L.Conv2D(4, 3, padding="same", name="first")(inputs)
    for layer in between:
        x = layer(x)
    source = Bench(keras.Model(inputs, L.Conv2D(5, 2, name="second")(x)))
    edit = ReplaceFirstConv(layer="first", filters=8, filters_rule="widen")
    assert drift(source.built(edit)(images() / 255), source.old(images() / 255)) < 1e-5


@pytest.mark.parametrize(
    "layer",
    [L.RandomContrast(0.5, name="gone"), L.RandomRotation(0.2, name="gone"), L.SpatialDropout2D(0.2, name="gone")],
)
def test_that_a_layer_that_only_acts_in_training_goes_without_a_trace(layer: Any) -> None:
    source = Bench(model(layer))
    for edit in (RemoveLayer(layer="gone"), DropTrainingOnly(kinds=("augmentation", "dropout"))):
        assert len(source.outcome(edit).contracts) == 1
        assert "gone" not in {path for path, _ in source.edited(edit).walk()}
        assert drift(source.built(edit)(images()), source.old(images())) < 1e-5


def test_that_auto_contrast_is_not_dropped_with_what_only_acts_in_training() -> None:
    source = Bench(model(L.AutoContrast(name="kept"), L.RandomFlip(name="gone")))
    after = source.edited(DropTrainingOnly(kinds=("augmentation",)))
    assert [path for path, _ in after.walk()] == ["image", "kept", "stem"]
    assert source.outcome(RemoveLayer(layer="kept")).contracts != (source.outcome(RemoveLayer(layer="gone")).contracts)


def chain(*layers: Layer) -> Graph:
    """An input and layers one behind the other."""
    first = Layer("image", "InputLayer", config={"batch_shape": [None, 3, 8, 8]}, calls=(Call(),))
    made, ref = [first], TensorRef("image")
    for layer in layers:
        made.append(Layer(layer.name, layer.class_name, config=layer.config, calls=(Call((ref,)),)))
        ref = TensorRef(layer.name)
    return Graph("m", layers=tuple(made), inputs=(TensorRef("image"),), outputs=(ref,))


@pytest.mark.parametrize(
    ("class_name", "config"),
    [
        ("UpSampling2D", {}),
        ("ZeroPadding2D", {}),
        ("AveragePooling2D", {"pool_size": 2}),
        ("SpatialDropout2D", {"rate": 0.1}),
    ],
)
def test_that_what_replaces_a_layer_keeps_its_data_format(class_name: str, config: dict[str, Any]) -> None:
    old = Layer("pool", "MaxPooling2D", config={"pool_size": 2, "data_format": "channels_first", "trainable": True})
    edit = ReplaceLayer(layer="pool", config={"class_name": class_name, "config": config})
    made = edit.apply(chain(old), Context(chain(old))).graph.find("pool").config
    assert made["data_format"] == "channels_first"
    assert getattr(keras.layers, class_name).from_config(made).data_format == "channels_first"


@pytest.mark.parametrize("class_name", ["Discretization", "Hashing"])
def test_that_numbers_of_bins_keep_the_shape_and_vectors_of_them_do_not(class_name: str) -> None:
    assert RULES[class_name]({"output_mode": "int"}, [(None, 8, 3)]) == (None, 8, 3)
    assert RULES[class_name]({}, [(None, 8, 3)]) == (None, 8, 3)
    for mode in ("one_hot", "multi_hot"):
        layer = getattr(L, class_name)(num_bins=5, output_mode=mode)
        assert RULES[class_name](layer.get_config(), [(None, 8, 3)]) is None
        assert tuple(layer.compute_output_shape((None, 8, 3))) != (None, 8, 3)


@pytest.mark.parametrize(
    ("class_name", "config", "learns"),
    [
        ("LSTM", {"units": 2}, True),
        ("Bidirectional", {"layer": {"class_name": "GRU", "config": {"units": 2}}}, True),
        ("LayerNormalization", {"scale": False, "center": False}, False),
        ("Normalization", {}, False),
        ("Dropout", {"rate": 0.2}, False),
    ],
)
def test_that_a_new_layer_can_be_frozen_if_it_will_learn(class_name: str, config: dict[str, Any], learns: bool) -> None:
    assert can_freeze(Layer("new", class_name, config=config)) == learns


def test_that_the_rows_of_a_reversible_embedding_lie_on_the_other_axis_on_the_way_back() -> None:
    old, new = (L.ReversibleEmbedding(count, 3, tie_weights=False) for count in (4, 6))
    for layer in (old, new):
        layer.build((None, 5))
    graph = Layer("words", "ReversibleEmbedding", config=old.get_config())
    for name in ("embeddings", "reverse_embeddings"):
        array, target = np.asarray(getattr(old, name)), tuple(getattr(new, name).shape)
        axes = axes_of(graph, name, array.shape)
        getattr(new, name).assign(KeepRows(fresh="zeros").apply(array, target, axes, {}))
    ids = np.array([[0, 3, 1, 2, 2]])
    assert np.array_equal(np.asarray(new(ids)), np.asarray(old(ids)))
    features = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    np.testing.assert_allclose(
        np.asarray(new(features, reverse=True))[:, :4], np.asarray(old(features, reverse=True)), rtol=1e-6
    )

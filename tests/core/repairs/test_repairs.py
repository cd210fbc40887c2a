"""Each repair changes the old form it knows, leaves everything else alone, and says what it did."""

from typing import Any

import pytest

from core.repairs import repair_model
from core.repairs.base import Config, Dialect, Repair
from core.repairs.registry import BEFORE, REPAIRS

BY_NAME: dict[str, Repair] = {repair.name: repair for repair in (*BEFORE, *REPAIRS)}
KERAS_1, KERAS_2, KERAS_3 = Dialect(1, "1.2.2"), Dialect(2, "2.4.0"), Dialect(3, "3.10.0")


def _layer(class_name: str, **config: Any) -> Config:
    return {"class_name": class_name, "config": {"name": "x", **config}}


def _modern(class_name: str, **config: Any) -> Config:
    return {**_layer(class_name, **config), "module": "keras.layers", "registered_name": None}


def _config(repair: str, layer: Config, dialect: Dialect = KERAS_2) -> Config:
    change = BY_NAME[repair].apply(layer, dialect)
    assert change is not None
    return {key: value for key, value in change.layer["config"].items() if key != "name"}


CASES: list[tuple[str, Config, Config]] = [
    ("groups", _layer("DepthwiseConv2D", groups=1), {}),
    ("groups", _layer("Conv2DTranspose", groups=1, filters=3), {"filters": 3}),
    ("time_major", _layer("LSTM", time_major=False, units=2), {"units": 2}),
    ("axis", _layer("BatchNormalization", axis=[3]), {"axis": 3}),
    ("relus", _layer("LeakyReLU", alpha=0.3), {"negative_slope": 0.3}),
    ("relus", _layer("ELU", alpha={"type": "ndarray", "value": 0.5}), {"alpha": 0.5}),
    ("relus", _layer("ThresholdedReLU", theta=0.7), {"max_value": None, "negative_slope": 0.0, "threshold": 0.7}),
    ("spatial_dropout", _layer("SpatialDropout2D", rate=0.1, noise_shape=None), {"rate": 0.1}),
    ("activations", _layer("Activation", activation="softmax_v2"), {"activation": "softmax"}),
    ("activations", _layer("Dense", activation="tf.nn.relu"), {"activation": "relu"}),
    ("recurrent", _layer("GRU", units=2), {"units": 2, "reset_after": False}),
    ("input shape", _layer("InputLayer", batch_input_shape=[None, 4]), {"batch_shape": [None, 4], "dtype": "float32"}),
    ("input shape", _layer("Dense", units=2, batch_input_shape=[None, 4]), {"units": 2}),
    (
        "dtypes",
        _layer("InputLayer", dtype={"class_name": "Policy", "config": {"name": "mixed_float16"}}),
        {"dtype": "float16"},
    ),
    ("leftovers", _modern("Embedding", input_dim=9, output_dim=2, input_length=5), {"input_dim": 9, "output_dim": 2}),
    ("unknown fields", _modern("Dense", units=2, wonder=7), {"units": 2}),
]


@pytest.mark.parametrize(
    ("repair", "layer", "config"), CASES, ids=[f"{case[0]} {case[1]['class_name']}" for case in CASES]
)
def test_that_an_old_form_is_made_todays(repair: str, layer: Config, config: Config) -> None:
    before = repr(layer)
    assert _config(repair, layer) == config
    assert repr(layer) == before


@pytest.mark.parametrize(
    ("repair", "layer"),
    [
        ("groups", _layer("Conv2D", groups=1)),
        ("groups", _layer("DepthwiseConv2D", groups=2)),
        ("time_major", _layer("LSTM", time_major=True)),
        ("axis", _layer("LayerNormalization", axis=[1, 2])),
        ("relus", _layer("ReLU", max_value=6.0)),
        ("activations", _layer("Dense", activation="my_own")),
        ("recurrent", _layer("GRU", reset_after=True)),
        ("hard_sigmoid", _layer("LSTM", recurrent_activation="sigmoid")),
        ("lambda", _layer("Dense")),
        ("leftovers", _modern("Dense", units=2)),
    ],
)
def test_that_other_forms_are_left_alone(repair: str, layer: Config) -> None:
    assert BY_NAME[repair].apply(layer, KERAS_2) is None


def test_that_keras_3_configs_need_no_repair() -> None:
    import json

    import keras
    from keras.src.saving import serialization_lib

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((6, 4)), layers.Bidirectional(layers.GRU(3)), layers.Dropout(0.1), layers.Dense(2, "hard_sigmoid")]
    )
    config = json.loads(json.dumps(serialization_lib.serialize_keras_object(model)))
    assert repair_model(config, "3.15.1").findings == ()


def test_that_identical_repairs_are_one_finding_with_all_layers() -> None:
    layers = [_layer("DepthwiseConv2D", groups=1, kernel_size=[3, 3]) for _ in range(3)]
    for index, layer in enumerate(layers):
        layer["config"] = {**layer["config"], "name": f"conv_{index}"}
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    findings = repair_model(model, "2.4.0").findings
    assert [finding.code for finding in findings] == ["legacy.repaired"]
    assert "3 layers" in findings[0].message
    assert findings[0].detail.count("\n") == 2


def test_that_a_repair_says_of_which_layer_its_words_are_where_layers_differ() -> None:
    layers = [_layer("BatchNormalization", axis=[axis]) for axis in (3, 1)]
    for index, layer in enumerate(layers):
        layer["config"] = {**layer["config"], "name": f"norm_{index}"}
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    told = [one.message for one in repair_model(model, "2.4.0").findings]
    assert told == ["Axis given as a list in 2 layers (first: norm_0): axis [3] is now 3."]


def test_that_an_unknown_field_is_named_with_layer_and_value() -> None:
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": [_layer("Dense", units=2, wonder=7)]}}
    (finding,) = repair_model(model, "2.4.0").findings
    assert (finding.severity, finding.layer) == ("warning", "x")
    assert "wonder=7" in finding.message


@pytest.mark.parametrize(
    ("old", "class_name", "config"),
    [
        (
            _layer("Convolution2D", nb_filter=4, nb_row=3, nb_col=5, border_mode="same", subsample=[2, 2], bias=False),
            "Conv2D",
            {"filters": 4, "kernel_size": [3, 5], "padding": "same", "strides": [2, 2], "use_bias": False},
        ),
        (
            _layer("Dense", output_dim=3, W_regularizer=None, init="one"),
            "Dense",
            {"units": 3, "kernel_regularizer": None},
        ),
        (
            _layer("MaxPooling1D", pool_length=2, stride=1, border_mode="valid"),
            "MaxPooling1D",
            {"pool_size": 2, "strides": 1},
        ),
        (_layer("Dropout", p=0.3), "Dropout", {"rate": 0.3}),
        (
            _layer("LSTM", output_dim=3, inner_init="one", inner_activation="tanh"),
            "LSTM",
            {"recurrent_activation": "tanh"},
        ),
        (
            _layer("Embedding", input_dim=5, output_dim=3, init="uniform"),
            "Embedding",
            {"input_dim": 5, "output_dim": 3},
        ),
        (
            _layer("Convolution2D", nb_filter=1, nb_row=1, nb_col=1, dim_ordering="th"),
            "Conv2D",
            {"data_format": "channels_first"},
        ),
    ],
)
def test_that_keras_1_layers_get_todays_names(old: Config, class_name: str, config: Config) -> None:
    change = BY_NAME["keras 1 fields"].apply(old, KERAS_1)
    assert change is not None
    assert change.layer["class_name"] == class_name
    assert config.items() <= change.layer["config"].items()


@pytest.mark.parametrize(
    ("mode", "class_name"),
    [
        ("sum", "Add"),
        ("mul", "Multiply"),
        ("ave", "Average"),
        ("max", "Maximum"),
        ("concat", "Concatenate"),
        ("dot", "Dot"),
    ],
)
def test_that_merge_becomes_the_layer_of_its_mode(mode: str, class_name: str) -> None:
    change = BY_NAME["merge"].apply(_layer("Merge", mode=mode, concat_axis=1, dot_axes=1), KERAS_1)
    assert change is not None
    assert change.layer["class_name"] == class_name


def test_that_names_with_slashes_are_changed_in_connections_too() -> None:
    layers = [
        {**_layer("InputLayer", batch_input_shape=[None, 4]), "name": "in/put", "inbound_nodes": []},
        {**_layer("Dense", units=2), "name": "out", "inbound_nodes": [[["in/put", 0, 0, {}]]]},
    ]
    ends = {"input_layers": [["in/put", 0, 0]], "output_layers": [["out", 0, 0]]}
    repaired = repair_model({"class_name": "Model", "config": {"name": "m", "layers": layers, **ends}}, "2.1.0").model
    assert repaired["config"]["input_layers"] in (["in_put", 0, 0], [["in_put", 0, 0]])
    assert repaired["config"]["layers"][1]["inbound_nodes"] == [[["in_put", 0, 0, {}]]]


def test_that_hard_sigmoid_is_scaled_only_for_files_of_keras_1_and_2() -> None:
    layer = _layer("LSTM", units=2, recurrent_activation="hard_sigmoid")
    change = BY_NAME["hard_sigmoid"].apply(layer, KERAS_2)
    assert change is not None
    assert change.layer["arrays"] == [{"do": "hard_sigmoid", "count": 4, "blocks": [0, 1, 3]}]
    assert BY_NAME["hard_sigmoid"].apply(layer, KERAS_3) is None


@pytest.mark.parametrize(
    ("mode", "said"), [(0, []), (1, ["each sample separately"]), (2, ["statistics of each batch"])]
)
def test_that_another_mode_of_keras_1_batch_normalization_is_told(mode: int, said: list[str]) -> None:
    layers = [_layer("BatchNormalization", mode=mode, axis=-1, epsilon=1e-3)]
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    found = [one for one in repair_model(model, "1.2.2").findings if one.severity == "warning"]
    assert [one.layer for one in found] == ["x"] * len(said)
    assert all(text in one.message for text, one in zip(said, found, strict=True))

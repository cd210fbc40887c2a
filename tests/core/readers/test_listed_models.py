"""Sequential models that old versions wrote as bare lists, at every depth, against tf-keras's own models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.recipes.recipe import Recipe
from tests.core.readers.rebuild import difference, random_inputs, randomize, rebuild
from tests.helpers.old_files import write_keras_1, write_keras_222

K = pytest.importorskip("tf_keras")
L = K.layers
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


def _sequential(*layers: Any) -> Any:
    return K.Sequential(list(layers))


def _autoencoder() -> Any:
    x = L.Input((6,))
    encoder = _sequential(L.Dense(4, "relu", input_shape=(6,)), L.Dropout(0.5), L.Dense(3))
    decoder = _sequential(L.Dense(4, input_shape=(3,)), L.BatchNormalization(), L.Dense(6))
    return K.Model(x, decoder(encoder(x)))


def _siamese() -> Any:
    left, right = L.Input((6,)), L.Input((6,))
    body = _sequential(L.Dense(4, input_shape=(6,)), L.BatchNormalization(), L.Dense(3))
    return K.Model([left, right], L.concatenate([body(left), body(right)]))


def _every_frame() -> Any:
    x = L.Input((5, 8, 8, 2))
    frame = _sequential(L.Conv2D(3, 3, input_shape=(8, 8, 2)), L.BatchNormalization(), L.Flatten(), L.Dense(4))
    return K.Model(x, L.LSTM(3)(L.TimeDistributed(frame)(x)))


def _deep() -> Any:
    inner = _sequential(L.Dense(4, input_shape=(3,)), L.Dense(3))
    outer = _sequential(L.Dense(3, input_shape=(3,)), inner, L.Dense(2))
    x, y = L.Input((3,)), L.Input((3,))
    part = K.Model(x, L.add([outer(x), L.Dense(2)(x)]))
    return K.Model(y, part(y))


def _chain_of_chains() -> Any:
    first = _sequential(L.Dense(4, input_shape=(3,)), L.Dense(5))
    return _sequential(first, _sequential(L.Dense(3, input_shape=(5,))), L.Activation("tanh"))


def _recurrent() -> Any:
    frame = _sequential(L.Dense(4, input_shape=(3,)), L.Dense(5))
    gates = L.GRU(3, reset_after=False, recurrent_activation="hard_sigmoid")
    return _sequential(L.TimeDistributed(frame, input_shape=(4, 3)), L.Bidirectional(gates), L.Dense(3))


def _frozen() -> Any:
    body = _sequential(L.Dense(4, input_shape=(6,)), L.BatchNormalization(), L.Dense(3))
    body.trainable = False
    x = L.Input((6,))
    return K.Model(x, L.Dense(2)(body(x)))


MODELS = [_autoencoder, _siamese, _every_frame, _deep, _chain_of_chains, _recurrent, _frozen]


@pytest.mark.parametrize("build", MODELS)
def test_that_a_sequential_written_as_a_list_is_read_at_any_depth(build: Callable[[], Any], tmp_path: Path) -> None:
    K.backend.clear_session()
    model = build()
    randomize(model)
    inputs = random_inputs(model)
    wanted = model(inputs)
    whole, architecture, weights = write_keras_222(model, tmp_path / "old.h5")
    for source in (read_model(whole), read_model(architecture, weights)):
        assert [one.message for one in source.findings if one.severity != "info"] == []
        assert any("a list of layers without a name" in one.message for one in source.findings)
        assert not source.graph.opaque
        assert source.graph.num_params() == model.count_params()
        assert difference(rebuild(source)(inputs), wanted) < 1e-6


def test_that_a_nested_list_is_written_and_verified(tmp_path: Path) -> None:
    import keras

    K.backend.clear_session()
    model = _every_frame()
    randomize(model)
    inputs = random_inputs(model)
    whole, _, _ = write_keras_222(model, tmp_path / "old.h5")
    engine = Engine()
    engine.set_source(read_model(whole))
    written = engine.apply(Recipe(), tmp_path / "new.keras", True)
    assert written.verification is not None
    assert written.verification.ok
    assert difference(keras.saving.load_model(tmp_path / "new.keras")(inputs), model(inputs)) < 1e-6


def test_that_lists_are_named_by_the_layer_around_them_or_by_a_free_name(tmp_path: Path) -> None:
    K.backend.clear_session()
    whole, _, _ = write_keras_222(_chain_of_chains(), tmp_path / "old.h5")
    source = read_model(whole)
    assert [layer.name for layer in source.graph.layers if layer.is_model] == ["sequential_2", "sequential_3"]
    frames, _, _ = write_keras_222(_every_frame(), tmp_path / "frames.h5")
    layers = {finding.layer for finding in read_model(frames).findings}
    assert layers <= {path for path, _ in read_model(frames).graph.walk()}


def _random(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32") / 2


def _keras_1(kind: str, name: str, **config: Any) -> Any:
    return {"class_name": kind, "config": {"name": name, **config}}


def _dense(name: str, units: int, **config: Any) -> Any:
    fields = {"output_dim": units, "activation": "linear", "init": "glorot_uniform", "W_regularizer": None}
    return _keras_1("Dense", name, **fields, bias=True, **config)


def _named(name: str, *arrays: Any) -> list[tuple[str, Any]]:
    return [(f"{name}_{letter}", array) for letter, array in zip("Wb", arrays, strict=True)]


def _gates(name: str, letters: str, size: int, units: int, start: int) -> list[tuple[str, Any]]:
    rng = np.random.default_rng(start)
    shapes = {"W": (size, units), "U": (units, units), "b": (units,)}
    return [
        (f"{name}_{part}_{gate}", rng.standard_normal(shapes[part]).astype("float32") / 2)
        for gate in letters
        for part in "WUb"
    ]


def _joined(arrays: list[tuple[str, Any]], order: str) -> list[Any]:
    """The gates side by side, as every later version holds them."""
    return [
        np.concatenate([next(a for n, a in arrays if n.endswith(f"_{part}_{gate}")) for gate in order], axis=-1)
        for part in "WUb"
    ]


@pytest.mark.parametrize("nested", [False, True])
def test_that_keras_1_gates_are_joined_inside_a_list_too(nested: bool, tmp_path: Path) -> None:
    lstm, gru = _gates("lstm_1", "icfo", 3, 4, 1), _gates("gru_1", "zrh", 4, 2, 2)
    recurrent = {"inner_activation": "hard_sigmoid", "activation": "tanh", "init": "glorot_uniform"}
    inner = [
        _keras_1("LSTM", "lstm_1", output_dim=4, return_sequences=True, batch_input_shape=[None, 5, 3], **recurrent),
        _keras_1("GRU", "gru_1", output_dim=2, **recurrent),
    ]
    dense = _named("dense_1", _random(2, 3), _random(3))
    config = [{"class_name": "Sequential", "config": inner}, _dense("dense_1", 3)] if nested else None
    groups = {"sequential_1": [*lstm, *gru], "dense_1": dense}
    if config is None:
        config, groups = [*inner, _dense("dense_1", 3)], {"lstm_1": lstm, "gru_1": gru, "dense_1": dense}
    path = write_keras_1(tmp_path / "old.h5", {"class_name": "Sequential", "config": config}, groups)
    hard = {"recurrent_activation": "hard_sigmoid"}
    oracle = _sequential(
        L.LSTM(4, return_sequences=True, input_shape=(5, 3), **hard), L.GRU(2, reset_after=False, **hard), L.Dense(3)
    )
    oracle.set_weights([*_joined(lstm, "ifco"), *_joined(gru, "zrh"), *(array for _, array in dense)])
    inputs = random_inputs(oracle)
    source = read_model(path)
    assert [one.message for one in source.findings if one.severity != "info"] == []
    assert difference(rebuild(source)(inputs), oracle(inputs)) < 1e-6


def _towers() -> tuple[list[Any], dict[str, list[tuple[str, Any]]], Any]:
    """Questions and images merged, as in many a notebook of 2016, and the same from layers of tf-keras."""
    lstm = _gates("lstm_1", "icfo", 3, 4, 1)
    arrays = {
        "dense_1": _named("dense_1", _random(6, 4), _random(4)),
        "dense_2": _named("dense_2", _random(8, 2), _random(2)),
    }
    left = [_dense("dense_1", 4, batch_input_shape=[None, 6])]
    recurrent = {"inner_activation": "sigmoid", "activation": "tanh", "init": "glorot_uniform"}
    right = [_keras_1("LSTM", "lstm_1", output_dim=4, batch_input_shape=[None, 5, 3], **recurrent)]
    branches = [{"class_name": "Sequential", "config": left}, {"class_name": "Sequential", "config": right}]
    merge = _keras_1("Merge", "merge_1", mode="concat", concat_axis=-1, mode_type="raw", layers=branches)
    groups = {"dense_1": arrays["dense_1"], "lstm_1": lstm, "dense_2": arrays["dense_2"]}
    image, words = L.Input((6,)), L.Input((5, 3))
    out = L.Dense(2)(L.concatenate([L.Dense(4)(image), L.LSTM(4)(words)]))
    oracle = K.Model([image, words], out)
    by_kind = {(6, 4): arrays["dense_1"], (8, 2): arrays["dense_2"]}
    for layer in oracle.layers:
        if isinstance(layer, L.Dense):
            layer.set_weights([array for _, array in by_kind[tuple(layer.kernel.shape)]])
        elif isinstance(layer, L.LSTM):
            layer.set_weights(_joined(lstm, "ifco"))
    return [merge, _dense("dense_2", 2)], groups, oracle


def test_that_a_sequential_that_merges_models_has_an_input_for_each(tmp_path: Path) -> None:
    config, groups, oracle = _towers()
    source = read_model(write_keras_1(tmp_path / "old.h5", {"class_name": "Sequential", "config": config}, groups))
    assert [one.message for one in source.findings if one.severity != "info"] == []
    assert any("Merge of 2 models is now a model with 2 inputs" in one.message for one in source.findings)
    inputs = random_inputs(oracle)
    assert difference(rebuild(source)(inputs), oracle(inputs)) < 1e-6


def test_that_merged_models_may_merge_others_and_share_layers(tmp_path: Path) -> None:
    config, groups, oracle = _towers()
    arrays = {name: _named(name, _random(2, 2), _random(2)) for name in ("dense_3", "dense_4")}
    more = [_dense("dense_3", 2, batch_input_shape=[None, 2]), _dense("dense_4", 2)]
    again = [_dense("dense_3", 2, batch_input_shape=[None, 2]), _keras_1("Activation", "a", activation="tanh")]
    branches = [{"class_name": "Sequential", "config": one} for one in (config, more, again)]
    merge = _keras_1("Merge", "merge_2", mode="sum", mode_type="raw", layers=branches)
    path = write_keras_1(tmp_path / "old.h5", {"class_name": "Sequential", "config": [merge]}, {**groups, **arrays})
    x = L.Input((2,))
    shared, last = L.Dense(2), L.Dense(2)
    both = K.Model([*oracle.inputs, x], L.add([oracle.output, last(shared(x)), L.Activation("tanh")(shared(x))]))
    for layer, name in ((shared, "dense_3"), (last, "dense_4")):
        layer.set_weights([array for _, array in arrays[name]])
    source = read_model(path)
    assert [one.message for one in source.findings if one.severity != "info"] == []
    inputs = random_inputs(both)
    assert difference(rebuild(source)(inputs), both(inputs)) < 1e-6

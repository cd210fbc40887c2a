"""Inputs that a file gives no shape: what the first layers need, checked by answers that tf-keras gives too."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from core.analysis.opening import read_model
from tests.core.engine.drive import applied, assert_verified, drift, errors, opened, outputs, plan, recipe

SHAPES: dict[str, tuple[Any, tuple[int, ...], tuple[int | None, ...]]] = {
    "conv": (lambda: [layers.Conv2D(4, 3, groups=2), layers.GlobalAveragePooling2D()], (9, 8, 6), (None, None, 6)),
    "pad": (lambda: [layers.Dropout(0.2), layers.ZeroPadding2D(), layers.Conv2D(4, 3)], (9, 8, 3), (None, None, 3)),
    "signal": (lambda: [layers.Conv1D(4, 3), layers.GlobalMaxPooling1D()], (9, 2), (None, 2)),
    "volume": (lambda: [layers.Conv3D(2, 2), layers.GlobalMaxPooling3D()], (4, 5, 6, 2), (None, None, None, 2)),
    "depthwise": (lambda: [layers.DepthwiseConv2D(3), layers.SeparableConv2D(2, 1)], (9, 8, 3), (None, None, 3)),
    "transposed": (lambda: [layers.Conv2DTranspose(3, 2), layers.Conv2D(2, 1)], (5, 4, 3), (None, None, 3)),
    "normalized": (lambda: [layers.BatchNormalization(), layers.Conv2D(4, 3)], (9, 8, 3), (None, None, 3)),
    "flattened": (lambda: [layers.Conv2D(4, 3), layers.MaxPooling2D(), layers.Flatten()], (10, 10, 3), (10, 10, 3)),
    "dense": (lambda: [layers.Dense(4, activation="relu")], (5,), (5,)),
    "recurrent": (lambda: [layers.LSTM(4)], (6, 5), (None, 5)),
    "both ways": (lambda: [layers.Bidirectional(layers.GRU(3))], (6, 5), (None, 5)),
    "steps": (
        lambda: [layers.TimeDistributed(layers.Conv1D(3, 2)), layers.TimeDistributed(layers.Flatten()), layers.LSTM(3)],
        (4, 6, 5),
        (None, 6, 5),
    ),
}


def shapeless(parts: Sequence[Any], shape: tuple[int, ...], path: Path) -> Any:
    """A Sequential that was built by being called, saved as releases did that wrote no input shape."""
    model = tf_keras.Sequential([*parts, layers.Dense(2)])
    model(np.zeros((2, *shape), np.float32))
    rng = np.random.default_rng(3)
    model.set_weights([np.abs(rng.normal(size=one.shape)) * 0.3 for one in model.get_weights()])
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        fields = config["config"]
        fields.pop("build_input_shape", None)
        fields["layers"] = [one for one in fields["layers"] if one["class_name"] != "InputLayer"]
        for one in fields["layers"]:
            one["config"].pop("batch_input_shape", None)
            one.pop("build_config", None)
        file.attrs["model_config"] = json.dumps(config)
    return model


@pytest.mark.parametrize("kind", SHAPES)
def test_that_an_input_without_a_shape_gets_the_one_its_layers_need(kind: str, tmp_path: Path) -> None:
    parts, shape, wanted = SHAPES[kind]
    path = tmp_path / "old.h5"
    old = shapeless(parts(), shape, path)
    written, new = applied(path, tmp_path / "new.keras")
    assert_verified(written.verification)
    assert new.input_shape[1:] == wanted
    x = np.random.default_rng(1).random((2, *shape), np.float32)
    assert drift(outputs(new, x)[0], old(x)) < 1e-5
    assert [one.severity for one in written.plan.findings if "no input shape" in one.message] == ["info"]


def test_that_a_nested_chain_without_a_shape_gets_one(tmp_path: Path) -> None:
    inner = tf_keras.Sequential([layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()], name="body")
    old = shapeless([inner], (9, 9, 3), tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        body = config["config"]["layers"][0]["config"]
        body.pop("build_input_shape", None)
        body["layers"] = [one for one in body["layers"] if one["class_name"] != "InputLayer"]
        for one in body["layers"]:
            one["config"].pop("batch_input_shape", None)
            one.pop("build_config", None)
        file.attrs["model_config"] = json.dumps(config)
    written, new = applied(tmp_path / "old.h5", tmp_path / "new.h5")
    assert_verified(written.verification)
    assert new.input_shape == (None, None, None, 3)
    x = np.random.default_rng(1).random((2, 12, 7, 3), np.float32)
    assert drift(outputs(new, x)[0], old(x)) < 1e-5


def test_that_a_shape_that_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "old.h5"
    old = shapeless([layers.Flatten(), layers.Dense(4)], (4, 3), path)
    assert any("set it with change_input" in one for one in errors(plan(path)))
    written, new = applied(path, tmp_path / "new.keras", {"do": "change_input", "shape": [4, 3]})
    assert_verified(written.verification)
    x = np.random.default_rng(1).random((2, 4, 3), np.float32)
    assert drift(outputs(new, x)[0], old(x)) < 1e-5


def test_that_shapes_that_a_file_tells_are_left_alone(tmp_path: Path) -> None:
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
    model.save(tmp_path / "told.keras")
    source = read_model(tmp_path / "told.keras")
    assert source.graph.input_layers()[0].config["batch_shape"] == [None, 8, 8, 3]
    assert source.findings == ()
    assert opened(tmp_path / "told.keras").plan(recipe()).ok

"""One replacement for all layers that match, at every depth."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import ReplaceAll
from core.errors import RecipeError
from core.recipes.recipe import from_json, to_json
from tests.core.engine import drive

L = keras.layers


def every(match: dict[str, Any], by: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"do": "replace_all", "match": match, "with": by, **fields}


def mixed() -> Any:
    """swish as an argument, as a layer, as an operation, in a wrapper and in a nested model; and dropouts."""
    inner = keras.Sequential(
        [keras.Input((4,)), L.Dense(4, activation="swish", name="d"), L.Dropout(0.5, name="half")], name="in"
    )
    one, two = keras.Input((3, 4)), keras.Input((3, 4))
    shared = L.TimeDistributed(inner, name="each")
    x = L.Add()([shared(one), shared(two)])
    x = L.TimeDistributed(L.Dense(4, activation="silu"), name="wrapped")(x)
    x = keras.ops.silu(L.Dropout(0.2, name="fifth")(x))
    x = L.Activation("swish", name="alone")(x)
    return keras.Model([one, two], L.Dense(2, activation="relu", name="last")(x))


def names(model: Any) -> list[str]:
    """Every activation of a model, by what Keras built."""
    found = []
    for layer in model._flatten_layers():
        inside = getattr(layer, "layer", layer)
        activation = getattr(inside, "activation", None)
        if activation is not None and type(layer).__name__ != "Sequential":
            found.append(activation.__name__)
    return sorted(set(found))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drive.saved(mixed(), tmp_path_factory.mktemp("mixed"))


def natively(activation: str) -> Any:
    """The same model built by Keras with another activation."""
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, activation=activation), L.Dropout(0.5)])
    one, two = keras.Input((3, 4)), keras.Input((3, 4))
    shared = L.TimeDistributed(inner)
    x = L.Add()([shared(one), shared(two)])
    x = L.TimeDistributed(L.Dense(4, activation=activation))(x)
    x = L.Activation(activation)(L.Dropout(0.2)(x))
    return keras.Model([one, two], L.Dense(2, activation="relu")(L.Activation(activation)(x)))


def test_that_every_swish_becomes_a_relu(source: Path, tmp_path: Path) -> None:
    written, new = drive.applied(source, tmp_path / "out.keras", every({"activation": "swish"}, {"activation": "relu"}))
    assert written.verification is not None
    assert written.verification.ok
    assert [contract.exact for contract in written.plan.contracts] == [False]
    oracle = natively("relu")
    oracle.set_weights(keras.saving.load_model(source).get_weights())
    x = drive.random_input(new)
    assert drive.drift(new(x), oracle(x)) < 1e-6
    told = {one.code: one.message for one in written.plan.findings}
    assert told["layers.changed"].startswith("4 layers") or told["layers.changed"].startswith("5 layers")
    assert "a different activation" in told["adapt.lossy"]


def test_that_another_name_for_the_same_is_no_change(source: Path) -> None:
    with pytest.raises(RecipeError, match="already has these settings"):
        drive.plan(source, every({"activation": "swish"}, {"activation": "silu"}))


def test_that_every_dropout_of_one_rate_gets_another(source: Path, tmp_path: Path) -> None:
    edit = every({"class_name": "Dropout", "rate": 0.5}, {"rate": 0.1})
    written, new = drive.applied(source, tmp_path / "out.keras", edit)
    drive.assert_verified(written.verification)
    assert [contract.exact for contract in written.plan.contracts] == [True]
    rates = sorted(layer.rate for layer in new._flatten_layers() if isinstance(layer, L.Dropout))
    assert rates == [0.1, 0.2]
    assert any(
        one.message.startswith("each/half: Dropout with rate 0.5 became rate 0.1") for one in written.plan.findings
    )


def test_that_another_class_takes_over_what_both_know(source: Path, tmp_path: Path) -> None:
    edit = every({"class_name": "Dropout"}, {"class_name": "GaussianDropout"}, layers=["fifth"])
    written, new = drive.applied(source, tmp_path / "out.keras", edit)
    drive.assert_verified(written.verification)
    assert new.get_layer("fifth").rate == 0.2
    assert type(new.get_layer("fifth")).__name__ == "GaussianDropout"


def test_that_dropout_that_always_acts_is_not_called_the_same(tmp_path: Path) -> None:
    given = keras.Input((5,))
    source = drive.saved(keras.Model(given, L.Dropout(0.5, name="d")(given, training=True)), tmp_path)
    plan = drive.plan(source, every({"class_name": "Dropout"}, {"rate": 0.1}))
    assert [contract.exact for contract in plan.contracts] == [False]
    assert any("training=True" in one.message for one in plan.findings)


@pytest.mark.parametrize(
    ("match", "by", "reason"),
    [
        ({"activation": "gelu"}, {"activation": "relu"}, "No layer matches activation gelu"),
        ({"class_name": "Dropout", "rate": 0.7}, {"rate": 0.1}, "No layer matches Dropout with rate 0.7"),
        ({}, {"rate": 0.1}, "match is empty"),
        ({"rate": 0.5}, {}, "with is empty"),
        ({"rate": 0.5}, {"name": "x"}, "every layer keeps its own"),
        ({"activation": "swish"}, {"class_name": "ReLU"}, "match must also name the class"),
        ({"rate": 0.5}, {"rate": 0.5}, "nothing would change"),
    ],
)
def test_that_what_cannot_be_meant_is_refused(source: Path, match: Any, by: Any, reason: str) -> None:
    with pytest.raises(RecipeError, match=reason):
        drive.plan(source, every(match, by))


def test_that_a_recipe_says_with(source: Path) -> None:
    recipe = drive.recipe(ReplaceAll(match={"activation": "swish"}, with_={"activation": "relu"}))
    assert '"with": {' in to_json(recipe)
    assert from_json(to_json(recipe)) == recipe
    assert recipe.edits[0].summary() == "Replace every activation swish with activation relu"


def old_model(layer: Any) -> Any:
    import tf_keras

    k = tf_keras.layers
    image = tf_keras.Input((8, 8, 3))
    return tf_keras.Model(image, k.Dense(2)(layer(k.Conv2D(4, 3, activation="swish")(image))))


def instance(package: str, root: bool, first: str, second: str, default: float) -> Any:
    """InstanceNormalization as it was written: `root` says what epsilon is added to the variance under the root."""
    import tensorflow as tf
    import tf_keras

    class InstanceNormalization(tf_keras.layers.Layer):
        def __init__(self, epsilon: float = default, **fields: Any) -> None:
            self.rest = {key: fields.pop(key) for key in ("axis", "center", "scale", "groups") if key in fields}
            super().__init__(**fields)
            self.epsilon = epsilon

        def build(self, shape: Any) -> None:
            self.one = self.add_weight(name=first, shape=shape[-1:], initializer="random_normal")
            self.two = self.add_weight(name=second, shape=shape[-1:], initializer="random_normal")

        def call(self, x: Any) -> Any:
            mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
            divisor = tf.sqrt(variance + self.epsilon) if root else tf.sqrt(variance) + self.epsilon
            return (x - mean) / divisor * self.one + self.two

        def get_config(self) -> Any:
            return {**super().get_config(), "epsilon": self.epsilon, **self.rest}

    return (
        tf_keras.utils.register_keras_serializable(package)(InstanceNormalization) if package else InstanceNormalization
    )


@pytest.mark.parametrize(
    ("package", "root", "arrays", "fields", "exact"),
    [
        ("Addons", True, ("gamma", "beta"), {"groups": -1, "axis": -1, "center": True, "scale": True}, True),
        ("", True, ("scale", "offset"), {}, True),
        ("", False, ("gamma", "beta"), {"axis": -1, "center": True, "scale": True}, False),
    ],
)
def test_that_instance_normalization_without_code_becomes_a_group_normalization(
    package: str, root: bool, arrays: tuple[str, str], fields: dict[str, Any], exact: bool, tmp_path: Path
) -> None:
    kind = instance(package, root, *arrays, default=1e-3 if fields else 1e-5)
    model = old_model(kind(name="norm", **fields))
    model.save(tmp_path / "old.h5")
    edit = every({"class_name": "InstanceNormalization"}, {"class_name": "GroupNormalization"})
    written, new = drive.applied(tmp_path / "old.h5", tmp_path / "new.keras", edit)
    drive.assert_verified(written.verification)
    x = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    drift = drive.drift(new(x), model(x))
    assert (drift < 1e-5) == exact
    assert written.plan.dropped == ()
    assert {fate.fate for fate in written.plan.fates} == {"copied"}
    assert any("deviation + epsilon" in one.message for one in written.plan.findings) != exact


def test_that_a_dropout_without_code_becomes_keras_own(tmp_path: Path) -> None:
    import tf_keras

    class FixedDropout(tf_keras.layers.Dropout):
        pass

    model = old_model(FixedDropout(0.3, noise_shape=(None, 1, 1, 4), name="fixed"))
    model.save(tmp_path / "old.h5")
    edit = every({"class_name": "FixedDropout"}, {"class_name": "Dropout"})
    written, new = drive.applied(tmp_path / "old.h5", tmp_path / "new.keras", edit)
    drive.assert_verified(written.verification)
    x = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    assert drive.drift(new(x), model(x)) < 1e-6
    assert (new.get_layer("fixed").rate, tuple(new.get_layer("fixed").noise_shape)) == (0.3, (None, 1, 1, 4))

"""Layers that only act in training, taken out: the model answers as before."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import DropTrainingOnly
from core.errors import RecipeError
from tests.core.edits import zoo
from tests.core.engine import drive
from tests.helpers.contracts import kind as contract_kind

L = keras.layers
DROP = {"do": "drop_training_only"}


def noisy() -> Any:
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3), L.GaussianNoise(0.2, name="noise"), L.ReLU()], name="in")
    one, two = keras.Input((4,)), keras.Input((4,))
    regular = L.ActivityRegularization(l2=0.1, name="regular")
    x = L.Add()([regular(inner(one)), regular(inner(two))])
    return keras.Model([one, two], L.Dense(2)(L.Dropout(0.5, name="drop")(x)))


def layers(plan: Any) -> set[str]:
    return {path for path, layer in plan.graph.walk() if not layer.is_input}


def test_that_noise_and_regularization_go_at_every_depth_and_dropout_on_wish(tmp_path: Path) -> None:
    model = noisy()
    source = drive.saved(model, tmp_path)
    written, new = drive.applied(source, tmp_path / "out.keras", DROP)
    drive.assert_verified(written.verification)
    x = drive.random_input(model)
    assert drive.drift(new(x), model(x)) == 0.0
    gone = layers(drive.plan(source)) - layers(written.plan)
    assert gone == {"in/noise", "regular"}
    plan = drive.plan(source, {**DROP, "kinds": ["dropout"]})
    assert "drop" not in layers(plan)
    assert "in/noise" in layers(plan)


def test_that_one_layer_can_be_named(tmp_path: Path) -> None:
    source = drive.saved(noisy(), tmp_path)
    plan = drive.plan(source, {**DROP, "layers": ["in/noise"]})
    assert "regular" in layers(plan)
    assert "in/noise" not in layers(plan)


def test_that_wrapped_dropout_and_augmentation_go(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input((3, 8, 8, 3)),
            L.TimeDistributed(L.RandomFlip(), name="flip"),
            L.TimeDistributed(L.SpatialDropout2D(0.3), name="spatial"),
            L.TimeDistributed(L.Conv2D(2, 3)),
        ]
    )
    kinds = {"kinds": ["dropout", "augmentation"]}
    written, new = drive.applied(drive.saved(model, tmp_path), tmp_path / "out.keras", {**DROP, **kinds})
    drive.assert_verified(written.verification)
    assert not layers(written.plan) & {"flip", "spatial"}
    x = drive.random_input(model)
    assert drive.drift(new(x), model(x)) == 0.0


def test_that_dropout_that_always_acts_stays(tmp_path: Path) -> None:
    given = keras.Input((5,))
    always = L.Dropout(0.5, name="always")(L.Dense(3)(given), training=True)
    source = drive.saved(keras.Model(given, L.Dense(2)(L.Dropout(0.1, name="plain")(always))), tmp_path)
    with pytest.raises(RecipeError, match="training=True"):
        drive.plan(source, {**DROP, "kinds": ["dropout"], "layers": ["always"]})
    plan = drive.plan(source, {**DROP, "kinds": ["dropout"]})
    assert "always" in layers(plan)
    assert "plain" not in layers(plan)
    assert any(one.layer == "always" and "training=True" in one.message for one in plan.findings)


def test_that_taking_out_dropout_that_always_acts_is_not_called_exact(tmp_path: Path) -> None:
    given = keras.Input((5,))
    always = L.Dropout(0.5, name="always")(L.Dense(3)(given), training=True)
    source = drive.saved(keras.Model(given, L.Dense(2)(always)), tmp_path)
    plan = drive.plan(source, {"do": "remove_layer", "layer": "always"})
    assert [contract_kind(contract) for contract in plan.contracts] == ["features"]


def test_that_there_must_be_such_a_layer_and_such_a_kind(tmp_path: Path) -> None:
    source = drive.saved(zoo.sequential(), tmp_path)
    with pytest.raises(RecipeError, match="no layer that is active only in training"):
        drive.plan(source, DROP)
    with pytest.raises(RecipeError, match="There is no kind 'nose'"):
        drive.plan(source, {**DROP, "kinds": ["nose"]})
    assert DropTrainingOnly().summary() == "Drop what is active only in training"
    assert DropTrainingOnly(kinds=("losses",)).summary() == "Drop losses"


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A variational one as Keras 2 saved them: a divergence of two tensors goes into AddLoss, a mean into AddMetric."""
    import tensorflow as tf
    import tf_keras

    k = tf_keras.layers
    given = tf_keras.Input((6,))
    hidden = k.Dense(5, activation="relu", name="hidden")(given)
    mean, spread = k.Dense(2, name="mean")(hidden), k.Dense(2, name="spread")(hidden)
    model = tf_keras.Model(given, k.Dense(6, name="out")(mean))
    model.add_loss(-0.5 * tf.reduce_mean(1 + spread - tf.square(mean) - tf.exp(spread)))
    model.add_metric(tf.reduce_mean(mean), name="mean")
    path = tmp_path_factory.mktemp("vae") / "old.h5"
    model.save(path)
    return path, model


def test_that_added_losses_go_with_what_only_they_needed(autoencoder: tuple[Path, Any], tmp_path: Path) -> None:
    path, model = autoencoder
    written, new = drive.applied(path, tmp_path / "new.keras", DROP)
    drive.assert_verified(written.verification)
    assert layers(written.plan) == {"hidden", "mean", "out"}
    x = np.random.default_rng(0).random((3, 6), np.float32)
    assert drive.drift(new(x), model(x)) < 1e-6
    assert written.plan.dropped == ("spread/kernel", "spread/bias")
    told = [one for one in written.plan.findings if one.code == "weight.unmatched"]
    assert [(one.severity, one.layer, one.detail) for one in told] == [
        ("warning", "spread", "spread/kernel\nspread/bias")
    ]


def test_that_what_a_kept_metric_needs_stays(autoencoder: tuple[Path, Any]) -> None:
    plan = drive.plan(autoencoder[0], {**DROP, "kinds": ["losses"]})
    kinds = {layer.class_name for _, layer in plan.graph.walk()}
    assert "AddMetric" in kinds
    assert "Mean" in kinds
    assert "Exp" not in kinds

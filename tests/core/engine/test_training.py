from pathlib import Path

import keras
import numpy as np

from core.engine.training import training_gap
from tests.core.engine.drive import applied, assert_verified, saved

RNG = np.random.default_rng(6)


def network() -> keras.Model:
    inputs = keras.Input((6,))
    x = keras.layers.BatchNormalization(epsilon=1e-3, name="norm")(inputs)
    x = keras.layers.Dropout(0.5)(x)
    return keras.Model(inputs, x)


def test_that_the_gap_between_training_and_inference_is_that_of_the_statistics() -> None:
    model, x = network(), RNG.normal(3, 2, (32, 6)).astype(np.float32)
    before = [np.array(one) for one in model.get_weights()]
    found = training_gap(model, x)
    resting = x / np.sqrt(1 + 1e-3)
    in_training = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
    assert found is not None
    np.testing.assert_allclose(found, np.abs(in_training - resting).max() / np.abs(resting).max(), rtol=1e-4)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_allclose(model(x, training=False), resting, rtol=1e-4, atol=1e-6)


def test_that_frozen_layers_make_no_gap() -> None:
    model = network()
    model.get_layer("norm").trainable = False
    assert training_gap(model, RNG.normal(3, 2, (32, 6)).astype(np.float32)) is None


def test_that_a_verification_tells_the_gap_and_freezing_ends_it(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    backbone = keras.Sequential([keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(name="norm")], name="body")
    outputs = keras.layers.GlobalMaxPooling2D()(backbone(inputs))
    source = saved(keras.Model(inputs, outputs), tmp_path)
    open_one, _ = applied(source, tmp_path / "open.keras", {"do": "change_input", "shape": [8, 8, 1]})
    assert_verified(open_one.verification)
    assert open_one.verification is not None
    assert open_one.verification.training_gap is not None
    assert open_one.verification.training_gap > 0.1
    freeze = {"do": "set_trainable", "layers": ["body"], "trainable": False, "batch_norm": "frozen"}
    frozen, _ = applied(source, tmp_path / "frozen.keras", freeze)
    assert frozen.verification is not None
    assert frozen.verification.training_gap is None

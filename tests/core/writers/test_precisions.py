"""What is written in each precision and format: first values, bfloat16, each weight once, a Rescaling."""

from pathlib import Path

import keras
import numpy as np
import pytest

from core.edits import InsertLayer, ReplaceLayer, SetDtype
from core.edits.attach_head import AttachHead
from core.edits.set_trainable import SetTrainable
from core.errors import FileError
from tests.core.engine.drive import applied, assert_verified, opened, outputs, recipe, saved
from tests.core.engine.small_models import chained
from tests.helpers.models import seed_weights

layers = keras.layers


@pytest.mark.parametrize("policy", ["float64", "float16", "bfloat16"])
def test_that_new_weights_start_at_the_same_values_in_every_precision(policy: str, tmp_path: Path) -> None:
    source = chained(tmp_path, (8, 8, 2), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D())
    head = AttachHead(classes=3, hidden=(6,))
    single = applied(source, tmp_path / "single.keras", head)[1]
    written, other = applied(source, tmp_path / "other.keras", head, SetDtype(policy=policy))
    assert_verified(written.verification)
    for mine, theirs in zip(single.weights, other.weights, strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs).astype("float32"), atol=5e-3)


def test_that_bfloat16_is_written_as_keras_reads_it(tmp_path: Path) -> None:
    source = chained(tmp_path, (8, 8, 2), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D())
    original = keras.saving.load_model(source)
    for name in ("out.keras", "out.weights.h5"):
        written = opened(source).apply(recipe(SetDtype(policy="bfloat16")), tmp_path / name)
        assert_verified(written.verification)
    model = keras.saving.load_model(tmp_path / "out.keras")
    for mine, theirs in zip(model.weights, original.weights, strict=True):
        assert mine.dtype == "bfloat16"
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(keras.ops.cast(theirs, "bfloat16")))
    with pytest.raises(FileError, match=r"bfloat16, which Keras cannot read back from an \.h5"):
        opened(source).apply(recipe(SetDtype(policy="bfloat16")), tmp_path / "out.h5")


def test_that_a_rescaling_needs_no_offset(tmp_path: Path) -> None:
    source = chained(tmp_path, (8, 8, 2), layers.Conv2D(4, 3, name="conv"), layers.ReLU(name="relu"))
    scaled = {"class_name": "Rescaling", "config": {"scale": 2.0}}
    old, x = keras.saving.load_model(source), np.random.default_rng(1).random((2, 8, 8, 2), np.float32)
    behind = applied(source, tmp_path / "out.keras", InsertLayer(layer="relu", config=scaled))[1]
    instead = applied(source, tmp_path / "out.keras", ReplaceLayer(layer="relu", config=scaled))[1]
    np.testing.assert_allclose(outputs(behind, x)[0], 2 * outputs(old, x)[0], rtol=1e-6)
    np.testing.assert_allclose(outputs(instead, x)[0], 2 * outputs(old.layers[0], x)[0], rtol=1e-6)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("kind", ["spectral", "lstm", "attention", "dropout"])
def test_that_a_legacy_file_holds_each_weight_once(kind: str, frozen: bool, tmp_path: Path) -> None:
    keras.backend.clear_session()
    given = keras.Input((6, 5))
    made = {
        "spectral": lambda x: layers.SpectralNormalization(layers.Dense(3))(x),
        "lstm": lambda x: layers.LSTM(3, dropout=0.2, recurrent_dropout=0.1)(x),
        "attention": lambda x: layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x),
        "dropout": lambda x: layers.Dense(3)(layers.Dropout(0.2, seed=1)(x)),
    }[kind](given)
    model = keras.Model(given, made)
    seed_weights(model, calibrate=False)
    source = saved(model, tmp_path)
    edits = [SetTrainable(layers=("*",))] if frozen else []
    written = opened(source).apply(recipe(*edits), tmp_path / "out.h5")
    assert_verified(written.verification)
    x = np.random.default_rng(1).random((2, 6, 5), np.float32)
    loaded = keras.saving.load_model(tmp_path / "out.h5", compile=False)
    np.testing.assert_array_equal(outputs(loaded, x)[0], outputs(model, x)[0])

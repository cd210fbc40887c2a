"""Files that people published, rebuilt as Keras 3 models and held against the library that wrote them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.engine.api import Engine
from core.readers import read_model
from core.recipe import Recipe
from tests.helpers.corpus import path as corpus_file

TF_KERAS = [
    "mlcommons-tiny/pretrainedResnet.h5",
    "mlcommons-tiny/vww_96.h5",
    "oarriaga-face_classification/fer2013_mini_XCEPTION.102-0.66.hdf5",
    "SiliconLabs-mltk/keyword_spotting_mobilenetv2.h5",
    "SiliconLabs-mltk/image_example1.h5",
    "google-magika/model.h5",
    "appeler-ethnicolr/census2010_ln_lstm.h5",
    "mvirgo-MLND-Capstone/full_CNN_model.h5",
    "vlawhern-arl-eegmodels/EEGNet-8-2-weights.h5",
    "STMicroelectronics-stm32ai-modelzoo-services/pooled_miniresnetv2_2_stacks_backbone.h5",
]
KERAS_3 = ["keras-team-keras/model.keras", "vladvoicux64-colourspark/autoencoder.keras"]
SEEDS = (1, 2, 3)

pytestmark = pytest.mark.filterwarnings("ignore:.*structure of `inputs`:UserWarning")


def rebuilt(name: str, tmp_path: Path, weights: str | None = None) -> Any:
    """The file applied with an empty recipe, as plain Keras loads it."""
    source = read_model(corpus_file(name), corpus_file(weights) if weights else None)
    engine = Engine()
    engine.set_source(source)
    out = tmp_path / "rebuilt.keras"
    written = engine.apply(Recipe(), out, True)
    assert written.verification is not None
    assert written.verification.ok, written.verification.message
    return keras.saving.load_model(out, compile=False)


def sample(model: Any, seed: int) -> Any:
    """A seeded input of a model with one input; indices for models that begin with an Embedding or take integers."""
    rng = np.random.default_rng(seed)
    shape = [3 if size is None else size for size in model.inputs[0].shape]
    first = next((layer for layer in model.layers if "Input" not in type(layer).__name__), None)
    if type(first).__name__ == "Embedding":
        return rng.integers(0, first.input_dim, shape).astype("float32")
    if "int" in str(model.inputs[0].dtype):
        return rng.integers(0, 256, shape).astype("int32")
    return rng.random(shape, dtype=np.float32)


def assert_same_outputs(new: Any, old: Any) -> None:
    """Both models give the same on three seeded inputs, within 1e-5 of the largest output."""
    for seed in SEEDS:
        inputs = sample(new, seed)
        got, wanted = (np.asarray(one.predict(inputs, verbose=0)) for one in (new, old))
        assert got.shape == wanted.shape
        assert np.max(np.abs(got - wanted)) <= 1e-5 * max(float(np.max(np.abs(wanted))), 1e-12)
        assert np.std(wanted) > 0, "an output that never varies would prove nothing"


@pytest.mark.parametrize("name", TF_KERAS)
def test_that_an_old_file_is_rebuilt_with_the_outputs_tf_keras_gives(name: str, tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    oracle = tf_keras.models.load_model(corpus_file(name), compile=False)
    assert_same_outputs(rebuilt(name, tmp_path), oracle)


@pytest.mark.parametrize("name", KERAS_3)
def test_that_a_keras_3_file_is_rebuilt_with_its_own_outputs(name: str, tmp_path: Path) -> None:
    oracle = keras.saving.load_model(corpus_file(name), compile=False)
    assert_same_outputs(rebuilt(name, tmp_path), oracle)


@pytest.mark.parametrize("weights", ["model.h5", "model.weights.h5"])
def test_that_an_architecture_and_its_weights_give_what_keras_gives(weights: str, tmp_path: Path) -> None:
    folder = "Kumaryasarla-Emoji-prediction"
    oracle = keras.models.model_from_json(corpus_file(f"{folder}/model.json").read_text())
    oracle.load_weights(corpus_file(f"{folder}/{weights}"))
    assert_same_outputs(rebuilt(f"{folder}/model.json", tmp_path, f"{folder}/{weights}"), oracle)

"""Files that people published, rebuilt as Keras 3 models and held against the library that wrote them."""

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.recipes.recipe import Recipe
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
    first: Any = next((layer for layer in model.layers if "Input" not in type(layer).__name__), None)
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


def test_that_a_keras_1_model_with_stored_code_gives_what_its_source_says(tmp_path: Path) -> None:
    """No library opens it any more, so the oracle is the published network, written out: x / 127.5 - 1 comes first."""
    name = "naokishibuya-car-behavioral-cloning/model.h5"
    convolutions = [(24, 5, 2), (36, 5, 2), (48, 5, 2), (64, 3, 1), (64, 3, 1)]
    layers: list[Any] = [keras.Input((66, 200, 3)), keras.layers.Rescaling(1 / 127.5, -1.0)]
    layers += [
        keras.layers.Conv2D(filters, size, strides, "valid", activation="elu")
        for filters, size, strides in convolutions
    ]
    layers += [keras.layers.Flatten()]
    layers += [keras.layers.Dense(units, activation="elu") for units in (100, 50, 10)]
    oracle = keras.Sequential([*layers, keras.layers.Dense(1)])
    arrays = []
    with h5py.File(corpus_file(name)) as file:
        for kind, count in (("convolution2d", 5), ("dense", 4)):
            for number in range(1, count + 1):
                group = file["model_weights"][f"{kind}_{number}"]
                arrays += [np.asarray(group[f"{kind}_{number}_{letter}:0"]) for letter in "Wb"]
    oracle.set_weights(arrays)
    assert_same_outputs(rebuilt(name, tmp_path), oracle)


@pytest.mark.slow
def test_that_an_architecture_full_of_lambdas_computes_what_they_say(tmp_path: Path) -> None:
    """Each of the 21 Lambdas multiplies by its `scale`; the oracle says so with Rescaling, in tf-keras."""
    tf_keras = pytest.importorskip("tf_keras")
    name = "serengil-tensorflow-101/facenet_model.json"
    config = json.loads(corpus_file(name).read_text())
    lambdas = [layer for layer in config["config"]["layers"] if layer["class_name"] == "Lambda"]
    assert len(lambdas) == 21
    for layer in lambdas:
        layer["class_name"] = "Rescaling"
        layer["config"] = {"name": layer["config"]["name"], "scale": layer["config"]["arguments"]["scale"]}
    oracle = tf_keras.models.model_from_json(json.dumps(config))
    new = rebuilt(name, tmp_path)
    rng = np.random.default_rng(0)
    for layer in oracle.layers:
        values = [
            np.abs(rng.normal(1.0, 0.1, one.shape)) / max(np.prod(one.shape[:-1]), 1) for one in layer.get_weights()
        ]
        layer.set_weights(values)
        new.get_layer(layer.name).set_weights(values)
    assert_same_outputs(new, oracle)

"""Public model files: each is described, without Keras or TensorFlow, with exactly the shapes that h5py reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from core.analysis.opening import read_model
from core.model.graph import TensorRef
from core.readers import open_store
from core.readers.arrays.transforms import plain_keys
from tests.helpers import corpus as collection
from tests.helpers.blockers import run_blocked

HDF5 = collection.names(".h5", ".hdf5")
FILES = [*HDF5, *collection.names(".keras", ".json")]
FOLDERS = ["mlcommons-tiny/kws_ref_model", "keras-team-tf-keras/lso_savedmodel_tf2.2"]
KINDS = {
    "minimaxir-textgenrnn/textgenrnn_weights.hdf5": "weights",
    "DariusAf-MesoNet/Meso4_DF.h5": "weights",
    "Kumaryasarla-Emoji-prediction/model.h5": "weights",
    "Kumaryasarla-Emoji-prediction/model.weights.h5": "weights",
    "serengil-tensorflow-101/facenet_model.json": "architecture",
    "Kumaryasarla-Emoji-prediction/model.json": "architecture",
    **dict.fromkeys(
        [
            "keunwoochoi+music-auto_tagging-keras/data/music_tagger_crnn_weights_tensorflow.h5",
            "keunwoochoi+music-auto_tagging-keras/data/music_tagger_crnn_weights_theano.h5",
            "chen0040+keras-anomaly-detection/demo/ecg_demo/models/cnn-lstm-auto-encoder-weights.h5",
            "chen0040+keras-anomaly-detection/demo/ecg_demo/models/bidirectional-lstm-auto-encoder-weights.h5",
            "xiangrufan+keras-mtcnn/12net.h5",
            "Hugo-Persson+ML-for-iot-project-presence-detector/best.weights.h5",
            "rlcode+reinforcement-learning/snake.h5",
            "rnnmorph+0.4.1/en/eval_model.h5",
            "SEFR_CUT+1.1/weight/model_weight_ws1000.h5",
        ],
        "weights",
    ),
    **dict.fromkeys(
        [
            "chen0040+keras-anomaly-detection/demo/ecg_demo/models/cnn-lstm-auto-encoder-architecture.json",
            "chen0040+keras-anomaly-detection/demo/ecg_demo/models/bidirectional-lstm-auto-encoder-architecture.json",
            "rnnmorph+0.4.1/en/eval_model.json",
        ],
        "architecture",
    ),
}


@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_that_every_public_file_is_described(name: str, corpus: Callable[[str], Path]) -> None:
    source = read_model(corpus(name))
    assert source.kind == KINDS.get(name, "model")
    known: dict[str, Any] = next((entry for entry in collection.catalogue() if entry["file"] == name), {})
    if source.kind != "architecture" and known.get("params") and not source.graph.opaque:
        seeds_and_more = {"keras-team-tf-keras/lso_savedmodel_tf2.2": 1}
        assert source.graph.num_params() == known["params"] - seeds_and_more.get(name, 0)
    assert all(layer.weights or not layer.opaque for layer in source.graph.layers if source.kind == "weights")


@pytest.mark.parametrize("name", HDF5)
def test_that_weights_have_the_shapes_that_h5py_reads(name: str, corpus: Callable[[str], Path]) -> None:
    path = corpus(name)
    source = read_model(path)
    with h5py.File(path, locking=False) as file, open_store(source) as store:
        for _, layer in source.graph.walk():
            for weight in layer.weights:
                assert weight.source is not None
                array = store.read(weight.source.key)
                assert (array.shape, str(array.dtype)) == (weight.shape, weight.dtype)
                if plain_keys(weight.source.key) == [weight.source.key]:
                    assert file[weight.source.key].shape == weight.shape


@pytest.mark.parametrize("name", HDF5)
def test_that_no_array_of_a_layer_is_left_out(name: str, corpus: Callable[[str], Path]) -> None:
    path = corpus(name)
    source = read_model(path)
    used = {
        key
        for _, layer in source.graph.walk()
        for weight in layer.weights
        if weight.source is not None
        for key in plain_keys(weight.source.key)
    }
    stored: set[str] = set()
    with h5py.File(path) as file:
        file.visititems(lambda key, item: stored.add(key) if isinstance(item, h5py.Dataset) else None)
    left = {key for key in stored - used if "optimizer" not in key}
    assert left == set()


def test_that_reading_needs_neither_keras_nor_tensorflow(corpus: Callable[[str], Path]) -> None:
    paths = [str(corpus(name)) for name in (*FILES, *FOLDERS)]
    loop = f"for path in {paths!r}:\n    read_model(path)\nprint('all')"
    code = "from core.analysis.opening import read_model\n" + loop
    done = run_blocked(code, ["keras", "tensorflow", "tf_keras", "PySide6"])
    assert done.stdout == "all\n", done.stderr


def test_that_unknown_layers_are_shown_with_all_their_weights(corpus: Callable[[str], Path]) -> None:
    source = read_model(corpus("IrtantiCarona-TCN-Stock-Predictor/tcn_model.keras"))
    layer = source.graph.layer("tcn")
    assert layer.opaque
    assert layer.num_params() == 136321 - source.graph.layer("dense").num_params()
    assert "layer.unknown" in [finding.code for finding in source.findings]
    subclassed = read_model(corpus("keras-team-keras/pre_pr22362_nested_container.keras"))
    assert subclassed.graph.opaque
    assert subclassed.graph.num_params() == 58
    assert "graph.opaque" in [finding.code for finding in subclassed.findings]


def test_that_stored_code_is_reported_and_nested_calls_count_from_zero(corpus: Callable[[str], Path]) -> None:
    source = read_model(corpus("SiliconLabs-mltk/fingerprint_signature_generator.siamese.h5"))
    found = [finding for finding in source.findings if finding.code == "code.lambda"]
    assert [finding.layer for finding in found] == ["lambda"]
    assert [call.inputs() for call in source.graph.layer("lambda").calls] == [
        (TensorRef("model", 0), TensorRef("model", 1))
    ]


def test_that_keras_1_layers_have_todays_fields(corpus: Callable[[str], Path]) -> None:
    layer = read_model(corpus("naokishibuya-car-behavioral-cloning/model.h5")).graph.layer("convolution2d_1")
    assert (layer.class_name, layer.config["filters"], layer.config["kernel_size"]) == ("Conv2D", 24, [5, 5])
    assert [weight.shape for weight in layer.weights] == [(5, 5, 3, 24), (24,)]

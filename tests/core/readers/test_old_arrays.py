"""Arrays of Keras 1, Theano and CuDNN files arrive as tf-keras's own loader of old files would set them."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.readers import open_store

tf_keras = pytest.importorskip("tf_keras")

GENERATOR = np.random.default_rng(0)


def _random(*shape: int) -> Any:
    return GENERATOR.standard_normal(shape).astype("float32")


def _file(path: Path, layer: dict[str, Any], arrays: list[Any], version: str, backend: str) -> Path:
    name = layer["config"]["name"]
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": [layer]})
        file.attrs["keras_version"] = version
        file.attrs["backend"] = backend
        group = file.create_group(f"model_weights/{name}")
        names = [f"{name}_{index}" for index in range(len(arrays))]
        file["model_weights"].attrs["layer_names"] = [name.encode()]
        group.attrs["weight_names"] = [item.encode() for item in names]
        for item, array in zip(names, arrays, strict=True):
            group.create_dataset(item, data=array)
    return path


def _read(path: Path) -> dict[str, Any]:
    source = read_model(path)
    assert [finding for finding in source.findings if finding.severity != "info"] == []
    layer = source.graph.layers[-1]
    with open_store(source) as store:
        found = {weight.name: store.read(weight.source.key) for weight in layer.weights if weight.source is not None}
    assert {weight.name: weight.shape for weight in layer.weights} == {key: value.shape for key, value in found.items()}
    return found


def _expected(layer: Any, shape: tuple[int, ...], arrays: list[Any], version: str, backend: str | None) -> list[Any]:
    from tf_keras.src.saving.legacy import hdf5_format

    layer.build((None, *shape))
    found: list[Any] = hdf5_format.preprocess_weights_for_loading(layer, arrays, version, backend)
    return found


GATES = {"LSTM": 4, "GRU": 3}


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_that_the_gates_of_keras_1_are_joined(kind: str, tmp_path: Path) -> None:
    arrays = [item for _ in range(GATES[kind]) for item in (_random(5, 3), _random(3, 3), _random(3))]
    config = {"name": "x", "output_dim": 3, "inner_activation": "sigmoid", "batch_input_shape": [None, 4, 5]}
    found = _read(_file(tmp_path / "m.h5", {"class_name": kind, "config": config}, arrays, "1.2.2", "tensorflow"))
    options = {"reset_after": False} if kind == "GRU" else {}
    expected = _expected(getattr(tf_keras.layers, kind)(3, **options), (4, 5), arrays, "1", "tensorflow")
    for name, array in zip(("cell/kernel", "cell/recurrent_kernel", "cell/bias"), expected, strict=True):
        assert np.array_equal(found[name], array)


@pytest.mark.parametrize("backend", ["theano", "tensorflow"])
@pytest.mark.parametrize("ordering", ["th", "tf"])
def test_that_kernels_of_keras_1_are_turned(ordering: str, backend: str, tmp_path: Path) -> None:
    kernel = _random(6, 4, 3, 2) if ordering == "th" else _random(3, 2, 4, 6)
    shape = (4, 8, 8) if ordering == "th" else (8, 8, 4)
    config = {"name": "x", "nb_filter": 6, "nb_row": 3, "nb_col": 2, "dim_ordering": ordering, "border_mode": "valid"}
    layer = {"class_name": "Convolution2D", "config": {**config, "batch_input_shape": [None, *shape]}}
    found = _read(_file(tmp_path / "m.h5", layer, [kernel, _random(6)], "1.2.0", backend))
    data_format = "channels_first" if ordering == "th" else "channels_last"
    conv = tf_keras.layers.Conv2D(6, (3, 2), data_format=data_format)
    expected = _expected(conv, shape, [kernel, _random(6)], "1", backend)[0]
    if backend == "theano":
        # Theano convolves; tf-keras leaves that out, the test with the written-out oracle below does not
        expected = expected[::-1, ::-1]
    assert np.array_equal(found["kernel"], expected)


def test_that_a_one_dimensional_kernel_of_keras_1_loses_its_extra_axis(tmp_path: Path) -> None:
    arrays = [_random(3, 1, 5, 6), _random(6)]
    config = {"name": "x", "nb_filter": 6, "filter_length": 3, "batch_input_shape": [None, 9, 5]}
    found = _read(
        _file(tmp_path / "m.h5", {"class_name": "Convolution1D", "config": config}, arrays, "1.2.2", "tensorflow")
    )
    assert np.array_equal(
        found["kernel"], _expected(tf_keras.layers.Conv1D(6, 3), (9, 5), arrays, "1", "tensorflow")[0]
    )


def test_that_kernels_of_keras_2_on_theano_are_turned_round(tmp_path: Path) -> None:
    arrays = [_random(3, 3, 4, 6), _random(6)]
    config = {"name": "x", "filters": 6, "kernel_size": [3, 3], "batch_input_shape": [None, 8, 8, 4]}
    found = _read(_file(tmp_path / "m.h5", {"class_name": "Conv2D", "config": config}, arrays, "2.1.2", "theano"))
    assert np.array_equal(found["kernel"], arrays[0][::-1, ::-1])


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_that_cudnn_layouts_become_plain_ones(kind: str, tmp_path: Path) -> None:
    count = GATES[kind]
    arrays = [_random(5, 3 * count), _random(3, 3 * count), _random(2 * 3 * count)]
    config = {"name": "x", "units": 3, "batch_input_shape": [None, 4, 5], "return_sequences": False}
    found = _read(
        _file(tmp_path / "m.h5", {"class_name": f"CuDNN{kind}", "config": config}, arrays, "2.2.4", "tensorflow")
    )
    options = {"reset_after": True} if kind == "GRU" else {}
    expected = _expected(getattr(tf_keras.layers, kind)(3, **options), (4, 5), arrays, "2.2.4", "tensorflow")
    for name, array in zip(("cell/kernel", "cell/recurrent_kernel", "cell/bias"), expected, strict=True):
        assert np.allclose(found[name], array, rtol=0, atol=1e-6)


def test_that_a_model_of_keras_1_in_th_ordering_computes_what_it_did(tmp_path: Path) -> None:
    """The oracle is written out: correlation with the kernel as Theano stored it, turned round."""
    from tests.core.readers.rebuild import rebuild

    kernel, bias = _random(2, 3, 2, 2), _random(2)
    config = {"name": "x", "nb_filter": 2, "nb_row": 2, "nb_col": 2, "dim_ordering": "th", "border_mode": "valid"}
    layer = {"class_name": "Convolution2D", "config": {**config, "batch_input_shape": [None, 3, 4, 4]}}
    model = rebuild(read_model(_file(tmp_path / "m.h5", layer, [kernel, bias], "1.1.0", "theano")))
    image = _random(1, 3, 4, 4)
    expected = np.zeros((1, 2, 3, 3))
    for out, row, column in np.ndindex(2, 3, 3):
        patch = image[0, :, row : row + 2, column : column + 2]
        expected[0, out, row, column] = (patch * kernel[out, :, ::-1, ::-1]).sum() + bias[out]
    assert np.allclose(model(image), expected, atol=1e-5)

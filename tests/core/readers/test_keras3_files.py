"""Models saved by Keras 3 itself: graph, weights and shapes agree with the live model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.analysis.opening import read_model
from core.model.graph import TensorRef
from core.readers import open_store


@pytest.fixture(scope="module")
def keras() -> Any:
    import keras

    return keras


@pytest.fixture(scope="module")
def structured(keras: Any) -> Any:
    """Nested and shared models, operations, two inputs in a dict, outputs in a list and a dict."""
    layers = keras.layers
    inner = keras.Sequential([layers.Input((8,)), layers.Dense(4, name="a"), layers.Dense(4, name="b")], name="inner")
    start = keras.Input((8,))
    functional = keras.Model(start, layers.Dense(4)(start), name="fun")
    left, right = keras.Input((8,), name="left"), keras.Input((8,), name="right")
    shared = layers.Dense(8, name="shared")
    x, y = shared(left), shared(right)
    total = inner(x) + functional(y)
    doubled = inner(y) * 2.0
    last = functional(x)
    timed = layers.TimeDistributed(inner, name="timed")(keras.ops.expand_dims(y, 1))
    cut = keras.ops.concatenate([total, doubled], axis=-1)[:, 1:4]
    return keras.Model({"left": left, "right": right}, [cut, {"last": last, "timed": timed}], name="structured")


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_that_nesting_sharing_and_structure_survive(structured: Any, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"model{ending}"
    structured.save(path)
    graph = read_model(path).graph
    assert graph.inputs == {"left": TensorRef("left"), "right": TensorRef("right")}
    assert graph.outputs == [TensorRef("get_item"), {"last": TensorRef("fun", 1), "timed": TensorRef("timed")}]
    assert [len(graph.layer(name).calls) for name in ("shared", "inner", "fun")] == [2, 2, 2]
    assert graph.layer("timed").inner_key == "layer"
    assert graph.layer("fun").calls[0].inputs() == (TensorRef("shared", 1),)
    assert graph.layer("fun").calls[1].inputs() == (TensorRef("shared", 0),)
    if ending == ".keras":
        assert graph.find("inner/a").weights[0].source == graph.find("timed/a").weights[0].source


def test_that_outputs_agree_after_reading_a_structured_model(structured: Any, tmp_path: Path) -> None:
    from tests.core.readers.rebuild import difference, rebuild

    path = tmp_path / "model.keras"
    structured.save(path)
    new = rebuild(read_model(path))
    generator = np.random.default_rng(0)
    inputs = {name: generator.standard_normal((2, 8)).astype("float32") for name in ("left", "right")}
    old_outputs, new_outputs = structured(inputs), new(inputs)
    assert difference(new_outputs[0], old_outputs[0]) < 1e-6
    assert difference(new_outputs[1]["timed"], old_outputs[1]["timed"]) < 1e-6


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("kind", ["MobileNetV2", "nested", "recurrent", "attention", "bare"])
def test_that_every_array_is_the_live_models(keras: Any, tmp_path: Path, kind: str, ending: str) -> None:
    layers = keras.layers
    steps = (7, 4)
    if kind == "MobileNetV2":
        model = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35)
    elif kind == "nested":
        body = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35, include_top=False)
        model = keras.Sequential([body, layers.GlobalAveragePooling2D(), layers.Dropout(0.2), layers.Dense(3)])
    elif kind == "recurrent":
        model = keras.Sequential(
            [layers.Input(steps), layers.Bidirectional(layers.LSTM(4, return_sequences=True)), layers.GRU(3)]
        )
    elif kind == "attention":
        start = keras.Input(steps)
        model = keras.Model(start, layers.LayerNormalization()(layers.MultiHeadAttention(2, 3)(start, start)))
    else:
        model = keras.Sequential([layers.Dense(3), layers.Dense(2)])
        model.build((None, 5))
    path = tmp_path / f"model{ending}"
    model.save(path)
    source = read_model(path)
    expected = {_key(value) for value in model.weights}
    with open_store(source) as store:
        found = {
            _key(store.read(weight.source.key))
            for _, layer in source.graph.walk()
            for weight in layer.weights
            if weight.source is not None and not weight.state
        }
    assert found == expected
    assert source.graph.num_params() == model.count_params()
    assert [finding for finding in source.findings if finding.code == "weight.unmatched"] == []


def _key(value: Any) -> tuple[tuple[int, ...], bytes]:
    array = np.asarray(value)
    return tuple(array.shape), array.tobytes()


def test_that_backslashes_in_group_names_separate_like_slashes(keras: Any, tmp_path: Path) -> None:
    import zipfile

    import h5py

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    path, weights = tmp_path / "model.keras", tmp_path / "weights.h5"
    model.save(path)
    with h5py.File(weights, "w") as file:
        for index, value in enumerate(model.layers[0].get_weights()):
            file.create_dataset(f"_layer_checkpoint_dependencies\\dense/vars/{index}", data=value)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in ("metadata.json", "config.json")}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.write(weights, "model.weights.h5")
    source = read_model(path)
    with open_store(source) as store:
        kernel = source.graph.layers[-1].weights[0]
        assert kernel.source is not None
        assert np.array_equal(store.read(kernel.source.key), model.layers[0].get_weights()[0])


def test_that_an_archive_which_is_hdf5_opens_all_the_same(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.save(tmp_path / "model.h5")
    (tmp_path / "model.h5").rename(tmp_path / "model.keras")
    assert read_model(tmp_path / "model.keras").format == "Keras 3 (HDF5)"


def test_that_an_architecture_and_its_weights_open_together(keras: Any, tmp_path: Path) -> None:
    from tests.core.readers.rebuild import difference, random_inputs, rebuild

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    (tmp_path / "model.json").write_text(model.to_json())
    model.save_weights(tmp_path / "model.weights.h5")
    alone = read_model(tmp_path / "model.json")
    assert alone.kind == "architecture"
    assert alone.graph.num_params() == 0
    both = read_model(tmp_path / "model.json", tmp_path / "model.weights.h5")
    assert both.kind == "model"
    inputs = random_inputs(model)
    assert difference(rebuild(both)(inputs), model(inputs)) == 0


def test_that_training_state_is_noted_once(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.save(tmp_path / "plain.keras")
    model.compile("adam", "mse")
    model.fit(np.ones((2, 4)), np.ones((2, 3)), verbose=0)
    for ending in (".keras", ".h5"):
        model.save(tmp_path / f"trained{ending}")
        source = read_model(tmp_path / f"trained{ending}")
        assert source.training
        assert [finding.code for finding in source.findings] == ["training.dropped"]
    assert read_model(tmp_path / "plain.keras").findings == ()


def test_that_layers_which_were_counted_twice_find_their_arrays(tmp_path: Path) -> None:
    """TensorFlow 2.12 numbered the groups of a `.weights.h5` by every other number."""
    import h5py
    import keras

    kernels = {"a": (4, 6), "b": (6, 6), "c": (6, 2)}
    units: list[Any] = [keras.layers.Dense(shape[1], use_bias=False, name=name) for name, shape in kernels.items()]
    model: Any = keras.Sequential([keras.Input((4,)), *units])
    architecture, weights = tmp_path / "model.json", tmp_path / "model.weights.h5"
    architecture.write_text(model.to_json())
    with h5py.File(weights, "w") as file:
        for number, name in enumerate(kernels):
            group = f"_layer_checkpoint_dependencies/dense{f'_{2 * number}' if number else ''}/vars"
            file[f"{group}/0"] = np.full(kernels[name], number, np.float32)
    source = read_model(architecture, weights)
    assert not [finding for finding in source.findings if finding.code == "weight.unmatched"]
    with open_store(source) as store:
        for number, name in enumerate(kernels):
            found = source.graph.layer(name).weights[0].source
            assert found is not None
            np.testing.assert_array_equal(store.read(found.key), np.full(kernels[name], number))

"""Lambda layers with known formulas: replaced when read, and the rebuilt model gives what the Lambda gave."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from keras import ops

from core.analysis.opening import read_model
from core.edits.replace_layer import ReplaceLayer
from core.engine.api import Engine
from core.readers.source import Source
from core.recipes.recipe import Recipe

K = tf_keras.backend
THREE: dict[str, Callable[[Any], Any]] = {
    "x / 255": lambda x: x / 255,
    "x / 127.5 - 1.0": lambda x: x / 127.5 - 1.0,
    "constants on the left": lambda x: 1.0 - 2.0 * (3.0 - x),
    "per channel": lambda x: (x - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225],
    "negative": lambda x: -x,
    "identity": lambda x: x,
    "slice": lambda x: x[:, 1:3],
    "ellipsis": lambda x: x[..., 0],
    "new axis": lambda x: x[:, :, None, ::2],
    "expand": lambda x: ops.expand_dims(x, axis=1),
    "squeeze": lambda x: tf.squeeze(x[:, :1], axis=1),
    "mean": lambda x: tf.reduce_mean(x, axis=[1, 2]),
    "sum kept": lambda x: ops.sum(x, axis=-1, keepdims=True),
    "max": lambda x: tf.reduce_max(x, axis=1),
    "abs": lambda x: abs(x - 0.5),
    "sqrt": lambda x: tf.sqrt(tf.abs(x) + 1.0),
    "power": lambda x: x**2 + x,
    "normalized": lambda x: tf.math.l2_normalize(x, axis=-1),
    "transposed": lambda x: tf.transpose(x, [0, 3, 1, 2]),
    "reshaped": lambda x: tf.reshape(x, (-1, 30)),
    "clipped": lambda x: tf.clip_by_value(x, 0.1, 0.6),
    "relu": lambda x: tf.nn.relu(x - 0.3),
    "softmax": lambda x: tf.nn.softmax(x, axis=1),
    "joined": lambda x: tf.concat([x, -x], axis=-1),
    "stacked": lambda x: tf.stack([x[..., 0], x[..., 1] * 2.0], axis=-1),
    "logarithm": lambda x: tf.math.log(x + 1.0) / tf.math.exp(x),
}
TWO: dict[str, tuple[Callable[[Any], Any], int]] = {
    "x / 127.5 - 1.": (lambda x: x / 127.5 - 1.0, 1),
    "mean": (lambda x: K.mean(x, axis=[1, 2], keepdims=True), 1),
    "norm": (lambda x: K.l2_normalize(x, axis=-1), 1),
    "expand": (lambda x: K.expand_dims(x), 1),
    "batch flatten": (lambda x: K.batch_flatten(x), 1),
    "permuted": (lambda x: K.permute_dimensions(x, (0, 2, 1, 3)), 1),
    "resized": (lambda x: K.resize_images(x, 2, 3, "channels_last"), 1),
    "backwards": (lambda x: K.sqrt(x - 0.5), 1),
    "scale": (lambda x, scale=1.0: x * scale, 1),  # type: ignore[misc]
    "distance": (lambda x: K.abs(x[0] - x[1]), 2),
    "euclidean": (lambda x: K.sqrt(K.maximum(K.sum(K.square(x[0] - x[1]), axis=1, keepdims=True), K.epsilon())), 2),
    "joined": (lambda x: K.concatenate([x[0], x[1]], axis=1), 2),
    "summed": (lambda x: x[0] + x[1] * 0.3, 2),
}
UNKNOWN: dict[str, Callable[[Any], Any]] = {
    "a branch": lambda x: x if x is None else x * 2.0,
    "a method": lambda x: x.__add__(1.0),
    "one sample": lambda x: x[0][None],
    "a loop": lambda x: sum([x, x]),
    "another module": lambda x: np.multiply(1.0, 2.0) * x,
}
SHAPE = (5, 6, 3)


def batch(count: int = 1) -> list[np.ndarray[Any, Any]]:
    generator = np.random.default_rng(3)
    return [generator.uniform(0, 1, (4, *SHAPE)).astype("float32") for _ in range(count)]


def rebuilt(engine: Engine, source: Source, out: Path, check: bool = True) -> Any:
    engine.set_source(source)
    written = engine.apply(Recipe(), out, check=check)
    if check:
        assert written.verification is not None
        assert written.verification.ok, written.verification.message
    return keras.saving.load_model(out)


def codes(source: Source, severity: str) -> list[str]:
    return [one.code for one in source.findings if one.severity == severity]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.mark.parametrize("sequential", [False, True], ids=["functional", "sequential"])
@pytest.mark.parametrize("name", THREE)
def test_that_a_keras_3_lambda_is_replaced_by_what_it_computes(
    name: str, sequential: bool, engine: Engine, tmp_path: Path
) -> None:
    layer = keras.layers.Lambda(THREE[name], name="made")
    if sequential:
        model: Any = keras.Sequential([keras.Input(SHAPE), layer])
    else:
        image = keras.Input(SHAPE)
        model = keras.Model(image, layer(image))
    path = tmp_path / "model.keras"
    model.save(path)
    source = read_model(path)
    assert "code.lambda" in codes(source, "info")
    assert "code.lambda" not in codes(source, "warning")
    inputs = batch()
    expected = np.asarray(model(inputs[0]))
    found = np.asarray(rebuilt(engine, source, tmp_path / "out.keras")(inputs[0]))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", TWO)
def test_that_a_keras_2_lambda_is_replaced_by_what_it_computes(name: str, engine: Engine, tmp_path: Path) -> None:
    function, count = TWO[name]
    images = [tf_keras.Input(SHAPE) for _ in range(count)]
    layer = tf_keras.layers.Lambda(function, arguments={"scale": 0.17} if name == "scale" else None)
    model = tf_keras.Model(images, layer(images if count > 1 else images[0]))
    path = tmp_path / "model.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path, save_format="h5")
    source = read_model(path)
    assert "code.lambda" in codes(source, "info")
    arrays = batch(count)
    expected = np.asarray(model(arrays if count > 1 else arrays[0]))
    new = rebuilt(engine, source, tmp_path / "out.keras")
    np.testing.assert_allclose(np.asarray(new(arrays if count > 1 else arrays[0])), expected, rtol=1e-5, atol=2e-6)


def test_that_what_was_recognised_is_said_in_words(tmp_path: Path) -> None:
    image = keras.Input(SHAPE, name="image")
    keras.Model(image, keras.layers.Lambda(THREE["x / 127.5 - 1.0"], name="scaled")(image)).save(tmp_path / "m.keras")
    source = read_model(tmp_path / "m.keras")
    repaired = next(one for one in source.findings if one.code == "legacy.repaired")
    assert "x / 127.5 - 1.0 is now Rescaling(scale=0.00784314, offset=-1)" in repaired.message
    shown = next(one for one in source.findings if one.code == "code.lambda")
    assert shown.layer == "scaled"
    assert "BINARY_OP" in shown.detail or "BINARY_TRUE_DIVIDE" in shown.detail
    assert source.graph.find("scaled").config["scale"] == 1 / 127.5


@pytest.mark.parametrize("name", UNKNOWN)
def test_that_what_is_not_recognised_stays_a_lambda_that_never_runs(name: str, engine: Engine, tmp_path: Path) -> None:
    image = keras.Input(SHAPE)
    made = keras.layers.Lambda(UNKNOWN[name], output_shape=SHAPE, name="odd")(image)
    keras.Model(image, keras.layers.Conv2D(2, 3)(made)).save(tmp_path / "m.keras")
    source = read_model(tmp_path / "m.keras")
    finding = next(one for one in source.findings if one.code == "code.lambda")
    assert (finding.severity, finding.layer, finding.fixes) == ("warning", "odd", ())
    assert "never run" in finding.message
    assert finding.detail
    assert source.graph.find("odd").opaque
    engine.set_source(source)
    written = engine.apply(Recipe(), tmp_path / "out.keras", check=True)
    assert written.verification is not None
    assert written.verification.skipped
    assert written.verification.copied_equal


def test_that_a_doubtful_one_is_offered_and_the_offer_works(engine: Engine, tmp_path: Path) -> None:
    image = keras.Input(SHAPE)
    resized = keras.layers.Lambda(lambda x: tf.image.resize(x, (10, 12)) * 2.0, name="resized")(image)
    model = keras.Model(image, keras.layers.Conv2D(2, 3)(resized))
    model.save(tmp_path / "m.keras")
    source = read_model(tmp_path / "m.keras")
    finding = next(one for one in source.findings if one.code == "code.lambda")
    assert finding.severity == "warning"
    (fix,) = finding.fixes
    (edit,) = fix.edits
    assert isinstance(edit, ReplaceLayer)
    assert source.graph.find("resized").opaque
    engine.set_source(source)
    written = engine.apply(Recipe(edits=(edit,)), tmp_path / "out.keras", check=True)
    assert written.verification is not None
    assert written.verification.ok, written.verification.message
    (array,) = batch()
    found = keras.saving.load_model(tmp_path / "out.keras")(array)
    np.testing.assert_allclose(np.asarray(found), np.asarray(model(array)), rtol=1e-5, atol=1e-6)


def test_that_a_function_by_name_is_offered_and_never_replaced_unasked(engine: Engine, tmp_path: Path) -> None:
    image = keras.Input(SHAPE, name="image")
    model = keras.Model(image, keras.layers.Conv2D(2, 3, name="conv")(image))
    config = json.loads(model.to_json())
    conv = config["config"]["layers"][1]
    fields = {"name": "scaled", "function": "scaling", "function_type": "function", "arguments": {"scale": 0.17}}
    place = {"shape": [None, *SHAPE], "dtype": "float32", "keras_history": ["image", 0, 0]}
    before = {"class_name": "__keras_tensor__", "config": place}
    named = {
        "module": "keras.layers", "class_name": "Lambda", "config": fields, "registered_name": None, "name": "scaled",
        "inbound_nodes": [{"args": [before], "kwargs": {}}],
    }  # fmt: skip
    conv["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["scaled", 0, 0]
    config["config"]["layers"].insert(1, named)
    (tmp_path / "m.json").write_text(json.dumps(config))
    source = read_model(tmp_path / "m.json")
    finding = next(one for one in source.findings if one.code == "code.lambda")
    assert "'scaling' by name" in finding.message
    assert source.graph.find("scaled").opaque
    plan = engine.set_source(source)
    assert plan.ok
    after = engine.plan(Recipe(edits=finding.fixes[0].edits)).graph.find("scaled")
    assert (after.class_name, after.config["scale"], after.opaque) == ("Rescaling", 0.17, False)


def scaling(x: Any, scale: float) -> Any:
    """Keras 3 stores a function that is no lambda by its name; Keras 2 did so for one that is no Python function."""
    return x * scale


def named(config: Any) -> Any:
    """A serialised model whose Lambdas hold their function's name alone."""
    if isinstance(config, dict):
        by_name = {"function": "scaling", "function_type": "function"} if "function_type" in config else {}
        return {**{key: named(value) for key, value in config.items()}, **by_name}
    return [named(item) for item in config] if isinstance(config, list) else config


def write_named(k: Any, path: Path, nested: bool) -> Any:
    """A model with a Lambda whose function the file only names, and the model itself."""
    start = x = k.Input((4,), name="start")
    x = k.layers.Dense(3, name="first")(x)
    guess = k.layers.Lambda(scaling, arguments={"scale": 0.17}, output_shape=(3,), name="scaled")
    if nested:
        inside = k.Input((3,), name="inside_start")
        x = k.Model(inside, guess(inside), name="inside")(x)
    else:
        x = guess(x)
    model = k.Model(start, k.layers.Dense(2, name="last")(x))
    model.save(path)
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = json.dumps(named(json.loads(file.attrs["model_config"])))
    return model


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("kind", ["keras 2.h5", "keras 3.keras", "keras 3.h5"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_that_a_function_by_name_stays_a_lambda_until_the_person_takes_the_guess(
    kind: str, nested: bool, engine: Engine, tmp_path: Path
) -> None:
    path, where = tmp_path / kind, "inside/scaled" if nested else "scaled"
    model = write_named(tf_keras if "2" in kind else keras, path, nested)
    source = read_model(path)
    assert (source.graph.find(where).class_name, source.graph.find(where).opaque) == ("Lambda", True)
    (finding,) = [one for one in source.findings if one.code == "code.lambda"]
    assert (finding.severity, finding.layer) == ("warning", where)
    assert "'scaling' by name" in finding.message
    assert "not certain" in finding.message
    engine.set_source(source)
    kept = engine.plan(Recipe()).graph.find(where)
    assert (kept.class_name, kept.opaque) == ("Lambda", True)
    written = engine.apply(Recipe(edits=finding.fixes[0].edits), tmp_path / "out.keras", check=True)
    assert written.verification is not None
    assert written.verification.ok
    numbers = np.random.default_rng(4).normal(size=(3, 4)).astype("float32")
    found = keras.saving.load_model(tmp_path / "out.keras", compile=False)(numbers)
    np.testing.assert_allclose(np.asarray(found), np.asarray(model(numbers)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "replaced"),
    [
        ("naokishibuya-car-behavioral-cloning/model.h5", "Rescaling"),
        ("SiliconLabs-mltk/fingerprint_signature_generator.siamese.h5", "Functional"),
    ],
)
def test_that_published_models_with_lambdas_rebuild_without_any_code(
    name: str, replaced: str, corpus: Callable[[str], Path], engine: Engine, tmp_path: Path
) -> None:
    source = read_model(corpus(name))
    notes = [one for one in source.findings if one.code == "code.lambda"]
    assert {one.severity for one in notes} == {"info"}
    assert {source.graph.find(one.layer).class_name for one in notes} == {replaced}
    assert len(notes) == 1
    model = rebuilt(engine, source, tmp_path / "out.keras")
    assert not any(isinstance(layer, keras.layers.Lambda) for layer in model.layers)


@pytest.mark.parametrize("check", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["written", "verified"])
def test_that_a_large_published_model_with_many_lambdas_rebuilds_without_any_code(
    check: bool, corpus: Callable[[str], Path], engine: Engine, tmp_path: Path
) -> None:
    source = read_model(corpus("serengil-tensorflow-101/facenet_model.json"))
    notes = [one for one in source.findings if one.code == "code.lambda"]
    assert {one.severity for one in notes} == {"info"}
    assert {source.graph.find(one.layer).class_name for one in notes} == {"Rescaling"}
    assert len(notes) == 21
    model = rebuilt(engine, source, tmp_path / "out.keras", check)
    assert not any(isinstance(layer, keras.layers.Lambda) for layer in model.layers)

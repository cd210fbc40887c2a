"""SavedModels are run by their signature: inputs and outputs of any nesting, matched by what they are called."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from keras import layers

from core.analysis.opening import read_model
from core.engine.exports import exported_drift
from core.errors import FileError
from tests.core.engine.drive import assert_verified, drift, opened, outputs, recipe, saved
from tests.core.engine.small_models import fill


def shaped(kind: str) -> Any:
    """Two inputs of one shape and two outputs of one shape, in every nesting that Keras has."""
    keras.backend.clear_session()
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    both = layers.Concatenate(name="both")([left, layers.Rescaling(2.0)(right)])
    one, two = layers.Dense(2, name="zebra")(both), layers.Dense(2, name="ape")(both)
    if kind == "single":
        model = keras.Model(left, layers.Dense(2, name="ape")(left))
    elif kind == "list":
        model = keras.Model([left, right], [one, two])
    elif kind == "dict":
        model = keras.Model({"right": right, "left": left}, {"zebra": one, "ape": two})
    elif kind == "nested":
        inner = keras.Model([left, right], [one, two], name="inner")
        start = [keras.Input((3,), name="a"), keras.Input((3,), name="b")]
        model = keras.Model(start, list(inner(start))[::-1])
    else:
        model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="ape")])
    fill(model)
    return model


KINDS = ("single", "list", "dict", "nested", "sequential")


@pytest.mark.parametrize("kind", KINDS)
def test_that_a_saved_model_is_verified_and_may_be_written_again(kind: str, tmp_path: Path) -> None:
    path, out = saved(shaped(kind), tmp_path), tmp_path / "new.savedmodel"
    for _ in range(2):
        written = opened(path).apply(recipe(), out)
        assert_verified(written.verification)
        assert written.written == str(out)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["new.savedmodel", "source.keras"]
    again = opened(path).verify(recipe(), out)
    assert again.ok


@pytest.mark.parametrize("kind", ["list", "dict", "nested"])
def test_that_outputs_that_changed_places_are_found_out(kind: str, tmp_path: Path) -> None:
    model = shaped(kind)
    graph = read_model(saved(model, tmp_path)).graph
    given = {
        name: np.random.default_rng(3).random((2, 3), np.float32)
        for name in [layer.name for layer in graph.input_layers()]
    }
    model.export(str(tmp_path / "right.savedmodel"), verbose=False)
    assert exported_drift(model, graph, ".savedmodel", tmp_path / "right.savedmodel", given) < 1e-6
    struct, changed = model._inputs_struct, list(model.outputs)[::-1]
    if kind == "dict":
        names = sorted(("zebra", "ape"))
        swapped = keras.Model(struct, dict(zip(names, [model.outputs[0], model.outputs[1]][::-1], strict=True)))
        if drift(outputs(swapped, given)[0], outputs(model, given)[0]) < 1e-6:
            swapped = keras.Model(struct, dict(zip(names, model.outputs, strict=True)))
    else:
        swapped = keras.Model(struct, changed)
    swapped.export(str(tmp_path / "wrong.savedmodel"), verbose=False)
    assert exported_drift(model, graph, ".savedmodel", tmp_path / "wrong.savedmodel", given) > 1e-2


def test_that_an_old_file_becomes_a_saved_model_that_answers_by_name(tmp_path: Path) -> None:
    left, right = tf_keras.Input((3,), name="left"), tf_keras.Input((4,), name="right")
    joined = tf_keras.layers.Concatenate(name="both")([left, right])
    old = tf_keras.Model([left, right], [tf_keras.layers.Dense(2, name=name)(joined) for name in ("zebra", "ape")])
    old.save(tmp_path / "old.h5")
    out = tmp_path / "new.savedmodel"
    assert_verified(opened(tmp_path / "old.h5").apply(recipe(), out).verification)
    served = tf.saved_model.load(str(out))
    x, y = (np.random.default_rng(size).random((2, size), np.float32) for size in (3, 4))
    found = served.signatures["serving_default"](right=tf.constant(y), left=tf.constant(x))
    for number, wanted in enumerate(old([x, y])):
        assert drift(found[f"output_{number}"], wanted) < 1e-6


def test_that_a_folder_that_is_no_saved_model_is_not_replaced(tmp_path: Path) -> None:
    path, out = saved(shaped("single"), tmp_path), tmp_path / "mine.savedmodel"
    out.mkdir()
    (out / "letter.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(FileError, match="is a folder"):
        opened(path).apply(recipe(), out)
    assert (out / "letter.txt").read_text(encoding="utf-8") == "keep"


def test_that_a_runtime_that_is_not_here_leaves_a_file_unverified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import core.engine.exports as exports
    import core.engine.verify as judge

    path, out = saved(shaped("single"), tmp_path), tmp_path / "new.savedmodel"
    monkeypatch.setattr(judge, "missing_runtime", lambda _: "onnxruntime")
    written = opened(path).apply(recipe(), out)
    assert written.verification is not None
    assert not written.verification.ok
    assert written.verification.reason.startswith("Nothing was compared: onnxruntime is not installed")
    assert (Path(written.written).name, out.exists()) == ("new.savedmodel.unverified", False)
    assert exports.missing_runtime(".savedmodel") is None


def normalized() -> Any:
    given = keras.Input((8, 8, 3), name="image")
    scaled = layers.Normalization(mean=[0.2, 0.4, 0.6], variance=[0.1, 0.3, 0.2], name="norm")(given)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(scaled))
    return keras.Model(given, layers.Dense(3, name="classes")(x))


def transformer() -> Any:
    """Attention, exact GELU and an embedding."""
    given = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(20, 8, name="table")(given)
    x = layers.LayerNormalization(name="first")(x + layers.MultiHeadAttention(2, 4, name="attention")(x, x))
    x = x + layers.Dense(8, name="down")(keras.ops.gelu(layers.Dense(16, name="up")(x), approximate=False))
    return keras.Model(given, layers.Dense(4, activation="softmax", name="classes")(layers.Flatten()(x)))


def recurrent() -> Any:
    given = keras.Input((7, 5), name="steps")
    x = layers.LSTM(6, return_sequences=True, name="lstm")(given)
    return keras.Model(given, layers.Dense(2, name="out")(layers.Bidirectional(layers.GRU(3), name="both")(x)))


def unet() -> Any:
    given = keras.Input((16, 16, 1), name="image")
    wide = layers.Conv2D(4, 3, padding="same", activation="relu", name="down")(given)
    x = layers.Conv2D(6, 3, padding="same", name="deep")(layers.MaxPooling2D()(wide))
    x = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(x), wide])
    return keras.Model(given, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x))


def two_of_each() -> Any:
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    both = layers.Subtract(name="both")([left, right])
    return keras.Model([left, right], [layers.Dense(3, name="zebra")(both), layers.Dense(3, name="ape")(left)])


MODELS = {
    "normalized": normalized,
    "transformer": transformer,
    "recurrent": recurrent,
    "unet": unet,
    "two": two_of_each,
}


@pytest.mark.parametrize("ending", [".onnx", ".tflite"])
@pytest.mark.parametrize("name", MODELS)
def test_that_an_export_is_right_by_its_own_runtime(name: str, ending: str, tmp_path: Path) -> None:
    """Opened here with the runtime itself: inputs and outputs by the model's own names, at two batch sizes."""
    model = MODELS[name]()
    fill(model)
    out = tmp_path / f"new{ending}"
    written = opened(saved(model, tmp_path)).apply(recipe(), out)
    assert_verified(written.verification)
    wanted = [tensor.name for tensor in model.inputs]
    rng = np.random.default_rng(0)
    for count in (1,) if name == "recurrent" and ending == ".tflite" else (1, 3):
        given = {
            tensor.name: rng.integers(0, 9, (count, *tensor.shape[1:])).astype("int32")
            if "int" in tensor.dtype
            else rng.normal(size=(count, *tensor.shape[1:])).astype("float32")
            for tensor in model.inputs
        }
        answers = model([given[key] for key in wanted] if len(wanted) > 1 else given[wanted[0]])
        ends = [tensor._keras_history.operation.name for tensor in model.outputs]
        answers = answers if isinstance(answers, list) else [answers]
        right = dict(zip(ends, map(np.asarray, answers), strict=True))
        found = _run(out, given)
        assert set(found) == set(right)
        for key, value in right.items():
            assert np.allclose(found[key], value, rtol=1e-4, atol=1e-5), key


def _run(path: Path, given: dict[str, Any]) -> dict[str, Any]:
    if path.suffix == ".onnx":
        onnxruntime = pytest.importorskip("onnxruntime")
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        assert {one.name for one in session.get_inputs()} == set(given)
        assert {one.shape[0] for one in session.get_inputs()} == {"batch"}
        return dict(zip([one.name for one in session.get_outputs()], session.run(None, given), strict=True))
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(model_path=str(path))
    assert set(interpreter.get_signature_list()["serving_default"]["inputs"]) == set(given)
    return dict(interpreter.get_signature_runner()(**given))


def test_that_what_onnx_has_no_operator_for_is_refused_by_name(tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    given = keras.Input((4, 4), name="x")
    model = keras.Model(given, layers.Dense(2)(keras.ops.linalg.inv(given)))
    with pytest.raises(FileError, match=r"ONNX has no operator for MatrixInverse"):
        opened(saved(model, tmp_path)).apply(recipe(), tmp_path / "new.onnx")
    assert [one.name for one in tmp_path.iterdir()] == ["source.keras"]

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

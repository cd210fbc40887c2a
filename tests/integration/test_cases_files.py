"""Cases 10 to 18 and 22: files that do not fit, do not open, or hold what they should not."""

import hashlib
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from core.analysis.opening import read_model
from core.errors import FileError, PlanRefused
from core.recipes.recipe import Recipe
from tests.core.engine.drive import (
    applied,
    assert_verified,
    drift,
    errors,
    opened,
    outputs,
    plan,
    planned,
    recipe,
    saved,
)
from tests.core.engine.small_models import build, fill, model_file
from tests.helpers import models

Corpus = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    keras.backend.clear_session()


def loaded(path: Path) -> Any:
    return keras.saving.load_model(path, compile=False)


def run(model: Any, inputs: Any) -> Any:
    return outputs(model, inputs)[0]


def old_keras(path: Path, *arrays: Any) -> list[Any]:
    """What Keras 2 itself gives, in a process of its own: both generations in one would share names and graphs."""
    program = (
        "import sys, numpy as np, tf_keras\n"
        "model = tf_keras.models.load_model(sys.argv[1], compile=False)\n"
        "given = np.load(sys.argv[2]); x = [given[k] for k in sorted(given.files)]\n"
        "y = model.predict(x if len(x) > 1 else x[0], verbose=0)\n"
        "np.savez(sys.argv[3], *(y if isinstance(y, list) else [y]))\n"
    )

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "in.npz", *arrays)
        command = [sys.executable, "-c", program, str(path), str(folder / "in.npz"), str(folder / "out.npz")]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        with np.load(folder / "out.npz") as found:
            return [found[key] for key in found.files]


def checksums(model: Any) -> dict[str, str]:
    return {
        f"{layer.name}/{number}": hashlib.sha256(array.tobytes()).hexdigest()
        for layer in models.layers(model)
        if not hasattr(layer, "layers")
        for number, array in enumerate(layer.get_weights())
    }


def stack(widths: tuple[int, ...], names: tuple[str, ...], size: int = 6) -> Any:
    x = start = keras.Input((size,))
    for width, name in zip(widths, names, strict=True):
        x = layers.Dense(width, name=name)(x)
    model = keras.Model(start, x)
    fill(model)
    return model


def test_that_case_10_weights_with_another_number_of_layers_are_paired_instead_of_refused(tmp_path: Path) -> None:
    ours = saved(stack((5, 4, 3), ("first", "second", "third")), tmp_path)
    other = stack((5, 8, 4, 2), ("first", "extra", "second", "other"))
    other.save_weights(tmp_path / "other.weights.h5")
    model = loaded(ours)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="could not be loaded"):
            model.load_weights(tmp_path / "other.weights.h5")
    source = str(tmp_path / "other.weights.h5")
    theirs = [path for path, layer in read_model(source).graph.walk() if layer.weights]
    assert len(theirs) == 4
    first = next(path for path in theirs if read_model(source).graph.find(path).weights[0].shape == (6, 5))
    last = next(path for path in theirs if read_model(source).graph.find(path).weights[0].shape == (4, 2))
    edit = {"do": "transfer_weights", "file": source, "match": "pairs", "pairs": [["first", first], ["third", last]]}
    found = plan(ours, edit)
    fates = {fate.weight: fate.fate for fate in found.fates}
    assert fates["first/kernel"] == "transferred"
    assert fates["second/kernel"] == "copied"
    assert fates["third/kernel"] == "mismatched"
    keep = {"do": "set_rule", "weight": "third/kernel", "rule": "initialize"}
    bias = {"do": "set_rule", "weight": "third/bias", "rule": "initialize"}
    written, new = applied(ours, tmp_path / "out.keras", edit, keep, bias)
    assert_verified(written.verification)
    np.testing.assert_array_equal(new.get_layer("first").get_weights()[0], other.get_layer("first").get_weights()[0])
    np.testing.assert_array_equal(
        new.get_layer("second").get_weights()[0], loaded(ours).get_layer("second").get_weights()[0]
    )


def test_that_case_11_nothing_shifts_when_a_layer_was_inserted_and_flags_changed(tmp_path: Path) -> None:
    """Keras stores arrays by class and number: one Dense more, and every later one would get its neighbour's."""
    names = ("a", "b", "c")
    trained = stack((6, 6, 6), names)
    trained.get_layer("b").trainable = False
    their_file = saved(trained, tmp_path, "trained.keras")
    ours = saved(stack((6, 6, 6, 6), ("adapter", *names)), tmp_path, "ours.keras")
    own = checksums(loaded(ours))
    written, new = applied(ours, tmp_path / "out.keras", {"do": "transfer_weights", "file": str(their_file)})
    assert_verified(written.verification)
    after, theirs = checksums(new), checksums(trained)
    assert {name: after[name] for name in theirs} == theirs
    assert after["adapter/0"] == own["adapter/0"]
    assert any(finding.code == "weight.unmatched" for finding in written.plan.findings)
    # the reason for all this: Keras's own way shifts silently
    shifted = loaded(ours)
    trained.save_weights(tmp_path / "trained.weights.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shifted.load_weights(tmp_path / "trained.weights.h5", skip_mismatch=True)
    assert [checksums(shifted)[f"{name}/0"] for name in ("adapter", "a", "b")] == [
        theirs[f"{name}/0"] for name in names
    ]


def test_that_case_11_every_array_lands_by_identity_after_many_edits(tmp_path: Path) -> None:
    source = model_file("nested")
    before = checksums(loaded(source))
    steps = (
        {"do": "set_trainable", "layers": ["block/*"], "trainable": False},
        {
            "do": "insert_layer",
            "layer": "before",
            "config": {"class_name": "Conv2D", "config": {"filters": 3, "kernel_size": 1}},
        },
        {"do": "change_input", "shape": [20, 20, 3]},
    )
    written, new = applied(source, tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    after = checksums(new)
    assert {name: after[name] for name in before} == before


def test_that_case_12_a_keras_2_file_that_keras_3_refuses_is_repaired_and_says_how(
    corpus: Corpus, tmp_path: Path
) -> None:
    path = corpus("mlcommons-tiny/vww_96.h5")
    with pytest.raises((TypeError, ValueError)):
        keras.saving.load_model(path, compile=False)
    found = plan(path)
    assert not errors(found)
    repaired = [finding for finding in found.findings if finding.code == "legacy.repaired"]
    assert any("groups" in one.message + one.detail for one in repaired)
    written, new = applied(path, tmp_path / "out.keras")
    assert_verified(written.verification)
    x = np.random.default_rng(0).random((2, 96, 96, 3), dtype=np.float32)
    assert drift(run(new, x), old_keras(path, x)[0]) < 1e-5
    changed, _ = applied(path, tmp_path / "gray.keras", {"do": "change_input", "shape": [96, 96, 1]})
    assert_verified(changed.verification)


def test_that_case_13_lambda_is_not_run_unless_trusted_and_can_be_replaced(tmp_path: Path) -> None:
    start = keras.Input((8, 8, 3))
    x = layers.Lambda(lambda pixels: pixels / 255.0, name="scale", output_shape=(8, 8, 3))(start)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(x))
    model = keras.Model(start, x)
    fill(model)
    source = saved(model, tmp_path)
    with pytest.raises(ValueError, match="Lambda"):
        keras.saving.load_model(source, compile=False)
    images = np.random.default_rng(0).random((2, 8, 8, 3), dtype=np.float32) * 255
    expected = run(model, images)
    found = plan(source)
    said = [finding for finding in found.findings if finding.layer == "scale"]
    assert said
    assert any(finding.code == "code.lambda" for finding in said)
    fixes = [fix for finding in said for fix in finding.fixes]
    replaced = (
        fixes[0].edits
        if fixes
        else recipe(
            {
                "do": "replace_layer",
                "layer": "scale",
                "config": {"class_name": "Rescaling", "config": {"scale": 1 / 255}},
            }
        ).edits
    )
    full = Recipe(edits=tuple(replaced))
    written = opened(source).apply(full, tmp_path / "out.keras")
    assert_verified(written.verification)
    new = loaded(tmp_path / "out.keras")
    assert type(new.layers[1]).__name__ == "Rescaling"
    assert drift(run(new, images), expected) < 1e-5


def test_that_case_13_a_lambda_of_keras_1_is_read_without_running_it(corpus: Corpus, tmp_path: Path) -> None:
    path = corpus("naokishibuya-car-behavioral-cloning/model.h5")
    found = plan(path)
    assert any("code.lambda" in (one.code, *one.detail.split()) or "Rescaling" in one.message for one in found.findings)


def test_that_case_14_operations_of_keras_2_become_those_of_keras_3(corpus: Corpus, tmp_path: Path) -> None:
    path = corpus("google-magika/model.h5")
    with pytest.raises((TypeError, ValueError)):
        keras.saving.load_model(path, compile=False)
    written, new = applied(path, tmp_path / "out.keras")
    assert_verified(written.verification)
    x = np.random.default_rng(0).integers(0, 256, (3, 1536)).astype(np.float32)
    assert drift(run(new, x), old_keras(path, x)[0]) < 1e-5


def test_that_case_15_a_saved_model_is_shown_and_its_weights_go_into_a_rebuilt_model(
    corpus: Corpus, tmp_path: Path
) -> None:
    folder = corpus("mlcommons-tiny/kws_ref_model")
    source = read_model(folder)
    assert source.graph.layers
    arrays = [weight for _, layer in source.graph.walk() for weight in layer.weights]
    assert sum(weight.size for weight in arrays if not weight.state) > 20_000


def test_that_case_15_weights_of_a_saved_model_go_into_the_same_architecture(tmp_path: Path) -> None:
    program = (
        "import sys, tf_keras as k\n"
        "x = s = k.Input((8, 8, 3))\n"
        "x = k.layers.BatchNormalization(name='norm')(k.layers.Conv2D(4, 3, name='conv')(x))\n"
        "m = k.Model(s, k.layers.Dense(2, name='out')(k.layers.GlobalAveragePooling2D()(x)))\n"
        "m.compile('sgd', 'mse'); import numpy as np\n"
        "m.fit(np.random.rand(8, 8, 8, 3), np.random.rand(8, 2), epochs=2, verbose=0)\n"
        "m.save(sys.argv[1], save_format='tf'); m.save(sys.argv[2])\n"
    )
    folder, whole = tmp_path / "saved", tmp_path / "whole.h5"
    subprocess.run(
        [sys.executable, "-c", program, str(folder), str(whole)], check=True, capture_output=True, timeout=300
    )
    shown = read_model(folder)
    assert {"conv", "norm", "out"} <= {path.rpartition("/")[2] for path, _ in shown.graph.walk()}
    assert not shown.graph.opaque
    start = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, name="conv")(start))
    ours = saved(keras.Model(start, layers.Dense(2, name="out")(layers.GlobalAveragePooling2D()(x))), tmp_path)
    written, new = applied(ours, tmp_path / "out.keras", {"do": "transfer_weights", "file": str(folder)})
    assert_verified(written.verification)
    direct, itself = applied(folder, tmp_path / "direct.keras")
    assert_verified(direct.verification)
    images = np.random.default_rng(0).random((2, 8, 8, 3), dtype=np.float32)
    expected = old_keras(whole, images)[0]
    assert drift(run(new, images), expected) < 1e-5
    assert drift(run(itself, images), expected) < 1e-5


def nested_in_sequential() -> Any:
    return models.application("MobileNetV2", alpha=0.35, wrap="sequential", include_top=False, input_shape=(96, 96, 3))


def test_that_case_16_a_nested_base_is_seen_through_and_cut_inside(tmp_path: Path) -> None:
    source = nested_in_sequential()
    graph = read_model(source).graph
    base = next(layer for layer in graph.layers if layer.inner is not None)
    assert base.inner is not None
    inside = {path for path, _ in graph.walk()}
    assert f"{base.name}/block_3_expand" in inside
    cut = f"{base.name}/block_6_expand_relu"
    written, new = applied(source, tmp_path / "out.keras", {"do": "cut_at", "layers": [cut]})
    assert_verified(written.verification)
    old = loaded(source).layers[0]
    reference = keras.Model(old.inputs[0], old.get_layer("block_6_expand_relu").output)
    x = np.random.default_rng(0).random((2, 96, 96, 3), dtype=np.float32)
    assert drift(run(new, x), run(reference, x)) < 1e-6
    assert len(new.weights) == len(reference.weights)


def test_that_case_16_a_model_at_every_time_step_is_seen_through_and_changed(tmp_path: Path) -> None:
    source = model_file("frames")
    assert any("/frame_conv" in path or path.endswith("frame_conv") for path, _ in read_model(source).graph.walk())
    written, new = applied(source, tmp_path / "out.keras", {"do": "change_input", "shape": [4, 12, 12, 1]})
    assert_verified(written.verification)
    gray = np.random.default_rng(0).random((2, 4, 12, 12, 1), dtype=np.float32)
    assert drift(run(new, gray), run(loaded(source), np.repeat(gray, 3, -1))) < 1e-5


def test_that_case_17_a_nested_base_takes_another_size_and_keeps_its_names(tmp_path: Path) -> None:
    source = nested_in_sequential()
    written, new = applied(source, tmp_path / "out.keras", {"do": "change_input", "shape": [160, 160, 3]})
    assert_verified(written.verification)
    old = loaded(source)
    assert [one.name for one in models.layers(new)] == [one.name for one in models.layers(old)]
    assert new.layers[0].output_shape == (None, 5, 5, 1280)
    head = {"include_top": False, "alpha": 0.35, "weights": None}
    native = keras.applications.MobileNetV2(input_shape=(160, 160, 3), **head)
    native.set_weights(old.layers[0].get_weights())
    x = np.random.default_rng(0).random((1, 160, 160, 3), dtype=np.float32)
    assert drift(run(new.layers[0], x), run(native, x)) < 1e-5


def test_that_case_18_a_sequential_without_an_input_becomes_usable(tmp_path: Path) -> None:
    source = model_file("chain_without_input")
    written, new = applied(source, tmp_path / "out.keras")
    assert_verified(written.verification)
    x = np.random.default_rng(0).random((2, 7), dtype=np.float32)
    assert drift(run(new, x), run(loaded(source), x)) == 0
    assert new.inputs[0].shape == (None, 7)
    inner = keras.Model(new.inputs[0], new.layers[0].output)  # "has never been called" otherwise
    assert run(inner, x).shape == (2, 6)


def test_that_case_22_training_state_is_dropped_and_said(tmp_path: Path) -> None:
    model = build("residual")
    model.compile("adam", "mse")
    model.fit(np.zeros((4, 12, 12, 3), np.float32), np.zeros((4, 4), np.float32), verbose=0)
    source = saved(model, tmp_path)
    found = planned(source, {"do": "change_input", "shape": [20, 20, 1]}).plan
    said = [finding for finding in found.findings if finding.code == "training.dropped"]
    assert said
    assert "optimizer" in said[0].message
    written, new = applied(source, tmp_path / "out.keras", {"do": "change_input", "shape": [20, 20, 1]})
    assert_verified(written.verification)
    assert not new.compiled
    new.compile("adam", "mse")  # nothing of the old optimizer is in the way
    new.fit(np.zeros((4, 20, 20, 1), np.float32), np.zeros((4, 4), np.float32), verbose=0)


def test_that_a_plan_with_errors_names_the_first_of_them(tmp_path: Path) -> None:
    source = model_file("chain")
    with pytest.raises((PlanRefused, FileError), match="dense"):
        opened(source).apply(recipe({"do": "change_input", "shape": [20, 20, 3]}), tmp_path / "out.keras")

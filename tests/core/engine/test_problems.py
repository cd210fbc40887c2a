"""What a model cannot take is said before anything is built: the right layer, the right reason, fixes that work."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from core.findings import Finding
from core.model.plan import Plan
from core.phrases import shape_words
from core.recipes.recipe import Recipe
from core.rules import SpatialMean
from tests.core.engine.drive import assert_verified, errors, opened, outputs, plan, recipe, saved
from tests.core.engine.small_models import fill, model_file


def only_error(found: Plan) -> Finding:
    wrong = [finding for finding in found.findings if finding.severity == "error"]
    assert len(wrong) == 1, errors(found)
    assert not found.ok
    return wrong[0]


def change(*shape: int | None, **fields: Any) -> dict[str, Any]:
    return {"do": "change_input", "shape": list(shape), **fields}


def tower(size: int | None) -> Any:
    """Valid convolutions and pools, which eat up a map."""
    x = start = keras.Input((size, size, 3))
    for number, kernel in enumerate((7, 5, 3)):
        x = layers.Conv2D(4, kernel, strides=1 if number else 2, name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    return keras.Model(start, layers.GlobalAveragePooling2D()(x))


def vgg_like(size: int) -> Any:
    x = start = keras.Input((size, size, 3))
    for number in range(5):
        x = layers.Conv2D(4, 3, padding="same")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    return keras.Model(start, layers.GlobalAveragePooling2D()(x))


def nested_tower(size: int) -> Any:
    inner = tower(size)
    return keras.Sequential([keras.Input((size, size, 3)), inner, layers.Dense(2)])


def smallest_by_building(make: Callable[[int], Any]) -> int:
    """Keras as the oracle: the smallest size at which it builds, trying every one from below."""
    for size in range(1, 200):
        try:
            if all(dimension != 0 for tensor in make(size).outputs for dimension in tensor.shape):
                return size
        except ValueError:
            continue
    raise AssertionError


@pytest.mark.parametrize("make", [tower, vgg_like, nested_tower])
def test_that_the_smallest_size_named_is_the_smallest_that_keras_builds(
    make: Callable[[int], Any], tmp_path: Path
) -> None:
    least = smallest_by_building(make)
    keras.backend.clear_session()
    model = make(96)
    source = saved(model, tmp_path)
    problem = only_error(plan(source, change(least - 1, least - 1, 3)))
    assert problem.code == "shape.too_small"
    assert f"smallest input that works is {shape_words((least, least, 3))}" in problem.message
    assert plan(source, change(least, least, 3)).ok


@pytest.mark.parametrize("size", [6, 10, 14, 20, 30, 46, 47])
def test_that_the_layer_that_shrinks_its_input_to_nothing_is_named(size: int, tmp_path: Path) -> None:
    """Keras as the oracle: what was built before it refused is what comes before the layer."""
    keras.backend.clear_session()
    source = saved(tower(96), tmp_path)
    found = plan(source, change(size, size, 3))
    x: Any = keras.Input((size, size, 3))
    inside = keras.saving.load_model(source, compile=False).layers[1:]
    for layer in inside:
        try:
            x = layer.__class__.from_config(layer.get_config())(x)
            too_small = 0 in x.shape
        except ValueError:
            too_small = True
        if too_small:
            assert only_error(found).layer == layer.name
            return
    assert found.ok


@pytest.mark.parametrize("size", [16, 17, 18, 20, 22, 24])
def test_that_concatenations_that_no_longer_fit_are_found_where_they_are(size: int, tmp_path: Path) -> None:
    source = model_file("upsampler")
    found = plan(source, change(size, size, 3))
    assert found.ok == (size % 4 == 0)
    if found.ok:
        return
    problem = next(finding for finding in found.findings if finding.severity == "error")
    assert problem.code == "shape.incompatible"
    half, odd = size // 2, size // 2 % 2
    low = 2 * (half // 2)
    assert problem.layer == ("concatenate" if odd else "concatenate_1")
    meet = (low, half) if odd else (2 * half, size)
    for one in meet:
        assert shape_words((one, one)) in problem.message


def test_that_an_addition_that_no_longer_fits_is_named(tmp_path: Path) -> None:
    keras.backend.clear_session()
    start = keras.Input((16, 16, 3))
    small = layers.UpSampling2D(2)(layers.MaxPooling2D(2)(layers.Conv2D(4, 1)(start)))
    model = keras.Model(start, layers.Add(name="meet")([small, layers.Conv2D(4, 1)(start)]))
    source = saved(model, tmp_path)
    assert plan(source, change(20, 20, 3)).ok
    problem = only_error(plan(source, change(19, 19, 3)))
    assert (problem.code, problem.layer) == ("shape.incompatible", "meet")
    assert shape_words((18, 18, 4)) in problem.message
    assert shape_words((19, 19, 4)) in problem.message


def dense_after_flatten(nested: bool, first: bool = False) -> Any:
    keras.backend.clear_session()
    start = keras.Input((16, 16, 3))
    x = layers.MaxPooling2D(2)(layers.Conv2D(6, 3, padding="same", name="conv")(start))
    body = keras.Model(start, x, name="body")
    outer = keras.Input((16, 16, 3))
    x = body(outer) if nested else layers.MaxPooling2D(2)(layers.Conv2D(6, 3, padding="same", name="conv")(outer))
    x = layers.Dropout(0.2)(layers.Flatten(name="flat")(x))
    x = layers.Dense(7, activation="relu", name="after")(x)
    model = keras.Model(outer, layers.Dense(3, name="last")(x))
    fill(model)
    return model


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("size", [12, 24, 21])
def test_that_dense_after_flatten_is_found_at_its_layer_and_every_fix_makes_a_model_that_runs(
    size: int, nested: bool, tmp_path: Path
) -> None:
    source = saved(dense_after_flatten(nested), tmp_path)
    step = change(size, size, 3)
    found = plan(source, step)
    problem = only_error(found)
    assert (problem.code, problem.layer) == ("weight.mismatch", "after")
    assert {fate.weight: fate.fate for fate in found.fates}["after/kernel"] == "mismatched"
    assert str((size // 2) ** 2 * 6) in problem.message
    assert len(problem.fixes) >= 4
    for number, fix in enumerate(problem.fixes):
        full = Recipe(edits=(*recipe(step).edits, *fix.edits))
        engine = opened(source)
        assert engine.plan(full).ok, (fix.title, errors(engine.plan(full)))
        written = engine.apply(full, tmp_path / f"out{number}.keras")
        assert_verified(written.verification)
        model = keras.saving.load_model(tmp_path / f"out{number}.keras", compile=False)
        result = outputs(model, np.random.default_rng(0).random((2, size, size, 3), dtype="float32"))[0]
        assert result.shape == (2, 3)
        assert np.all(np.isfinite(result))


def test_that_sharing_the_kernel_over_places_is_exact_for_constant_maps(tmp_path: Path) -> None:
    """The closed form: a constant map gives what its sum over places gives."""
    source = saved(dense_after_flatten(False), tmp_path)
    step = change(24, 24, 3)
    fixes = only_error(plan(source, step)).fixes
    share = next(
        fix for fix in fixes if any(getattr(edit, "rule", None).__class__ is SpatialMean for edit in fix.edits)
    )
    opened(source).apply(Recipe(edits=(*recipe(step).edits, *share.edits)), tmp_path / "out.keras", check=False)
    old = keras.saving.load_model(source, compile=False).get_layer("after").get_weights()
    new = keras.saving.load_model(tmp_path / "out.keras", compile=False).get_layer("after").get_weights()
    pixel = np.random.default_rng(1).random(6)
    before = np.tile(pixel, 64) @ old[0] + old[1]
    after = np.tile(pixel, 144) @ new[0] + new[1]
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def test_that_filters_that_later_layers_do_not_expect_are_told_weight_by_weight(tmp_path: Path) -> None:
    source = model_file("residual")
    found = plan(source, {"do": "replace_first_conv", "filters": 12, "filters_rule": "slice"})
    assert not found.ok
    assert {finding.code for finding in found.findings if finding.severity == "error"} <= {
        "weight.mismatch",
        "shape.incompatible",
    }


def test_that_a_shared_model_fed_two_shapes_is_refused_where_weights_would_differ(tmp_path: Path) -> None:
    source = model_file("siamese")
    found = plan(source, change(12, 12, 1, input="left"))
    assert not found.ok
    assert any("shared" in message for message in errors(found)), errors(found)


def test_that_a_model_without_any_problem_has_no_findings(tmp_path: Path) -> None:
    assert plan(model_file("residual")).findings == ()


def words_beside(nested: bool) -> Any:
    """An image and ids of words; the words go through an Embedding."""
    keras.backend.clear_session()
    image, ids = keras.Input((12, 12, 3), name="image"), keras.Input((4,), dtype="int32", name="ids")
    inside = keras.Input((4,), dtype="int32", name="inside")
    looked = layers.Embedding(9, 3, name="table")
    words = keras.Model(inside, looked(inside), name="words")(ids) if nested else looked(ids)
    pooled = layers.GlobalAveragePooling1D(name="mean")(words)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, padding="same", name="conv")(image))
    model = keras.Model([image, ids], layers.Dense(2)(layers.Concatenate()([x, pooled])))
    fill(model)
    return model


def old_words_beside(path: Path) -> Path:
    """The same by Keras 2."""
    program = (
        "import sys, tf_keras as k; l = k.layers\n"
        "image, ids = k.Input((12, 12, 3), name='image'), k.Input((4,), dtype='int32', name='ids')\n"
        "pooled = l.GlobalAveragePooling1D(name='mean')(l.Embedding(9, 3, name='table')(ids))\n"
        "x = l.GlobalAveragePooling2D()(l.Conv2D(4, 3, padding='same', name='conv')(image))\n"
        "k.Model([image, ids], l.Dense(2)(l.Concatenate()([x, pooled]))).save(sys.argv[1])\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True, timeout=300)
    return path


@pytest.mark.parametrize("kind", ["flat", "nested", "keras 2"])
def test_that_no_size_is_offered_for_what_another_size_does_not_settle(kind: str, tmp_path: Path) -> None:
    """Keras refuses the replaced layer's tensor at every size of the image, so only the replacement is at fault."""
    source = (
        old_words_beside(tmp_path / "old.h5") if kind == "keras 2" else saved(words_beside(kind == "nested"), tmp_path)
    )
    path = "words/table" if kind == "nested" else "table"
    wrong = {"do": "replace_layer", "layer": path, "config": {"class_name": "Dense", "config": {"units": 3}}}
    for size in (16, 8):
        step = {"do": "change_input", "input": "image", "shape": [size, size, 3]}
        assert plan(source, step).ok
        assert [one.fixes for one in plan(source, step, wrong).findings if one.layer == "mean"] == [()]
    batch = {"do": "set_batch", "batch": 1}
    assert plan(source, batch).ok
    # no size was changed
    assert [one.fixes for one in plan(source, batch, wrong).findings if one.layer == "mean"] == [()]


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_that_no_size_is_offered_for_a_kernel_that_also_gives_another_number_of_values(
    nested: bool, tmp_path: Path
) -> None:
    """Every fix that is offered settles the finding; bringing the image to its old size would not."""
    source = saved(dense_after_flatten(nested), tmp_path)
    wider = {"do": "replace_layer", "layer": "after", "config": {"class_name": "Dense", "config": {"units": 5}}}
    steps = recipe(change(24, 24, 3), wider)
    (wrong,) = (one for one in opened(source).plan(steps).findings if "after/kernel is" in one.message)
    assert wrong.fixes
    for fix in wrong.fixes:
        settled = opened(source).plan(Recipe(edits=(*steps.edits, *fix.edits)))
        errors_left = [one.message for one in settled.findings if one.severity == "error"]
        assert not [one for one in errors_left if one.startswith("after/kernel")], fix.title


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("kind", ["Conv2DTranspose", "Conv2D", "Conv1D"])
def test_that_nothing_is_said_of_the_arrays_of_a_layer_that_is_refused(nested: bool, kind: str, tmp_path: Path) -> None:
    """What the refused layer would need is not known, so no sentence may say that it needs another shape."""
    source = saved(dense_after_flatten(nested), tmp_path)
    config = {"class_name": kind, "config": {"filters": 7, "kernel_size": 1, "padding": "same"}}
    refused = only_error(plan(source, {"do": "replace_layer", "layer": "after", "config": config}))
    assert (refused.code, refused.layer) == ("shape.incompatible", "after")


def test_that_nothing_is_said_of_the_arrays_of_a_refused_layer_in_a_file_of_keras_2(tmp_path: Path) -> None:
    source = old_words_beside(tmp_path / "old.h5")
    config = {"class_name": "Conv2DTranspose", "config": {"filters": 2, "kernel_size": 1}}
    refused = only_error(plan(source, {"do": "replace_layer", "layer": "dense", "config": config}))
    assert (refused.code, refused.layer) == ("shape.incompatible", "dense")


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_that_a_file_which_no_step_names_any_more_may_be_gone(nested: bool, tmp_path: Path) -> None:
    """A person tries a step with a further file, takes the step back, and removes the file."""
    source = saved(words_beside(nested), tmp_path)
    other = tmp_path / "other.keras"
    start = keras.Input((2,))
    keras.Model(start, layers.Dense(3)(start)).save(other)
    join = {"do": "join_models", "file": str(other)}
    engine = opened(source)
    assert engine.plan(recipe(join)).ok
    other.unlink()
    step = recipe({"do": "change_input", "input": "image", "shape": [16, 16, 3]})
    assert_verified(engine.apply(step, tmp_path / "out.keras").verification)
    assert engine.verify(step, tmp_path / "out.keras").ok

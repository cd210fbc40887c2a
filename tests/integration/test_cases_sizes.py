"""Cases 4, 6 and 7: the order of axes, and sizes that a model refuses."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from core.findings import Finding
from core.recipes.recipe import Recipe
from tests.core.engine.drive import applied, assert_verified, drift, opened, outputs, plan, recipe, saved
from tests.core.engine.small_models import fill


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    keras.backend.clear_session()


def loaded(path: Path) -> Any:
    return keras.saving.load_model(path, compile=False)


def image(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def first_error(source: Path, *steps: dict[str, Any]) -> Finding:
    return next(one for one in plan(source, *steps).findings if one.severity == "error")


def convolution(order: str, classes: int = 4) -> Any:
    """A small classifier with everything that has to know where the channels are."""
    first = order == "channels_first"
    x = start = keras.Input((3, 12, 16) if first else (12, 16, 3), name="image")
    x = layers.ZeroPadding2D(1, data_format=order)(x)
    x = layers.Conv2D(3, 3, data_format=order, name="conv")(x)
    x = layers.BatchNormalization(axis=1 if first else -1, name="norm")(x)
    x = layers.MaxPooling2D(2, data_format=order)(x)
    branch = layers.Conv2D(4, 3, padding="same", data_format=order, name="branch")(x)
    x = layers.Concatenate(axis=1 if first else -1)([x, branch])
    model = keras.Model(start, layers.Dense(classes, name="head")(layers.Flatten(name="flat")(x)))
    fill(model)
    return model


@pytest.mark.parametrize("order", ["channels_first", "channels_last"])
def test_that_case_04_a_shape_in_the_other_order_is_noticed_and_can_be_taken(order: str, tmp_path: Path) -> None:
    """The weights stay as they are, Dense after Flatten too: a Permute in front turns the images."""
    model = convolution(order)
    source = saved(model, tmp_path)
    turned, back = ([12, 16, 3], (0, 3, 1, 2)) if order == "channels_first" else ([3, 12, 16], (0, 2, 3, 1))
    step = {"do": "change_input", "shape": turned}
    said = [one for one in plan(source, step).findings if one.severity == "warning" and one.layer == "image"]
    assert len(said) == 1
    assert f"channels {'first' if order == 'channels_first' else 'last'}" in said[0].message
    read, permute = said[0].fixes
    same, new = applied(source, tmp_path / "same.keras", *read.edits)
    assert not same.plan.findings
    assert new.input_shape == model.input_shape
    written, new = applied(source, tmp_path / "out.keras", *permute.edits)
    assert_verified(written.verification)
    assert new.input_shape == (None, *turned)
    x = image(2, *turned)
    assert drift(outputs(new, x)[0], outputs(model, x.transpose(back))[0]) < 1e-6


@pytest.mark.parametrize(("order", "shape"), [("channels_first", [1, 12, 16]), ("channels_last", [24, 32, 3])])
def test_that_case_04_shapes_in_the_models_own_order_raise_no_question(
    order: str, shape: list[int], tmp_path: Path
) -> None:
    found = plan(saved(convolution(order), tmp_path), {"do": "change_input", "shape": shape})
    assert not [one for one in found.findings if one.layer == "image"]


def upsampler(size: int) -> Any:
    x = start = keras.Input((size, size, 3), name="image")
    skips = []
    for number in range(3):
        x = layers.Conv2D(4, 3, padding="same", activation="relu", name=f"down{number}")(x)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    for skip in reversed(skips):
        x = layers.Conv2D(4, 3, padding="same")(layers.Concatenate()([layers.UpSampling2D(2)(x), skip]))
    model = keras.Model(start, layers.Conv2D(1, 1, name="mask")(x))
    fill(model)
    return model


def test_that_case_07_the_refused_size_comes_with_padding_to_the_multiple_that_works(tmp_path: Path) -> None:
    source = saved(upsampler(32), tmp_path)
    step = {"do": "change_input", "shape": [42, 50, 3]}
    titles = [fix.title for fix in first_error(source, step).fixes]
    assert titles[0] == "Pad inputs to a multiple of 8 and crop back"
    assert titles[1].startswith("Resize inputs to 32")
    results = []
    for fix in first_error(source, step).fixes:
        full = Recipe(edits=(*recipe(step).edits, *fix.edits))
        written = opened(source).apply(full, tmp_path / "out.keras")
        assert_verified(written.verification)
        results.append(loaded(tmp_path / "out.keras"))
    padded, resized = results
    assert padded.output_shape == (None, 42, 50, 1)
    wide = upsampler(32).get_config()
    wide["layers"][0]["config"]["batch_shape"] = [None, 48, 56, 3]
    native = keras.Model.from_config(wide)
    native.set_weights(loaded(source).get_weights())
    x = image(2, 42, 50, 3)
    expected = outputs(native, np.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0))))[0][:, 3:-3, 3:-3]
    assert drift(outputs(padded, x)[0], expected) < 1e-5
    small = np.asarray(ops.image.resize(x, (32, 32)))
    assert drift(outputs(resized, x)[0], outputs(loaded(source), small)[0]) < 1e-5


def test_that_case_06_a_size_too_small_comes_with_what_makes_it_large_enough(tmp_path: Path) -> None:
    x = start = keras.Input((32, 32, 3))
    for _ in range(3):
        x = layers.MaxPooling2D(2)(layers.Conv2D(4, 3, padding="same")(x))
    model = keras.Model(start, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    fill(model)
    source = saved(model, tmp_path)
    step = {"do": "change_input", "shape": [6, 6, 3]}
    problem = first_error(source, step)
    assert problem.code == "shape.too_small"
    for fix in problem.fixes:
        full = Recipe(edits=(*recipe(step).edits, *fix.edits))
        assert_verified(opened(source).apply(full, tmp_path / "out.keras").verification)
        assert loaded(tmp_path / "out.keras").input_shape == (None, 6, 6, 3)

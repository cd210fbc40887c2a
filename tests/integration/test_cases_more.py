"""Further sides of cases 4, 7, 23 and 25: layouts, sizes that a model refuses, copies of a backbone, several inputs."""

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


def body(suffix: str = "", name: str | None = None) -> Any:
    start = keras.Input((12, 12, 3))
    x = layers.BatchNormalization(name=f"norm{suffix}")(layers.Conv2D(4, 3, name=f"conv{suffix}")(start))
    return keras.Model(start, layers.Conv2D(5, 3, name=f"top{suffix}")(x), name=name)


def nested_streams() -> Any:
    left, right = body(name="left"), body(name="right")
    starts = [keras.Input((12, 12, 3), name=name) for name in ("rgb", "flow")]
    return keras.Model(starts, layers.Concatenate()([left(starts[0]), right(starts[1])]))


def flat_streams() -> Any:
    left, right = body(), body("_flow")
    return keras.Model([left.inputs[0], right.inputs[0]], layers.Concatenate()([left.output, right.output]))


@pytest.mark.parametrize("streams", [nested_streams, flat_streams])
def test_that_case_23_both_streams_take_their_weights_from_one_file(streams: Any, tmp_path: Path) -> None:
    trained = body()
    fill(trained)
    saved(trained, tmp_path, "trained.keras")
    untrained = streams()
    fill(untrained, seed=9)
    source = saved(untrained, tmp_path)
    step = {"do": "transfer_weights", "file": str(tmp_path / "trained.keras")}
    written, new = applied(source, tmp_path / "out.keras", step)
    assert_verified(written.verification)
    # all that is said is that the arrays which were there gave way
    assert [(one.severity, one.detail.splitlines()) for one in written.plan.findings] == [
        ("info", list(written.plan.dropped))
    ]
    x, y = image(2, 12, 12, 3), image(2, 12, 12, 3, seed=1)
    expected = np.concatenate([outputs(trained, one)[0] for one in (x, y)], -1)
    assert drift(outputs(new, [x, y])[0], expected) < 1e-6


def test_that_case_23_a_stream_that_only_shares_some_names_is_left_alone(tmp_path: Path) -> None:
    """Half of the names are there under a prefix: that is no copy, and nothing is guessed."""
    trained = body()
    fill(trained)
    saved(trained, tmp_path, "trained.keras")
    start = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, name="conv_other")(layers.Conv2D(3, 3, name="conv")(start))
    model = keras.Model(start, layers.BatchNormalization(name="norm_other")(x))
    fill(model, seed=9)
    step = {"do": "transfer_weights", "file": str(tmp_path / "trained.keras")}
    found = plan(saved(model, tmp_path), step)
    assert {"weight.unmatched", "weight.mismatch"} == {one.code for one in found.findings}
    told = [one.detail.splitlines() for one in found.findings if one.code == "weight.unmatched"]
    assert ["conv_other", "norm_other"] in told


def test_that_case_25_positions_that_are_an_input_follow_when_both_inputs_change(tmp_path: Path) -> None:
    """Nested structures of inputs stay; the table has a grid to follow, though its numbers come from outside."""
    picture, places = keras.Input((56, 56, 3), name="image"), keras.Input((49,), dtype="int32", name="places")
    tokens = layers.Reshape((49, 8))(layers.Conv2D(8, 8, strides=8, name="patches")(picture))
    x = layers.Add(name="placed")([tokens, layers.Embedding(49, 8, name="positions")(places)])
    structure = {"image": picture, "extra": [places]}
    model = keras.Model(structure, layers.Dense(3, name="head")(layers.GlobalAveragePooling1D()(x)))
    fill(model)
    source = saved(model, tmp_path)
    one = {"do": "change_input", "input": "image", "shape": [64, 48, 3]}
    two = {"do": "change_input", "input": "places", "shape": [48]}
    assert first_error(source, one).layer == "placed"
    problem = first_error(source, one, two)
    assert problem.layer == "positions"
    full = Recipe(edits=(*recipe(one, two).edits, *problem.fixes[0].edits))
    written = opened(source).apply(full, tmp_path / "out.keras")
    assert_verified(written.verification)
    new = loaded(tmp_path / "out.keras")
    given = {"image": image(2, 64, 48, 3), "extra": [np.tile(np.arange(48, dtype="int32"), (2, 1))]}
    table = np.asarray(model.get_layer("positions").embeddings).reshape(1, 7, 7, 8)
    moved = np.asarray(ops.image.resize(table, (8, 6), interpolation="bicubic", antialias=True)).reshape(48, 8)
    kernel, bias = model.get_layer("patches").get_weights()
    patches = np.asarray(ops.conv(given["image"], kernel, strides=8)).reshape(2, 48, 8) + bias
    weights, offset = model.get_layer("head").get_weights()
    assert drift(outputs(new, given)[0], (patches + moved).mean(1) @ weights + offset) < 1e-5

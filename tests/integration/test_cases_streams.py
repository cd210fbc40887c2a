"""Cases 23 and 25: two copies of one body in a model, and several inputs."""

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

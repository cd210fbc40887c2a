"""Models with one more axis: a stack of equal frames against the old model on one of them, in plain Keras."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

from core.errors import RecipeError
from core.model.plan import Plan
from core.rules.arranged import inflated
from core.surgery.inputs import SEED
from tests.core.engine.drive import applied, assert_verified, drift, plan, saved
from tests.core.engine.small_models import fill
from tests.helpers.contracts import kind as contract_kind

FIRST, LAST = "channels_first", "channels_last"


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    keras.backend.clear_session()


def images(order: str = LAST) -> Any:
    """Every layer for images that has a counterpart, squeeze-and-excitation, and rows behind a Flatten."""
    first = order == FIRST
    axis, places, fmt = (1, [2, 3], {"data_format": order}) if first else (-1, [1, 2], {"data_format": order})
    start = keras.Input((3, 16, 14) if first else (16, 14, 3), name="image")
    x = L.Conv2D(4, 3, strides=2, **fmt)(L.ZeroPadding2D(1, **fmt)(start))
    x = L.PReLU(shared_axes=places)(L.BatchNormalization(axis=axis)(x))
    x = L.Conv2D(8, 3, padding="same", groups=2, name="grouped", **fmt)(x)
    x = L.DepthwiseConv2D(3, padding="same", depth_multiplier=2, **fmt)(x)
    x = L.SeparableConv2D(6, 3, padding="same", activation="relu", name="separable", **fmt)(x)
    squeezed = L.Dense(6, activation="sigmoid")(L.GlobalAveragePooling2D(**fmt)(x))
    x = L.Multiply()([x, L.Reshape((6, 1, 1) if first else (1, 1, 6))(squeezed)])
    x = L.MaxPooling2D(2, padding="same", **fmt)(L.SpatialDropout2D(0.2, **fmt)(x))
    up = L.UpSampling2D(2, **fmt)(L.Conv2DTranspose(3, 3, strides=2, padding="same", **fmt)(x))
    pooled = L.GlobalMaxPooling2D(keepdims=True, **fmt)(L.Cropping2D(1, **fmt)(up))
    return keras.Model(start, [L.Dense(4, name="head")(L.Dropout(0.5)(L.Flatten()(x))), up, pooled])


def valid() -> Any:
    """No padding: nothing comes from outside."""
    start = keras.Input((16, 14, 3))
    x = L.SeparableConv2D(4, 3)(L.AveragePooling2D(2)(L.Conv2D(4, 3)(start)))
    return keras.Model(start, L.Dense(3)(L.Flatten()(x)))


def signal() -> Any:
    start = keras.Input((24, 3))
    x = L.DepthwiseConv1D(3)(L.ZeroPadding1D(1)(L.Conv1D(4, 3)(start)))
    x = L.SeparableConv1D(5, 2)(L.SeparableConv1D(5, 3, strides=2, name="strided")(x))
    x = L.Conv1DTranspose(4, 2, strides=2)(L.UpSampling1D(2)(L.MaxPooling1D(2)(x)))
    x = L.LayerNormalization()(L.Cropping1D(1)(x))
    return keras.Model(start, [L.Dense(3)(L.Flatten()(x)), L.GlobalAveragePooling1D()(x)])


def nested() -> Any:
    inside = keras.Input((12, 11, 3))
    base = keras.Model(inside, L.Flatten()(L.BatchNormalization()(L.Conv2D(4, 3)(inside))), name="base")
    return keras.Sequential([keras.Input((12, 11, 3)), base, L.Dense(4, activation="relu"), L.Dense(2)])


def shared() -> Any:
    """A convolution that is called twice, operations, two inputs of which one is no image."""
    start, vector = keras.Input((None, None, 3), name="image"), keras.Input((3,), name="vector")
    twice = L.Conv2D(3, 3, padding="same")
    x = ops.relu(twice(twice(start))) * np.array([1.0, 2.0, 3.0], "float32")
    return keras.Model([start, vector], L.Add()([ops.mean(x, axis=[1, 2]), L.Dense(3)(vector)]))


def compared(model: Any, folder: Path, shape: tuple[int | None, ...], at: int = 1, **fields: Any) -> tuple[Plan, float]:
    """The plan, and how far the new model on repeated frames is from the old one on one frame."""
    fill(model)
    step = {"do": "inflate", "shape": list(shape), **fields}
    written, new = applied(saved(model, folder), folder / "out.keras", step)
    assert_verified(written.verification)
    rng = np.random.default_rng(0)
    frames = [rng.random((2, *(size or 9 for size in one.shape[1:])), dtype=np.float32) for one in model.inputs]
    many = [np.repeat(np.expand_dims(frames[0], at), shape[at - 1] or 5, at), *frames[1:]]
    old = keras.tree.flatten(model(frames if len(frames) > 1 else frames[0], training=False))
    found = keras.tree.flatten(new(many if len(many) > 1 else many[0], training=False))
    assert not written.plan.dropped
    assert {fate.fate for fate in written.plan.fates} <= {"copied", "adapted"}
    worst = 0.0
    for one, two in zip(map(np.asarray, old), map(np.asarray, found), strict=True):
        if two.ndim > one.ndim:
            one = np.repeat(np.expand_dims(one, at), two.shape[at], at)
        worst = max(worst, drift(two, one))
    return written.plan, worst


@pytest.mark.parametrize(
    ("build", "shape", "fields"),
    [
        (images, (8, 16, 14, 3), {}),
        (images, (9, 16, 14, 3), {"stride": "same", "pool": "same"}),
        (images, (5, 16, 14, 3), {"depth": 5}),
        (images, (5, 16, 14, 3), {"how": "mean", "depth": 1}),
        (valid, (9, 16, 14, 3), {"how": "mean"}),
        (valid, (11, 16, 14, 3), {"how": "mean", "pool": "same"}),
        (signal, (14, 24, 3), {"how": "mean"}),
        (signal, (40, 24, 3), {"stride": "same", "pool": "same"}),
        (nested, (7, 12, 11, 3), {"how": "mean"}),
        (shared, (None, None, None, 3), {"input": "image"}),
    ],
)
def test_that_equal_frames_give_what_one_frame_gave(
    build: Any, shape: tuple[int, ...], fields: dict[str, Any], tmp_path: Path
) -> None:
    found, worst = compared(build(), tmp_path, shape, **fields)
    assert worst < 1e-5
    assert [(contract_kind(one), one.exact) for one in found.contracts] == [("stacked", True)]
    assert not [one for one in found.findings if one.severity != "info"]


def test_that_channels_may_come_first(tmp_path: Path) -> None:
    _, worst = compared(images(FIRST), tmp_path, (3, 6, 16, 14), at=2)
    assert worst < 1e-5


def test_that_the_middle_tap_takes_each_frame_for_itself(tmp_path: Path) -> None:
    """Not only equal frames: where nothing strides or pools over time, different ones do not mix."""
    start = keras.Input((9, 8, 3))
    model = keras.Model(start, L.Conv2D(2, 3, padding="same")(L.MaxPooling2D(2)(L.Conv2D(4, 3)(start))))
    fill(model)
    step = {"do": "inflate", "shape": [6, 9, 8, 3], "depth": 1}
    _, new = applied(saved(model, tmp_path), tmp_path / "out.keras", step)
    clip = np.random.default_rng(0).random((2, 6, 9, 8, 3), dtype=np.float32)
    assert drift(new(clip), np.stack([np.asarray(model(clip[:, one])) for one in range(6)], 1)) < 1e-6


def test_that_averages_over_padding_are_told_and_measured(tmp_path: Path) -> None:
    found, worst = compared(images(), tmp_path, (8, 16, 14, 3), how="mean")
    assert worst > 1e-3
    assert [one.exact for one in found.contracts] == [False]
    told = next(one for one in found.findings if one.code == "adapt.lossy")
    assert told.message.startswith("grouped averages over frames that padding adds at both ends")
    assert told.detail.splitlines() == ["grouped", "depthwise_conv2d", "separable"] or len(told.detail.splitlines()) > 1
    for fix in told.fixes:
        again = plan(tmp_path / "source.keras", *fix.edits)
        assert [one.exact for one in again.contracts] == [True]


def separable() -> Any:
    start = keras.Input((12, 10, 3))
    return keras.Model(start, L.SeparableConv2D(4, 3, padding="same", strides=2, name="apart")(start))


def separable_inside() -> Any:
    start = keras.Input((12, 10, 3))
    return keras.Model(start, L.Flatten()(separable()(start)))


def separable_twice() -> Any:
    start = keras.Input((12, 10, 3))
    apart = L.SeparableConv2D(3, 3, padding="same", name="apart")
    return keras.Model(start, apart(apart(start)))


def separable_signal() -> Any:
    start = keras.Input((12, 3))
    return keras.Model(start, L.SeparableConv1D(4, 3, padding="same", strides=2, name="apart")(start))


@pytest.mark.parametrize("build", [separable, separable_twice, separable_signal])
@pytest.mark.parametrize("stride", ["one", "same"])
def test_that_a_separable_convolution_that_became_two_is_told_of_as_well(
    build: Any, stride: str, tmp_path: Path
) -> None:
    """The second of them has no taps along the new axis; the first has, and padding adds frames."""
    model = build()
    found, worst = compared(model, tmp_path, (5, *model.input_shape[1:]), how="mean", stride=stride)
    assert worst > 1e-3
    assert [one.exact for one in found.contracts] == [False]
    told = next(one for one in found.findings if one.code == "adapt.lossy")
    assert told.message.startswith("apart averages over frames that padding adds at both ends")


def test_that_a_separable_convolution_in_a_model_inside_is_told_of_as_well(tmp_path: Path) -> None:
    found, _ = compared(
        keras.Sequential([keras.Input((12, 10, 3)), separable_inside(), L.Dense(2)]),
        tmp_path,
        (5, 12, 10, 3),
        how="mean",
    )
    assert [one.exact for one in found.contracts] == [False]


def test_that_the_ends_alone_are_weaker(tmp_path: Path) -> None:
    """One averaged kernel of three taps: the outer frames lack a third, all others are exact."""
    start = keras.Input((7, 6, 3))
    model = keras.Model(start, L.Conv2D(2, 3, padding="same", use_bias=False)(start))
    fill(model)
    step = {"do": "inflate", "shape": [5, 7, 6, 3], "how": "mean"}
    _, new = applied(saved(model, tmp_path), tmp_path / "out.keras", step)
    x = np.random.default_rng(0).random((2, 7, 6, 3), dtype=np.float32)
    old, found = np.asarray(model(x)), np.asarray(new(np.repeat(x[:, None], 5, 1)))
    assert drift(found[:, 1:-1], np.repeat(old[:, None], 3, 1)) < 1e-6
    assert drift(found[:, [0, -1]], np.repeat(old[:, None] * 2 / 3, 2, 1)) < 1e-6


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (lambda x: L.Reshape((64, 3), name="odd")(x), (8, 8, 3), "odd is a Reshape"),
        (lambda x: L.UpSampling2D(2, interpolation="bilinear", name="odd")(x), (8, 8, 3), "odd is a UpSampling2D"),
        (lambda x: L.LSTM(2, name="odd")(x), (8, 3), "odd is a LSTM"),
        (lambda x: L.Conv1D(2, 3, padding="causal", name="odd")(x), (8, 3), "odd is a Conv1D with causal padding"),
        (lambda x: L.Flatten(name="odd")(x), (8, 8, 3), "The output odd is flattened"),
    ],
)
def test_that_what_has_no_counterpart_is_named(layer: Any, shape: tuple[int, ...], words: str, tmp_path: Path) -> None:
    start = keras.Input(shape)
    path = saved(keras.Model(start, layer(start)), tmp_path)
    with pytest.raises(RecipeError, match=words):
        plan(path, {"do": "inflate", "shape": [4, *shape]})


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ([4, 9, 8, 3], "but 'input_layer' takes 8\u00d78\u00d73"),
        ([8, 8, 3], "so shape must give 4, not 3"),
        ([0, 8, 8, 3], "0 is not a valid size"),
    ],
)
def test_that_other_shapes_are_refused(shape: list[int], words: str, tmp_path: Path) -> None:
    start = keras.Input((8, 8, 3))
    path = saved(keras.Model(start, L.Conv2D(2, 3)(start)), tmp_path)
    with pytest.raises(RecipeError, match=words):
        plan(path, {"do": "inflate", "shape": shape})


def test_that_kernels_are_averaged_or_centred() -> None:
    kernel = np.arange(12.0, dtype=np.float32).reshape(3, 2, 2)
    mean, centre = inflated(kernel, 0, 4, "mean"), inflated(kernel, 0, 4, "centre")
    assert np.allclose(mean.sum(0), kernel)
    assert np.ptp(mean, axis=0).max() == 0
    assert [np.array_equal(tap, kernel) for tap in centre] == [False, True, False, False]
    assert np.array_equal(centre.sum(0), kernel)


_KERAS_2 = """
import sys, numpy as np, tf_keras as k
L = k.layers
inside = k.Input((10, 8, 3))
x = L.BatchNormalization()(L.Conv2D(4, 3, strides=2)(inside))
inner = k.Model(inside, L.DepthwiseConv2D(2)(x), name="inner")
start = k.Input((10, 8, 3))
model = k.Model(start, L.Dense(3)(L.Flatten()(L.MaxPooling2D((2, 1))(inner(start)))))
rng = np.random.default_rng(2)
model.set_weights([rng.uniform(0.2, 1.0, w.shape) for w in model.get_weights()])
x = rng.random((2, 10, 8, 3), dtype="float32")
model.save(sys.argv[1])
np.savez(sys.argv[2], x=x, y=model(x, training=False).numpy())
"""


def test_that_a_nested_h5_of_keras_2_gets_one_more_axis(tmp_path: Path) -> None:
    path, known = tmp_path / "old.h5", tmp_path / "known.npz"
    subprocess.run(
        [sys.executable, "-c", _KERAS_2, str(path), str(known)], check=True, capture_output=True, timeout=300
    )
    with np.load(known) as archive:
        x, y = archive["x"], archive["y"]
    for out, how in (("out.keras", "mean"), ("out.h5", "centre")):
        step = {"do": "inflate", "shape": [9, 10, 8, 3], "how": how}
        written, new = applied(path, tmp_path / out, step)
        assert_verified(written.verification)
        assert drift(new(np.repeat(x[:, None], 9, 1), training=False), y) < 1e-5


_SEPARABLE_2 = """
import sys, numpy as np, tf_keras as k
L = k.layers
inside = k.Input((10, 8, 3))
inner = k.Model(inside, L.SeparableConv2D(4, 3, padding="same", name="apart")(inside), name="inner")
start = k.Input((10, 8, 3))
model = k.Model(start, L.Dense(3)(L.GlobalAveragePooling2D()(inner(start))))
rng = np.random.default_rng(2)
model.set_weights([rng.uniform(0.2, 1.0, w.shape) for w in model.get_weights()])
x = rng.random((2, 10, 8, 3), dtype="float32")
model.save(sys.argv[1])
np.savez(sys.argv[2], x=x, y=model(x, training=False).numpy())
"""


def test_that_a_separable_convolution_of_keras_2_is_told_of_and_exact_when_centred(tmp_path: Path) -> None:
    path, known = tmp_path / "old.h5", tmp_path / "known.npz"
    subprocess.run(
        [sys.executable, "-c", _SEPARABLE_2, str(path), str(known)], check=True, capture_output=True, timeout=300
    )
    step = {"do": "inflate", "shape": [4, 10, 8, 3], "how": "mean"}
    found = plan(path, step)
    assert [one.exact for one in found.contracts] == [False]
    assert any(one.message.startswith("inner/apart averages over frames") for one in found.findings)
    written, new = applied(path, tmp_path / "out.keras", {**step, "how": "centre"})
    assert_verified(written.verification)
    with np.load(known) as archive:
        assert drift(new(np.repeat(archive["x"][:, None], 4, 1), training=False), archive["y"]) < 1e-5


@pytest.mark.parametrize("nested_too", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("seed", [0, 1])
def test_that_sums_of_many_numbers_that_nearly_cancel_do_not_fail_the_check(
    seed: int, nested_too: bool, tmp_path: Path
) -> None:
    """More is summed up in a volume than in an image, and the pool before it knows no double precision."""
    start = keras.Input((24, 24, 4), name="image")
    x = L.MaxPooling2D(2, padding="same")(L.UpSampling2D(2)(L.Conv2D(9, 1, activation="tanh")(start)))
    model = keras.Model(start, L.Dense(2, use_bias=False)(L.GlobalAveragePooling2D()(x)), name="inner")
    fill(model, seed)
    # what is left of the averages of two images is all but nothing
    image = np.random.default_rng(SEED).random((2, 4, 24, 24, 4), dtype=np.float32)[:, 0]
    pooled = np.asarray(keras.Model(start, model.layers[-2].output)(image), np.float64)
    kernel = np.linalg.svd(pooled)[2][2:4].T  # at right angles to both
    model.layers[-1].kernel.assign(kernel + 1e-5 * np.ones_like(kernel))
    if nested_too:
        outer = keras.Input((24, 24, 4), name="image")
        model = keras.Model(outer, model(outer))
    step = {"do": "inflate", "shape": [4, 24, 24, 4]}
    written, _ = applied(saved(model, tmp_path), tmp_path / "out.keras", step)
    assert_verified(written.verification)

"""Whole models in the other data format: files that Keras wrote, converted, and run beside what they were."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

from core.errors import RecipeError
from core.model.plan import Plan
from core.rules.arranged import row_order
from tests.core.engine.drive import applied, assert_verified, drift, plan, saved
from tests.core.engine.small_models import fill

FIRST, LAST = "channels_first", "channels_last"


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    keras.backend.clear_session()


def shape(order: str, *sizes: int) -> tuple[int, ...]:
    """Sizes given channels last, in this order."""
    return (sizes[-1], *sizes[:-1]) if order == FIRST else sizes


def turned(array: Any, to: str, time: bool = False) -> Any:
    """A map of the other format in this one, by NumPy; vectors as they are."""
    array, at = np.asarray(array), 2 if time else 1
    if array.ndim < 3 + time:
        return array
    return np.moveaxis(array, at, -1) if to == LAST else np.moveaxis(array, -1, at)


def classifier(order: str) -> Any:
    """Every kind of layer that has to know where the channels are, and rows behind a Flatten."""
    axis, both = (1, [2, 3]) if order == FIRST else (-1, [1, 2])
    fmt: dict[str, Any] = {"data_format": order}
    start = keras.Input(shape(order, 14, 10, 3), name="image")
    x = L.Conv2D(6, 3, activation="relu", **fmt)(L.ZeroPadding2D(((1, 2), (0, 1)), **fmt)(start))
    x = L.GroupNormalization(2, axis=axis)(L.BatchNormalization(axis=axis)(x))
    x = L.Concatenate(axis=axis)(
        [L.Conv2D(4, 3, strides=2, padding="same", groups=2, **fmt)(x), L.MaxPooling2D(padding="same", **fmt)(x)]
    )
    x = L.LayerNormalization(axis=[1, 2, 3])(L.PReLU()(x))
    x = L.PReLU(shared_axes=both)(L.DepthwiseConv2D(3, padding="same", depth_multiplier=2, **fmt)(x))
    x = L.SpatialDropout2D(0.3, **fmt)(L.SeparableConv2D(4, 3, **fmt)(x))
    squeezed = L.Dense(4, activation="sigmoid")(L.GlobalAveragePooling2D(**fmt)(x))
    x = L.Multiply()([x, L.Reshape((4, 1, 1) if order == FIRST else (1, 1, 4))(squeezed)])
    x = L.BatchNormalization()(L.Flatten(name="flat")(L.Cropping2D(((0, 1), (1, 0)), **fmt)(x)))
    return keras.Model(start, L.Dense(5, name="head")(L.Dropout(0.5)(x)))


def dense_prediction(order: str) -> Any:
    """Maps out, one of them with a softmax over the channels, and operations in between."""
    axis = 1 if order == FIRST else -1
    fmt: dict[str, Any] = {"data_format": order}
    start = keras.Input(shape(order, 8, 12, 3))
    down = L.Conv2D(4, 3, padding="same", **fmt)(start)
    x = L.Conv2DTranspose(4, 3, strides=2, padding="same", **fmt)(L.AveragePooling2D(2, **fmt)(down))
    x = L.UpSampling2D(interpolation="bilinear", **fmt)(L.MaxPooling2D(**fmt)(L.Concatenate(axis=axis)([x, down])))
    x = ops.relu(x) * 2.0 + np.arange(8.0).reshape((8, 1, 1) if order == FIRST else (8,))
    means = ops.mean(x, axis=[2, 3] if order == FIRST else [1, 2])
    soft = L.Softmax(axis=axis)(L.Conv2D(3, 1, **fmt)(x))
    return keras.Model(start, [soft, means, L.Conv2D(1, 1, activation="sigmoid", **fmt)(x)])


def siamese(order: str) -> Any:
    """Two inputs through one nested model that flattens, and a Dense that both share."""
    axis = 1 if order == FIRST else -1
    inside = keras.Input(shape(order, 9, 7, 3))
    x = L.BatchNormalization(axis=axis)(L.Conv2D(4, 3, data_format=order)(inside))
    base = keras.Model(inside, L.Flatten()(x), name="base")
    left, right = keras.Input(shape(order, 9, 7, 3), name="left"), keras.Input(shape(order, 9, 7, 3), name="right")
    both = L.Dense(6, name="both")
    return keras.Model([left, right], L.Subtract()([both(base(left)), both(base(right))]))


def chain(order: str) -> Any:
    """A Sequential with preprocessing by channel."""
    factors = [0.1, 0.2, 0.4]
    scale: Any = [[[one]] for one in factors] if order == FIRST else factors
    axis = 1 if order == FIRST else -1
    return keras.Sequential(
        [
            keras.Input(shape(order, 9, 7, 3)),
            L.Rescaling(scale, offset=scale),
            L.Normalization(axis=axis),
            L.Conv2D(4, 3, data_format=order, activation="relu"),
            L.Flatten(),
            L.Dense(5, activation="relu"),
            L.Dense(2),
        ]
    )


def volume(order: str) -> Any:
    start = keras.Input(shape(order, 6, 8, 7, 2))
    x = L.MaxPooling3D(data_format=order)(L.Conv3D(3, 3, data_format=order)(start))
    return keras.Model(start, L.Dense(2)(L.Flatten()(x)))


def signal(order: str) -> Any:
    start = keras.Input(shape(order, 20, 3))
    x = L.MaxPooling1D(data_format=order)(L.Conv1D(4, 3, data_format=order)(start))
    x = L.BatchNormalization(axis=1 if order == FIRST else -1)(L.SeparableConv1D(5, 3, data_format=order)(x))
    return keras.Model(start, L.Dense(3)(L.GlobalMaxPooling1D(data_format=order)(x)))


MODELS: tuple[Callable[[str], Any], ...] = (classifier, dense_prediction, siamese, chain, volume, signal)


def compared(model: Any, path: Path, out: Path, to: str, time: bool = False) -> tuple[Plan, Any, float]:
    """The plan, the new model and the largest difference between both, each on the same images in its own format."""
    written, new = applied(path, out, {"do": "data_format", "to": to})
    assert_verified(written.verification)
    assert all(found.drift < 1e-5 for found in written.verification.contracts)  # type: ignore[union-attr]
    rng = np.random.default_rng(1)
    images = [rng.random((2, *one.shape[1:]), dtype=np.float32) for one in model.inputs]
    old = keras.tree.flatten(model(images if len(images) > 1 else images[0], training=False))
    fed = [turned(one, to, time) for one in images]
    now = keras.tree.flatten(new(fed if len(fed) > 1 else fed[0], training=False))
    return written.plan, new, max(drift(b, turned(a, to, time)) for a, b in zip(old, now, strict=True))


@pytest.mark.parametrize("to", [LAST, FIRST])
@pytest.mark.parametrize("build", MODELS, ids=lambda one: one.__name__)
def test_that_a_model_in_the_other_format_gives_the_same_numbers(build: Any, to: str, tmp_path: Path) -> None:
    model = build(LAST if to == FIRST else FIRST)
    fill(model)
    found, new, difference = compared(model, saved(model, tmp_path), tmp_path / "out.keras", to)
    assert difference < 1e-5
    assert not found.dropped
    assert {fate.fate for fate in found.fates} <= {"copied", "adapted"}
    assert not [layer.name for layer in new.layers if isinstance(layer, L.Permute)]
    native = build(to)
    assert [one.shape for one in new.inputs] == [one.shape for one in native.inputs]
    assert [one.shape for one in new.outputs] == [one.shape for one in native.outputs]


def test_that_there_and_back_is_the_model_that_was(tmp_path: Path) -> None:
    model = classifier(FIRST)
    fill(model)
    steps = [{"do": "data_format", "to": LAST}, {"do": "data_format", "to": FIRST}]
    written, new = applied(saved(model, tmp_path), tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    x = np.random.default_rng(0).random((2, *model.input_shape[1:]), dtype=np.float32)
    assert drift(new(x), model(x)) < 1e-6


def test_that_other_channels_and_sizes_can_be_chosen_before_and_after(tmp_path: Path) -> None:
    """Rows behind the Flatten are put in order first, whatever a later step does to their number."""
    start = keras.Input((3, 9, 7))
    x = L.Flatten()(L.Conv2D(4, 3, data_format=FIRST, activation="relu")(start))
    model = keras.Model(start, L.Dense(2, name="last")(L.Dense(5, name="dense")(x)))
    fill(model)
    path = saved(model, tmp_path)
    gray = {"do": "change_input", "shape": [9, 7, 1]}
    written, new = applied(path, tmp_path / "out.keras", {"do": "data_format", "to": LAST}, gray)
    assert_verified(written.verification)
    before = {"do": "change_input", "shape": [1, 9, 7]}
    written, other = applied(path, tmp_path / "other.keras", before, {"do": "data_format", "to": LAST})
    assert_verified(written.verification)
    x = np.random.default_rng(0).random((2, 9, 7, 1), dtype=np.float32)
    assert drift(new(x), other(x)) < 1e-5
    larger = {"do": "change_input", "shape": [12, 7, 3]}
    rule = {"do": "set_rule", "weight": "dense/kernel", "rule": "spatial_mean"}
    written, big = applied(path, tmp_path / "big.keras", {"do": "data_format", "to": LAST}, larger, rule)
    native = {"do": "change_input", "shape": [3, 12, 7]}
    written, old = applied(path, tmp_path / "old.keras", native, rule)
    x = np.random.default_rng(0).random((2, 12, 7, 3), dtype=np.float32)
    assert drift(big(x), old(x.transpose(0, 3, 1, 2))) < 1e-5


def test_that_frames_keep_their_time_axis(tmp_path: Path) -> None:
    start = keras.Input((4, 3, 9, 8))
    x = L.TimeDistributed(L.Conv2D(4, 3, data_format=FIRST))(start)
    x = L.TimeDistributed(L.Activation("relu"))(L.TimeDistributed(L.BatchNormalization(axis=1))(x))
    lstm = L.Bidirectional(L.LSTM(3))(L.TimeDistributed(L.Flatten())(x))
    recurrent = L.BatchNormalization(axis=2)(L.ConvLSTM2D(2, 3, return_sequences=True, data_format=FIRST)(start))
    pooled = L.GlobalAveragePooling2D(data_format=FIRST)(L.ConvLSTM2D(2, 3, data_format=FIRST)(recurrent))
    model = keras.Model(start, L.Concatenate()([lstm, pooled]))
    fill(model)
    _, new, difference = compared(model, saved(model, tmp_path), tmp_path / "out.keras", LAST, time=True)
    assert difference < 1e-5
    assert new.input_shape == (None, 4, 9, 8, 3)
    assert not [layer.name for layer in new.layers if isinstance(layer, L.Permute)]


def test_that_a_permute_between_formats_comes_to_do_nothing(tmp_path: Path) -> None:
    start = keras.Input((9, 7, 3))
    x = L.Conv2D(4, 3, data_format=FIRST)(L.Permute((3, 1, 2), name="turn")(start))
    x = L.Activation("softmax")(L.Permute((2, 1))(L.Reshape((4, 35))(x)))
    model = keras.Model(start, x)
    fill(model)
    written, new = applied(saved(model, tmp_path), tmp_path / "out.keras", {"do": "data_format", "to": LAST})
    assert_verified(written.verification)
    assert new.get_layer("turn").dims == (1, 2, 3)
    images = np.random.default_rng(0).random((2, 9, 7, 3), dtype=np.float32)
    assert drift(new(images), model(images)) < 1e-6
    assert len([layer for layer in new.layers if isinstance(layer, L.Permute)]) == 2


def test_that_a_layer_bound_to_the_old_order_sees_it_through_a_permute(tmp_path: Path) -> None:
    start = keras.Input((3, 8, 8))
    x = L.Dense(8, name="along_width")(L.Conv2D(4, 3, padding="same", data_format=FIRST)(start))
    x = L.Conv2D(2, 1, data_format=FIRST, name="last")(x[:, 1:])
    model = keras.Model(start, x)
    fill(model)
    found, new, difference = compared(model, saved(model, tmp_path), tmp_path / "out.keras", LAST)
    assert difference < 1e-6
    assert [layer.name for layer in new.layers if isinstance(layer, L.Permute)] == [
        "conv2d_permute",
        "get_item_permute",
    ]
    told = [one.message for one in found.findings if "Permute" in one.message]
    assert told == [
        "along_width works along an axis of the old data format, so conv2d_permute, a Permute, was inserted before it. "
        "1 more Permute layer was added."
    ]


def test_that_a_softmax_inside_a_convolution_keeps_its_axis(tmp_path: Path) -> None:
    start = keras.Input((8, 8, 3))
    model = keras.Model(start, L.Conv2D(4, 1, activation="softmax", name="mask")(L.Conv2D(5, 3)(start)))
    fill(model)
    _, new, difference = compared(model, saved(model, tmp_path), tmp_path / "out.keras", FIRST)
    assert difference < 1e-6
    assert new.get_layer("mask_softmax").axis == 1


def test_that_what_cannot_be_converted_is_named(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("formats_tests")
    class Odd(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs + 1.0

    start = keras.Input((3, 8, 8))
    model = keras.Model(
        start, L.Conv2D(2, 1, data_format=FIRST)(Odd(name="odd")(L.Conv2D(2, 1, data_format=FIRST)(start)))
    )
    with pytest.raises(RecipeError, match=r"odd \(Odd\) has code that is not part of Keras"):
        plan(saved(model, tmp_path), {"do": "data_format", "to": LAST})
    with pytest.raises(RecipeError, match="every layer already has channels last"):
        plan(saved(chain(LAST), tmp_path), {"do": "data_format", "to": LAST})
    vectors = keras.Sequential([keras.Input((4,)), L.Dense(2)])
    with pytest.raises(RecipeError, match="no layer has a data format"):
        plan(saved(vectors, tmp_path), {"do": "data_format", "to": LAST})


_KERAS_2 = """
import sys, numpy as np, tf_keras as k
L = k.layers
def inner():
    start = k.Input((3, 10, 8))
    x = L.BatchNormalization(axis=1)(L.Conv2D(4, 3, data_format="channels_first", padding="same")(start))
    return k.Model(start, L.PReLU()(x), name="inner")
start = k.Input((3, 10, 8))
x = L.MaxPooling2D(data_format="channels_first")(inner()(start))
x = L.Conv2DTranspose(4, 3, strides=2, data_format="channels_first")(x)
x = L.Dense(6, activation="relu")(L.Flatten()(x))
model = k.Model(start, L.Dense(3)(x))
rng = np.random.default_rng(2)
model.set_weights([rng.uniform(0.2, 1.0, w.shape) * rng.choice([-1, 1], w.shape[-1:]) if w.ndim > 1 else
                   rng.uniform(0.5, 1.0, w.shape) for w in model.get_weights()])
x = rng.random((2, 3, 10, 8), dtype="float32")
model.save(sys.argv[1])
np.savez(sys.argv[2], x=x, y=model(x, training=False).numpy())
"""


def test_that_a_nested_h5_of_keras_2_is_converted(tmp_path: Path) -> None:
    path, known = tmp_path / "old.h5", tmp_path / "known.npz"
    subprocess.run(
        [sys.executable, "-c", _KERAS_2, str(path), str(known)], check=True, capture_output=True, timeout=300
    )
    with np.load(known) as archive:
        x, y = archive["x"], archive["y"]
    for out in ("out.keras", "out.h5"):
        written, new = applied(path, tmp_path / out, {"do": "data_format", "to": LAST})
        assert_verified(written.verification)
        assert drift(new(np.moveaxis(x, 1, -1), training=False), y) < 1e-5


def test_that_rows_follow_a_map_whose_axes_moved() -> None:
    """Channels first to last, two maps one after the other, against a plain loop."""
    maps = (((2, 3, 4), (1, 2, 0)), ((5, 1, 2), (1, 2, 0)))
    slow, start = [], 0
    for (channels, high, wide), _ in maps:
        slow += [start + (c * high + h) * wide + w for h in range(high) for w in range(wide) for c in range(channels)]
        start += channels * high * wide
    assert row_order(maps).tolist() == slow


def test_that_channels_first_models_are_judged_in_double_precision_too(tmp_path: Path) -> None:
    """Differences that amplify rounding: TensorFlow's own kernels in double know channels last only."""
    start = keras.Input((3, 9, 7))
    x = L.Conv2DTranspose(4, 3, data_format=FIRST)(L.Conv2D(6, 3, data_format=FIRST, activation="tanh")(start))
    model = keras.Model(
        start, L.Rescaling(1e5, offset=-1e5)(L.Activation("sigmoid")(L.GlobalAveragePooling2D(data_format=FIRST)(x)))
    )
    fill(model)
    model.layers[2].bias.assign(np.full(4, 12.0))
    written, _ = applied(saved(model, tmp_path), tmp_path / "out.keras", {"do": "data_format", "to": LAST})
    assert_verified(written.verification)


def test_that_an_activation_may_be_a_layer_or_a_function(tmp_path: Path) -> None:
    start = keras.Input((9, 7, 3))
    x = L.Conv2D(6, 3, activation=L.LeakyReLU(0.3))(start)
    model = keras.Model(start, L.Activation(L.Softmax())(L.Conv2D(4, 1, activation=keras.activations.tanh)(x)))
    fill(model)
    _, new, difference = compared(model, saved(model, tmp_path), tmp_path / "out.keras", FIRST)
    assert difference < 1e-5
    assert [layer.axis for layer in new.layers if isinstance(layer, L.Softmax)] == [1]


def test_that_quantized_rows_stay_and_see_the_old_map(tmp_path: Path) -> None:
    start = keras.Input((3, 9, 7))
    model = keras.Model(start, L.Dense(4, name="head")(L.Flatten()(L.Conv2D(4, 3, data_format=FIRST)(start))))
    fill(model)
    model.get_layer("head").quantize("int8")
    path = saved(model, tmp_path)
    x = np.random.default_rng(0).random((2, 3, 9, 7), dtype=np.float32)
    step = {"do": "data_format", "to": LAST}
    written, new = applied(path, tmp_path / "out.keras", step)
    assert_verified(written.verification)
    assert drift(new(np.moveaxis(x, 1, -1)), model(x)) < 1e-5
    assert [layer.name for layer in new.layers if isinstance(layer, L.Permute)] == ["conv2d_permute"]
    written, new = applied(path, tmp_path / "floats.keras", {"do": "set_dtype", "policy": "float32"}, step)
    assert_verified(written.verification)
    assert drift(new(np.moveaxis(x, 1, -1)), model(x)) < 0.02
    assert not [layer.name for layer in new.layers if isinstance(layer, L.Permute)]


def test_that_a_map_as_wide_as_it_has_channels_is_judged_by_what_its_bias_means(tmp_path: Path) -> None:
    """Keras 3.15 adds the bias along the width there (`keras.ops.add` takes the last axis for the channels)."""
    start = keras.Input((3, 8, 6))
    model = keras.Model(start, L.Conv2D(4, 3, data_format=FIRST, name="conv")(start))
    fill(model)
    written, new = applied(saved(model, tmp_path), tmp_path / "out.keras", {"do": "data_format", "to": LAST})
    assert_verified(written.verification)
    x = np.random.default_rng(0).random((2, 3, 8, 6), dtype=np.float32)
    kernel, bias = (np.asarray(one, np.float64) for one in model.get_layer("conv").get_weights())
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), (3, 3), axis=(2, 3))
    assert drift(new(np.moveaxis(x, 1, -1)), np.einsum("nchwij,ijcf->nhwf", windows, kernel) + bias) < 1e-6

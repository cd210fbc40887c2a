"""Small models of every structure that a file may hold, built by Keras: what writers and engine must get right."""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tests.helpers.models import seed_weights

Builder = Callable[[], Any]
MODELS: dict[str, Builder] = {}


def model(build: Builder) -> Builder:
    """Register a builder under its name."""
    MODELS[build.__name__] = build
    return build


def build(name: str, seed: int = 5) -> Any:
    """The model of that name with weights in which no two arrays are alike."""
    keras.backend.clear_session()
    made = MODELS[name]()
    fill(made, seed)
    return made


_FOLDER = tempfile.TemporaryDirectory(prefix="suture-small-models-")


@functools.cache
def model_file(name: str) -> Path:
    """The model of that name in a `.keras` file, written once for all tests of a process: not to be changed."""
    path = Path(_FOLDER.name, f"{name}.keras")
    build(name).save(path)
    return path


def chained(folder: Path, shape: tuple[int | None, ...], *body: Any) -> Path:
    """A Sequential of these layers with seeded weights, as a file in that folder."""
    keras.backend.clear_session()
    made = keras.Sequential([keras.Input(shape), *body])
    seed_weights(made, calibrate=False)
    path = folder / "source.keras"
    made.save(path)
    return path


def fill(made: Any, seed: int = 5) -> None:
    """Random weights of a size that keeps outputs finite; variances and scales positive; random seeds left alone."""
    rng = np.random.default_rng(seed)
    for variable in made.variables:
        if not np.issubdtype(np.dtype(variable.dtype) if variable.dtype != "bfloat16" else np.float32, np.floating):
            continue
        last = variable.path.rpartition("/")[2]
        if last in {"gamma", "moving_variance", "variance", "scale"}:
            value = rng.uniform(0.5, 1.5, variable.shape)
        else:
            fan = max(1, int(np.prod(variable.shape[:-1])))
            value = rng.standard_normal(variable.shape) / np.sqrt(fan)
        variable.assign(value.astype("float32"))
    for layer in made._flatten_layers():
        if type(layer).__name__ == "Normalization":
            layer.finalize_state()


def block(size: int = 12, channels: int = 3, name: str = "block") -> Any:
    inner = keras.Input((size, size, channels), name=f"{name}_in")
    x = layers.Conv2D(4, 3, padding="same", name=f"{name}_conv")(inner)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return keras.Model(inner, layers.ReLU(name=f"{name}_relu")(x), name=name)


@model
def chain() -> Any:
    return keras.Sequential(
        [
            keras.Input((10, 10, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(5),
            layers.Dense(3, activation="softmax"),
        ]
    )


@model
def chain_without_input() -> Any:
    made = keras.Sequential([layers.Dense(6), layers.Dense(2)])
    made.build((None, 7))
    return made


@model
def residual() -> Any:
    x = start = keras.Input((12, 12, 3))
    x = layers.Conv2D(8, 3, padding="same")(x)
    for _ in range(2):
        skip = x
        x = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(x))
        x = layers.Add()([layers.ReLU()(x), skip])
    return keras.Model(start, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


@model
def branches() -> Any:
    start = keras.Input((12, 12, 3))
    left = layers.Conv2D(4, 1)(layers.Conv2D(4, 3, padding="same")(start))
    right = layers.Conv2D(6, 5, padding="same")(start)
    pooled = layers.Conv2D(2, 1)(layers.MaxPooling2D(3, strides=1, padding="same")(start))
    both = layers.Concatenate()([right, left, pooled])
    return keras.Model(start, [layers.Conv2D(1, 1)(both), layers.GlobalMaxPooling2D()(left)])


@model
def nested() -> Any:
    start = keras.Input((12, 12, 3))
    x = layers.Conv2D(3, 1, name="before")(start)
    x = block()(x)
    x = keras.Sequential([layers.Conv2D(4, 3), layers.BatchNormalization()], name="tail")(x)
    return keras.Model(start, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


@model
def nested_three_deep() -> Any:
    middle_in = keras.Input((12, 12, 3))
    middle = keras.Model(middle_in, layers.Conv2D(5, 3)(block(name="core")(middle_in)), name="middle")
    outer = keras.Sequential([keras.Input((12, 12, 3)), middle, layers.Conv2D(2, 1)], name="outer")
    start = keras.Input((12, 12, 3))
    return keras.Model(start, layers.GlobalAveragePooling2D()(outer(start)))


@model
def chain_of_model() -> Any:
    return keras.Sequential([keras.Input((12, 12, 3)), block(), layers.GlobalAveragePooling2D(), layers.Dense(3)])


@model
def siamese() -> Any:
    left, right = keras.Input((12, 12, 3), name="left"), keras.Input((12, 12, 3), name="right")
    base = block(name="twin")
    shared = layers.Dense(4, name="shared")
    pool = layers.GlobalAveragePooling2D()
    one, two = shared(pool(base(left))), shared(pool(base(right)))
    return keras.Model([left, right], layers.Dense(1)(layers.Subtract()([one, two])))


@model
def shared_at_two_depths() -> Any:
    start = keras.Input((8, 8, 4))
    conv = layers.Conv2D(4, 3, padding="same")
    other = layers.Conv2D(4, 1)
    return keras.Model(start, layers.Add()([conv(other(conv(start))), other(start)]))


@model
def dicts() -> Any:
    inputs = {"image": keras.Input((8, 8, 3), name="image"), "meta": keras.Input((5,), name="meta")}
    x = layers.Flatten()(layers.Conv2D(2, 3)(inputs["image"]))
    x = layers.Concatenate()([x, layers.Dense(3)(inputs["meta"])])
    return keras.Model(inputs, {"score": layers.Dense(1)(x), "kind": layers.Dense(4, activation="softmax")(x)})


@model
def texts() -> Any:
    start = keras.Input((9,), dtype="int32")
    x = layers.Embedding(20, 6)(start)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    x = layers.GRU(5, return_sequences=True)(x)
    x = layers.LayerNormalization()(layers.MultiHeadAttention(2, 3)(x, x))
    return keras.Model(start, layers.SimpleRNN(3)(x))


@model
def frames() -> Any:
    start = keras.Input((4, 12, 12, 3))
    x = layers.TimeDistributed(block(name="frame"))(start)
    x = layers.TimeDistributed(layers.GlobalAveragePooling2D())(x)
    return keras.Model(start, layers.Dense(2)(layers.LSTM(4)(x)))


@model
def frozen_parts() -> Any:
    base = block(name="base")
    base.get_layer("base_conv").trainable = False
    start = keras.Input((12, 12, 3))
    x = base(start)
    norm = layers.BatchNormalization(name="frozen_norm")
    norm.trainable = False
    return keras.Model(start, layers.Dense(2)(layers.GlobalAveragePooling2D()(norm(x))))


@model
def frozen_base() -> Any:
    base = block(name="base")
    base.trainable = False
    return keras.Sequential([keras.Input((12, 12, 3)), base, layers.GlobalAveragePooling2D(), layers.Dense(2)])


@model
def operations() -> Any:
    start = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same")(start / 127.5 - 1.0)
    y = ops.relu(x) + 2.0 * x
    z = ops.concatenate([y, ops.sigmoid(x)], axis=-1)
    return keras.Model(start, layers.Dense(2)(ops.mean(z, axis=(1, 2))))


@model
def separable() -> Any:
    start = keras.Input((14, 14, 3))
    x = layers.SeparableConv2D(6, 3, depth_multiplier=2)(start)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.Conv2D(8, 3, groups=2)(x)
    x = layers.Conv2DTranspose(4, 3, strides=2)(layers.PReLU(shared_axes=[1, 2])(x))
    return keras.Model(start, layers.GroupNormalization(2)(x))


@model
def normalized() -> Any:
    start = keras.Input((8, 8, 3))
    x = layers.Rescaling(1 / 255)(start)
    x = layers.Normalization(axis=-1)(x)
    x = layers.Rescaling([1.0, 2.0, 3.0])(x)
    return keras.Model(start, layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))))


@model
def upsampler() -> Any:
    start = keras.Input((16, 16, 3))
    one = layers.Conv2D(4, 3, padding="same")(start)
    two = layers.Conv2D(6, 3, padding="same")(layers.MaxPooling2D()(one))
    three = layers.Conv2D(8, 3, padding="same")(layers.MaxPooling2D()(two))
    back = layers.Conv2D(6, 3, padding="same")(layers.Concatenate()([layers.UpSampling2D()(three), two]))
    up = layers.Conv2DTranspose(4, 2, strides=2)(back)
    return keras.Model(start, layers.Conv2D(1, 1)(layers.Concatenate()([up, one])))


@model
def half_precision() -> Any:
    start = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, dtype="mixed_float16")(start)
    x = layers.BatchNormalization(dtype="mixed_float16")(x)
    x = layers.Conv2D(4, 3, dtype="float16")(x)
    return keras.Model(start, layers.Dense(2, dtype="float32")(layers.GlobalAveragePooling2D(dtype="float32")(x)))


@model
def signals() -> Any:
    start = keras.Input((30, 2))
    x = layers.Conv1D(4, 5, padding="causal")(start)
    x = layers.MaxPooling1D()(layers.SeparableConv1D(6, 3)(x))
    return keras.Model(start, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


@model
def volumes() -> Any:
    start = keras.Input((8, 8, 8, 2))
    x = layers.Conv3D(3, 3, padding="same")(start)
    return keras.Model(start, layers.Dense(2)(layers.Flatten()(layers.AveragePooling3D(2)(x))))


@model
def films() -> Any:
    start = keras.Input((4, 8, 8, 2))
    return keras.Model(start, layers.Flatten()(layers.ConvLSTM2D(3, 3)(start)))


@model
def channels_first() -> Any:
    start = keras.Input((3, 12, 12))
    x = layers.Conv2D(4, 3, data_format="channels_first")(start)
    x = layers.BatchNormalization(axis=1)(x)
    return keras.Model(start, layers.Dense(2)(layers.Flatten(data_format="channels_first")(x)))


@model
def random_parts() -> Any:
    start = keras.Input((12, 12, 3))
    x = layers.RandomFlip()(start)
    x = layers.RandomRotation(0.1)(x)
    x = layers.GaussianNoise(0.1)(layers.Conv2D(4, 3)(x))
    return keras.Model(start, layers.Dense(2)(layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))))


@model
def two_outputs_of_one_layer() -> Any:
    start = keras.Input((6, 5))
    sequence, hidden, cell = layers.LSTM(4, return_sequences=True, return_state=True)(start)
    return keras.Model(start, [layers.Dense(2)(sequence), layers.Concatenate()([hidden, cell])])


@model
def model_with_two_ports() -> Any:
    one, two = keras.Input((6,), name="one"), keras.Input((4,), name="two")
    inner = keras.Model([one, two], [layers.Dense(3)(one), layers.Dense(3)(two)], name="inner")
    first, second = keras.Input((6,), name="first"), keras.Input((4,), name="second")
    left, right = inner([first, second])
    return keras.Model([first, second], layers.Add()([left, layers.Dense(3)(right)]))

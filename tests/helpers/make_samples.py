"""Train the sample models, the same way every time: `python -m tests.helpers.make_samples [NAME ...]`.

Needs scikit-learn (a test dependency). Writes `digits_*.keras` and `held_out.npz` to
`resources/samples` in some minutes.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from resources.samples.digits import WHITE, Array, colour_images, gray, held_out

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
from keras import layers

FOLDER = Path(__file__).parents[2] / "resources" / "samples"
SEED = 1
HELD_OUT_DIGITS = 360
BATCH = 64
MEANS, DEVIATIONS = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
"""Of ImageNet's colours, in 0..1: those of `keras.applications.imagenet_utils` in its `torch` mode."""


def residual() -> keras.Model:
    """A residual network with BatchNormalization and global pooling: any size of image will do."""
    inputs = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem_conv")(inputs)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(name="stem_relu")(x)
    for stage, (filters, strides) in enumerate(((16, 1), (32, 2), (48, 2)), start=1):
        shortcut, name = x, f"stage{stage}"
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False, name=f"{name}_conv1")(x)
        x = layers.BatchNormalization(name=f"{name}_bn1")(x)
        x = layers.ReLU(name=f"{name}_relu1")(x)
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv2")(x)
        x = layers.BatchNormalization(name=f"{name}_bn2")(x)
        if strides > 1:
            shortcut = layers.Conv2D(filters, 1, strides, use_bias=False, name=f"{name}_project")(shortcut)
            shortcut = layers.BatchNormalization(name=f"{name}_project_bn")(shortcut)
        x = layers.Add(name=f"{name}_add")([x, shortcut])
        x = layers.ReLU(name=f"{name}_relu2")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(inputs, outputs, name="digits_residual")


def vgg() -> keras.Model:
    """Convolutions, then Flatten and Dense: the first Dense knows the size of the image."""
    inputs = keras.Input((32, 32, 3), name="image")
    x = inputs
    for block, filters in enumerate((16, 32, 32), start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv1")(x)
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv2")(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="fc1")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    outputs = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(inputs, outputs, name="digits_vgg")


def nested() -> keras.Model:
    """A backbone of inverted residuals, a model of its own inside a Sequential with a head."""
    inputs = keras.Input((32, 32, 3), name="backbone_image")
    x = layers.Conv2D(16, 3, 2, padding="same", use_bias=False, name="conv1")(inputs)
    x = layers.BatchNormalization(name="conv1_bn")(x)
    x = layers.ReLU(6.0, name="conv1_relu")(x)
    for block, (filters, strides) in enumerate(((16, 1), (24, 2), (24, 1), (40, 2), (40, 1)), start=1):
        shortcut, name = x, f"block{block}"
        x = layers.Conv2D(3 * x.shape[-1], 1, use_bias=False, name=f"{name}_expand")(x)
        x = layers.BatchNormalization(name=f"{name}_expand_bn")(x)
        x = layers.ReLU(6.0, name=f"{name}_expand_relu")(x)
        x = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
        x = layers.BatchNormalization(name=f"{name}_depthwise_bn")(x)
        x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
        x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project")(x)
        x = layers.BatchNormalization(name=f"{name}_project_bn")(x)
        if strides == 1 and shortcut.shape[-1] == filters:
            x = layers.Add(name=f"{name}_add")([x, shortcut])
    backbone = keras.Model(inputs, x, name="backbone")
    head = [layers.GlobalAveragePooling2D(name="pool"), layers.Dense(10, activation="softmax", name="digit")]
    return keras.Sequential([keras.Input((32, 32, 3), name="image"), backbone, *head], name="digits_nested")


def normalized() -> keras.Model:
    """Pixels of 0..255, with the means and deviations of ImageNet's colours taken off inside the model."""
    inputs = keras.Input((32, 32, 3), name="image")
    x = layers.Rescaling(1 / 255, name="rescaling")(inputs)
    x = layers.Normalization(mean=MEANS, variance=[one**2 for one in DEVIATIONS], name="normalization")(x)
    for stage, (filters, strides) in enumerate(((16, 1), (32, 2), (48, 2)), start=1):
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False, name=f"stage{stage}_conv1")(x)
        x = layers.BatchNormalization(name=f"stage{stage}_bn1")(x)
        x = layers.ReLU(name=f"stage{stage}_relu1")(x)
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=f"stage{stage}_conv2")(x)
        x = layers.BatchNormalization(name=f"stage{stage}_bn2")(x)
        x = layers.ReLU(name=f"stage{stage}_relu2")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(inputs, outputs, name="digits_normalized")


MODELS: dict[str, tuple[Callable[[], keras.Model], int]] = {
    "digits_residual": (residual, 30),
    "digits_vgg": (vgg, 40),
    "digits_nested": (nested, 45),
    "digits_normalized": (normalized, 40),
}


def split() -> tuple[Array, Array]:
    """Write the held-out digits, which belong to nobody's training; return the others with their labels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(SEED).permutation(len(data.target))
    images, labels = data.images[order].astype(np.uint8), data.target[order].astype(np.uint8)
    np.savez_compressed(FOLDER / "held_out.npz", digits=images[:HELD_OUT_DIGITS], labels=labels[:HELD_OUT_DIGITS])
    return images[HELD_OUT_DIGITS:], labels[HELD_OUT_DIGITS:]


def batches(digits: Array, labels: Array, epochs: int) -> Iterator[tuple[Array, Array]]:
    """Shuffled batches, each image with a new tint, moved by up to three pixels, with a little noise."""
    generator = np.random.default_rng(SEED)
    for _ in range(epochs):
        order = generator.permutation(len(digits))
        images = colour_images(digits[order], generator)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = np.stack([_moved(image, *generator.integers(-3, 4, 2)) for image in images[start : start + BATCH]])
            batch += generator.normal(0, 0.03, batch.shape)
            yield batch.astype(np.float32), labels[order[start : start + BATCH]]


def _moved(image: Array, down: int, right: int) -> Array:
    padded = np.pad(image, ((3, 3), (3, 3), (0, 0)))
    return padded[3 - down : 35 - down, 3 - right : 35 - right]


def train(build: Callable[[], keras.Model], digits: Array, labels: Array, epochs: int, white: int = 1) -> keras.Model:
    """A trained model that carries no optimizer and no compile options."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(SEED)
    model = build()
    steps = len(digits) // BATCH
    trainer = keras.Model(model.inputs, model.outputs)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps * epochs, 0.01, warmup_target=4e-3, warmup_steps=2 * steps)
    trainer.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), "sparse_categorical_crossentropy")
    given = ((images * white, answers) for images, answers in batches(digits, labels, epochs))
    trainer.fit(given, steps_per_epoch=steps, epochs=epochs, verbose=0)
    return model


def accuracy(model: Any, images: Array, labels: Array) -> float:
    """The share of images whose class is found."""
    return float(np.mean(model.predict(images, verbose=0).argmax(-1) == labels))


def main(names: list[str]) -> None:
    """Train the named models, or all."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    digits, labels = split()
    images, answers = held_out()
    for name in names or MODELS:
        began = time.monotonic()
        build, epochs = MODELS[name]
        white = WHITE.get(name, 1)
        model = train(build, digits, labels, epochs, white)
        path = FOLDER / f"{name}.keras"
        model.save(path)
        pictures = images * white
        gray_thrice = np.repeat(gray(pictures), 3, axis=-1)
        print(
            f"{name}: {model.count_params():,} parameters, {path.stat().st_size / 1e6:.2f} MB, held out "
            f"{accuracy(model, pictures, answers):.2%} (gray thrice {accuracy(model, gray_thrice, answers):.2%}), "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])

"""Small vision transformers in the forms that people have: built by Keras at any size, to be compared with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from core.engine.trust import load_code

CODE = Path(__file__).with_name("transformer_code.py")
Builder = Callable[..., Any]


def code() -> Any:
    """The classes of `transformer_code.py`, as a person's own program has them."""
    import importlib

    return importlib.import_module("tests.helpers.transformer_code")


def named() -> dict[str, Any]:
    """Those classes by name, for `load_model`."""
    return {name: thing for name, thing in vars(code()).items() if isinstance(thing, type)}


def forget_code() -> None:
    """After `--code`, the classes stay registered in the process; the next test shall not know them."""
    objects = keras.saving.get_custom_objects()
    for name in [name for name, thing in objects.items() if getattr(thing, "__name__", "") in named()]:
        del objects[name]


def remember_code() -> None:
    """As `--code` does."""
    load_code(CODE)


def encoder(x: Any, width: int) -> Any:
    """One block: attention and two dense layers, each with a skip connection."""
    y = layers.LayerNormalization(epsilon=1e-6, name="first_norm")(x)
    x = layers.Add(name="first_add")([x, layers.MultiHeadAttention(2, width // 2, name="attention")(y, y)])
    y = layers.LayerNormalization(epsilon=1e-6, name="second_norm")(x)
    y = layers.Dense(width, name="shrink")(layers.Dense(2 * width, activation="gelu", name="grow")(y))
    return layers.Add(name="second_add")([x, y])


def patches(start: Any, patch: int, width: int) -> tuple[Any, tuple[int, int]]:
    """Tokens of an image, cut by a convolution; and their grid."""
    grid = start.shape[1] // patch, start.shape[2] // patch
    x = layers.Conv2D(width, patch, strides=patch, name="patches")(start)
    return layers.Reshape((grid[0] * grid[1], width), name="tokens")(x), grid


def head(x: Any, kind: str = "mean") -> Any:
    """Three classes of the mean token, the first, or all of them."""
    x = encoder(x, x.shape[-1])
    if kind == "flat":
        x = layers.Flatten(name="flat")(x)
    else:
        x = x[:, 0] if kind == "first" else layers.GlobalAveragePooling1D(name="mean")(x)
    return layers.Dense(3, name="head")(x)


def counted(height: int, width: int, patch: int = 8, size: int = 8, kind: str = "mean") -> Any:
    """An Embedding of positions that are counted inside the model."""
    start = keras.Input((height, width, 3), name="image")
    x, grid = patches(start, patch, size)
    numbers = ops.cumsum(ops.ones_like(x[:, :, 0], dtype="int32"), axis=1) - 1
    x = layers.Add(name="placed")([x, layers.Embedding(grid[0] * grid[1], size, name="positions")(numbers)])
    return keras.Model(start, head(x, kind))


def constant(height: int, width: int, table: Callable[[tuple[int, int], int], Any], size: int = 8) -> Any:
    """A table that became a constant of an operation, as `Embedding(...)(ops.arange(n))` does."""
    start = keras.Input((height, width, 3), name="image")
    x, grid = patches(start, 8, size)
    return keras.Model(start, head(x + ops.convert_to_tensor(table(grid, size))))


def encoded(height: int, width: int) -> Any:
    """`Patches` and `PatchEncoder`: an image cut by code, a config that knows the number of patches."""
    own = code()
    start = keras.Input((height, width, 3), name="image")
    x = own.Patches(8, name="patches")(start)
    return keras.Model(start, head(own.PatchEncoder((height // 8) * (width // 8), 8, name="patch_encoder")(x)))


def prefixed(height: int, width: int, prefix: int = 1, patch: int = 8, embed_prefix: bool = True) -> Any:
    """Tokens before the patches (class, distillation, registers), and a raw table for all tokens or the patches."""
    own = code()
    start = keras.Input((height, width, 3), name="image")
    x, _ = patches(start, patch, 8)
    if embed_prefix:
        x = own.AddPositionEmbs(name="posembed")(own.ClassToken(prefix, name="class_token")(x))
    else:
        x = own.ClassToken(prefix, name="class_token")(own.AddPositionEmbs(name="posembed")(x))
    return keras.Model(start, head(x, "first"))


def backbone(height: int, width: int) -> Any:
    """A model class with a config of its own around a body, as libraries of pretrained models have."""
    own = code()
    start = keras.Input((height, width, 3), name="image")
    x = own.Backbone((height, width, 3), 8, name="backbone")(start)
    return keras.Model(start, layers.Dense(3, name="head")(layers.GlobalAveragePooling1D(name="mean")(x)))


def windowed(height: int, width: int, window: int = 4) -> Any:
    """Two blocks of attention in windows, the second shifted, with relative positions and masks."""
    own = code()
    start = keras.Input((height, width, 3), name="image")
    x, grid = patches(start, 4, 8)
    x = own.WindowBlock(grid, window, 0, name="windows")(x)
    x = own.WindowBlock(grid, window, window // 2, name="shifted")(x)
    return keras.Model(start, layers.Dense(3, name="head")(layers.GlobalAveragePooling1D(name="mean")(x)))


def learnt(grid: tuple[int, int], width: int) -> Any:
    """A table that follows no formula."""
    return np.random.default_rng(7).standard_normal((grid[0] * grid[1], width)).astype("float32")


def waves(grid: tuple[int, int], width: int) -> Any:
    """Sines and cosines of the token's number, side by side."""
    angles = np.outer(np.arange(grid[0] * grid[1]), 10000.0 ** (-np.arange(width // 2) / (width // 2)))
    return np.concatenate([np.sin(angles), np.cos(angles)], 1).astype("float32")


def plane_waves(grid: tuple[int, int], width: int) -> Any:
    """Half of the channels follow the row, half the column; sines and cosines take turns."""
    rates = 10000.0 ** (-np.arange(width // 4) / (width // 4))
    rows, columns = np.indices(grid).reshape(2, -1)
    halves = [np.stack([np.sin(np.outer(at, rates)), np.cos(np.outer(at, rates))], -1) for at in (rows, columns)]
    return np.concatenate([half.reshape(len(rows), -1) for half in halves], 1).astype("float32")


def image_resampled(table: Any, old: tuple[int, int], new: tuple[int, int], prefix: int) -> Any:
    """The oracle: positions as an image, resized by TensorFlow."""
    flat = np.asarray(table).reshape(-1, table.shape[-1])
    picture = flat[prefix:].reshape(1, *old, flat.shape[1])
    moved = np.asarray(ops.image.resize(picture, new, interpolation="bicubic", antialias=True))
    rows = np.concatenate([flat[:prefix], moved.reshape(-1, flat.shape[1])])
    return rows.reshape(*table.shape[:-2], *rows.shape)


def native(built: Any, trained: Any, old: tuple[int, int], new: tuple[int, int], prefix: int = 0) -> Any:
    """`built`, of the new size, with every array of `trained` set by hand: tables resampled, the others as they are.

    What is not trained and does not fit (indices, masks) stays as the class itself made it.
    """
    for mine, theirs in zip(built.weights, trained.weights, strict=True):
        values = np.asarray(theirs)
        if tuple(mine.shape) == values.shape:
            mine.assign(values)
        elif mine.trainable:
            mine.assign(image_resampled(values, old, new, prefix))
    return built

"""Layers of vision transformers as people write them, under the names that published code gives them.

A test hands this file over as `--code`, or leaves it out.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops


class Patches(layers.Layer):
    """An image cut into flat patches."""

    def __init__(self, patch_size: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.patch_size = patch_size

    def call(self, images: Any) -> Any:
        count, size = ops.shape(images), self.patch_size
        found = ops.image.extract_patches(images, size=size)
        return ops.reshape(found, (count[0], (count[1] // size) * (count[2] // size), size * size * count[3]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "patch_size": self.patch_size}


class PatchEncoder(layers.Layer):
    """Projected patches with one learnt vector for each of `num_patches` places."""

    def __init__(self, num_patches: int, projection_dim: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.num_patches, self.projection_dim = num_patches, projection_dim
        self.projection = layers.Dense(projection_dim)
        self.position_embedding = layers.Embedding(num_patches, projection_dim)

    def build(self, shape: Any) -> None:
        self.projection.build(shape)
        self.position_embedding.build((1, self.num_patches))
        self.built = True

    def call(self, patch: Any) -> Any:
        return self.projection(patch) + self.position_embedding(ops.arange(0, self.num_patches)[None])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_patches": self.num_patches, "projection_dim": self.projection_dim}


class ClassToken(layers.Layer):
    """`count` learnt tokens before those of the image."""

    def __init__(self, count: int = 1, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.count = count

    def build(self, shape: Any) -> None:
        self.cls = self.add_weight(shape=(1, self.count, shape[-1]), name="cls")
        self.built = True

    def call(self, tokens: Any) -> Any:
        shape = ops.shape(tokens)
        return ops.concatenate([ops.broadcast_to(self.cls, (shape[0], self.count, shape[2])), tokens], 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count}


class AddPositionEmbs(layers.Layer):
    """A table of one vector for each token, as a raw weight."""

    def build(self, shape: Any) -> None:
        self.pe = self.add_weight(shape=(1, shape[1], shape[2]), name="pos_embedding")
        self.built = True

    def call(self, tokens: Any) -> Any:
        return tokens + self.pe


class Backbone(keras.Model):
    """A body that its config describes by numbers, not by layers."""

    def __init__(self, image_shape: Any, patch_size: int, **arguments: Any) -> None:
        grid = image_shape[0] // patch_size, image_shape[1] // patch_size
        start = keras.Input(tuple(image_shape))
        x = layers.Conv2D(8, patch_size, strides=patch_size, name="patch_embedding")(start)
        x = layers.Reshape((grid[0] * grid[1], 8))(x)
        x = AddPositionEmbs(name="position_embedding")(ClassToken(1, name="class_token")(x))
        super().__init__(start, layers.Dense(8, name="mix")(x), **arguments)
        self.image_shape, self.patch_size = tuple(image_shape), patch_size

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "image_shape": self.image_shape,
            "patch_size": self.patch_size,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Backbone":
        return cls(**config)


def relative_index(window: int) -> Any:
    """Which row of the table stands for each pair of places in a window."""
    places = np.indices((window, window)).reshape(2, -1)
    away = places[:, :, None] - places[:, None, :] + window - 1
    return (away[0] * (2 * window - 1) + away[1]).astype("int32")


def shift_mask(grid: tuple[int, int], window: int, shift: int) -> Any:
    """What keeps apart the places that a shift brought into one window."""
    regions = np.zeros(grid)
    for number, (rows, columns) in enumerate(np.ndindex(3, 3)):
        cuts = (slice(0, -window), slice(-window, -shift), slice(-shift, None))
        regions[cuts[rows], cuts[columns]] = number
    height, width = grid
    windows = regions.reshape(height // window, window, width // window, window).transpose(0, 2, 1, 3)
    parts = windows.reshape(-1, window * window)
    return np.where(parts[:, None, :] != parts[:, :, None], -100.0, 0.0).astype("float32")


class WindowBlock(layers.Layer):
    """Attention within windows, with relative positions; the windows may be shifted."""

    def __init__(self, num_patch: Any, window_size: int, shift_size: int = 0, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.num_patch, self.window_size, self.shift_size = tuple(num_patch), window_size, shift_size
        self.qkv, self.out = layers.Dense(24, name="qkv"), layers.Dense(8, name="out")

    def build(self, shape: Any) -> None:
        window = self.window_size
        for dense in (self.qkv, self.out):
            dense.build((None, None, 8))
        self.table = self.add_weight(shape=((2 * window - 1) ** 2, 2), name="relative_position_bias_table")
        self.index = self._fixed(relative_index(window), "relative_position_index")
        if self.shift_size:
            self.mask = self._fixed(shift_mask(self.num_patch, window, self.shift_size), "attn_mask")
        self.built = True

    def _fixed(self, values: Any, name: str) -> Any:
        def start(shape: Any, dtype: Any = None) -> Any:
            return ops.convert_to_tensor(values, dtype)

        return self.add_weight(
            shape=values.shape, initializer=start, dtype=str(values.dtype), trainable=False, name=name
        )

    def call(self, tokens: Any) -> Any:
        (height, width), size = self.num_patch, self.window_size
        across, down, area = width // size, height // size, size * size
        x = ops.reshape(tokens, (-1, height, width, 8))
        x = ops.roll(x, (-self.shift_size, -self.shift_size), axis=(1, 2)) if self.shift_size else x
        x = ops.transpose(ops.reshape(x, (-1, down, size, across, size, 8)), (0, 1, 3, 2, 4, 5))
        x = ops.reshape(self.qkv(ops.reshape(x, (-1, area, 8))), (-1, area, 3, 2, 4))
        query, key, value = ops.unstack(ops.transpose(x, (2, 0, 3, 1, 4)), 3)
        bias = ops.reshape(ops.take(self.table, ops.reshape(self.index, (-1,)), axis=0), (area, area, 2))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / 2.0 + ops.transpose(bias, (2, 0, 1))[None]
        if self.shift_size:
            scores = ops.reshape(scores, (-1, down * across, 2, area, area)) + self.mask[None, :, None]
            scores = ops.reshape(scores, (-1, 2, area, area))
        x = ops.transpose(ops.matmul(ops.softmax(scores, -1), value), (0, 2, 1, 3))
        x = ops.reshape(self.out(ops.reshape(x, (-1, area, 8))), (-1, down, across, size, size, 8))
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height, width, 8))
        x = ops.roll(x, (self.shift_size, self.shift_size), axis=(1, 2)) if self.shift_size else x
        return tokens + ops.reshape(x, (-1, height * width, 8))

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def get_config(self) -> dict[str, Any]:
        sizes = {"num_patch": self.num_patch, "window_size": self.window_size, "shift_size": self.shift_size}
        return {**super().get_config(), **sizes}

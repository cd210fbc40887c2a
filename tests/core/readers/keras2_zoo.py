"""Small models, one for each built-in Keras 2 layer class, made with tf-keras: `(name, build)` pairs."""

from collections.abc import Callable
from functools import partial
from typing import Any


def _chain(k: Any, shape: tuple[int | None, ...], *layers: Any, dtype: str | None = None) -> Any:
    return k.Sequential([k.Input(shape, dtype=dtype), *layers])


def _one(k: Any, shape: tuple[int | None, ...], name: str, *arguments: Any, **fields: Any) -> Any:
    return _chain(k, shape, getattr(k.layers, name)(*arguments, **fields))


def _attention(k: Any) -> Any:
    query, value = k.Input((4, 6)), k.Input((5, 6))
    out = k.layers.MultiHeadAttention(2, 3)(query, value)
    out = k.layers.Attention(use_scale=True)([out, value])
    return k.Model([query, value], k.layers.AdditiveAttention()([out, value]))


def _merges(k: Any) -> Any:
    a, b = k.Input((4, 6)), k.Input((4, 6))
    layers = k.layers
    parts = [make()([a, b]) for make in (layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum)]
    parts += [layers.Minimum()([a, b]), layers.Dot(axes=2)([a, b])]
    return k.Model([a, b], layers.Concatenate()(parts))


def _nested(k: Any) -> Any:
    layers = k.layers
    inner = k.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(4, 3, name="a"), layers.BatchNormalization()], name="body"
    )
    x = k.Input((8, 8, 3))
    deep = k.Model(x, layers.Conv2D(2, 1, name="b")(inner(x)), name="deep")
    left, right = k.Input((8, 8, 3)), k.Input((8, 8, 3))
    shared = layers.Dense(3, name="shared")
    joined = layers.Concatenate()([shared(deep(left)), shared(deep(right))])
    frozen = layers.Conv2D(2, 3, name="frozen")
    frozen.trainable = False
    return k.Model([left, right], layers.GlobalAveragePooling2D()(frozen(joined)))


def _wrapped(k: Any) -> Any:
    layers = k.layers
    frame = k.Sequential([layers.Input((6, 6, 2)), layers.Conv2D(3, 3), layers.BatchNormalization(), layers.Flatten()])
    return _chain(k, (4, 6, 6, 2), layers.TimeDistributed(frame), layers.Bidirectional(layers.GRU(3)))


def _frozen_part(k: Any) -> Any:
    layers = k.layers
    body = k.Sequential(
        [layers.Input((5,)), layers.Dense(5, name="x"), layers.BatchNormalization(name="n"), layers.Dense(5, name="y")],
        name="partly",
    )
    body.get_layer("x").trainable = False
    return _chain(k, (5,), body, layers.BatchNormalization(trainable=False), layers.Dense(5))


def _plain(k: Any) -> dict[str, Callable[[], Any]]:
    layers = k.layers
    image, steps, volume = (8, 8, 4), (6, 4), (4, 4, 4, 2)
    found: dict[str, Callable[[], Any]] = {
        "Dense": lambda: _chain(k, (5,), layers.Dense(3, activation="relu", kernel_regularizer="l2")),
        "DenseNoBias": lambda: _chain(k, (5,), layers.Dense(3, use_bias=False, kernel_constraint="max_norm")),
        "DenseHardSigmoid": lambda: _chain(k, (5,), layers.Dense(3, activation="hard_sigmoid")),
        "EinsumDense": lambda: _chain(k, steps, layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d")),
        "Conv1D": lambda: _chain(k, steps, layers.Conv1D(3, 2, padding="causal", dilation_rate=2)),
        "Conv2D": lambda: _chain(k, image, layers.Conv2D(6, 3, groups=2, activation="swish")),
        "Conv3D": lambda: _chain(k, volume, layers.Conv3D(3, 2, strides=2)),
        "Conv1DTranspose": lambda: _chain(k, steps, layers.Conv1DTranspose(3, 2, strides=2)),
        "Conv2DTranspose": lambda: _chain(k, image, layers.Conv2DTranspose(3, 3, strides=2, padding="same")),
        "Conv2DTransposeOut": lambda: _chain(k, image, layers.Conv2DTranspose(3, 3, strides=2, output_padding=1)),
        "Conv3DTranspose": lambda: _chain(k, volume, layers.Conv3DTranspose(3, 2)),
        "SeparableConv1D": lambda: _chain(k, steps, layers.SeparableConv1D(3, 2, depth_multiplier=2)),
        "SeparableConv2D": lambda: _chain(k, image, layers.SeparableConv2D(3, 3)),
        "DepthwiseConv1D": lambda: _chain(k, steps, layers.DepthwiseConv1D(2)),
        "DepthwiseConv2D": lambda: _chain(k, image, layers.DepthwiseConv2D(3, depth_multiplier=2)),
        "Embedding": lambda: _chain(k, (5,), layers.Embedding(10, 3, input_length=5)),
        "Masking": lambda: _chain(k, steps, layers.Masking(), layers.LSTM(3)),
        "LSTM": lambda: _chain(k, steps, layers.LSTM(3, return_sequences=True, dropout=0.1), layers.LSTM(2)),
        "LSTMHardSigmoid": lambda: _chain(k, steps, layers.LSTM(3, recurrent_activation="hard_sigmoid")),
        "GRU": lambda: _chain(k, steps, layers.GRU(3)),
        "GRUOld": lambda: _chain(k, steps, layers.GRU(3, reset_after=False, recurrent_activation="hard_sigmoid")),
        "SimpleRNN": lambda: _chain(k, steps, layers.SimpleRNN(3, go_backwards=True)),
        "RNN": lambda: _chain(k, steps, layers.RNN(layers.LSTMCell(3), return_sequences=True)),
        "StackedRNNCells": lambda: _chain(k, steps, layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)])),
        "ConvLSTM1D": lambda: _chain(k, (3, 6, 2), layers.ConvLSTM1D(2, 2, recurrent_activation="sigmoid")),
        "ConvLSTM2D": lambda: _chain(k, (3, 6, 6, 2), layers.ConvLSTM2D(2, 2)),
        "ConvLSTM3D": lambda: _chain(k, (2, 4, 4, 4, 1), layers.ConvLSTM3D(2, 2)),
        "Bidirectional": lambda: _chain(k, steps, layers.Bidirectional(layers.LSTM(3), merge_mode="sum")),
        "BidirectionalHard": lambda: _chain(
            k, steps, layers.Bidirectional(layers.LSTM(3, recurrent_activation="hard_sigmoid"))
        ),
        "TimeDistributed": lambda: _chain(k, (3, 8, 8, 4), layers.TimeDistributed(layers.Conv2D(2, 3))),
        "BatchNormalization": lambda: _chain(k, image, layers.BatchNormalization(scale=False)),
        "LayerNormalization": lambda: _chain(k, steps, layers.LayerNormalization()),
        "GroupNormalization": lambda: _chain(k, image, layers.GroupNormalization(2)),
        "UnitNormalization": lambda: _chain(k, steps, layers.UnitNormalization()),
        "SpectralNormalization": lambda: _chain(k, steps, layers.SpectralNormalization(layers.Dense(3))),
        "PReLU": lambda: _chain(k, image, layers.PReLU(shared_axes=[1, 2])),
        "Reshape": lambda: _chain(
            k, steps, layers.Reshape((3, -1)), layers.Permute((2, 1)), layers.Flatten(), layers.RepeatVector(2)
        ),
        "Cropping1D": lambda: _chain(k, steps, layers.Cropping1D(1), layers.ZeroPadding1D(2), layers.UpSampling1D(2)),
        "Cropping2D": lambda: _chain(
            k, image, layers.Cropping2D(1), layers.ZeroPadding2D((1, 2)), layers.UpSampling2D(2)
        ),
        "Bilinear": lambda: _chain(k, image, layers.UpSampling2D(2, interpolation="bilinear")),
        "Cropping3D": lambda: _chain(k, volume, layers.Cropping3D(1), layers.ZeroPadding3D(1), layers.UpSampling3D(2)),
        "Resizing": lambda: _chain(
            k, image, layers.Resizing(4, 5), layers.Rescaling(0.5, 1.0), layers.CenterCrop(3, 3)
        ),
        "Normalization": lambda: _chain(k, (5,), layers.Normalization(mean=[1.0] * 5, variance=[2.0] * 5)),
        "NormalizationAdapted": lambda: _chain(k, (5,), _adapted(k)),
        "Discretization": lambda: _chain(k, (5,), layers.Discretization(bin_boundaries=[-0.5, 0.5])),
        "CategoryEncoding": lambda: _chain(k, (3,), layers.CategoryEncoding(4, output_mode="multi_hot")),
        "Identity": lambda: _chain(k, (5,), layers.Identity(), layers.ActivityRegularization(0.1)),
        "Attention": lambda: _attention(k),
        "Merges": lambda: _merges(k),
        "Nested": lambda: _nested(k),
        "Wrapped": lambda: _wrapped(k),
        "FrozenPart": lambda: _frozen_part(k),
    }
    for rank, shape in ((1, steps), (2, image), (3, volume)):
        for kind in ("Max", "Average"):
            found[f"{kind}Pooling{rank}D"] = partial(_one, k, shape, f"{kind}Pooling{rank}D", 2, padding="same")
            found[f"Global{kind}Pooling{rank}D"] = partial(_one, k, shape, f"Global{kind}Pooling{rank}D", keepdims=True)
        found[f"SpatialDropout{rank}D"] = partial(_one, k, shape, f"SpatialDropout{rank}D", 0.1)
    for name in ("Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout"):
        found[name] = partial(_one, k, steps, name, 0.1)
    for name in ("ReLU", "LeakyReLU", "ELU", "Softmax", "ThresholdedReLU"):
        found[name] = partial(_one, k, steps, name)
    for name in ("RandomRotation", "RandomZoom", "RandomContrast", "RandomBrightness"):
        found[name] = partial(_one, k, image, name, 0.1)
    found["RandomFlip"] = partial(_one, k, image, "RandomFlip")
    found["RandomTranslation"] = partial(_one, k, image, "RandomTranslation", 0.1, 0.1)
    found["RandomCrop"] = partial(_one, k, image, "RandomCrop", 4, 4)
    for name in (
        "relu",
        "softmax",
        "selu",
        "elu",
        "gelu",
        "exponential",
        "mish",
        "tanh",
        "softplus",
        "softsign",
        "swish",
    ):
        found[f"Activation_{name}"] = partial(_one, k, steps, "Activation", name)
    return found


def _adapted(k: Any) -> Any:
    import numpy as np

    layer = k.layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(2.0, 3.0, (50, 5)).astype("float32"))
    return layer


def models(k: Any) -> dict[str, Callable[[], Any]]:
    """Builders by name, for the Keras package `k` (tf-keras, or Keras 3 where the class exists there)."""
    return _plain(k)

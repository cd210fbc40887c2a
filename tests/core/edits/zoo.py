"""Small models of every shape that an edit must cope with."""

from typing import Any

import keras

L = keras.layers


def flat(channels: int = 3, **kwargs: Any) -> Any:
    """Functional: conv, BN, relu, depthwise, residual Add, pooling, Dense."""
    inputs = keras.Input((16, 16, channels), name="image")
    x = L.Conv2D(8, 3, padding="same", name="stem", **kwargs)(inputs)
    x = L.BatchNormalization(name="stem_bn")(x)
    x = L.ReLU(name="stem_relu")(x)
    y = L.DepthwiseConv2D(3, padding="same", name="dw")(x)
    y = L.Conv2D(8, 1, name="pw")(y)
    x = L.Add(name="add")([x, y])
    x = L.Conv2D(12, 3, strides=2, name="last")(x)
    x = L.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, L.Dense(5, activation="softmax", name="predictions")(x), name="flat")


def sequential() -> Any:
    return keras.Sequential(
        [
            keras.Input((16, 16, 3), name="image"),
            L.Conv2D(6, 3, activation="relu", name="stem"),
            L.MaxPooling2D(name="pool"),
            L.Conv2D(8, 3, activation="relu", name="second"),
            L.Flatten(name="flatten"),
            L.Dense(10, activation="relu", name="hidden"),
            L.Dense(5, activation="softmax", name="predictions"),
        ],
        name="sequential",
    )


def nested() -> Any:
    """A backbone inside a Sequential, behind preprocessing in a Sequential of its own."""
    inner = keras.Input((16, 16, 3), name="inner_image")
    x = L.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(inner)
    x = L.BatchNormalization(name="stem_bn")(x)
    x = L.ReLU(name="stem_relu")(x)
    x = L.Conv2D(10, 3, padding="same", name="block_conv")(x)
    backbone = keras.Model(inner, x, name="backbone")
    before = keras.Sequential([keras.Input((16, 16, 3)), L.Rescaling(1 / 127.5, offset=-1.0)], name="before")
    return keras.Sequential(
        [
            keras.Input((16, 16, 3), name="image"),
            before,
            backbone,
            L.GlobalAveragePooling2D(name="pool"),
            L.Dense(4, activation="softmax", name="predictions"),
        ],
        name="nested",
    )


def shared() -> Any:
    """Two images through one encoder (siamese): its layers have two calls."""
    one, two = keras.Input((16, 16, 3), name="one"), keras.Input((16, 16, 3), name="two")
    stem, pool = L.Conv2D(8, 3, padding="same", activation="relu", name="stem"), L.GlobalMaxPooling2D(name="pool")
    merged = L.Subtract(name="difference")([pool(stem(one)), pool(stem(two))])
    return keras.Model([one, two], L.Dense(1, activation="sigmoid", name="predictions")(merged), name="siamese")


def multi_input() -> Any:
    image, numbers = keras.Input((16, 16, 3), name="image"), keras.Input((4,), name="numbers")
    x = L.Conv2D(8, 3, name="stem")(image)
    x = L.GlobalAveragePooling2D(name="pool")(x)
    x = L.Concatenate(name="join")([x, L.Dense(6, name="numbers_dense")(numbers)])
    return keras.Model({"image": image, "numbers": numbers}, L.Dense(3, name="predictions")(x), name="multi")


def normalized() -> Any:
    """EfficientNet's start: Rescaling, Normalization with weights, a vector Rescaling, a valid convolution."""
    inputs = keras.Input((16, 16, 3), name="image")
    x = L.Rescaling(1 / 255.0, name="rescaling")(inputs)
    x = L.Normalization(name="normalization")(x)
    x = L.Rescaling([2.0, 1.0, 0.5], name="vector")(x)
    x = L.Conv2D(8, 3, strides=2, use_bias=False, name="stem")(x)
    x = L.BatchNormalization(name="stem_bn")(x)
    x = L.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, L.Dense(5, name="predictions")(x), name="normalized")


def channels_first() -> Any:
    inputs = keras.Input((3, 16, 16), name="image")
    x = L.Conv2D(8, 3, padding="same", data_format="channels_first", name="stem")(inputs)
    x = L.BatchNormalization(axis=1, name="stem_bn")(x)
    x = L.GlobalAveragePooling2D(data_format="channels_first", name="pool")(x)
    return keras.Model(inputs, L.Dense(5, name="predictions")(x), name="first")


def mixed_precision() -> Any:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return flat()
    finally:
        keras.config.set_dtype_policy(before)


def unet() -> Any:
    inputs = keras.Input((32, 32, 1), name="image")
    a = L.Conv2D(4, 3, padding="same", activation="relu", name="down1")(inputs)
    b = L.Conv2D(6, 3, padding="same", activation="relu", name="down2")(L.MaxPooling2D(name="half")(a))
    c = L.Conv2D(8, 3, padding="same", activation="relu", name="bottom")(L.MaxPooling2D(name="quarter")(b))
    d = L.Concatenate(name="skip2")([L.UpSampling2D(name="up2")(c), b])
    e = L.Concatenate(name="skip1")([L.UpSampling2D(name="up1")(d), a])
    return keras.Model(inputs, L.Conv2D(1, 1, activation="sigmoid", name="mask")(e), name="unet")


def flatten_first() -> Any:
    inputs = keras.Input((6, 6, 3), name="image")
    x = L.Dense(7, activation="relu", name="hidden")(L.Flatten(name="flatten")(inputs))
    return keras.Model(inputs, L.Dense(2, name="predictions")(x), name="mlp")


def separable() -> Any:
    inputs = keras.Input((12, 12, 3), name="image")
    x = L.SeparableConv2D(6, 3, depth_multiplier=2, name="stem")(inputs)
    return keras.Model(inputs, L.GlobalAveragePooling2D(name="pool")(x), name="separable")


def signal() -> Any:
    inputs = keras.Input((20, 2), name="signal")
    x = L.Conv1D(6, 5, padding="same", name="stem")(inputs)
    x = L.Bidirectional(L.LSTM(4), name="rnn")(x)
    return keras.Model(inputs, L.Dense(3, name="predictions")(x), name="signal")


def volume() -> Any:
    inputs = keras.Input((8, 8, 8, 2), name="scan")
    x = L.Conv3D(4, 3, padding="same", name="stem")(inputs)
    x = L.GlobalAveragePooling3D(name="pool")(x)
    return keras.Model(inputs, L.Dense(2, name="predictions")(x), name="volume")


def spectral() -> Any:
    """Kernels under SpectralNormalization, flat and nested."""
    inputs = keras.Input((12, 12, 3), name="image")
    inner = keras.Sequential(
        [keras.Input((10, 10, 6)), L.SpectralNormalization(L.Conv2D(5, 3), name="inside")], name="inner"
    )
    x = inner(L.SpectralNormalization(L.Conv2D(6, 3), name="stem")(inputs))
    return keras.Model(
        inputs, L.Dense(2, name="predictions")(L.GlobalAveragePooling2D(name="pool")(x)), name="spectral"
    )


def noisy() -> Any:
    """What only acts in training: noise, regularization, dropout."""
    inputs = keras.Input((8,), name="numbers")
    x = L.GaussianNoise(0.1, name="noise")(inputs)
    x = L.ActivityRegularization(l2=0.1, name="regular")(L.Dense(6, activation="relu", name="hidden")(x))
    return keras.Model(inputs, L.Dense(2, name="predictions")(L.Dropout(0.5, name="drop")(x)), name="noisy")

"""Cases of TensorFlow calls on the tensors of a Keras 2 model: TFOpLambda, SlicingOpLambda."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.helpers.layer_cases.base import Case, In

STEPS, IMAGE, POSITIVE = In((6, 4)), In((8, 6, 3)), In((6, 4), "positive")
INDICES = In((5,), "int")


def slicing() -> dict[str, Callable[[Any], Any]]:
    return {
        "x[:, 1:]": lambda x: x[:, 1:],
        "x[:, 0]": lambda x: x[:, 0],
        "x[:, -1]": lambda x: x[:, -1],
        "x[..., 1]": lambda x: x[..., 1],
        "x[:, ::2]": lambda x: x[:, ::2],
        "x[:, ::-1]": lambda x: x[:, ::-1],
        "x[:, 1:3, :2]": lambda x: x[:, 1:3, :2],
        "x[:, None]": lambda x: x[:, None],
        "x[..., None]": lambda x: x[..., None],
        "x[:2]": lambda x: x[:2],
    }


def unary(tf: Any) -> dict[str, Callable[[Any], Any]]:
    math = tf.math
    plain = {
        name: getattr(math, name)
        for name in [
            "abs",
            "negative",
            "exp",
            "square",
            "sign",
            "floor",
            "ceil",
            "round",
            "sin",
            "cos",
            "tan",
            "sinh",
            "cosh",
            "tanh",
            "atan",
            "sigmoid",
            "softplus",
            "erf",
            "expm1",
            "is_nan",
            "reduce_mean",
            "reduce_sum",
            "reduce_max",
            "reduce_min",
            "reduce_prod",
            "reduce_std",
            "reduce_variance",
            "reduce_logsumexp",
            "is_finite",
            "is_inf",
            "reciprocal",
            "log_sigmoid",
        ]
    }
    named = {f"tf.math.{name}": call for name, call in plain.items()}
    return {
        **named,
        "x + 1": lambda x: x + 1,
        "1 + x": lambda x: 1 + x,
        "x - 0.5": lambda x: x - 0.5,
        "2 - x": lambda x: 2 - x,
        "x * 3": lambda x: x * 3,
        "x / 255": lambda x: x / 255.0,
        "1 / x": lambda x: 1.0 / x,
        "x ** 2": lambda x: x**2,
        "2 ** x": lambda x: 2.0**x,
        "-x": lambda x: -x,
        "abs(x)": abs,
        "x // 2": lambda x: x // 2,
        "x % 2": lambda x: x % 2,
        "x > 0": lambda x: x > 0,
        "x >= 0.1": lambda x: x >= 0.1,
        "x < 0, logical not": lambda x: tf.logical_not(x < 0),
        "x + array": lambda x: x + np.array([1.0, 2.0, 3.0, 4.0], dtype="float32"),
        "tf.constant - x": lambda x: tf.constant([1.0, 2.0, 3.0, 4.0]) - x,
        "reduce_mean, axis": lambda x: tf.reduce_mean(x, axis=1),
        "reduce_mean, axes, keepdims": lambda x: tf.reduce_mean(x, axis=[1, 2], keepdims=True),
        "reduce_sum, last axis": lambda x: tf.reduce_sum(x, -1),
        "reduce_max, axis": lambda x: tf.reduce_max(x, axis=1),
        "reduce_all": lambda x: tf.reduce_all(x > -1.0, axis=1),
        "reduce_any": lambda x: tf.reduce_any(x > 1.0, axis=1),
        "argmax": lambda x: tf.argmax(x, axis=-1),
        "argmin, int32": lambda x: tf.argmin(x, axis=1, output_type=tf.int32),
        "tf.reshape": lambda x: tf.reshape(x, [-1, 24]),
        "tf.reshape by tf.shape": lambda x: tf.reshape(x, [tf.shape(x)[0], 2, 12]),
        "tf.transpose": lambda x: tf.transpose(x, [0, 2, 1]),
        "tf.expand_dims": lambda x: tf.expand_dims(x, 1),
        "tf.squeeze": lambda x: tf.squeeze(x[:, 1:2], axis=1),
        "tf.concat": lambda x: tf.concat([x, 2 * x], axis=1),
        "tf.concat, last axis": lambda x: tf.concat([x, x, x], -1),
        "tf.stack": lambda x: tf.stack([x, x + 1], axis=1),
        "tf.unstack": lambda x: tf.unstack(x, axis=1)[2],
        "tf.split": lambda x: tf.split(x, 2, axis=1)[1],
        "tf.split, sizes": lambda x: tf.split(x, [1, 2, 3], axis=1),
        "tf.cast": lambda x: tf.cast(x, tf.int32),
        "tf.cast and back": lambda x: tf.cast(tf.cast(x, "float16"), "float32"),
        "tf.where": lambda x: tf.where(x > 0, x, -2.0 * x),
        "tf.where, numbers": lambda x: tf.where(x > 0, 1.0, 0.5),
        "tf.clip_by_value": lambda x: tf.clip_by_value(x, -0.5, 0.7),
        "tf.maximum": lambda x: tf.maximum(x, 0.1),
        "tf.minimum": lambda x: tf.minimum(x, 0.1 * x),
        "tf.add": lambda x: tf.add(x, x),
        "tf.subtract": lambda x: tf.subtract(x, 1.5),
        "tf.multiply": lambda x: tf.multiply(x, x),
        "tf.divide": lambda x: tf.divide(x, 3.0),
        "tf.pow": lambda x: tf.pow(x, 3),
        "tf.add_n": lambda x: tf.add_n([x, x, 2 * x]),
        "tf.matmul": lambda x: tf.matmul(x, x, transpose_b=True),
        "tf.linalg.matmul": lambda x: tf.linalg.matmul(x, tf.transpose(x, [0, 2, 1])),
        "tf.einsum": lambda x: tf.einsum("bij,bkj->bik", x, x),
        "tf.tensordot": lambda x: tf.tensordot(x, np.ones((4, 2), "float32"), axes=1),
        "tf.tile": lambda x: tf.tile(x, [1, 2, 1]),
        "tf.repeat": lambda x: tf.repeat(x, 2, axis=1),
        "tf.reverse": lambda x: tf.reverse(x, axis=[1]),
        "tf.roll": lambda x: tf.roll(x, shift=1, axis=1),
        "tf.pad": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0]]),
        "tf.pad, reflect": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0]], mode="REFLECT"),
        "tf.gather": lambda x: tf.gather(x, [2, 0, 1], axis=1),
        "tf.slice": lambda x: tf.slice(x, [0, 1, 0], [-1, 2, 3]),
        "tf.strided_slice by slice": lambda x: x[:, 1:5:2, :],
        "tf.cumsum": lambda x: tf.cumsum(x, axis=1),
        "tf.cumsum, exclusive": lambda x: tf.cumsum(x, axis=1, exclusive=True),
        "tf.sort": lambda x: tf.sort(x, axis=1),
        "tf.nn.relu": tf.nn.relu,
        "tf.nn.relu6": tf.nn.relu6,
        "tf.nn.elu": tf.nn.elu,
        "tf.nn.selu": tf.nn.selu,
        "tf.nn.silu": tf.nn.silu,
        "tf.nn.gelu": tf.nn.gelu,
        "tf.nn.gelu, approximate": lambda x: tf.nn.gelu(x, approximate=True),
        "tf.nn.leaky_relu": lambda x: tf.nn.leaky_relu(x, alpha=0.3),
        "tf.nn.softmax": lambda x: tf.nn.softmax(x, axis=1),
        "tf.nn.log_softmax": tf.nn.log_softmax,
        "tf.nn.softsign": tf.nn.softsign,
        "tf.nn.l2_normalize": lambda x: tf.nn.l2_normalize(x, axis=-1),
        "tf.nn.moments": lambda x: tf.nn.moments(x, axes=[1]),
        "tf.norm": lambda x: tf.norm(x, axis=-1),
        "tf.norm, keepdims": lambda x: tf.norm(x, ord=1, axis=1, keepdims=True),
        "tf.math.top_k": lambda x: tf.math.top_k(x, 2).values,
        "tf.squared_difference": lambda x: tf.math.squared_difference(x, 1.0),
        "tf.math.divide_no_nan": lambda x: tf.math.divide_no_nan(x, tf.nn.relu(x)),
        "tf.zeros_like": lambda x: x + tf.zeros_like(x),
        "tf.ones_like": lambda x: x * tf.ones_like(x),
        "tf.identity": tf.identity,
        "tf.stop_gradient": tf.stop_gradient,
        "tf.linalg.band_part": lambda x: tf.linalg.band_part(x, -1, 0),
        "tf.math.atan2": lambda x: tf.math.atan2(x, 1.0),
        "logical and": lambda x: tf.logical_and(x > 0, x < 1),
        "equal": lambda x: tf.equal(x, tf.nn.relu(x)),
        "tf.broadcast_to by shape": lambda x: x + tf.broadcast_to(x[:, :1], tf.shape(x)),
    }


def images(tf: Any) -> dict[str, Callable[[Any], Any]]:
    return {
        "tf.image.resize": lambda x: tf.image.resize(x, (4, 5)),
        "tf.image.resize, nearest": lambda x: tf.image.resize(x, (16, 12), method="nearest"),
        "tf.image.resize, bicubic, antialias": lambda x: tf.image.resize(x, (4, 5), method="bicubic", antialias=True),
        "tf.image.flip_left_right": tf.image.flip_left_right,
        "tf.image.rgb_to_grayscale": tf.image.rgb_to_grayscale,
        "tf.image.per_image_standardization": tf.image.per_image_standardization,
        "tf.nn.depth_to_space": lambda x: tf.nn.depth_to_space(tf.concat([x, x, x, x], -1), 2),
        "tf.nn.space_to_depth": lambda x: tf.nn.space_to_depth(x, 2),
        "tf.nn.avg_pool2d": lambda x: tf.nn.avg_pool2d(x, 2, 2, "SAME"),
        "tf.nn.max_pool2d": lambda x: tf.nn.max_pool2d(x, 3, 2, "VALID"),
        "tf.nn.bias_add": lambda x: tf.nn.bias_add(x, [1.0, 2.0, 3.0]),
        "tf.keras.applications preprocessing": lambda x: x[..., ::-1] - [103.939, 116.779, 123.68],
        "tf.nn.conv2d with a constant kernel": lambda x: tf.nn.conv2d(x, np.ones((2, 2, 3, 1), "float32"), 1, "SAME"),
        "tf.pad, image": lambda x: tf.pad(x, [[0, 0], [1, 1], [2, 2], [0, 0]], constant_values=1.0),
    }


def tensor_ops(k: Any) -> Iterator[Case]:
    import tensorflow as tf

    for name, call in slicing().items():
        yield Case(f"SlicingOpLambda/{name}", (STEPS,), call)
    for name, call in unary(tf).items():
        yield Case(f"TFOpLambda/{name}", (STEPS,), call)
    for name, call in images(tf).items():
        yield Case(f"TFOpLambda/{name}", (IMAGE,), call)
    for name in ("log", "sqrt", "rsqrt", "log1p", "lgamma", "digamma"):
        yield Case(f"TFOpLambda/tf.math.{name}", (POSITIVE,), getattr(tf.math, name))
    yield Case("TFOpLambda/tf.one_hot", (INDICES,), lambda x: tf.one_hot(x, 10))
    yield Case(
        "TFOpLambda/tf.one_hot, on and off", (INDICES,), lambda x: tf.one_hot(x, 10, on_value=2.0, off_value=-1.0)
    )
    yield Case("TFOpLambda/int to float", (INDICES,), lambda x: tf.cast(x, "float32") / 10.0)
    yield Case("TFOpLambda/integer arithmetic", (INDICES,), lambda x: (x + 3) * 2 - x // 2)
    yield Case(
        "TFOpLambda/tf.gather, two tensors", (In((10, 3)), INDICES), lambda t, i: tf.gather(t, i, axis=1, batch_dims=1)
    )
    yield Case("TFOpLambda/two tensors", (STEPS, STEPS), lambda a, b: [a + b, a * b, a - b, a / (tf.abs(b) + 1.0)])
    yield Case(
        "TFOpLambda/between layers", (STEPS,), lambda x: k.layers.Dense(3)(tf.nn.relu(k.layers.Dense(5)(x)) * 0.5)
    )
    yield Case("TFOpLambda/one function many times", (STEPS,), lambda x: tf.nn.relu(tf.nn.relu(x - 1) - 0.1) + 1)
    yield Case("TFOpLambda/backend functions", (STEPS,), lambda x: k.backend.mean(k.backend.square(x), axis=1))
    yield Case("TFOpLambda/residual", (STEPS,), lambda x: x + k.layers.Dense(4)(x))
    yield Case(
        "TFOpLambda/mixed with masks",
        (In((5,), "int", steps=(2, 0, 3)),),
        lambda x: k.layers.LSTM(2)(k.layers.Embedding(10, 3, mask_zero=True)(x) * 2.0),
    )

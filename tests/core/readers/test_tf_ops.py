"""TensorFlow calls inside Keras 2 models rebuild as `keras.ops` with TensorFlow's own results."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.analysis.opening import read_model

tf_keras = pytest.importorskip("tf_keras")

Case = Callable[[Any, Any, Any], Any]
CASES: dict[str, Case] = {
    "add": lambda tf, i, j: i + j,
    "constant first": lambda tf, i, j: 2.0 / (3.0 - i),
    "constant array": lambda tf, i, j: i * tf.constant([1.0, 2.0, 3.0]),
    "power": lambda tf, i, j: (i**2) // 0.5,
    "negative": lambda tf, i, j: -i % 2.0,
    "matmul": lambda tf, i, j: tf.matmul(i, j, transpose_b=True),
    "slice": lambda tf, i, j: i[:, 1:3],
    "index": lambda tf, i, j: i[:, 0],
    "ellipsis": lambda tf, i, j: i[..., tf.newaxis, 0],
    "steps": lambda tf, i, j: i[:, ::2, 1:],
    "tf.slice": lambda tf, i, j: tf.slice(i, [0, 1, 0], [-1, 2, 3]),
    "cast": lambda tf, i, j: tf.cast(i * 3.0, "int32"),
    "mean": lambda tf, i, j: tf.reduce_mean(i, [1, 2], keepdims=True),
    "std": lambda tf, i, j: tf.math.reduce_std(i, axis=1),
    "max": lambda tf, i, j: tf.reduce_max(i, axis=1) + tf.reduce_sum(j, axis=1),
    "reshape": lambda tf, i, j: tf.reshape(i, (-1, 12)),
    "reshape by shape": lambda tf, i, j: tf.reshape(i, [tf.shape(i)[0], 12]),
    "concat": lambda tf, i, j: tf.concat([i, j], -1),
    "stack": lambda tf, i, j: tf.stack([i, j], 1),
    "squeeze": lambda tf, i, j: tf.squeeze(tf.expand_dims(i, 1), 1),
    "transpose": lambda tf, i, j: tf.transpose(i, [0, 2, 1]),
    "softmax": lambda tf, i, j: tf.nn.softmax(i) + tf.nn.log_softmax(j),
    "activations": lambda tf, i, j: tf.nn.gelu(tf.nn.relu6(tf.nn.leaky_relu(i, alpha=0.1))) + tf.nn.silu(tf.sigmoid(j)),
    "elementwise": lambda tf, i, j: tf.exp(tf.tanh(i)) + tf.sqrt(tf.abs(j)) + tf.math.rsqrt(tf.abs(i) + 1.0),
    "l2_normalize": lambda tf, i, j: tf.math.l2_normalize(i, axis=-1),
    "clip": lambda tf, i, j: tf.clip_by_value(i, -0.5, 0.5),
    "where": lambda tf, i, j: tf.where(i > 0.0, i, j),
    "logic": lambda tf, i, j: tf.cast(tf.logical_not(i > j), "float32"),
    "tile": lambda tf, i, j: tf.tile(i, [1, 2, 1]),
    "repeat": lambda tf, i, j: tf.repeat(i, 2, axis=1),
    "split": lambda tf, i, j: tf.split(i, 3, axis=-1)[1],
    "unstack": lambda tf, i, j: tf.unstack(i, axis=-1)[0],
    "pad": lambda tf, i, j: tf.pad(i, [[0, 0], [1, 1], [0, 0]]),
    "one_hot": lambda tf, i, j: tf.one_hot(tf.cast(i, "int32"), 5),
    "argmax": lambda tf, i, j: tf.argmax(i, axis=-1),
    "bias_add": lambda tf, i, j: tf.nn.bias_add(i, tf.constant([1.0, 2.0, 3.0])),
    "add_n": lambda tf, i, j: tf.add_n([i, j, i]),
    "resize": lambda tf, i, j: tf.image.resize(tf.expand_dims(i, -1), (8, 6)),
    "gather": lambda tf, i, j: tf.gather(i, [0, 2], axis=1),
    "squared_difference": lambda tf, i, j: tf.math.squared_difference(i, j),
    "pool": lambda tf, i, j: tf.nn.avg_pool2d(tf.expand_dims(i, -1), 2, 2, "VALID"),
    "norm": lambda tf, i, j: tf.norm(i, axis=-1),
    "cumsum": lambda tf, i, j: tf.cumsum(tf.reverse(i, [1]), axis=1),
    "extract_patches": lambda tf, i, j: tf.image.extract_patches(
        tf.reshape(i, (-1, 4, 3, 1)), [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID"
    ),
    "response": lambda tf, i, j: tf.nn.lrn(tf.reshape(i, (-1, 2, 2, 3)), 1, bias=2.0, alpha=0.3, beta=0.75),
    "response by default": lambda tf, i, j: tf.nn.local_response_normalization(tf.reshape(i, (-1, 2, 1, 6))),
    "pools": lambda tf, i, j: (
        tf.nn.max_pool(tf.expand_dims(i, -1), 2, 1, "SAME") + tf.nn.avg_pool(tf.expand_dims(j, -1), 2, 1, "SAME")
    ),
    "bounding box": lambda tf, i, j: tf.image.crop_to_bounding_box(tf.expand_dims(i, -1), 1, 0, 2, 3),
    "colours of gray": lambda tf, i, j: tf.image.grayscale_to_rgb(tf.expand_dims(i, -1)),
    "euclidean norm": lambda tf, i, j: tf.math.reduce_euclidean_norm(tf.ensure_shape(i, (None, 4, 3)), axis=1),
    "depth_to_space": lambda tf, i, j: tf.nn.depth_to_space(tf.reshape(i, (-1, 1, 3, 4)), 2),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_that_a_tensorflow_call_computes_the_same_as_an_operation(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    from tests.core.readers.rebuild import difference, random_inputs, rebuild

    first, second = tf_keras.Input((4, 3)), tf_keras.Input((4, 3))
    old = tf_keras.Model([first, second], CASES[name](tf, first, second))
    path = tmp_path / "model.h5"
    old.save(path)
    source = read_model(path)
    new = rebuild(source)
    inputs = random_inputs(new)
    expected, found = np.asarray(old(inputs)), np.asarray(new(inputs))
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert difference(found, expected) < 1e-5
    assert [source.graph.spec(ref).shape for ref in source.graph.output_refs()] == [
        tuple(item.shape) for item in new.outputs
    ]


def test_that_a_call_without_counterpart_is_named(tmp_path: Path) -> None:
    import tensorflow as tf

    start = tf_keras.Input((4, 3))
    old = tf_keras.Model(start, tf.signal.dct(start))
    path = tmp_path / "model.h5"
    old.save(path)
    findings = [finding for finding in read_model(path).findings if finding.code == "layer.unknown"]
    assert len(findings) == 1
    assert "TFOpLambda" in findings[0].message


@pytest.mark.parametrize("name", ["resize", "tile"])
def test_that_a_size_which_a_tensor_gives_is_not_taken_for_a_number(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    start = tf_keras.Input((None, 4, 3))
    size = tf.shape(start)[1:3]
    end = tf.image.resize(start, size) if name == "resize" else tf.tile(start, tf.concat([[1], size, [1]], 0))
    path = tmp_path / "model.h5"
    tf_keras.Model(start, end).save(path)
    source = read_model(path)
    assert [finding.code for finding in source.findings if finding.severity == "warning"] == ["layer.unknown"]

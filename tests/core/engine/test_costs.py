"""Costs against closed forms and against TensorFlow's own profiler."""

import contextlib
import io
from math import prod
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from keras import layers
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2_as_graph

from core.model.plan import Cost
from tests.core.engine.drive import plan, saved
from tests.core.engine.small_models import MODELS, build
from tests.helpers.models import application

FORMS: dict[str, tuple[tuple[int, ...], list[Any], int]] = {
    "conv": ((20, 24, 3), [layers.Conv2D(8, (3, 5), strides=2, padding="same")], 10 * 12 * 8 * 3 * 5 * 3),
    "valid": ((20, 24, 3), [layers.Conv2D(8, 3, padding="valid")], 18 * 22 * 8 * 9 * 3),
    "grouped": ((20, 20, 6), [layers.Conv2D(8, 3, groups=2, padding="same")], 400 * 8 * 9 * 3),
    "dilated": ((20, 20, 2), [layers.Conv2D(4, 3, dilation_rate=3, padding="same")], 400 * 4 * 9 * 2),
    "depthwise": ((20, 20, 5), [layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")], 400 * 9 * 5 * 2),
    "separable": ((20, 20, 5), [layers.SeparableConv2D(7, 3, padding="same")], 400 * (9 * 5 + 5 * 7)),
    "transposed": ((10, 12, 5), [layers.Conv2DTranspose(3, 4, strides=2, padding="same")], 120 * 16 * 5 * 3),
    "dense": ((9,), [layers.Dense(4)], 36),
    "dense on maps": ((6, 7, 9), [layers.Dense(4)], 42 * 36),
    "1d": ((30, 4), [layers.Conv1D(8, 5, padding="causal")], 30 * 5 * 4 * 8),
    "3d": ((6, 8, 10, 2), [layers.Conv3D(4, 3, padding="same")], 480 * 27 * 2 * 4),
    "lstm": ((12, 5), [layers.LSTM(7)], 12 * 4 * (5 * 7 + 7 * 7)),
    "gru": ((12, 5), [layers.GRU(7)], 12 * 3 * (5 * 7 + 7 * 7)),
    "both ways": ((12, 5), [layers.Bidirectional(layers.SimpleRNN(7))], 2 * 12 * (5 * 7 + 7 * 7)),
    "einsum": ((12, 5), [layers.EinsumDense("abc,cd->abd", output_shape=(12, 7))], 12 * 5 * 7),
    "einsum heads": ((12, 5), [layers.EinsumDense("abc,cde->abde", output_shape=(12, 2, 7))], 12 * 5 * 2 * 7),
    "time distributed": ((4, 10, 10, 3), [layers.TimeDistributed(layers.Conv2D(2, 3, padding="same"))], 400 * 27 * 2),
    "nothing": ((8, 8, 2), [layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D()], 0),
    "locally wrapped": ((8, 8, 2), [layers.SpectralNormalization(layers.Conv2D(4, 3, padding="same"))], 64 * 18 * 4),
}


def cost(model: Any, folder: Path) -> Cost:
    return plan(saved(model, folder)).after


@pytest.mark.parametrize("name", FORMS)
def test_that_multiplications_follow_the_closed_form(name: str, tmp_path: Path) -> None:
    shape, stack, macs = FORMS[name]
    inner = [layer.__class__.from_config(layer.get_config()) for layer in stack]
    model = keras.Sequential([keras.Input(shape), *inner])
    found = cost(model, tmp_path)
    assert found.macs == macs
    assert found.params == model.count_params()
    sizes = [prod(layer.output.shape[1:]) for layer in model.layers]
    assert found.activations == sum(sizes)


def test_that_attention_counts_projections_scores_and_mixture(tmp_path: Path) -> None:
    start = keras.Input((11, 6))
    model = keras.Model(start, layers.MultiHeadAttention(2, 3, value_dim=5)(start, start))
    projections = 11 * (6 * 2 * 3 * 2 + 6 * 2 * 5 + 2 * 5 * 6)
    assert cost(model, tmp_path).macs == projections + 2 * (3 + 5) * 11 * 11


def test_that_a_shared_layer_multiplies_at_each_call_and_is_counted_once(tmp_path: Path) -> None:
    start = keras.Input((10, 10, 4))
    conv = layers.Conv2D(4, 3, padding="same")
    found = cost(keras.Model(start, conv(conv(start))), tmp_path)
    assert found.macs == 2 * 100 * 9 * 16
    assert found.params == 9 * 16 + 4


def test_that_a_shared_model_multiplies_at_each_call(tmp_path: Path) -> None:
    model = build("siamese")
    found = cost(model, tmp_path)
    assert found.params == model.count_params()
    assert found.macs == 2 * (144 * 27 * 4) + 2 * 4 * 4 + 4


@pytest.mark.parametrize("name", MODELS)
def test_that_parameters_are_those_that_keras_counts(name: str, tmp_path: Path) -> None:
    model = build(name)
    found = cost(model, tmp_path)
    assert found.params == model.count_params()
    assert found.trainable_params == sum(prod(weight.shape) for weight in model.trainable_weights)


def test_that_a_model_run_at_every_step_multiplies_at_every_step(tmp_path: Path) -> None:
    found = cost(build("frames"), tmp_path)
    assert found.macs == 4 * (144 * 27 * 4) + 4 * 4 * (4 * 4 + 4 * 4) + 4 * 2


def profiled_macs(model: Any) -> float:
    """Half of the floating point operations that TensorFlow's profiler counts for one sample."""
    signature = [tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
    concrete = tf.function(lambda *inputs: model(inputs[0] if len(inputs) == 1 else list(inputs), training=False))
    _, graph_def = convert_variables_to_constants_v2_as_graph(concrete.get_concrete_function(*signature))
    with tf.Graph().as_default() as graph, contextlib.redirect_stdout(io.StringIO()):
        tf.graph_util.import_graph_def(graph_def, name="")
        options = tf.compat.v1.profiler.ProfileOptionBuilder(
            tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
        )
        profile = tf.compat.v1.profiler.profile(graph, options=options.with_empty_output().build(), cmd="op")
    return float(profile.total_float_ops) / 2


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("MobileNetV2", {"alpha": 0.35, "input_shape": (96, 96, 3)}),
        pytest.param("ResNet50", {"input_shape": (64, 64, 3)}, marks=pytest.mark.slow),
        pytest.param("DenseNet121", {"input_shape": (64, 64, 3)}, marks=pytest.mark.slow),
        ("EfficientNetB0", {"input_shape": (64, 64, 3)}),
        pytest.param("VGG16", {"input_shape": (64, 64, 3), "include_top": False}, marks=pytest.mark.slow),
    ],
)
def test_that_multiplications_are_those_that_tensorflow_counts(name: str, arguments: dict[str, Any]) -> None:
    """The profiler also counts biases, activations and normalisation, which are a few percent."""
    source = application(name, calibrate=False, **arguments)
    found = plan(source).after.macs
    assert found is not None
    expected = profiled_macs(keras.saving.load_model(source, compile=False))
    assert 0.9 * expected < found <= expected

"""The table of weights agrees with what Keras itself stores, class by class."""

from typing import Any

import pytest

from core.layers.weight_table import legacy_order, slots

STEPS, IMAGE, VOLUME = (6, 4), (8, 8, 4), (4, 4, 4, 2)


def _cases(keras: Any) -> dict[str, tuple[Any, Any]]:
    """A layer and what to call it on, by name."""
    layers = keras.layers
    made: dict[str, tuple[Any, Any]] = {
        "EinsumDense": (layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"), STEPS),
        "EinsumDenseNoBias": (layers.EinsumDense("abc,cd->abd", (None, 3)), STEPS),
        "Dense": (layers.Dense(2, use_bias=False), STEPS),
        "Embedding": (layers.Embedding(5, 2), (4,)),
        "ReversibleEmbedding": (layers.ReversibleEmbedding(5, 2, tie_weights=False), (4,)),
        "BatchNormalization": (layers.BatchNormalization(center=False), IMAGE),
        "BatchNormalizationRenorm": (layers.BatchNormalization(renorm=True), IMAGE),
        "LayerNormalization": (layers.LayerNormalization(scale=False), STEPS),
        "RMSNormalization": (layers.RMSNormalization(), STEPS),
        "GroupNormalization": (layers.GroupNormalization(2), IMAGE),
        "SpectralNormalization": (layers.SpectralNormalization(layers.Dense(3)), STEPS),
        "PReLU": (layers.PReLU(), STEPS),
        "Normalization": (layers.Normalization(), STEPS),
        "NormalizationFixed": (layers.Normalization(mean=1.0, variance=2.0), STEPS),
        "LSTM": (layers.LSTM(2, dropout=0.1), STEPS),
        "GRU": (layers.GRU(2, use_bias=False), STEPS),
        "SimpleRNN": (layers.SimpleRNN(2), STEPS),
        "RNN": (layers.RNN(layers.LSTMCell(2)), STEPS),
        "StackedRNNCells": (layers.RNN([layers.LSTMCell(2), layers.LSTMCell(3), layers.GRUCell(2)]), STEPS),
        "ConvLSTM2D": (layers.ConvLSTM2D(2, 2), (3, 6, 6, 2)),
        "Bidirectional": (layers.Bidirectional(layers.GRU(2)), STEPS),
        "TimeDistributed": (layers.TimeDistributed(layers.TimeDistributed(layers.Dense(2))), (3, 4, 5)),
        "Dropout": (layers.Dropout(0.1), STEPS),
        "Conv3D": (layers.Conv3D(2, 2), VOLUME),
        "Conv3DTranspose": (layers.Conv3DTranspose(2, 2), VOLUME),
        "DepthwiseConv1D": (layers.DepthwiseConv1D(2), STEPS),
        "SeparableConv1D": (layers.SeparableConv1D(2, 2), STEPS),
        "SeparableConv2D": (layers.SeparableConv2D(2, 2, use_bias=False), IMAGE),
    }
    for name in ("Conv2D", "Conv2DTranspose"):
        made[name] = (getattr(layers, name)(2, 2), IMAGE)
    for name in ("Conv1D", "Conv1DTranspose"):
        made[name] = (getattr(layers, name)(2, 2), STEPS)
    made["DepthwiseConv2D"] = (layers.DepthwiseConv2D(2), IMAGE)
    return made


NAMES = """
    EinsumDense EinsumDenseNoBias Dense Embedding ReversibleEmbedding BatchNormalization BatchNormalizationRenorm
    LayerNormalization RMSNormalization GroupNormalization SpectralNormalization PReLU Normalization
    NormalizationFixed LSTM GRU SimpleRNN RNN StackedRNNCells ConvLSTM2D Bidirectional TimeDistributed Dropout Conv3D
    Conv3DTranspose DepthwiseConv1D SeparableConv1D SeparableConv2D Conv2D Conv2DTranspose Conv1D Conv1DTranspose
    DepthwiseConv2D
"""


def _stored(layer: Any) -> dict[str, Any]:
    """What Keras's saving code stores of a layer: variables by key."""
    from keras.src.saving import saving_lib

    found: dict[str, Any] = {}

    class Recorder(saving_lib.H5IOStore):
        def __init__(self) -> None:
            self.mode = "w"

        def __bool__(self) -> bool:
            return True

        def make(self, path: str, metadata: Any = None) -> "Recorder":
            self.path = path
            return self

        def __setitem__(self, key: str, value: Any) -> None:
            found[f"{self.path}/vars/{key}".lstrip("/")] = value

    saving_lib._save_state(layer, Recorder(), None, "", set())
    return found


def _check(layer: Any) -> None:
    from keras.src.saving import serialization_lib

    serialised = serialization_lib.serialize_keras_object(layer)
    table = slots(serialised["class_name"], serialised["config"])
    stored = _stored(layer)
    doubled = {"vars/0"} if any(slot.doubled for slot in table) else set()
    assert {slot.key for slot in table} | doubled == set(stored)
    by_id = {id(value): key for key, value in stored.items() if key not in doubled}
    assert [slot.key for slot in table] == [by_id[id(weight)] for weight in layer.weights]
    assert [slot.trainable for slot in table] == [weight.trainable for weight in layer.weights]
    assert [slot.name.rsplit("/", 1)[-1] for slot in table] == [
        weight.path.rsplit("/", 1)[-1] for weight in layer.weights
    ]
    legacy = [by_id[id(weight)] for weight in layer.trainable_weights + layer.non_trainable_weights]
    assert [slot.key for slot in legacy_order(table)] == legacy


@pytest.mark.parametrize("name", NAMES.split())
def test_that_a_class_owns_the_arrays_that_keras_stores(name: str) -> None:
    import keras

    layer, shape = _cases(keras)[name]
    layer(keras.Input(shape))
    _check(layer)


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"])
def test_that_an_attention_layer_owns_the_arrays_that_keras_stores(name: str) -> None:
    import keras

    arguments = {"MultiHeadAttention": (2, 3), "GroupQueryAttention": (3, 4, 2)}.get(name, ())
    layer = getattr(keras.layers, name)(*arguments)
    start = keras.Input(STEPS)
    if arguments:
        layer(start, start)
    else:
        layer([start, start])
    _check(layer)

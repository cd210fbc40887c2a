"""Classes that a person derives from Keras's, as code for either Keras, and one model that uses all of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

CODE = """
import keras

L = keras.layers


class OwnLSTM(L.LSTM):
    pass


class OwnGRU(L.GRU):
    pass


class OwnRNN(L.SimpleRNN):
    pass


class OwnLSTMCell(L.LSTMCell):
    pass


class OwnBidirectional(L.Bidirectional):
    pass


class OwnAttention(L.MultiHeadAttention):
    pass


class OwnDense(L.Dense):
    def __init__(self, units, times=2.0, **rest):
        super().__init__(units, **rest)
        self.times = times

    def call(self, x):
        return super().call(x) * self.times

    def get_config(self):
        return {**super().get_config(), "times": self.times}


class OwnConv(L.Conv1D):
    pass


class OwnNorm(L.BatchNormalization):
    pass


class Gated(L.DepthwiseConv1D):
    def build(self, shape):
        super().build(shape)
        self.gate = self.add_weight(shape=(shape[-1],), name="gate", initializer="ones")

    def call(self, x):
        return super().call(x) * self.gate


class Residual(L.Wrapper):
    def call(self, x):
        return self.layer(x) + 1.0


class Cell(L.Layer):
    def __init__(self, units=4, **rest):
        super().__init__(**rest)
        self.units = self.state_size = self.output_size = units

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), name="w")
        self.u = self.add_weight(shape=(self.units, self.units), name="u")

    def call(self, x, states):
        out = x @ self.w + states[0] @ self.u
        return out, [out]

    def get_config(self):
        return {**super().get_config(), "units": self.units}
"""


def classes(k: Any) -> dict[str, Any]:
    """The classes for Keras 3 or tf-keras."""
    space: dict[str, Any] = {"keras": k}
    exec(CODE.replace("import keras\n", ""), space)
    return {name: thing for name, thing in space.items() if isinstance(thing, type)}


def code_file(folder: Path) -> Path:
    """The code as a person keeps it."""
    path = folder / "own_classes.py"
    path.write_text(CODE)
    return path


def _parts(k: Any, own: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """A use of each kind, from a sequence of five steps with three values each."""
    hard = {"recurrent_activation": "hard_sigmoid"}
    layers = k.layers
    yield "lstm", own["OwnLSTM"](4, return_sequences=True)
    yield "hard_lstm", own["OwnLSTM"](4, **hard)
    yield "gru", own["OwnGRU"](4, reset_after=False, **hard)
    yield "rnn", own["OwnRNN"](4)
    yield "inner", layers.Bidirectional(own["OwnLSTM"](4, **hard))
    yield "outer", own["OwnBidirectional"](layers.GRU(4, **hard))
    yield "both", own["OwnBidirectional"](own["OwnGRU"](4))
    yield "cells", layers.RNN([own["OwnLSTMCell"](4, **hard), layers.GRUCell(3)])
    yield "cell", layers.RNN(own["Cell"](4))
    yield "attention", own["OwnAttention"](2, 3)
    yield "dense", own["OwnDense"](4, times=3.0, activation="hard_sigmoid")
    yield "steps", layers.TimeDistributed(own["OwnDense"](4))
    yield "conv", own["OwnConv"](4, 3, activation="hard_sigmoid")
    yield "norm", own["OwnNorm"]()
    yield "gated", own["Gated"](3)
    yield "wrapper", own["Residual"](layers.Dense(4))
    yield "wrapped", own["Residual"](own["OwnDense"](4))


NAMES = (
    "lstm", "hard_lstm", "gru", "rnn", "inner", "outer", "both", "cells", "cell", "attention", "dense", "steps", "conv",
    "norm", "gated", "wrapper", "wrapped",
)  # fmt: skip
"""The uses in `model_of`, in the order of its outputs."""


def model_of(k: Any, nested: bool = False) -> Any:
    """All of them side by side between two Dense layers, or the same inside a model; one output each."""
    own = classes(k)
    with k.utils.custom_object_scope(own):
        named = dict(_parts(k, own))
    for name, layer in named.items():
        setattr(layer, "name" if k.__name__ == "keras" else "_name", name)
    assert tuple(named) == NAMES
    start = k.Input((5, 3), name="start")
    x = middle = k.layers.Dense(3, name="first")(start)
    if nested:
        middle = k.Input((5, 3), name="middle")
    outs = [layer(middle, middle) if name == "attention" else layer(middle) for name, layer in named.items()]
    if nested:
        outs = k.Model(middle, outs, name="inside")(x)
    outs = [k.layers.Flatten(name=f"flat_{name}")(out) for name, out in zip(named, outs, strict=True)]
    return filled(k.Model(start, [k.layers.Dense(2, name=f"to_{n}")(o) for n, o in zip(named, outs, strict=True)]))


def filled(model: Any, seed: int = 0) -> Any:
    """The model with random arrays, variances positive."""
    draws = np.random.default_rng(seed)
    for weight in model.weights:
        values = draws.normal(size=weight.shape)
        name = getattr(weight, "path", weight.name)
        weight.assign(np.abs(values) + 0.5 if "variance" in name else values)
    return model


def numbers() -> Any:
    """Inputs for `model_of`."""
    return np.random.default_rng(9).normal(size=(3, 5, 3)).astype("float32")

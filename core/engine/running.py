"""Running a live model: every run starts from the state that the model has, and what Keras says of a run is an answer.

A stateful recurrent layer would begin a second run where the first one ended, and the difference would be taken for
drift. So variables that a call changes keep their values: Keras's stateless scope takes the changes and forgets them.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from core.engine.specs import sentence
from core.errors import SutureError
from core.rules.base import Array

_LAST_ONLY = "NHWC"
"""In what TensorFlow says of kernels that know channels last only: on a CPU, those in double precision, and without
oneDNN all. XLA makes kernels for both formats."""


class Unrunnable(SutureError):
    """A model raises when it is run. The message is what Keras or TensorFlow says, as one sentence."""


def structured(model: Any, inputs: Any) -> Any:
    """The outputs at inference, in the model's own nesting. Raises `Unrunnable`."""
    try:
        with keras.StatelessScope():
            return model(inputs, training=False)
    except Exception as error:
        if _LAST_ONLY not in str(error):
            raise Unrunnable(sentence(error)) from error
    try:
        with keras.StatelessScope():
            return tf.function(lambda given: model(given, training=False), jit_compile=True, autograph=False)(inputs)
    except Exception as error:
        raise Unrunnable(sentence(error)) from error


def answers(model: Any, inputs: Any) -> list[Any]:
    """The outputs at inference, flat, in the model's order. Raises `Unrunnable`."""
    found: list[Any] = keras.tree.flatten(structured(model, inputs))
    return found


def numbers(model: Any, inputs: Any) -> list[Array]:
    """`answers` as arrays in double precision; text stays text. Raises `Unrunnable`."""
    return [as_numbers(one) for one in answers(model, inputs)]


def numbers_at(model: Any, tensors: Any, inputs: Any) -> list[Array]:
    """Inner tensors of a model as `numbers`."""
    # Keras complains where a list stands for a single tensor
    inner = keras.Model(model.inputs[0] if len(model.inputs) == 1 else model.inputs, tensors)
    flat = keras.tree.flatten(inputs)
    return numbers(inner, flat[0] if len(flat) == 1 else flat)


def as_numbers(tensor: Any) -> Array:
    """A tensor as an array in double precision; text stays text."""
    array: Array = np.asarray(keras.ops.convert_to_numpy(tensor) if keras.ops.is_tensor(tensor) else tensor)
    return array if array.dtype.kind in "OSU" else array.astype(np.float64)

"""First values of weights that the source does not have: those that Keras itself would start the layer with."""

import zlib
from collections.abc import Mapping

import keras
import numpy as np

from core.edits.set_dtype import in_single_precision
from core.engine.gate import make_layer
from core.engine.specs import recorded_variables, recorded_weights, symbolic_arguments
from core.model.graph import Call, Layer, TensorRef, TensorSpec
from core.rules.base import Array


def initial_arrays(
    first: str, layer: Layer, call: Call, tensors: Mapping[TensorRef, TensorSpec], floats: bool = False
) -> dict[str, Array]:
    """Fresh arrays of one layer by storage key, from its own initializers; the same for the same path every time.

    `first` is the path that the layer came with, so that another name gives no other values. With `floats`, the arrays
    of the layer without its quantization, by their names.
    """
    keras.utils.set_random_seed(zlib.crc32(first.encode()) & 0x7FFFFFFF)
    # drawn as float32 whatever the layer's dtype: other dtypes draw other numbers from the same seed
    fresh = make_layer(in_single_precision(layer, floats))
    args, kwargs = symbolic_arguments(call, dict(tensors))
    fresh(*args, **kwargs)
    variables = dict(recorded_variables(fresh))
    weights = recorded_weights(fresh)
    if floats:
        return {weight.name: np.asarray(variables[weight.key]) for weight in weights}
    return {weight.key: np.asarray(variables[weight.key]) for weight in weights}

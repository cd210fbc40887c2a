"""Where Keras 3.15's shape functions are wrong: what its layers really give, found by running them."""

from typing import Any

import keras


def corrected(layer: Any, args: list[Any], kwargs: dict[str, Any], result: Any) -> Any:
    """The symbolic outputs of a call, put right for the layers whose shape function is known to be wrong."""
    name = type(layer).__name__
    if name == "Bidirectional" and layer.merge_mode == "concat":
        return _two_directions(layer, args, result)
    if name == "MultiHeadAttention" and kwargs.get("return_attention_scores"):
        return _scores(layer, args, kwargs, result)
    if name == "TextVectorization" and getattr(layer, "_output_mode", "int") != "int":
        return _bag(args, result)
    if name in _ENCODERS and layer.output_mode != "int":
        return _encoded(layer, args, result)
    return result


_ENCODERS = frozenset({"Hashing", "StringLookup", "IntegerLookup", "CategoryEncoding"})


def _encoded(layer: Any, args: list[Any], result: Any) -> Any:
    """One-hot adds an axis behind more than one entry; counts and multi-hot take the second axis away."""
    shape, depth = keras.tree.flatten(args)[0].shape, result.shape[-1]
    if layer.output_mode == "one_hot":
        kept = shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape
    else:
        kept = (shape[0], *shape[2:]) if len(shape) > 1 else shape
    return result if len(shape) < 1 else keras.KerasTensor((*kept, depth), dtype=result.dtype, sparse=result.sparse)


def _bag(args: list[Any], result: Any) -> Any:
    """Counted tokens: Keras keeps an axis of length 1 that the layer takes away."""
    shape = keras.tree.flatten(args)[0].shape
    return keras.KerasTensor((*shape[:-1], result.shape[-1]), dtype=result.dtype) if shape[-1:] == (1,) else result


def _two_directions(layer: Any, args: list[Any], result: Any) -> Any:
    """Keras doubles the forward layer's width, though the backward layer may have another."""
    first = keras.tree.flatten(args)[0].shape
    widths = [_first_shape(one.compute_output_shape(first))[-1] for one in (layer.forward_layer, layer.backward_layer)]
    if widths[0] == widths[1]:
        return result
    flat = keras.tree.flatten(result)
    joined = (*flat[0].shape[:-1], sum(widths))
    return [keras.KerasTensor(joined, dtype=flat[0].dtype), *flat[1:]]


def _first_shape(shape: Any) -> Any:
    return shape if shape and not isinstance(shape[0], (list, tuple)) else shape[0]


def _scores(layer: Any, args: list[Any], kwargs: dict[str, Any], result: Any) -> Any:
    """Keras gives the scores the query's length twice; the last one is the value's."""
    given = [*args, *(kwargs[name] for name in ("query", "value") if name in kwargs)]
    out, scores = keras.tree.flatten(result)
    query, value = given[0].shape, given[1].shape
    if len(query) != 3 or len(value) != 3:
        return result
    return [out, keras.KerasTensor((*scores.shape[:-1], value[1]), dtype=scores.dtype)]

"""Live Keras models: the old one rebuilt from its graph, and any model's variables by layer path."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from core.analysis.fates import Move
from core.engine.arrays import Arrays
from core.engine.gate import STORED_CODE, UnknownCode, make_model
from core.engine.low_rank import update_apart
from core.engine.precision import double_model
from core.engine.specs import recorded_variables, sentence
from core.engine.vocabularies import load_other_assets, with_vocabularies
from core.errors import FileError
from core.model.graph import Graph, Layer


def live_model(graph: Graph, moves: tuple[Move, ...], arrays: Arrays, double: bool = False) -> keras.Model:
    """The model that `graph` describes, with the arrays that `moves` name, placed by layer path and storage key.

    With `double` it computes in double precision, and its arrays are not rounded. Raises `FileError` if it needs code
    that Suture does not have, or if Keras refuses it.
    """
    model = bare_model(with_vocabularies(graph, moves, arrays), double)
    by_layer: dict[str, list[Move]] = {}
    for move in moves:
        by_layer.setdefault(move.layer, []).append(move)
    for path, layer, keras_layer in live_layers(graph, model):
        if path not in by_layer or layer.is_model:
            continue
        given = {
            move.key: arrays.values(move, double) for move in by_layer[path] if not move.fate.dtype.startswith("string")
        }
        for key, variable in stored_variables(keras_layer).items():
            if key in given and hasattr(variable, "assign"):  # weights of words are in the configuration
                variable.assign(given[key])
        for mode in ("gptq", "awq"):  # as Keras's own loading does: the arrays were chosen when they were saved
            if getattr(keras_layer, "quantization_mode", None) == mode:
                setattr(keras_layer, f"is_{mode}_calibrated", True)
        if hasattr(keras_layer, "finalize_state"):
            keras_layer.finalize_state()
    load_other_assets(graph, live_layers(graph, model), arrays)
    return model


def bare_model(graph: Graph, double: bool = False) -> keras.Model:
    """The model with Keras's own first values. Raises `FileError`."""
    missing = next((layer.class_name for _, layer in graph.walk() if layer.opaque), None)
    if missing is not None:
        raise _no_code(missing)
    try:
        return double_model(graph) if double else make_model(graph)
    except UnknownCode as error:
        raise _no_code(error.name) from None
    except Exception as error:
        raise FileError(f"Keras cannot build this model: {sentence(error)}", graph=graph.name) from error


def stored_variables(layer: Any) -> dict[str, Any]:
    """The variables of a live layer by storage key; low-rank updates are not added to what they belong to."""
    with update_apart(layer):
        return dict(recorded_variables(layer))


def _no_code(name: str) -> FileError:
    if name == STORED_CODE:
        return FileError(f"The model contains {name} that is not trusted, so it cannot be run.", layer=name)
    return FileError(f"The code of {name} is not available, so the model cannot be run.", layer=name)


def live_layers(graph: Graph, model: Any, prefix: str = "") -> Iterator[tuple[str, Layer, Any]]:
    """`(path, layer, live Keras layer)` for every layer of `graph` that `model` has, nested ones included."""
    inside = {layer.name: layer for layer in getattr(model, "layers", ())}
    for layer in graph.layers:
        found = inside.get(layer.name)
        if found is None:
            continue
        path = prefix + layer.name
        yield path, layer, found
        if layer.inner is not None:
            yield from live_layers(layer.inner, found if layer.inner_key is None else found.layer, path + "/")


def values_equal(first: Any, second: Any) -> bool:
    """The same bits, NaN included."""
    one, two = np.asarray(first), np.asarray(second)
    return one.shape == two.shape and one.dtype == two.dtype and one.tobytes() == two.tobytes()

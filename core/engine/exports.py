"""Formats for running a model rather than editing it: SavedModel, ONNX, LiteRT, written by Keras's own exporter.

Each is run again afterwards by its own runtime, if that is installed, and its outputs held against the model's.
"""

import importlib.util
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from msgspec import Struct

from core.engine.effects import refuse_effects
from core.engine.inputs import ordered, random_inputs
from core.errors import FileError
from core.graph import Graph
from core.rules.base import Array
from core.writers.atomic import replacing


class Export(Struct, frozen=True):
    """One format: Keras's name for it, the packages that write it, the one that runs it, and the extra they come in."""

    name: str
    keras_format: str
    writes: tuple[str, ...] = ()
    runs: str | None = None
    extra: str = ""


EXPORTS = {
    ".savedmodel": Export("SavedModel", "tf_saved_model"),
    ".onnx": Export("ONNX", "onnx", ("tf2onnx", "onnx"), "onnxruntime", "onnx"),
    ".tflite": Export("LiteRT", "litert", ("ai_edge_litert",), "ai_edge_litert", "litert"),
}


def write_export(model: keras.Model, graph: Graph, ending: str, out: Path) -> int:
    """Write a live model and return the size in bytes. Raises `FileError` if a package is missing or Keras refuses."""
    export = EXPORTS[ending]
    missing = [name for name in export.writes if importlib.util.find_spec(name) is None]
    if missing:
        raise FileError(
            f"Writing {export.name} needs {' and '.join(missing)}: pip install 'suture[{export.extra}]'.", path=str(out)
        )
    # The ONNX exporter wants a model that was called.
    model(ordered(graph, random_inputs(graph, 1)), training=False)
    with replacing(out) as partial:
        # Keras's exporters look at the ending, so the partial file keeps it.
        place = partial.with_name(partial.name + (ending if ending != ".savedmodel" else ""))
        try:
            model.export(str(place), format=export.keras_format, verbose=False)
        except OSError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise FileError(f"Keras cannot export this model as {export.name}: {reason}", path=str(out)) from error
        size = _size(place)
        if place != partial:
            place.replace(partial)
    return size


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())


def exported_drift(model: keras.Model, graph: Graph, ending: str, out: Path) -> float | None:
    """The largest relative difference between an exported model and the live one; `None` without a runtime."""
    export = EXPORTS[ending]
    if export.runs is not None and importlib.util.find_spec(export.runs) is None:
        return None
    arrays = [random_inputs(graph)[layer.name] for layer in graph.input_layers()]
    wanted = [np.asarray(one) for one in keras.tree.flatten(model(_nested(graph, arrays), training=False))]
    found = {".savedmodel": _run_saved_model, ".onnx": _run_onnx, ".tflite": _run_litert}[ending](out, arrays)
    if len(found) != len(wanted):
        return float("inf")
    # Runtimes may order several outputs by name; each wanted one is held against its nearest of the same shape.
    return max(min(_relative(one, other) for other in found) for one in wanted)


def _nested(graph: Graph, arrays: list[Array]) -> Any:
    return ordered(graph, {layer.name: array for layer, array in zip(graph.input_layers(), arrays, strict=True)})


def _relative(wanted: Array, found: Array) -> float:
    if wanted.shape != found.shape:
        return float("inf")
    scale = float(np.max(np.abs(wanted))) or 1.0
    return float(np.max(np.abs(wanted.astype(np.float64) - found.astype(np.float64)))) / scale


def _run_saved_model(out: Path, arrays: list[Array]) -> list[Array]:
    refuse_effects(out)
    restored = tf.saved_model.load(str(out))
    return [np.asarray(one) for one in tf.nest.flatten(restored.serve(*arrays))]


def _run_onnx(out: Path, arrays: list[Array]) -> list[Array]:
    runtime: Any = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(os.fspath(out), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return [np.asarray(one) for one in session.run(None, dict(zip(names, arrays, strict=True)))]


def _run_litert(out: Path, arrays: list[Array]) -> list[Array]:
    interpreter_module: Any = importlib.import_module("ai_edge_litert.interpreter")
    interpreter = interpreter_module.Interpreter(model_path=os.fspath(out))
    details = interpreter.get_input_details()
    for detail, array in zip(details, arrays, strict=True):
        interpreter.resize_tensor_input(detail["index"], array.shape)
    interpreter.allocate_tensors()
    for detail, array in zip(details, arrays, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]

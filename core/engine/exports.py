"""Formats for running a model rather than editing it: SavedModel, ONNX, LiteRT, written by Keras's own exporter.

Each is run again afterwards by its own runtime, if that is installed, and its outputs held against the model's: inputs
and outputs are those of the same name, or of the same place in the structure that the model is called with.
"""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from msgspec import Struct

from core.engine.contracts import relative
from core.engine.effects import refuse_effects
from core.engine.running import Unrunnable, answers, as_numbers, structured
from core.engine.specs import sentence
from core.errors import FileError
from core.model.graph import Graph
from core.rules.base import Array
from core.surgery.inputs import ordered
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


def write_export(model: keras.Model, graph: Graph, ending: str, out: Path, given: Mapping[str, Array]) -> int:
    """Write a live model and return the size in bytes; `given` are inputs to call it with, by name.

    Raises `FileError` if a package is missing, the model does not run or Keras refuses it.
    """
    export = EXPORTS[ending]
    missing = [name for name in export.writes if importlib.util.find_spec(name) is None]
    if missing:
        raise FileError(
            f"Writing {export.name} needs {' and '.join(missing)}; run: pip install 'suture[{export.extra}]'.",
            path=str(out),
        )
    # The ONNX exporter wants a model that was called; one with a state of its own keeps that.
    try:
        answers(model, ordered(graph, given))
    except Unrunnable as error:
        raise FileError(f"The model does not run, so it cannot be exported: {error.message}", path=str(out)) from error
    with replacing(out) as partial:
        # Keras's exporters look at the ending, so the partial file keeps it.
        place = partial.with_name(partial.name + (ending if ending != ".savedmodel" else ""))
        try:
            model.export(str(place), format=export.keras_format, verbose=False)
        except OSError:
            raise
        except Exception as error:
            reason = sentence(error)[:300]
            raise FileError(f"Keras cannot export this model as {export.name}: {reason}", path=str(out)) from error
        size = size_of(place)
        if place != partial:
            place.replace(partial)
    return size


def size_of(path: Path) -> int:
    """The bytes of a file, or of all the files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())


def missing_runtime(ending: str) -> str | None:
    """The package that would run a format, where it is not installed."""
    runs = EXPORTS[ending].runs
    return runs if runs is not None and importlib.util.find_spec(runs) is None else None


def exported_drift(model: keras.Model, graph: Graph, ending: str, out: Path, given: Mapping[str, Array]) -> float:
    """The largest relative difference between an exported model and the live one on the inputs `given`, by name.

    Raises `Unrunnable` with what a runtime says of the file, `FileError` for one that does more than compute.
    """
    inputs = ordered(graph, given)
    wanted = _named(structured(model, inputs))
    if ending == ".savedmodel":
        refuse_effects(out)
    run = {".savedmodel": _run_saved_model, ".onnx": _run_onnx, ".tflite": _run_litert}[ending]
    try:
        found = run(out, inputs, given)
    except Exception as error:
        raise Unrunnable(sentence(error)) from error
    if not wanted or len(found) != len(wanted):
        return float("inf")
    if found.keys() != wanted.keys():
        found = dict(zip(wanted, found.values(), strict=True))  # a runtime that has names of its own keeps the order
    return max(relative(found[name], array) for name, array in wanted.items())


def _named(outputs: Any) -> dict[str, Array]:
    """Outputs by the names that TensorFlow's signatures give them: the keys of a dict, else `output_0` and so on."""
    flat = [as_numbers(one) for one in tf.nest.flatten(outputs)]
    if isinstance(outputs, dict) and len(outputs) == len(flat):
        return dict(zip(sorted(outputs), flat, strict=True))
    return {f"output_{number}": array for number, array in enumerate(flat)}


def _run_saved_model(out: Path, inputs: Any, given: Mapping[str, Array]) -> dict[str, Array]:
    restored = tf.saved_model.load(str(out))
    return _named(restored.serve(tf.nest.map_structure(tf.constant, inputs)))


def _run_onnx(out: Path, inputs: Any, given: Mapping[str, Array]) -> dict[str, Array]:
    runtime: Any = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(os.fspath(out), providers=["CPUExecutionProvider"])
    fed = _by_name([one.name for one in session.get_inputs()], inputs, given)
    names = [one.name for one in session.get_outputs()]
    return {name: as_numbers(array) for name, array in zip(names, session.run(names, fed), strict=True)}


def _run_litert(out: Path, inputs: Any, given: Mapping[str, Array]) -> dict[str, Array]:
    interpreter_module: Any = importlib.import_module("ai_edge_litert.interpreter")
    interpreter = interpreter_module.Interpreter(model_path=os.fspath(out))
    (name, signature), *_ = interpreter.get_signature_list().items()
    found = interpreter.get_signature_runner(name)(**_by_name(signature["inputs"], inputs, given))
    return {name: as_numbers(array) for name, array in found.items()}


def _by_name(names: Sequence[str], inputs: Any, given: Mapping[str, Array]) -> dict[str, Array]:
    """Inputs under a runtime's names: those of the model's inputs, or in the order of the signature."""
    bare = {name: name.partition(":")[0] for name in names}
    if set(bare.values()) == set(given):
        return {name: given[plain] for name, plain in bare.items()}
    return dict(zip(names, tf.nest.flatten(inputs), strict=True))

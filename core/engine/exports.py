"""Formats for running a model rather than editing it: SavedModel, ONNX, LiteRT.

Each is run again afterwards by its own runtime, if that is installed, and its outputs held against the model's by
name: those of the model's input layers, of its output layers or of the keys of its dict.
"""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from msgspec import Struct

from core.engine.contracts import relative
from core.engine.effects import refuse_effects
from core.engine.litert_export import write_litert
from core.engine.onnx_export import write_onnx
from core.engine.running import Unrunnable, answers, as_numbers, structured
from core.engine.specs import sentence
from core.engine.traced import output_names, signature
from core.errors import FileError, SutureError
from core.model.graph import Graph
from core.rules.base import Array
from core.surgery.inputs import ordered
from core.writers.atomic import replacing


class Export(Struct, frozen=True):
    """One format: what runs it, the packages that write it and the one that runs it, and the extra they come in."""

    name: str
    runtime: str
    writes: tuple[str, ...] = ()
    runs: str | None = None
    extra: str = ""


EXPORTS = {
    ".savedmodel": Export("SavedModel", "TensorFlow"),
    ".onnx": Export("ONNX", "ONNX Runtime", ("tf2onnx", "onnx"), "onnxruntime", "onnx"),
    ".tflite": Export("LiteRT", "LiteRT", (), "ai_edge_litert", "litert"),
}


def write_export(
    model: keras.Model, graph: Graph, ending: str, out: Path, given: Mapping[str, Array], about: Mapping[str, str]
) -> int:
    """Write a live model and return the size in bytes; `given` are inputs to call it with, by name.

    `about` goes into the file as metadata, where the format has a place for it. Raises `FileError` if a package is
    missing, the model does not run or the format cannot hold it.
    """
    export = EXPORTS[ending]
    missing = [name for name in export.writes if importlib.util.find_spec(name) is None]
    if missing:
        raise FileError(
            f"Writing {export.name} needs {' and '.join(missing)}; run: pip install 'suture[{export.extra}]'.",
            path=str(out),
        )
    try:
        # Keras exports only a model that was called; one with a state of its own keeps that.
        answers(model, ordered(graph, given))
    except Unrunnable as error:
        raise FileError(f"The model does not run, so it cannot be exported: {error.message}", path=str(out)) from error
    with replacing(out) as partial:
        try:
            if ending == ".savedmodel":
                model.export(str(partial), format="tf_saved_model", verbose=False)
            elif ending == ".onnx":
                write_onnx(model, signature(model, graph, given), partial, about)
            else:
                write_litert(model, graph, partial, given)
        except (OSError, SutureError):
            raise
        except Exception as error:
            reason = sentence(error)[:300]
            raise FileError(f"This model cannot be exported as {export.name}: {reason}", path=str(out)) from error
        return size_of(partial)


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

    All samples are run at once and then the first alone, so that two batch sizes are compared; a file for one sample
    runs them one by one. Raises `Unrunnable` with what a runtime says of the file, `FileError` for one that does more
    than compute.
    """
    if ending == ".savedmodel":
        refuse_effects(out)
    fixed = any((graph.spec(ref).shape or (None,))[0] is not None for ref in graph.input_refs())
    batches = [given] if fixed else [given, {name: array[:1] for name, array in given.items()}]
    runtime = {".savedmodel": _SavedModel, ".onnx": _Onnx, ".tflite": _LiteRT}[ending]
    try:
        run = runtime(out)
        return max(_drift(model, graph, run, one) for one in batches)
    except Unrunnable:
        raise
    except Exception as error:
        raise Unrunnable(sentence(error)) from error


def _drift(model: keras.Model, graph: Graph, run: Any, given: Mapping[str, Array]) -> float:
    inputs = ordered(graph, given)
    outputs = structured(model, inputs)
    flat = [as_numbers(one) for one in keras.tree.flatten(outputs)]
    found = run(inputs, given)
    names = next((one for one in (output_names(graph, outputs), _keras_names(outputs)) if set(one) == set(found)), ())
    if not flat or len(names) != len(flat):
        return float("inf")
    return max(relative(found[name], array) for name, array in zip(names, flat, strict=True))


def _keras_names(outputs: Any) -> tuple[str, ...]:
    """Outputs by the names that Keras's signatures give them: the keys of a dict, else `output_0` and so on."""
    count = len(keras.tree.flatten(outputs))
    if isinstance(outputs, dict) and len(outputs) == count:
        return tuple(map(str, sorted(outputs)))
    return tuple(f"output_{number}" for number in range(count))


class _SavedModel:
    """TensorFlow itself."""

    def __init__(self, out: Path) -> None:
        self._restored = tf.saved_model.load(str(out))

    def __call__(self, inputs: Any, given: Mapping[str, Array]) -> dict[str, Array]:
        outputs = self._restored.serve(tf.nest.map_structure(tf.constant, inputs))
        return dict(zip(_keras_names(outputs), map(as_numbers, tf.nest.flatten(outputs)), strict=True))


class _Onnx:
    """ONNX Runtime, on the processor."""

    def __init__(self, out: Path) -> None:
        runtime: Any = importlib.import_module("onnxruntime")
        self._session = runtime.InferenceSession(os.fspath(out), providers=["CPUExecutionProvider"])

    def __call__(self, inputs: Any, given: Mapping[str, Array]) -> dict[str, Array]:
        fed = _by_name([one.name for one in self._session.get_inputs()], inputs, given)
        names = [one.name for one in self._session.get_outputs()]
        return {name: as_numbers(array) for name, array in zip(names, self._session.run(names, fed), strict=True)}


class _LiteRT:
    """LiteRT's interpreter. A file for one sample is run sample by sample."""

    def __init__(self, out: Path) -> None:
        module: Any = importlib.import_module("ai_edge_litert.interpreter")
        self._interpreter = module.Interpreter(model_path=os.fspath(out))
        (self._name, self._signature), *_ = self._interpreter.get_signature_list().items()
        shapes = [one["shape_signature"] for one in self._interpreter.get_input_details()]
        self._single = any(len(shape) and shape[0] == 1 for shape in shapes)

    def __call__(self, inputs: Any, given: Mapping[str, Array]) -> dict[str, Array]:
        run = self._interpreter.get_signature_runner(self._name)
        fed = _by_name(self._signature["inputs"], inputs, given)
        if not self._single:
            return {name: as_numbers(array) for name, array in run(**fed).items()}
        count = min(len(array) for array in fed.values())
        samples = ({name: array[at : at + 1] for name, array in fed.items()} for at in range(count))
        found = [{name: as_numbers(array) for name, array in run(**one).items()} for one in samples]
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def _by_name(names: Sequence[str], inputs: Any, given: Mapping[str, Array]) -> dict[str, Array]:
    """Inputs under a runtime's names: those of the model's inputs, or in the order of the signature."""
    bare = {name: name.partition(":")[0] for name in names}
    if set(bare.values()) == set(given):
        return {name: given[plain] for name, plain in bare.items()}
    return dict(zip(names, tf.nest.flatten(inputs), strict=True))

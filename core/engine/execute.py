"""From a plan to a file: the only effect Suture has."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from core import __version__
from core.analysis.fates import Move
from core.edits.set_trainable import forgets_flag
from core.engine.arrays import Arrays
from core.engine.build import live_model
from core.engine.exports import EXPORTS, write_export
from core.engine.formats import format_findings
from core.engine.low_rank import has_update, without_updates
from core.engine.planner import Planned
from core.engine.shapes import Shaper
from core.engine.sizes import trial_sizes
from core.engine.specs import Specs
from core.engine.vocabularies import asset_names, with_vocabularies
from core.errors import FileError, PlanRefused, SutureError
from core.model.graph import Layer
from core.model.order import storage_prefixes
from core.readers.sniff import Format, sniff
from core.readers.source import Source
from core.surgery.inputs import random_inputs
from core.writers.atomic import check_destination
from core.writers.config import model_config
from core.writers.h5_file import PlacedArray, write_h5
from core.writers.keras_file import StoredArray, StoredLayer, write_keras, write_weights

Progress = Callable[[str, float], None]
ENDINGS = (".keras", ".h5", ".hdf5", ".weights.h5", *EXPORTS)


def quiet(stage: str, fraction: float) -> None:
    """A progress function for nobody."""


def output_format(out: Path) -> str:
    """The ending that decides the format. Raises `FileError`."""
    name = out.name.lower()
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if name.endswith(ending):
            return ending
    wanted = ", ".join(sorted(ENDINGS))
    raise FileError(f"{out.name} has no known extension; use one of {wanted}.", path=str(out))


def refuse_errors(planned: Planned) -> None:
    """Raise `PlanRefused` if the plan has errors."""
    errors = [finding for finding in planned.plan.findings if finding.severity == "error"]
    if errors:
        more = f" ({len(errors)} errors in total)" if len(errors) > 1 else ""
        raise PlanRefused(f"Nothing was written: {errors[0].message}{more}", plan=planned.plan)


def execute(planned: Planned, files: Mapping[int, Source], out: Path, progress: Progress = quiet) -> int:
    """Write the new model and return the file's size in bytes.

    `files` are the source (0) and the recipe's weight files. Raises `PlanRefused`, `FileError`.
    """
    ending = output_format(out)
    check_destination(out, *used_paths(files))
    refuse_errors(planned)
    for number, source in files.items():
        _check_opaque(planned, source, number, ending, out)
    format_findings(planned.plan.graph, files[0], ending)
    with Arrays(planned.plan.graph, files) as arrays:
        try:
            if ending in EXPORTS:
                progress("building", 0.1)
                model = live_model(planned.plan.graph, planned.moves, arrays)
                progress("exporting", 0.4)
                known = with_vocabularies(planned.plan.graph, planned.moves, arrays)
                given = random_inputs(known, 1, sizes=trial_sizes(Shaper(Specs()), planned.plan.graph))
                about = {"suture": __version__, "source": Path(files[0].path).name}
                return write_export(model, planned.plan.graph, ending, out, given, about)
            if ending in {".h5", ".hdf5"}:
                return _h5(planned, arrays, out, progress)
            layers, stored = _stored(planned, arrays, progress)
            if ending == ".weights.h5":
                return write_weights(out, layers, stored)
            assets = _assets(planned, files[0], arrays)
            config = {**files[0].metadata, **model_config(planned.plan.graph)} if planned.plan.graph.opaque else None
            return write_keras(out, config or model_config(planned.plan.graph), _metadata(), layers, stored, assets)
        except SutureError:
            raise
        except (MemoryError, tf.errors.ResourceExhaustedError) as error:
            raise FileError("There is not enough memory to write this model.", path=str(out)) from error


def used_paths(files: Mapping[int, Source]) -> list[Path]:
    """The files that a result is made from, which it must not be written over."""
    return [Path(path) for one in files.values() for path in (one.path, one.weights_path) if path is not None]


def _check_opaque(planned: Planned, source: Source, number: int, ending: str, out: Path) -> None:
    """Arrays of layers without code keep the order of their file, so they stay in its format. Raises `FileError`."""
    graph = planned.plan.graph
    kind = sniff(Path(source.weights_path or source.path))
    if source.kind == "weights" and not number and not (kind is Format.KERAS_WEIGHTS and ending == ".weights.h5"):
        raise FileError(
            f"{Path(source.path).name} contains weights without an architecture, so no model can be written from it; "
            "open it together with its architecture, or use its arrays in another model with transfer_weights.",
            path=str(out),
        )
    wanted = _KEEPS.get(kind, ())
    carried = [
        path
        for path, layer in graph.walk()
        if layer.opaque and any(one.source is not None and one.source.file == number for one in layer.weights)
    ]
    if ending in wanted or not (carried or (graph.opaque and not number)):
        return
    name = carried[0] if carried else graph.class_name
    if not wanted:
        raise FileError(
            f"The code of {name} is not available, and its arrays come from a {_SAID.get(kind, 'file')}, which does "
            "not store them in an order that other formats can use; name the Python file that defines it.",
            path=str(out),
        )
    raise FileError(
        f"The code of {name} is not available, so its arrays can only be written in their original format; write "
        f"{'an .h5' if '.h5' in wanted else 'a .keras'} file, or name the Python file that defines it.",
        path=str(out),
    )


_KEEPS = {
    **dict.fromkeys((Format.HDF5_MODEL, Format.HDF5_WEIGHTS), (".h5", ".hdf5")),
    **dict.fromkeys((Format.KERAS, Format.KERAS_WEIGHTS, Format.JSON), (".keras", ".weights.h5")),
}
"""Endings of the files that keep arrays as the formats do that they come from."""
_SAID = {Format.CHECKPOINT: "checkpoint", Format.SAVED_MODEL: "SavedModel"}


def _metadata() -> dict[str, Any]:
    saved = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d@%H:%M:%S")
    return {"keras_version": keras.__version__, "date_saved": saved}


def storage_keys(planned: Planned) -> tuple[list[StoredLayer], dict[str, str]]:
    """Every stored layer's place, and the storage prefix of each layer path."""
    graph = planned.plan.graph
    layers = [StoredLayer("", graph.name)]
    prefixes: dict[str, str] = {}
    if graph.opaque:
        return layers, prefixes
    for path, prefix, layer in storage_prefixes(graph):
        layers.append(StoredLayer(prefix, layer.name))
        prefixes[path] = prefix
    return layers, prefixes


def _stored(planned: Planned, arrays: Arrays, progress: Progress) -> tuple[list[StoredLayer], Iterator[StoredArray]]:
    layers, prefixes = storage_keys(planned)
    moves = [move for move in planned.moves if not move.fate.dtype.startswith("string")]

    def stream() -> Iterator[StoredArray]:
        total = sum(_elements(move) for move in moves) or 1
        done = 0
        for move in moves:
            progress("writing", done / total)
            key = f"{prefixes[move.layer]}/{move.key}" if move.layer in prefixes else _own_key(move)
            yield StoredArray(key, arrays.values(move), move.fate.dtype)
            done += _elements(move)

    return layers, stream()


def _own_key(move: Move) -> str:
    """Inside a model whose class is unknown, an array stays where it was."""
    if move.source is None:
        raise FileError(
            f"{move.fate.weight} is new, but only the code of {move.layer} knows where its arrays are stored; "
            "name the Python file that defines it."
        )
    return move.source.key


def _elements(move: Move) -> int:
    size = 1
    for count in move.fate.shape:
        size *= count
    return size


def _h5(planned: Planned, arrays: Arrays, out: Path, progress: Progress) -> int:
    graph = planned.plan.graph
    half = next((move.fate.weight for move in planned.moves if move.fate.dtype == "bfloat16"), None)
    if half is not None:
        raise FileError(
            f"{half} is bfloat16, which Keras cannot read back from an .h5 file; write a .keras file.", path=str(out)
        )
    placed: dict[str, list[PlacedArray]] = {}
    layers = graph.by_path()
    moves = planned.moves
    for index, move in enumerate(moves):
        layer = layers[move.layer]
        if has_update(layer):
            trainable = layer.trainable  # its arrays are the sums, in a plain layer
        elif _is_state(planned, move):
            continue  # legacy files hold a layer's weights alone, each once
        else:
            trains = layer.trainable or ("/" in move.name and forgets_flag(layer))
            trainable = trains and _trains(planned, layer, move)
        placed.setdefault(move.layer, []).append(PlacedArray(move.layer, move.name, trainable, index))

    def values(index: int) -> Any:
        progress("writing", index / max(len(moves), 1))
        return arrays.values(moves[index])

    config = model_config(without_updates(with_vocabularies(graph, moves, arrays)))
    return write_h5(out, graph, config, keras.__version__, placed, values)


def _is_state(planned: Planned, move: Move) -> bool:
    """Whether an array is no weight of its layer: a seed, or what a wrapper lists a second time."""
    answer = planned.shaped.needs.get(move.layer)
    return any(weight.state and weight.key == move.key for weight in answer.weights) if answer else False


def _trains(planned: Planned, layer: Layer, move: Move) -> bool:
    """Whether a weight is one that trains where its layer does."""
    answer = planned.shaped.needs.get(move.layer)
    weights = layer.weights if answer is None else answer.weights
    return next((weight.trainable for weight in weights if weight.name == move.name), True)


def _assets(planned: Planned, source: Source, arrays: Arrays) -> list[tuple[str, bytes]]:
    """Vocabularies and the like, moved to where their layers are now."""
    named = asset_names(planned.plan.graph, source)
    if not named:
        return []
    prefixes = {path: prefix for path, prefix, _ in storage_prefixes(planned.plan.graph)}
    return [
        (f"assets/{prefixes[path]}/{rest}", arrays.asset(name)) for path, names in named.items() for rest, name in names
    ]

"""Keras as the judge: the written file is loaded by plain Keras, run, and held against the source and its contracts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from core.analysis.fates import Move
from core.analysis.opening import read_model
from core.engine.arrays import Arrays
from core.engine.build import bare_model, live_layers, live_model, stored_variables, values_equal
from core.engine.contracts import EXACT, ROUNDS, WITHOUT_DOUBLE, Pair, check_contract, relative
from core.engine.execute import Progress, output_format, quiet
from core.engine.exports import EXPORTS, exported_drift, missing_runtime
from core.engine.gate import STORED, foreign_classes, registered
from core.engine.planner import Planned, Planner
from core.engine.running import Unrunnable, numbers
from core.engine.sizes import trial_sizes
from core.engine.specs import sentence
from core.engine.stages import Stage, Step
from core.engine.stranger import Sizes, another, difference, from_files
from core.engine.training import training_gap
from core.engine.vocabularies import with_vocabularies
from core.errors import FileError, SutureError
from core.layers.foreign import code_marks, foreign_models
from core.model.graph import Graph, Layer, Shape, StoreKey
from core.model.plan import ContractResult, Verification
from core.phrases import shape_words
from core.readers import open_store
from core.readers.formats.raw import raw_config, refuse_disguise
from core.readers.source import Source, WeightStore
from core.reports import own_fault
from core.rules.base import Array
from core.surgery.contracts import SameInput
from core.surgery.inputs import ordered, random_inputs
from core.writers.config import model_config

COMPARING, OUTPUTS = "comparing weights", "comparing outputs"
"""Stages of a check."""
_BATCH = 2
"""Samples for the statistics of a batch."""


def verify(
    planner: Planner,
    planned: Planned,
    files: Mapping[int, Source],
    out: Path,
    progress: Progress = quiet,
    own_inputs: Mapping[str, Array] | None = None,
) -> Verification:
    """Check a written file. `own_inputs` are the person's arrays by input name, instead of seeded random ones.

    A mistake of our own in checking is no fault of the file: it is told as such, with its report.
    """
    try:
        return _verify(planner, planned, files, out, progress, own_inputs)
    except (SutureError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - it goes to a report, and the file stays unverified
        fault = own_fault(error, f"checking {out.name}")
        return Verification(False, False, True, message=fault.message, report=fault.fields["report"])


def _verify(
    planner: Planner,
    planned: Planned,
    files: Mapping[int, Source],
    out: Path,
    progress: Progress,
    own_inputs: Mapping[str, Array] | None,
) -> Verification:
    progress("reloading", 0.0)
    graph = planned.plan.graph
    unknown = sorted({f"{path} ({layer.class_name})" for path, layer in graph.walk() if layer.opaque})
    unknown += [f"{path or 'the model'} ({name})" for path, name in foreign_models(graph, registered)]
    if graph.opaque or unknown:
        names = ", ".join(unknown[:3]) or graph.class_name
        wrong, shapes = _read_back(planned, files, out, progress)
        message = f"Read back array by array but not run, because the code of {names} is not available."
        message = difference(planned, shapes, wrong, out.name) or message
        proved, count = from_files(planned, wrong), len(planned.moves)
        return Verification(False, False, not wrong, (), message, skipped=True, arrays=count, from_files=proved)
    sizes = trial_sizes(planner.shaper, graph)
    if (ending := output_format(out)) in EXPORTS:
        return _exported(planned, files, ending, out, sizes, progress)
    with Arrays(graph, files) as arrays:
        known = with_vocabularies(graph, planned.moves, arrays)
        try:
            model = _load(planned, out, known) if ending == ".weights.h5" else _load(planned, out)
        except SutureError as error:
            message = another(planned, _described(out), out.name) or error.message
            return Verification(False, False, False, message=message)
        held, wrong = held_weights(planned, model, arrays, progress)
        progress("running", 0.0)
        given = {**random_inputs(known, _BATCH, sizes=sizes), **(own_inputs or {})}
        forward, message = runs(planned, model, given)
        gap = _training_gap(planned, model, given) if forward else None
    results: list[ContractResult] = []
    by_layer: tuple[tuple[str, float], ...] = ()
    if forward:
        results, by_layer, trouble = _contracts(planner, planned, files, model, own_inputs, progress)
        message = message or trouble
    if wrong:
        message = difference(planned, shapes_of(planned, model), wrong, out.name)
    found, proved = tuple(results), from_files(planned, wrong)
    return Verification(
        True, forward, not wrong, found, message, by_layer, training_gap=gap, arrays=held, from_files=proved
    )


def _described(out: Path) -> dict[str, Sizes] | None:
    """The shapes of a file's weights as Suture's reader sees them; `None` where it does not see the layers."""
    try:
        found = read_model(out)
    except SutureError:
        return None
    if found.kind != "model" or found.graph.opaque:
        return None
    return {f"{path}/{one.name}": one.shape for path, layer in found.graph.walk() for one in layer.weights}


def _read_back(
    planned: Planned, files: Mapping[int, Source], out: Path, progress: Progress
) -> tuple[list[str], dict[str, Sizes]]:
    """The planned weights whose array the written file, opened by Suture's own reader, does not hold bit for bit, and
    the shapes of those that it has.
    """
    wrong: list[str] = []
    shapes: dict[str, Sizes] = {}
    written = read_model(out)
    held = written.graph.by_path()
    places: dict[str, int] = {}
    with Arrays(planned.plan.graph, files) as arrays, open_store(written) as store:
        for number, move in enumerate(planned.moves):
            progress(COMPARING, number / len(planned.moves))
            place = places[move.layer] = places.get(move.layer, -1) + 1
            found = move.source if planned.plan.graph.opaque else _held(held.get(move.layer), move, place)
            array = None if found is None else _stored(store, found)
            if array is not None:
                shapes[move.fate.weight] = array.shape
            if array is None or not values_equal(array, arrays.values(move)):
                wrong.append(move.fate.weight)
    return wrong, shapes


def _stored(store: WeightStore, place: StoreKey) -> Array | None:
    """An array of the written file; `None` where it has none there."""
    try:
        return store.read(place.key)
    except FileError:
        return None


def shapes_of(planned: Planned, model: Any) -> dict[str, Sizes]:
    """The shapes of the planned weights that a loaded model has."""
    live = {path: stored_variables(layer) for path, _, layer in live_layers(planned.plan.graph, model)}
    pairs = ((move.fate.weight, live.get(move.layer, {}).get(move.key)) for move in planned.moves)
    return {name: tuple(variable.shape) for name, variable in pairs if variable is not None}


def _held(layer: Layer | None, move: Move, place: int) -> StoreKey | None:
    """Where the written file has a move's array: by key, or by place where only the code could name it."""
    weights = layer.weights if layer is not None else ()
    if layer is not None and layer.opaque:
        return weights[place].source if place < len(weights) else None
    return next((weight.source for weight in weights if weight.key == move.key), None)


def _exported(
    planned: Planned, files: Mapping[int, Source], ending: str, out: Path, sizes: Mapping[str, int], progress: Progress
) -> Verification:
    """A format that only runs: its outputs against those of the model it was made from."""
    graph, export = planned.plan.graph, EXPORTS[ending]
    if (missing := missing_runtime(ending)) is not None:
        message = f"Nothing was compared: {missing} is not installed, so the {export.name} file could not be run."
        return Verification(False, False, True, message=message, skipped=True)
    with Arrays(graph, files) as arrays:
        model = live_model(graph, planned.moves, arrays)
        given = random_inputs(with_vocabularies(graph, planned.moves, arrays), sizes=sizes)
        progress("running", 0.0)
        try:
            drift = exported_drift(model, graph, ending, out, given)
        except SutureError as error:
            message = f"The {export.name} file does not run: {error.message}"
            return Verification(False, False, True, message=message, runtime=export.runtime)
        progress(OUTPUTS, 0.0)
        holds = drift <= EXACT or drift <= _rounding(model, planned, arrays, given)
    same = ContractResult(f"{export.name} gives the model's outputs", drift, True, holds)
    return Verification(True, True, True, (same,), runtime=export.runtime)


def _rounding(model: Any, planned: Planned, arrays: Arrays, given: Mapping[str, Array]) -> float:
    """How far rounding may take a runtime that computes in another order: as for contracts, by the model's own."""
    graph = planned.plan.graph
    try:
        double = live_model(graph, planned.moves, arrays, double=True)
        wide = {name: array.astype(np.float64) if array.dtype == np.float32 else array for name, array in given.items()}
        pairs = zip(numbers(model, ordered(graph, given)), numbers(double, ordered(graph, wide)), strict=True)
        return ROUNDS * max((relative(one, exact) for one, exact in pairs), default=0.0)
    except (FileError, Unrunnable):
        return WITHOUT_DOUBLE * EXACT


def _load(planned: Planned, out: Path, known: Graph | None = None) -> Any:
    """The model as plain Keras opens it; weights alone go into that of `known`.

    Raises `FileError` with Keras's own reason.
    """
    try:
        refuse_disguise(out)
        read_model(out)  # refuses links out of the file, and bombs
        if output_format(out) == ".weights.h5":
            model = bare_model(known or planned.plan.graph)
            model.load_weights(out)
            return model
        # Stored code gets this far only in a model the person trusts; all others are opaque and are not run.
        trusted = code_marks(model_config(planned.plan.graph))
        _check_harmless(out, trusted)
        return keras.saving.load_model(out, compile=False, safe_mode=not trusted)
    except SutureError:
        raise
    except Exception as error:
        what = out.name
        if output_format(out) == ".weights.h5":
            what += " into the planned model; it may hold the weights of another one"
        raise FileError(f"Keras cannot load {what}: {sentence(error)}", path=str(out)) from error


def _check_harmless(out: Path, planned: frozenset[str]) -> None:
    """Refuse a file that would bring other code than what was planned. Raises `FileError`."""
    found = raw_config(out)
    strange = code_marks(found) - planned
    names = [name for name in foreign_classes(found) if name not in STORED]
    if strange or names:
        what = names[0] if names else "stored Python code that is not in the plan"
        raise FileError(
            f"{out.name} contains {what}, so it was not loaded; apply the recipe again to get a file of your own.",
            path=str(out),
        )


def held_weights(planned: Planned, model: Any, arrays: Arrays, progress: Progress = quiet) -> tuple[int, list[str]]:
    """How many weights of the loaded model were held against the plan, and which are not, bit for bit, what it says."""
    live = {path: layer for path, _, layer in live_layers(planned.plan.graph, model)}
    variables: dict[str, dict[str, Any]] = {}
    wrong, count = [], 0
    for number, move in enumerate(planned.moves):
        progress(COMPARING, number / len(planned.moves))
        if move.fate.dtype.startswith("string"):
            continue
        if move.layer not in variables:
            layer = live.get(move.layer)
            variables = {move.layer: {} if layer is None else stored_variables(layer)}
        count += 1
        found = variables[move.layer].get(move.key)
        if found is None or not values_equal(found, arrays.values(move)):
            wrong.append(move.fate.weight)
    return count, wrong


def runs(planned: Planned, model: Any, inputs: Mapping[str, Array]) -> tuple[bool, str]:
    """Whether the model gives finite outputs of the planned shapes, and if not, a sentence."""
    try:
        found = numbers(model, ordered(planned.plan.graph, inputs))
    except Unrunnable as error:
        return False, f"The model does not run: {error.message}"
    if not found:
        return False, "The model has no outputs."
    for port, array in zip(planned.plan.outputs, found, strict=False):
        if port.shape is not None and not _admits(port.shape, array.shape):
            return (
                False,
                f"{port.name} has the shape {shape_words(array.shape)}, but {shape_words(port.shape)} was planned.",
            )
        if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
            return False, f"{port.name} contains values that are not finite."
    return True, ""


def _training_gap(planned: Planned, model: Any, inputs: Mapping[str, Array]) -> float | None:
    """`training_gap` on the inputs of the check; what Keras cannot run in training is no fault."""
    try:
        return training_gap(model, ordered(planned.plan.graph, inputs))
    except Unrunnable:
        return None


def _admits(planned: Shape, found: Shape) -> bool:
    return len(planned) == len(found) and all(
        wanted is None or wanted == size for wanted, size in zip(planned[1:], found[1:], strict=True)
    )


def _contracts(
    planner: Planner,
    planned: Planned,
    files: Mapping[int, Source],
    model: Any,
    own_inputs: Mapping[str, Array] | None,
    progress: Progress,
) -> tuple[list[ContractResult], tuple[tuple[str, float], ...], str]:
    """Every stage's contracts, between the models before and after it; the last one's is the written model."""

    def other_model(key: str, double: bool) -> tuple[Graph, Any]:
        shaped, moves = planner.alone(planned, key)
        with Arrays(shaped.graph, files) as arrays:
            return shaped.graph, live_model(shaped.graph, moves, arrays, double=double)

    results: list[ContractResult] = []
    by_layer: tuple[tuple[str, float], ...] = ()
    built: tuple[Step, Any] | None = None
    stages = planned.stages or _as_planned(planned)
    total, done = sum(len(stage.contracts) for stage in stages) or 1, 0
    for stage in stages:
        progress(OUTPUTS, done / total)
        before, after = stage.before, stage.after
        with Arrays(before.shaped.graph, files) as old_arrays, Arrays(after.shaped.graph, files) as new_arrays:
            try:
                known = built is not None and built[0] is before
                old = built[1] if known and built else live_model(before.shaped.graph, before.moves, old_arrays)
                last = after.shaped is planned.shaped
                new = model if last else live_model(after.shaped.graph, after.moves, new_arrays)
            except FileError as error:
                return results, by_layer, f"The contracts were not checked: {error.message}"
            built = (after, new)
            pair = Pair(
                old_graph=before.shaped.graph,
                old=old,
                old_moves=before.moves,
                old_arrays=old_arrays,
                new_graph=after.shaped.graph,
                new=new,
                moves=after.moves,
                arrays=new_arrays,
                shaper=planner.shaper,
                own_inputs=(own_inputs or {}) if last else {},  # the person's arrays have the shapes of the result
                other_model=other_model,
            )
            for contract in stage.contracts:
                progress(OUTPUTS, done / total)
                done += 1
                result, layers = check_contract(contract, pair)
                results.append(result)
                by_layer = by_layer or layers
    return results, by_layer, ""


def _as_planned(planned: Planned) -> tuple[Stage, ...]:
    """Where no edit promises anything, the file must still answer as the planned model does, built apart from it."""
    step = Step(None, planned.shaped, planned.moves)
    return (Stage(step, step, (SameInput(name="file(x) == plan(x)"),)),)

"""Keras as the judge: the written file is loaded by plain Keras, run, and held against the source and its contracts."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from core.engine.arrays import Arrays
from core.engine.build import bare_model, live_layers, live_model, values_equal
from core.engine.contracts import TOLERANCE, Pair, check_contract
from core.engine.execute import Progress, output_format, quiet
from core.engine.exports import EXPORTS, exported_drift
from core.engine.gate import foreign_classes, registered
from core.engine.inputs import ordered, random_inputs
from core.engine.planner import Planned, Planner
from core.engine.specs import recorded_variables, sentence
from core.engine.training import training_gap
from core.errors import FileError, SutureError
from core.fates import Move
from core.graph import Layer, Shape, StoreKey
from core.plan import ContractResult, Verification
from core.readers import open_store, read_model
from core.readers.foreign import foreign_models
from core.readers.raw import raw_config, stored_code
from core.readers.source import Source
from core.rules.base import Array
from core.writers.config import model_config

if TYPE_CHECKING:
    from core.engine.stages import Step

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
    """Check a written file. `own_inputs` are the person's arrays by input name, instead of seeded random ones."""
    progress("reloading", 0.0)
    graph = planned.plan.graph
    unknown = sorted({f"{path} ({layer.class_name})" for path, layer in graph.walk() if layer.opaque})
    unknown += [f"{path or 'the model'} ({name})" for path, name in foreign_models(graph, registered)]
    if graph.opaque or unknown:
        names = ", ".join(unknown[:3]) or graph.class_name
        equal = _read_back(planned, files, out)
        message = f"Read back array by array, but not run: the code of {names} is not here."
        return Verification(False, False, equal, message=message, skipped=True)
    if (ending := output_format(out)) in EXPORTS:
        return _exported(planned, files, ending, out)
    try:
        model = _load(planned, out)
    except SutureError as error:
        return Verification(False, False, False, message=error.message)
    with Arrays(graph, files) as arrays:
        progress("comparing weights", 0.2)
        wrong = different_weights(planned, model, arrays)
        progress("running", 0.4)
        forward, message = runs(planned, model, own_inputs)
        gap = _training_gap(planned, model, own_inputs) if forward else None
        results: list[ContractResult] = []
        by_layer: tuple[tuple[str, float], ...] = ()
        if forward and planned.plan.contracts:
            progress("checking contracts", 0.5)
            results, by_layer, trouble = _contracts(planner, planned, files, model, own_inputs)
            message = message or trouble
    if wrong:
        message = f"{wrong[0]} does not hold the planned values ({len(wrong)} arrays differ)."
    progress("verified", 1.0)
    return Verification(True, forward, not wrong, tuple(results), message, by_layer, training_gap=gap)


def _read_back(planned: Planned, files: Mapping[int, Source], out: Path) -> bool:
    """Whether the written file, opened by Suture's own reader, holds every planned array bit for bit."""
    written = read_model(out)
    held = dict(written.graph.walk())
    places: dict[str, int] = {}
    with Arrays(planned.plan.graph, files) as arrays, open_store(written) as store:
        for move in planned.moves:
            place = places[move.layer] = places.get(move.layer, -1) + 1
            found = move.source if planned.plan.graph.opaque else _held(held.get(move.layer), move, place)
            if found is None or not values_equal(store.read(found.key), arrays.values(move)):
                return False
    return True


def _held(layer: Layer | None, move: Move, place: int) -> StoreKey | None:
    """Where the written file has a move's array: by key, or by place where only the code could name it."""
    weights = layer.weights if layer is not None else ()
    if layer is not None and layer.opaque:
        return weights[place].source if place < len(weights) else None
    return next((weight.source for weight in weights if weight.key == move.key), None)


def _exported(planned: Planned, files: Mapping[int, Source], ending: str, out: Path) -> Verification:
    """A format that only runs: its outputs against those of the model it was made from."""
    graph = planned.plan.graph
    with Arrays(graph, files) as arrays:
        model = live_model(graph, planned.moves, arrays)
    name = EXPORTS[ending].name
    try:
        drift = exported_drift(model, graph, ending, out)
    except Exception as error:  # noqa: BLE001 - whatever a runtime says of the file is the answer
        return Verification(False, False, False, message=f"The {name} file does not run: {sentence(error)}")
    if drift is None:
        return Verification(False, False, True, message=f"Not run: {EXPORTS[ending].runs} is not here.", skipped=True)
    result = ContractResult(f"{name} runs like the model", drift, True, drift <= TOLERANCE)
    return Verification(True, True, True, (result,))


def _load(planned: Planned, out: Path) -> Any:
    """The model as plain Keras opens it. Raises `FileError` with Keras's own reason."""
    try:
        read_model(out)  # refuses links out of the file, and bombs
        if output_format(out) == ".weights.h5":
            model = bare_model(planned.plan.graph)
            model.load_weights(out)
            return model
        # Stored code gets this far only in a model the person trusts; all others are opaque and are not run.
        config = model_config(planned.plan.graph)
        trusted = bool(stored_code(config))
        _check_harmless(out, config)
        return keras.saving.load_model(out, compile=False, safe_mode=not trusted)
    except SutureError:
        raise
    except Exception as error:
        raise FileError(f"Keras cannot load {out.name}: {sentence(error)}", path=str(out)) from error


def _check_harmless(out: Path, planned: Any) -> None:
    """Refuse a file that would bring other code than what was planned. Raises `FileError`."""
    found = raw_config(out)
    strange = sorted(stored_code(found) - stored_code(planned))
    names = [name for name in foreign_classes(found) if name not in ("__lambda__", "Lambda")]
    if strange or names:
        what = names[0] if names else "stored Python code that the plan does not have"
        raise FileError(
            f"{out.name} holds {what}, so it was not loaded; apply the recipe again to get a file of your own.",
            path=str(out),
        )


def different_weights(planned: Planned, model: Any, arrays: Arrays) -> list[str]:
    """Weights of the loaded model that are not, bit for bit, what the plan says they are."""
    live = {path: layer for path, _, layer in live_layers(planned.plan.graph, model)}
    variables: dict[str, dict[str, Any]] = {}
    wrong = []
    for move in planned.moves:
        if move.layer not in live or move.fate.dtype.startswith("string"):
            continue
        if move.layer not in variables:
            variables = {move.layer: dict(recorded_variables(live[move.layer]))}
        found = variables[move.layer].get(move.key)
        if found is None or not values_equal(found, arrays.values(move)):
            wrong.append(move.fate.weight)
    return wrong


def runs(planned: Planned, model: Any, own_inputs: Mapping[str, Array] | None) -> tuple[bool, str]:
    """Whether the model gives finite outputs of the planned shapes, and if not, a sentence."""
    graph = planned.plan.graph
    inputs = {**random_inputs(graph), **(own_inputs or {})}
    try:
        found = model(ordered(graph, inputs), training=False)
    except Exception as error:  # noqa: BLE001 - whatever the model does when run is the answer
        return False, f"The model does not run: {sentence(error)}"
    for port, tensor in zip(planned.plan.outputs, keras.tree.flatten(found), strict=False):
        if port.shape is not None and not _admits(port.shape, tuple(tensor.shape)):
            return False, f"{port.name} has the shape {tuple(tensor.shape)}; {port.shape} was planned."
        if tensor.dtype != "string" and not np.all(np.isfinite(np.asarray(tensor, dtype=np.float64))):
            return False, f"{port.name} has values that are not finite."
    return True, ""


def _training_gap(planned: Planned, model: Any, own_inputs: Mapping[str, Array] | None) -> float | None:
    """`training_gap` on the person's inputs or a random batch; what cannot be measured is no fault."""
    graph = planned.plan.graph
    try:
        return training_gap(model, ordered(graph, {**random_inputs(graph, _BATCH), **(own_inputs or {})}))
    except Exception:  # noqa: BLE001 - a measurement beside the verdict
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
) -> tuple[list[ContractResult], tuple[tuple[str, float], ...], str]:
    """Every stage's contracts, between the models before and after it; the last one's is the written model."""
    results: list[ContractResult] = []
    by_layer: tuple[tuple[str, float], ...] = ()
    built: tuple[Step, Any] | None = None
    for stage in planned.stages:
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
            graphs = before.shaped.graph, after.shaped.graph
            inputs = (own_inputs or {}) if last else {}  # the person's arrays have the shapes of the result
            pair = Pair(graphs[0], old, graphs[1], new, after.moves, new_arrays, planner.shaper, inputs)
            for contract in stage.contracts:
                result, layers = check_contract(contract, pair)
                results.append(result)
                by_layer = by_layer or layers
    return results, by_layer, ""

"""Saves a case in a format, has it rebuilt, and compares outputs: one `Result` for each case and format."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.errors import SutureError
from core.recipes.recipe import Recipe
from tests.helpers.layer_cases.base import Case, In, build, sample

FORMATS = ("h5", "keras", "tf")
ENDINGS = {"h5": ".h5", "keras": ".keras", "tf": ""}


class Result(NamedTuple):
    """`status` is `equal`, `differs`, `cannot` (with the sentence people read) or `unwritten` (by tf-keras itself)."""

    case: str
    format: str
    status: str
    text: str = ""


def save(model: Any, case: Case, kind: str, folder: Path) -> Path:
    """The model in a file of that kind. Raises what tf-keras raises when it cannot."""
    path = folder / f"model{ENDINGS[kind]}"
    model.save(path, save_format=kind) if kind == "tf" else model.save(path)
    if case.doctor is not None:
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            case.doctor(config)
            file.attrs["model_config"] = json.dumps(config)
    return path


def rebuilt(engine: Engine, path: Path, folder: Path) -> Any:
    """The file as plain Keras loads it after an empty recipe. Raises `SutureError`, `NotRunnable`."""
    engine.set_source(read_model(path))
    out = folder / "rebuilt.keras"
    written = engine.apply(Recipe(), out, True)
    checked = written.verification
    assert checked is not None
    if checked.skipped:
        wanted = ("layer.unknown", "code.custom", "code.lambda")
        said = [one.message for one in engine.plan(Recipe()).findings if one.code in wanted]
        raise NotRunnable(said[0] if said else checked.message)
    if not checked.ok:
        raise SutureError(f"not verified: {checked.message}")
    return keras.saving.load_model(out, compile=False)


class NotRunnable(Exception):
    """The layers were carried through, but cannot be built without their code."""


def flat(value: Any) -> list[Any]:
    return [np.asarray(item) for item in keras.tree.flatten(value)]


def outputs(model: Any, inputs: Sequence[Any]) -> list[Any]:
    import tensorflow as tf

    if hasattr(model, "reset_states"):
        model.reset_states()
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state() if hasattr(layer, "reset_state") else layer.reset_states()
    given = [tf.convert_to_tensor(item) for item in inputs]
    return flat(model(given if len(given) > 1 else given[0], training=False))


def difference(old: list[Any], new: list[Any], tolerance: float) -> str:
    """Empty if equal within the tolerance."""
    if len(old) != len(new):
        return f"{len(new)} outputs, expected {len(old)}"
    for one, other in zip(old, new, strict=True):
        if one.shape != other.shape:
            return f"shape {other.shape}, expected {one.shape}"
        if one.dtype.kind not in "fc" and str(one.dtype) != "bfloat16":
            if not np.array_equal(one, other):
                return "other values"
            continue
        one, other = one.astype("float64"), other.astype("float64")
        if not np.array_equal(np.isfinite(one), np.isfinite(other)):
            return "other places are not finite"
        keep = np.isfinite(one)
        scale = max(float(np.max(np.abs(one[keep]), initial=0.0)), 1e-12)
        worst = float(np.max(np.abs(one[keep] - other[keep]), initial=0.0)) / scale
        if worst > tolerance:
            return f"outputs differ by {worst:.1e}"
    return ""


def samples(case: Case, model: Any) -> list[list[Any]]:
    inputs = case.inputs or tuple(In(tuple(one.shape[1:])) for one in model.inputs)
    return [[sample(one, seed + 10 * place) for place, one in enumerate(inputs)] for seed in (1, 2)]


def run(k: Any, engine: Engine, case: Case, formats: Sequence[str], folder: Path) -> list[Result]:
    """Every format of one case."""
    model = build(k, case)
    oracle = case.oracle(model) if case.oracle else model
    found = []
    for kind in formats:
        if case.only and kind not in case.only:
            continue
        place = folder / kind
        place.mkdir(parents=True, exist_ok=True)
        try:
            path = save(model, case, kind, place)
        except Exception as error:  # noqa: BLE001 - whatever tf-keras says
            found.append(Result(case.name, kind, "unwritten", " ".join(str(error).split())[:160]))
            continue
        found.append(judge(engine, case, kind, path, place, oracle))
    return found


def judge(engine: Engine, case: Case, kind: str, path: Path, folder: Path, oracle: Any) -> Result:
    try:
        new = rebuilt(engine, path, folder)
    except (SutureError, NotRunnable) as error:
        return Result(case.name, kind, "cannot", str(error))
    for inputs in samples(case, oracle):
        said = difference(outputs(oracle, inputs), outputs(new, inputs), case.tolerance)
        if said:
            return Result(case.name, kind, "differs", said)
    return Result(case.name, kind, "equal")

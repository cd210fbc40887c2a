"""Short words for tests that go the whole way: a Keras model to a file, a recipe, a plan, a written file, a verdict."""

from pathlib import Path
from typing import Any

import h5py
import keras
import msgspec
import numpy as np

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.engine.planner import Planned
from core.model.plan import Plan, Verification, Written
from core.recipes.recipe import Recipe, from_json

_ENGINES: list[Engine] = []


def engine() -> Engine:
    """One engine for all tests, so that what it learnt of Keras's layers is shared."""
    if not _ENGINES:
        _ENGINES.append(Engine())
    return _ENGINES[0]


def saved(model: Any, folder: Path, name: str = "source.keras") -> Path:
    """The model as a file that Keras wrote."""
    path = folder / name
    model.save(path)
    return path


def recipe(*edits: Any) -> Recipe:
    """A recipe of edits, given as values or as their JSON."""
    given = [edit if isinstance(edit, dict) else msgspec.to_builtins(edit) for edit in edits]
    return from_json(msgspec.json.encode({"suture": 1, "edits": given}))


def opened(source: Path) -> Engine:
    """The engine, at work on this file."""
    engine().set_source(read_model(source))
    return engine()


def planned(source: Path, *edits: Any) -> Planned:
    return opened(source).planned(recipe(*edits))


def plan(source: Path, *edits: Any) -> Plan:
    return planned(source, *edits).plan


def applied(source: Path, out: Path, *edits: Any) -> tuple[Written, Any]:
    """Apply and verify; the second is the written model, loaded by plain Keras."""
    written = opened(source).apply(recipe(*edits), out, check=True)
    assert written.verification is not None
    return written, keras.saving.load_model(out, compile=False)


def assert_verified(verification: Verification | None) -> None:
    assert verification is not None
    assert verification.reloaded, verification.message
    assert verification.forward, verification.message
    assert verification.copied_equal, verification.message
    broken = [result for result in verification.contracts if not result.holds]
    assert not broken, broken
    assert verification.message == ""


def stored_arrays(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and dtype of every array of a `.keras` file's weights, or of an HDF5 file, by key."""
    import io
    import zipfile

    found: dict[str, tuple[tuple[int, ...], str]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (item.shape, str(item.attrs.get("dtype", item.dtype)))

    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            file.visititems(visit)
    else:
        with h5py.File(path) as file:
            file.visititems(visit)
    return found


def stored_names(path: Path) -> dict[str, str]:
    """The layer name that stands at each `vars` group of a `.keras` file."""
    import io
    import zipfile

    found: dict[str, str] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and "name" in item.attrs:
            found[name] = item.attrs["name"]

    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(visit)
    return found


def random_input(model: Any, count: int = 2, seed: int = 3) -> Any:
    """Seeded inputs in the model's own structure; dynamic sizes are 32."""
    rng = np.random.default_rng(seed)

    def one(tensor: Any) -> Any:
        shape = (count, *(size or 32 for size in tensor.shape[1:]))
        if "int" in tensor.dtype:
            return rng.integers(0, 2, shape).astype(tensor.dtype)
        return rng.random(shape, dtype=np.float32)

    structure = getattr(model, "_inputs_struct", None)
    return keras.tree.map_structure(one, structure if structure is not None else model.inputs[0])


def outputs(model: Any, inputs: Any) -> list[Any]:
    return [np.asarray(one, np.float64) for one in keras.tree.flatten(model(inputs, training=False))]


def drift(new: Any, old: Any) -> float:
    """Largest difference over the largest old value."""
    new, old = np.asarray(new, np.float64), np.asarray(old, np.float64)
    assert new.shape == old.shape, (new.shape, old.shape)
    return float(np.max(np.abs(new - old)) / (np.max(np.abs(old)) or 1.0))


def errors(found: Plan) -> list[str]:
    return [
        f"{finding.code} {finding.layer}: {finding.message}"
        for finding in found.findings
        if finding.severity == "error"
    ]

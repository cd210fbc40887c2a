"""Model descriptions as JSON: `to_json` of Keras 1 to 3, a bare `get_config()`, text encoded twice."""

from pathlib import Path
from typing import Any

from core.layers.kinds import Kinds
from core.readers.arrays.array_notes import take_notes
from core.readers.config_graph import build_graph
from core.readers.containers.fault import damaged, unreadable
from core.readers.containers.jsontext import parse_json
from core.readers.containers.limits import MAX_JSON_BYTES
from core.readers.formats.described import Described
from core.readers.formats.soundness import insist
from core.repairs import repair_model

_WRAPPERS = ("model_config", "modelTopology", "model")
_MAX_ENCODINGS = 3


def read_architecture(path: Path, kinds: Kinds | None = None) -> Described:
    """Describe a model JSON file. Raises `FileError`."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    value = parse_json(text.lstrip(b"\xef\xbb\xbf"), path, "its text")
    for _ in range(_MAX_ENCODINGS):
        if isinstance(value, str):
            value = parse_json(value, path, "its text")
    version, backend = _origin(value)
    model = model_of(value)
    if model is None:
        raise damaged(
            path, "is JSON but does not describe a Keras model", "Expected the text that `model.to_json()` writes."
        )
    insist(model, path)
    repaired = repair_model(model, version or _guess_version(model), backend, kinds)
    described, notes = take_notes(repaired.model)
    graph = build_graph(described, str(path))
    return Described(
        format=f"Keras {(version or '').split('.', 1)[0]} architecture (JSON)".replace("  ", " "),
        kind="architecture",
        graph=graph,
        keras_version=version,
        findings=repaired.findings,
        notes=notes,
        training=bool(model.get("compile_config")),
    )


def _origin(value: Any) -> tuple[str | None, str | None]:
    holder = value
    for _ in range(3):
        if not isinstance(holder, dict):
            break
        if isinstance(holder.get("keras_version"), str):
            backend = holder.get("backend")
            return holder["keras_version"], backend if isinstance(backend, str) else None
        holder = next((holder[name] for name in _WRAPPERS if isinstance(holder.get(name), dict)), None)
    return None, None


def model_of(value: Any) -> dict[str, Any] | None:
    """The serialised model inside a JSON value, whatever is wrapped around it or left off."""
    if isinstance(value, list):
        return {"class_name": "Sequential", "config": value} if value and _is_layer(value[0]) else None
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("class_name"), str) and isinstance(value.get("config"), (dict, list)):
        return value
    if isinstance(value.get("layers"), list):
        functional = "output_layers" in value or "input_layers" in value
        return {"class_name": "Functional" if functional else "Sequential", "config": value}
    for name in _WRAPPERS:
        found = model_of(value.get(name))
        if found is not None:
            return found
    return None


def _is_layer(value: Any) -> bool:
    return isinstance(value, dict) and "class_name" in value


def _guess_version(model: dict[str, Any]) -> str:
    """Files that name no version: Keras 3 writes modules, Keras 1 its own spellings, the rest is Keras 2."""
    if "module" in model:
        return "3"
    layers = model["config"] if isinstance(model["config"], list) else model["config"].get("layers", [])
    fields = {name for layer in layers if isinstance(layer, dict) for name in _fields(layer)}
    if fields & {"nb_filter", "border_mode", "nb_row", "inner_init", "forget_bias_init", "W_regularizer", "init"}:
        return "1"
    return "2"


def _fields(layer: dict[str, Any]) -> list[str]:
    config = layer.get("config")
    return list(config) if isinstance(config, dict) else []

"""What repairs leave for the reader of arrays: which layer's arrays must be turned, joined or scaled.

A repair puts steps under the key `arrays` of a serialised layer. They are collected here by layer path and taken out
of the config. A step inside a wrapper carries the wrapped layer's attribute as prefix (`forward_layer`).
"""

from typing import Any

from msgspec import Struct

from core.layers.kinds import bases
from core.layers.table import row
from core.model.names import snake_case
from core.readers.config_graph import is_model_config

Config = dict[str, Any]


class Note(Struct, frozen=True):
    """One step for the arrays of a layer whose names begin with `prefix` (`""` for the layer's own)."""

    prefix: str
    step: Config


Notes = dict[tuple[str, ...], tuple[Note, ...]]
"""Notes by layer path."""


def take_notes(model: Config) -> tuple[Config, Notes]:
    """The model's config without steps, and the steps by layer path."""
    notes: Notes = {}
    return _model(model, (), notes), notes


def with_positions(model: Config) -> Config:
    """The model with a step on every layer that tells its number among the layers of its model, as it was saved.

    TensorFlow's object graphs find a layer by that number, which repairs that add or drop layers would change.
    """
    config = model.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return model
    layers = [
        {**with_positions(_inside(item)), "arrays": [*item.get("arrays", ()), {"do": "stored_at", "position": place}]}
        if isinstance(item, dict)
        else item
        for place, item in enumerate(config["layers"])
    ]
    return {**model, "config": {**config, "layers": layers}}


def _inside(item: Config) -> Config:
    """The layer with positions in the model that it wraps, if it does."""
    config = item.get("config")
    inner = config.get("layer") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(inner, dict) or not is_model_config(inner):
        return item
    return {**item, "config": {**config, "layer": with_positions(inner)}}


def position_of(notes: tuple[Note, ...]) -> int | None:
    """The number that `with_positions` gave a layer."""
    return next(
        (int(note.step["position"]) for note in notes if note.step["do"] == "stored_at" and not note.prefix), None
    )


def _model(model: Config, path: tuple[str, ...], notes: Notes) -> Config:
    config = model.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return model
    layers = [_layer(item, path, notes) if isinstance(item, dict) else item for item in config["layers"]]
    return {**model, "config": {**config, "layers": layers}}


def _layer(item: Config, path: tuple[str, ...], notes: Notes) -> Config:
    config = item.get("config")
    if not isinstance(config, dict):
        return item
    own = (*path, str(item.get("name") or config.get("name") or ""))
    if is_model_config(item):
        if item.get("arrays"):
            notes[own] = tuple(Note("", step) for step in item["arrays"])
        return _model({key: value for key, value in item.items() if key != "arrays"}, own, notes)
    found: list[Note] = []
    clean = _wrapped(item, "", own, found, notes)
    if found:
        notes[own] = tuple(found)
    return clean


def _wrapped(item: Config, prefix: str, own: tuple[str, ...], found: list[Note], notes: Notes) -> Config:
    found.extend(Note(prefix, step) for step in item.get("arrays", ()))
    clean = {key: value for key, value in item.items() if key != "arrays"}
    config = dict(clean["config"])
    own_class = str(item.get("class_name"))
    class_name = bases(Note("", step) for step in item.get("arrays", ())).get(own_class, own_class)
    names = dict(row(class_name).inside)
    for field, value in config.items():
        if field == "cells" and isinstance(value, list):
            config[field] = _cells(value, prefix, own, found, notes)
        if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
            continue
        if is_model_config(value):
            config[field] = _model(value, own, notes)
            continue
        attribute = names.get(field, field)
        config[field] = _wrapped(value, f"{prefix}/{attribute}".lstrip("/"), own, found, notes)
        if class_name == "Bidirectional" and field == "layer" and not config.get("backward_layer"):
            # The backward layer is a copy that only exists once Keras builds it.
            _wrapped(value, f"{prefix}/backward_layer".lstrip("/"), own, found, notes)
    return {**clean, "config": config}


def _cells(cells: list[Any], prefix: str, own: tuple[str, ...], found: list[Note], notes: Notes) -> list[Any]:
    """Stacked cells are kept under their class in snake case, numbered from the second of a kind on."""
    used: dict[str, int] = {}
    clean = []
    for cell in cells:
        if not isinstance(cell, dict) or not isinstance(cell.get("config"), dict):
            clean.append(cell)
            continue
        name = snake_case(str(cell.get("class_name")))
        count = used[name] = used.get(name, -1) + 1
        place = f"{prefix}/cells/{name}_{count}" if count else f"{prefix}/cells/{name}"
        clean.append(_wrapped(cell, place.lstrip("/"), own, found, notes))
    return clean

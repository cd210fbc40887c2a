"""All repairs in the order they apply, and the walk that applies them to every layer of a model, nested ones first."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.findings import Finding
from core.layers.kinds import STEP, Kinds, kind_of
from core.repairs import (
    activations,
    arguments,
    axis,
    doubled,
    dropped,
    dtypes,
    ends,
    expansions,
    hard_sigmoid,
    initializers,
    input_shape,
    keras1_fields,
    keras1_merge,
    keras1_towers,
    keras3_ops,
    known_lambdas,
    lambdas,
    leftovers,
    masks,
    modules,
    names,
    optimization,
    ports,
    random_images,
    recurrent,
    regularizers,
    relus,
    sequential,
    tf_ops,
    th_ordering,
)
from core.repairs.base import Config, Dialect, Repair, is_serialised, with_config
from core.repairs.tied import tied_findings

REPAIRS: tuple[Repair, ...] = (
    keras3_ops.REPAIR,
    keras1_merge.REPAIR,
    keras1_fields.REPAIR,
    known_lambdas.REPAIR,
    lambdas.REPAIR,
    recurrent.STATES,
    recurrent.REPAIR,
    recurrent.GATES,
    relus.REPAIR,
    random_images.REPAIR,
    initializers.REPAIR,
    regularizers.REPAIR,
    activations.REPAIR,
    modules.REPAIR,
    input_shape.REPAIR,
    dtypes.REPAIR,
    axis.REPAIR,
    *dropped.REPAIRS,
    th_ordering.REPAIR,
    hard_sigmoid.REPAIR,
    hard_sigmoid.TWICE,
    leftovers.REPAIR,
    leftovers.UNKNOWN,
    arguments.REPAIR,
    optimization.MARKING,
    optimization.PRUNING,
    optimization.QUANTIZING,
)

BEFORE: tuple[Repair, ...] = (
    keras1_towers.REPAIR,
    doubled.REPAIR,
    ends.REPAIR,
    names.REPAIR,
    sequential.REPAIR,
    ports.REPAIR,
    tf_ops.REPAIR,
    masks.REPAIR,
    expansions.REPAIR,
)
"""Repairs of models that look at their layers as the file has them, so they come before the walk goes inside."""

_IDENTITY = ("class_name", "module", "registered_name")
_LAYER_FIELDS = ("layer", "backward_layer", "forward_layer", "cell")
_LAYER_LISTS = ("layers", "cells")


class _Log(dict[str, list[tuple[str, str]]]):
    """Which repair did what to which layer, and what else there is to tell."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Finding] = []


class Repaired(Struct, frozen=True):
    """A model config in Keras 3's vocabulary, and what was changed to get there."""

    model: Config
    findings: tuple[Finding, ...] = ()


def repair_model(
    model: Config, version: str | None, backend: str | None = None, kinds: Kinds | None = None
) -> Repaired:
    """Apply every repair to a serialised model and all layers inside it. `version` is what the file says wrote it.

    Layers of a class in `kinds` are put right like those of the class they derive from.
    """
    dialect = replace(dialect_of(model, version, backend), kinds=dict(kinds or {}))
    log = _Log()
    named, paths = sequential.with_names(modules.plain(model))
    if paths:
        log[sequential.REPAIR.name] = [(path, sequential.LISTED) for path in paths]
    repaired = _repair(named, dialect, log, "")
    return Repaired(repaired, (*_findings(log), *tied_findings(model)))


def dialect_of(model: Config, version: str | None, backend: str | None) -> Dialect:
    """Who wrote a file, as far as it says."""
    text = version or ""
    major = int(text[0]) if text[:1].isdigit() else 3
    ordering = keras1_fields.ordering_of(model) if major == 1 else None
    return Dialect(major, text, backend or "tensorflow", ordering or "tf")


def _repair(layer: Config, dialect: Dialect, log: _Log, path: str, wrapped: bool = False) -> Config:
    outer: list[tuple[Repair, str]] = []
    for repair in BEFORE:
        change = repair.apply(layer, dialect)
        if change is not None:
            layer = change.layer
            outer.append((repair, change.text))
    if not is_serialised(layer):
        return layer
    name = str(layer.get("name") or layer["config"].get("name") or layer["class_name"])
    own = f"{path}/{name}" if path else name
    if wrapped and "layers" in layer["config"]:
        own = path  # the layers of a wrapped model are found below the wrapper
    for repair, text in outer:
        if text:
            log.setdefault(repair.name, []).append((own, text))
    inner = with_config(
        layer, _repair_inside(layer["config"], dialect, log, own if path or "layers" not in layer["config"] else "")
    )
    kind = kind_of(dialect.kinds, inner)
    identity = {field: inner[field] for field in _IDENTITY if field in inner}
    if kind is not None:
        inner = {**inner, "class_name": kind.base, "module": None, "registered_name": None, "own": kind}
    for repair in REPAIRS:
        change = repair.apply(inner, dialect)
        if change is not None:
            inner = change.layer
            if change.text:
                log.setdefault(repair.name, []).append((own, change.text))
            log.notes += [
                replace(note, layer=own, message=note.message.replace("{layer}", own)) for note in change.findings
            ]
    if kind is not None:
        step = {"do": STEP, "own": identity["class_name"], "class": kind.base}
        inner = {key: value for key, value in inner.items() if key not in ("own", *_IDENTITY)}
        inner = {**inner, **identity, "arrays": [step, *inner.get("arrays", [])]}
    return _with_stored_class(inner, str(layer["class_name"]))


def with_array_steps(layer: Config, dialect: Dialect) -> Config:
    """A layer in Keras 3's vocabulary with the steps for its arrays as a Keras of another `dialect` wrote them."""
    config = dict(layer["config"])
    for field in _LAYER_FIELDS:
        if is_serialised(config.get(field)):
            config[field] = with_array_steps(config[field], dialect)
    for field in _LAYER_LISTS:
        if isinstance(config.get(field), list):
            config[field] = [with_array_steps(one, dialect) if is_serialised(one) else one for one in config[field]]
    kind = kind_of(dialect.kinds, layer)
    name = layer["class_name"] if kind is None else kind.base
    if name in hard_sigmoid.GATED:
        config.setdefault("recurrent_activation", "sigmoid")  # what Keras 3 takes, where Keras 2 took another
    done = {**layer, "class_name": name, "config": config}
    for repair in (recurrent.GATES, th_ordering.REPAIR, hard_sigmoid.REPAIR):
        change = repair.apply(done, dialect)
        done = done if change is None else change.layer
    step = [] if kind is None else [{"do": STEP, "own": layer["class_name"], "class": kind.base}]
    return {**done, "class_name": layer["class_name"], "arrays": [*step, *done.get("arrays", [])]}


def _with_stored_class(layer: Config, stored: str) -> Config:
    """A note of the class that named the layer's group of arrays in a `.keras` file, where it has another one now."""
    if layer["class_name"] == stored or "layers" in layer["config"]:
        return layer
    return {**layer, "arrays": [*layer.get("arrays", []), {"do": "stored_as", "class": stored}]}


def _repair_inside(config: Config, dialect: Dialect, log: _Log, path: str) -> Config:
    changed: dict[str, Any] = dict(config)
    for field in _LAYER_FIELDS:
        if is_serialised(config.get(field)):
            changed[field] = _repair(config[field], dialect, log, path, wrapped=True)
    for field in _LAYER_LISTS:
        if isinstance(config.get(field), list):
            changed[field] = [
                _repair(item, dialect, log, path) if is_serialised(item) else item for item in config[field]
            ]
    return changed


def _findings(log: _Log) -> list[Finding]:
    kinds = {repair.name: repair for repair in (*BEFORE, *REPAIRS)}
    found = []
    for name, entries in log.items():
        count = len({layer for layer, _ in entries})
        alike = len({text for _, text in entries}) == 1
        where = (
            f"in {entries[0][0]}" if count == 1 else f"in {count} layers{'' if alike else f' (first: {entries[0][0]})'}"
        )
        detail = "\n".join(f"{layer}: {text}" for layer, text in entries)
        found.append(
            Finding(
                kinds[name].severity,
                "legacy.repaired",
                entries[0][0],
                f"{kinds[name].title} {where}: {entries[0][1]}.",
                detail=detail,
            )
        )
    return [*found, *log.notes]

"""Initializers as Keras 1 and 2 wrote them: old names, a dtype inside, old distributions."""

from typing import Any

from core.layers.known import INITIALIZERS
from core.repairs.base import Change, Config, Dialect, Repair, is_serialised, with_config, without

_KERAS1: dict[str, tuple[str, Config]] = {
    "normal": ("RandomNormal", {"mean": 0.0, "stddev": 0.05, "seed": None}),
    "uniform": ("RandomUniform", {"minval": -0.05, "maxval": 0.05, "seed": None}),
    "zero": ("Zeros", {}),
    "one": ("Ones", {}),
    "identity": ("Identity", {"gain": 1.0}),
}
_OLD_CLASSES = {
    "OrthogonalInitializer": "Orthogonal",
    "IdentityInitializer": "Identity",
    "RandomNormalV2": "RandomNormal",
    "Zero": "Zeros",
    "One": "Ones",
}
_DISTRIBUTIONS = {"normal": "truncated_normal"}


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    changed: Config = {}
    said: list[str] = []
    for field, value in layer["config"].items():
        if not (field.endswith("_initializer") or field == "initializer"):
            continue
        new = modern(value)
        if new != value:
            changed[field] = new
            said.append(field)
    if not changed:
        return None
    return Change(
        with_config(layer, {**layer["config"], **changed}), f"{', '.join(said)} converted to the Keras 3 format"
    )


def modern(value: Any) -> Any:
    """One initializer in Keras 3's form; anything not recognised comes back as it is."""
    if isinstance(value, str):
        if value in _KERAS1:
            name, fields = _KERAS1[value]
            return _serialised(name, fields)
        return value
    if not is_serialised(value):
        return value
    name = _OLD_CLASSES.get(value["class_name"], value["class_name"])
    if name not in INITIALIZERS:
        return value
    fields = without(value["config"], "dtype", "partition_info", "verify_shape")
    if name == "VarianceScaling" and str(fields.get("distribution")) in _DISTRIBUTIONS:
        fields = {**fields, "distribution": _DISTRIBUTIONS[str(fields["distribution"])]}
    if name == value["class_name"] and fields == value["config"]:
        return value
    return {**value, **_serialised(name, fields)}


def _serialised(name: str, fields: Config) -> Config:
    return {"module": "keras.initializers", "class_name": name, "config": fields, "registered_name": None}


REPAIR = Repair("initializers", "Initializers of Keras 1 and 2", _apply)

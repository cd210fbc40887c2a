"""Regularizers and constraints as Keras 1 and 2 wrote them: `{"name": "WeightRegularizer", "l2": ...}`, `maxnorm`."""

from typing import Any

from core.repairs.base import Change, Config, Dialect, Repair, is_serialised, with_config

_CONSTRAINTS = {
    "MaxNorm": "MaxNorm",
    "maxnorm": "MaxNorm",
    "NonNeg": "NonNeg",
    "nonneg": "NonNeg",
    "UnitNorm": "UnitNorm",
}
_FIELDS = {"m": "max_value"}


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    changed: Config = {}
    for field, value in layer["config"].items():
        if not field.endswith(("_regularizer", "_constraint")):
            continue
        new = modern_regularizer(value) if field.endswith("_regularizer") else modern_constraint(value)
        if new != value:
            changed[field] = new
    if not changed:
        return None
    return Change(
        with_config(layer, {**layer["config"], **changed}), f"{', '.join(changed)} converted to the Keras 3 format"
    )


def modern_regularizer(value: Any) -> Any:
    """One regularizer in Keras 3's form; anything not recognised comes back as it is."""
    if isinstance(value, dict) and "class_name" not in value and ("l1" in value or "l2" in value):
        return _l1_l2(value)
    if is_serialised(value) and value["class_name"] in ("WeightRegularizer", "ActivityRegularizer", "L1L2"):
        return _l1_l2(value["config"]) if value["class_name"] != "L1L2" or _has_arrays(value["config"]) else value
    return value


def _l1_l2(fields: Config) -> Config:
    numbers = {name: float(_number(fields.get(name, 0.0))) for name in ("l1", "l2")}
    return {"module": "keras.regularizers", "class_name": "L1L2", "config": numbers, "registered_name": None}


def _has_arrays(fields: Config) -> bool:
    return any(isinstance(value, dict) for value in fields.values())


def _number(value: Any) -> Any:
    return value.get("value", 0.0) if isinstance(value, dict) else (value or 0.0)


def modern_constraint(value: Any) -> Any:
    """One constraint in Keras 3's form; anything not recognised comes back as it is."""
    if not isinstance(value, dict) or "class_name" in value or value.get("name") not in _CONSTRAINTS:
        return value
    fields = {_FIELDS.get(key, key): item for key, item in value.items() if key != "name"}
    return {
        "module": "keras.constraints",
        "class_name": _CONSTRAINTS[value["name"]],
        "config": fields,
        "registered_name": None,
    }


REPAIR = Repair("regularizers", "Regularizers and constraints of Keras 1 and 2", _apply)

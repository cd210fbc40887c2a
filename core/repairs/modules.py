"""Classes under their Keras 3 module and name: `keras.src.engine.functional.Functional`, a bare `Conv2D`, `Model`."""

from typing import Any

from core.layers.known import (
    APPLICATION_LAYERS,
    CODE_LAYERS,
    CONSTRAINTS,
    INITIALIZERS,
    LAYERS,
    REGULARIZERS,
)
from core.repairs.base import Change, Config, Dialect, Repair, is_serialised, with_config

_OWN_PACKAGES = ("keras", "tf_keras", "tensorflow", "tensorflow_core")
_VALUE_MODULES = (
    (INITIALIZERS, "keras.initializers"),
    (REGULARIZERS, "keras.regularizers"),
    (CONSTRAINTS, "keras.constraints"),
)


def is_own(module: Any) -> bool:
    """Whether a module (or none at all) means Keras itself, in any of its packages."""
    return module is None or str(module).split(".", 1)[0] in _OWN_PACKAGES


def standard_class(layer: Config) -> Config:
    """The layer or model under Keras 3's module, class name and registered name; custom classes stay as they are."""
    name, module = layer["class_name"], layer.get("module")
    registered = layer.get("registered_name")
    if not is_own(module) or (module is None and isinstance(registered, str) and ">" in registered):
        return layer
    if str(module).startswith("keras.src.ops"):
        return layer
    if name in ("Functional", "Model") and isinstance(layer["config"].get("layers"), list):
        return {
            **layer,
            "class_name": "Functional",
            "module": "keras.src.models.functional",
            "registered_name": "Functional",
        }
    if name == "Sequential":
        return {**layer, "module": "keras", "registered_name": None}
    if name in LAYERS or name in CODE_LAYERS:
        return {**layer, "module": "keras.layers", "registered_name": None}
    if name in APPLICATION_LAYERS:
        return {**layer, "module": APPLICATION_LAYERS[name], "registered_name": name}
    return layer


def standard_values(config: Config) -> Config:
    """A layer's config with its initializers, regularizers and constraints under Keras 3's modules."""
    return {key: _standard_value(value) for key, value in config.items()}


def _standard_value(value: Any) -> Any:
    if not is_serialised(value) or not is_own(value.get("module")):
        return value
    for names, module in _VALUE_MODULES:
        if value["class_name"] in names:
            return {**value, "module": module, "registered_name": None}
    return value


def plain(value: Any) -> Any:
    """The value without `shared_object_id`, which means nothing outside its file, and with tuples as lists."""
    if isinstance(value, dict):
        if value.get("class_name") in ("__tuple__", "TensorShape"):
            fields = value.get("config")
            items = value.get("items", fields.get("value") if isinstance(fields, dict) else None)
            if isinstance(items, list):
                return [plain(item) for item in items]
        return {key: plain(item) for key, item in value.items() if key != "shared_object_id"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    standard = standard_class(layer)
    changed = with_config(standard, standard_values(standard["config"]))
    if changed == layer:
        return None
    old = layer.get("module")
    said = ""
    if isinstance(old, str) and ("engine" in old or not old.startswith("keras")) and old != changed.get("module"):
        said = f"{old} is now {changed['module']}"
    return Change(changed, said)


REPAIR = Repair("modules", "Old module names", _apply)

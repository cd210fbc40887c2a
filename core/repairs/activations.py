"""Activations under old names: `softmax_v2`, `tf.nn.relu`, functions that Keras 2.13 wrote as objects."""

from typing import Any

from core.layers.known import ACTIVATIONS
from core.repairs.base import Change, Config, Dialect, Repair, with_config

_NAMES = {
    "softmax_v2": "softmax",
    "relu_v2": "relu",
    "swish": "silu",
    "leaky_relu_v2": "leaky_relu",
    "sigmoid_v2": "sigmoid",
    "log_softmax_v2": "log_softmax",
    "hard_swish": "hard_silu",
}
_FIELDS = ("activation", "recurrent_activation")


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    changed: Config = {}
    for field in _FIELDS:
        value = layer["config"].get(field)
        new = modern(value)
        if new != value:
            changed[field] = new
    if not changed:
        return None
    said = ", ".join(f"{field} {_spoken(layer['config'][field])} is now {new}" for field, new in changed.items())
    return Change(with_config(layer, {**layer["config"], **changed}), said)


def _spoken(value: Any) -> str:
    return str(value.get("config", value)) if isinstance(value, dict) else str(value)


def modern(value: Any) -> Any:
    """An activation's Keras 3 name; anything not recognised comes back as it is."""
    if isinstance(value, dict) and value.get("class_name") in ("function", "builtin_function_or_method"):
        name = value.get("config")
        package = str(value.get("module") or "builtins").split(".", 1)[0]
        if package in ("builtins", "keras", "tf_keras", "tensorflow") and isinstance(name, str):
            plain = _NAMES.get(name, name)
            return plain if plain in ACTIVATIONS else value
        return value
    if not isinstance(value, str):
        return value
    short = value.rsplit(".", 1)[-1]
    plain = _NAMES.get(short, short)
    return plain if plain in ACTIVATIONS else value


REPAIR = Repair("activations", "Old activation names", _apply)

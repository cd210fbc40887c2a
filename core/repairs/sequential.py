"""Sequential models of Keras 1 and 2: a bare list of layers, and the input's shape on the first of them.

Until version 2.2.2, `Sequential.get_config()` was a list of layers wherever it stood: as the whole model, as a layer of
another model, or as the layer that a TimeDistributed wraps. Only a Functional model around it wrote its name.
"""

from collections.abc import Iterator
from typing import Any

from core.repairs.base import Change, Config, Dialect, Repair

NAME = "sequential"
LISTED = "a list of layers without a name is now a named model"


def with_names(model: Config) -> tuple[Config, list[str]]:
    """The model with a named config for every Sequential at any depth that is a bare list, and their paths."""
    if not any(_is_listed(item) for item in _objects(model)):
        return model, []
    taken = {_name(item) for item in _objects(model)}
    found: list[str] = []
    return _named(model, "", taken, found), found


def _named(value: Any, path: str, taken: set[str], found: list[str]) -> Any:
    """The config with every list named. `path` is that of the layer around; a model in a wrapper has the wrapper's."""
    if not isinstance(value, dict):
        return [_child(item, path, taken, found) for item in value] if isinstance(value, list) else value
    if _is_listed(value):
        name = _name(value) or _free(taken)
        found.append(path or name)
        value = {**value, "config": {"name": name, "layers": value["config"]}}
    return {key: _named(item, path, taken, found) for key, item in value.items()}


def _child(item: Any, path: str, taken: set[str], found: list[str]) -> Any:
    if not isinstance(item, dict) or "class_name" not in item:
        return _named(item, path, taken, found)
    if _is_listed(item) and not _name(item):
        item = {**item, "name": _free(taken)}
    return _named(item, f"{path}/{_name(item)}".strip("/"), taken, found)


def _is_listed(value: Config) -> bool:
    layers = value.get("config")
    return value.get("class_name") == "Sequential" and isinstance(layers, list)


def _objects(value: Any) -> Iterator[Config]:
    """Every dict of a config, outermost first."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _name(item: Config) -> str:
    config = item.get("config")
    own = config.get("name") if isinstance(config, dict) else None
    return str(item.get("name") or own or "")


def _free(taken: set[str]) -> str:
    number = 1
    while f"{NAME}_{number}" in taken:
        number += 1
    taken.add(f"{NAME}_{number}")
    return f"{NAME}_{number}"


def hoist(model: Config, dialect: Dialect) -> Change | None:
    """Give a Sequential an InputLayer in place of its first layer's `batch_input_shape`."""
    if model.get("class_name") != "Sequential":
        return None
    config = model.get("config")
    said = ""
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return None
    layers = list(config["layers"])
    first = layers[0] if layers and isinstance(layers[0], dict) else {}
    fields: Any = first.get("config")
    if isinstance(fields, dict) and first.get("class_name") not in ("InputLayer", "Sequential", "Functional", "Model"):
        shape = _shape(fields)
        if shape is not None:
            layers.insert(0, _input_layer(first, fields, shape))
            said = "the first layer's input shape is now an input layer"
    if not said:
        return None
    return Change({**model, "config": {**config, "layers": layers}}, said)


def _shape(fields: Config) -> list[Any] | None:
    inner = fields.get("layer")
    for holder in (fields, inner.get("config") if isinstance(inner, dict) else None):
        if not isinstance(holder, dict):
            continue
        if isinstance(holder.get("batch_input_shape"), list):
            return list(holder["batch_input_shape"])
        if isinstance(holder.get("input_shape"), list):
            return [None, *holder["input_shape"]]
        if isinstance(holder.get("input_dim"), int) and "input_length" not in holder and "output_dim" not in holder:
            return [None, holder["input_dim"]]
    return None


def _input_layer(first: Config, fields: Config, shape: list[Any]) -> Config:
    name = str(fields.get("name") or first.get("name") or "model")
    dtype = fields.get("input_dtype") or fields.get("dtype")
    return {
        "class_name": "InputLayer",
        "config": {
            "batch_shape": shape,
            "dtype": dtype if isinstance(dtype, str) and not dtype.startswith("mixed") else "float32",
            "sparse": False,
            "name": f"{name}_input",
        },
    }


REPAIR = Repair("sequential", "Sequential models of Keras 1 and 2", hoist)

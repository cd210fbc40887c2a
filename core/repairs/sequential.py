"""Sequential models of Keras 1 and 2: a bare list of layers, and the input's shape on the first of them."""

from typing import Any

from core.repairs.base import Change, Config, Dialect, Repair

NAME = "sequential_1"


def hoist(model: Config, dialect: Dialect) -> Change | None:
    """Give a Sequential a named config, and an InputLayer in place of its first layer's `batch_input_shape`."""
    if model.get("class_name") != "Sequential":
        return None
    config = model.get("config")
    said = ""
    if isinstance(config, list):
        config = {"name": str(model.get("name") or NAME), "layers": config}
        said = "a list of layers without a name is a named model now"
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return None
    layers = list(config["layers"])
    first = layers[0] if layers and isinstance(layers[0], dict) else {}
    fields: Any = first.get("config")
    if isinstance(fields, dict) and first.get("class_name") not in ("InputLayer", "Sequential", "Functional", "Model"):
        shape = _shape(fields)
        if shape is not None:
            layers.insert(0, _input_layer(first, fields, shape))
            said = said or "the first layer's input shape is an input layer now"
    if layers == config["layers"] and not said:
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

"""Layers of Keras 2 that need a helper before or after them to do in Keras 3 what they did."""

from typing import Any

from msgspec import Struct

from core.repairs.activations import modern
from core.repairs.base import Change, Config, Dialect, Repair, with_config, without
from core.repairs.nodes import modern_node, renamed, tensor


class Expanded(Struct, frozen=True):
    """A layer with helpers: `before` sees the layer's first input, `after` its first output. `text` says why."""

    layer: Config
    text: str
    before: tuple[Config, ...] = ()
    after: tuple[Config, ...] = ()


def _expanded(layer: Config) -> Expanded | None:
    config = layer["config"]
    name, kind = str(layer.get("name") or config.get("name")), layer["class_name"]
    if kind == "SeparableConv1D" and config.get("padding") == "causal":
        size, rate = _number(config.get("kernel_size", 1)), _number(config.get("dilation_rate", 1))
        helper = _layer("ZeroPadding1D", f"{name}_padding", padding=[(size - 1) * rate, 0])
        text = "padding=causal is now a ZeroPadding1D before it"
        return Expanded(with_config(layer, {**config, "padding": "valid"}), text, (helper,))
    inner = config.get("layer") if kind in _SEE_THROUGH else layer
    if _is_hard_sigmoid(inner):
        # clip(0.2 x + 0.5) is Keras 3's clip(x / 6 + 0.5) of 1.2 x
        helper = _layer("Rescaling", f"{name}_slope", scale=1.2, offset=0.0)
        return Expanded(
            layer, "its input is scaled by 1.2, because hard_sigmoid has a different slope in Keras 3", (helper,)
        )
    if config.get("time_major") is True:
        swap = _operation("Transpose", f"{name}_batch_major", {"axes": [1, 0, 2]})
        back = _operation("Transpose", f"{name}_time_major", {"axes": [1, 0, 2]})
        text = "time_major=True is now a transpose before and after it"
        fields = without(config, "time_major")
        return Expanded(with_config(layer, fields), text, (swap,), (back,) if config.get("return_sequences") else ())
    return None


_SEE_THROUGH = frozenset({"TimeDistributed", "QuantizeAnnotate", "PruneLowMagnitude"})


def _is_hard_sigmoid(layer: Any) -> bool:
    if not isinstance(layer, dict) or layer.get("class_name") != "Activation" or not isinstance(layer["config"], dict):
        return False
    return bool(modern(layer["config"].get("activation")) == "hard_sigmoid")


def _number(value: Any) -> int:
    return int(value[0] if isinstance(value, (list, tuple)) else value)


def _layer(class_name: str, name: str, **config: Any) -> Config:
    fields = {"name": name, "trainable": True, "dtype": "float32", **config}
    return {"module": "keras.layers", "class_name": class_name, "config": fields, "registered_name": None, "name": name}


def _operation(class_name: str, name: str, config: Config) -> Config:
    return {
        "module": "keras.src.ops.numpy",
        "class_name": class_name,
        "config": {"name": name, **config},
        "registered_name": class_name,
        "name": name,
    }


def _apply(model: Config, dialect: Dialect) -> Change | None:
    config = model.get("config")
    if dialect.major > 2 or not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return None
    chained = not any(isinstance(item, dict) and "inbound_nodes" in item for item in config["layers"])
    layers: list[Any] = []
    said: dict[str, str] = {}
    taken: dict[str, str] = {}
    for item in config["layers"]:
        found = _expanded(item) if isinstance(item, dict) and isinstance(item.get("config"), dict) else None
        parts = _placed(found, chained) if found is not None else None
        if found is None or parts is None:
            layers.append(item)
            continue
        layers.extend(parts)
        name = str(item.get("name") or item["config"].get("name"))
        said[name] = found.text
        if found.after:
            taken[name] = str(found.after[-1]["name"])
    if not said:
        return None
    helpers = set(taken.values())
    for place, item in enumerate(layers):
        if taken and isinstance(item, dict) and item.get("name") not in helpers and "inbound_nodes" in item:
            layers[place] = {**item, "inbound_nodes": renamed(item["inbound_nodes"], taken)}
    config = {**config, "layers": layers}
    if taken and "output_layers" in config:
        config["output_layers"] = renamed(config["output_layers"], taken)
    return Change({**model, "config": config}, "; ".join(f"{name}: {text}" for name, text in said.items()))


def _placed(found: Expanded, chained: bool) -> list[Config] | None:
    """Helpers and layer one after the other, with their calls; `None` when the calls have an unknown form."""
    if chained:
        # what is not a layer has no place in a Sequential
        whole = all(str(item["module"]).startswith("keras.layers") for item in (*found.before, *found.after))
        return [*found.before, found.layer, *found.after] if whole else None
    nodes = [modern_node(node) for node in found.layer.get("inbound_nodes") or ()]
    calls = [node for node in nodes if node is not None]
    if len(calls) < len(nodes):
        return None
    parts: list[Config] = []
    firsts = [_first(node) for node in calls]
    for helper in found.before:
        parts.append({**helper, "inbound_nodes": [{"args": [first], "kwargs": {}} for first in firsts]})
        firsts = [tensor(helper["name"], number) for number in range(len(calls))]
    own = [_with_first(node, first) for node, first in zip(calls, firsts, strict=True)]
    parts.append({**found.layer, "inbound_nodes": own})
    before = str(found.layer.get("name") or found.layer["config"].get("name"))
    for helper in found.after:
        parts.append(
            {
                **helper,
                "inbound_nodes": [{"args": [tensor(before, number)], "kwargs": {}} for number in range(len(calls))],
            }
        )
        before = str(helper["name"])
    return parts


def _first(node: Config) -> Any:
    first = node["args"][0]
    return first[0] if isinstance(first, list) else first


def _with_first(node: Config, first: Any) -> Config:
    old = node["args"][0]
    return {**node, "args": [[first, *old[1:]] if isinstance(old, list) else first, *node["args"][1:]]}


REPAIR = Repair("helpers", "Layers that Keras 3 computes differently", _apply)

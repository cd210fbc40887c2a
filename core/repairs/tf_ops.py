"""`TFOpLambda` and `SlicingOpLambda`: TensorFlow calls inside a Keras 2 model, as `keras.ops` operations."""

from typing import Any

from core.model.calls import is_leaf
from core.repairs.base import Change, Config, Dialect, Repair
from core.repairs.nodes import tensor
from core.repairs.tf_graph_ops import function_call
from core.repairs.tf_ops_composed import MORE
from core.repairs.tf_ops_table import Op, Previous, operations

_CLASSES = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")


def _apply(model: Config, dialect: Dialect) -> Change | None:
    config = model.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return None
    layers: list[Any] = []
    done: list[str] = []
    for layer in config["layers"]:
        made = _converted(layer) if isinstance(layer, dict) and layer.get("class_name") in _CLASSES else None
        if made is None:
            layers.append(layer)
            continue
        layers.extend(made)
        done.append(f"{_said(layer['config'])} is now {made[-1]['class_name']}")
    if not done:
        return None
    kept = _without_dead(layers, config.get("output_layers"))
    return Change({**model, "config": {**config, "layers": kept}}, "; ".join(dict.fromkeys(done)))


def _converted(layer: Config) -> list[Config] | None:
    config = layer.get("config")
    nodes = layer.get("inbound_nodes")
    if not isinstance(config, dict) or not isinstance(nodes, list) or len(nodes) != 1:
        return None
    name = str(layer.get("name") or config.get("name"))
    if layer["class_name"] == "TensorFlowOpLayer":
        call = function_call(config, nodes[0])
    else:
        call = (str(config.get("function") or "getitem"), *_arguments(nodes[0]))
    if call is None or call[1] is None:
        return None
    ops = operations(*call) or operations(*call, MORE)
    return [_node(op, name, index, len(ops)) for index, op in enumerate(ops)] if ops else None


def _said(config: Config) -> str:
    definition = config.get("node_def")
    return str(config.get("function") or (definition.get("op") if isinstance(definition, dict) else None) or "a slice")


def _arguments(node: Any) -> tuple[Any, Config]:
    """First argument and keyword arguments of a Keras 2 call, tensors in Keras 3's serialised form."""
    if is_leaf(node):
        return _value(node[:3]), _keywords(node)
    if isinstance(node, list) and node and all(is_leaf(item) for item in node):
        first = [_value(item[:3]) for item in node]
        return first, _keywords(node[0])
    if isinstance(node, list) and len(node) == 4 and node[0] == "_CONSTANT_VALUE" and isinstance(node[3], dict):
        return node[2], _keywords(node)
    return None, {}


def _keywords(node: list[Any]) -> Config:
    return {key: _value(value) for key, value in node[3].items()} if len(node) == 4 else {}


def _value(value: Any) -> Any:
    if isinstance(value, list):
        if len(value) >= 3 and value[0] == "_CONSTANT_VALUE":
            return value[2]
        if is_leaf(value):
            return tensor(*value[:3])
        return [_value(item) for item in value]
    return value


def _node(op: Op, name: str, index: int, count: int) -> Config:
    own = name if index == count - 1 else f"{name}_step_{index}"
    before = f"{name}_step_{index - 1}"
    args = [tensor(before) if isinstance(arg, Previous) else arg for arg in op.args]
    own = own.replace("/", "_")
    return {
        "module": op.module,
        "class_name": op.class_name,
        "config": {"name": own, **op.config},
        "registered_name": None if op.module == "keras.layers" else op.class_name,
        "name": own,
        "inbound_nodes": [{"args": args, "kwargs": op.kwargs}],
    }


def _without_dead(layers: list[Any], outputs: Any) -> list[Any]:
    """Leave out shape computations whose results are no longer used."""
    kept = list(layers)
    while True:
        used = _names(outputs) | {name for layer in kept for name in _names(layer.get("inbound_nodes"))}
        dead = [layer for layer in kept if layer.get("class_name") in _CLASSES and layer.get("name") not in used]
        dead += [
            layer
            for layer in kept
            if str(layer.get("module", "")).startswith("keras.src.ops") and layer["name"] not in used
        ]
        if not dead:
            return kept
        kept = [layer for layer in kept if all(layer is not item for item in dead)]


def _names(value: Any) -> set[str]:
    found: set[str] = set()
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, (list, tuple)):
            if len(item) >= 3 and isinstance(item[0], str) and isinstance(item[1], int):
                found.add(item[0])
            stack.extend(item)
        elif isinstance(item, dict):
            stack.extend(item.values())
    return found


REPAIR = Repair("tensorflow calls", "TensorFlow calls", _apply)

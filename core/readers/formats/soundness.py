"""Whether a model's description has the form that every Keras writes, before anything relies on it.

What is asked is the frame: that names are text, configs are objects, nodes are lists. Whether a layer's settings make
sense is asked where they are used.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.readers.containers.fault import damaged

_TEXT = ("class_name", "module", "registered_name", "name")
_LAYERS = ("layer", "backward_layer", "forward_layer", "cell")


def insist(model: dict[str, Any], path: Path) -> None:
    """Refuse a description whose frame is broken. Raises `FileError` with one sentence that names the place."""
    waiting: list[tuple[str, Any]] = [("the model", model)]
    while waiting:
        where, item = waiting.pop()
        for wrong in _wrong(item):
            raise damaged(path, f"is damaged: {where} {wrong}")
        if not isinstance(item, dict):
            continue
        if isinstance(item.get("config"), list):  # a Sequential of Keras 1
            waiting += [(_called(one), one) for one in item["config"]]
        config = item["config"] if isinstance(item.get("config"), dict) else {}
        for name, value in config.items():
            if name in _LAYERS and isinstance(value, dict):
                waiting.append((f"the {name} of {_called(item)}", value))
            elif name in ("layers", "cells") and isinstance(value, list):
                waiting += [(_called(one), one) for one in value]
            else:
                waiting += [(f"the {name} of {_called(item)}", one) for one in _serialised(value)]


def _called(item: Any) -> str:
    if not isinstance(item, dict):
        return "a layer"
    config = item.get("config")
    name = item.get("name") or (config.get("name") if isinstance(config, dict) else None)
    return f"the layer {name!r}"[:80] if isinstance(name, str) else "a layer"


def _wrong(item: Any) -> Iterator[str]:
    if not isinstance(item, dict):
        yield f"is {_kind(item)} where an object is expected"
        return
    if "class_name" not in item:
        yield "has no class_name"
    for key in _TEXT:
        value = item.get(key)
        if value is not None and not isinstance(value, str):
            yield f"has {_kind(value)} as {key} where text is expected"
    config = item.get("config")
    if isinstance(config, dict) and not isinstance(config.get("name"), (str, type(None))):
        yield f"has {_kind(config['name'])} as name where text is expected"
    nodes = item.get("inbound_nodes")
    if nodes is not None and not isinstance(nodes, list):
        yield f"has {_kind(nodes)} as inbound_nodes where a list is expected"
    for node in nodes or ():
        if not isinstance(node, (list, dict)):
            yield f"has {_kind(node)} among its inbound_nodes where a list or an object is expected"
        elif isinstance(node, dict) and not isinstance(node.get("kwargs", {}), dict):
            yield f"has {_kind(node['kwargs'])} as the kwargs of a call where an object is expected"


def _serialised(value: Any) -> list[Any]:
    """Serialised objects in a setting: an initializer, an activation, a list of them."""
    items = value if isinstance(value, list) else [value]
    return [one for one in items if isinstance(one, dict) and "class_name" in one]


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return {"int": "a number", "float": "a number", "str": "text", "list": "a list", "dict": "an object"}.get(
        type(value).__name__, "a value"
    )

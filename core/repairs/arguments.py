"""Arguments of calls that the class does not take in Keras 3: Keras 2 wrote a mask for layers that only add or join."""

from typing import Any

from core.layers.call_arguments import refused
from core.repairs.base import Change, Config, Dialect, Repair


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    nodes, module = layer.get("inbound_nodes"), str(layer.get("module") or "keras.layers")
    if not isinstance(nodes, list) or ".ops" in module or ">" in str(layer.get("registered_name") or ""):
        return None
    if not module.startswith("keras"):
        return None
    gone: dict[str, None] = {}
    changed = [_plain(node, str(layer["class_name"]), gone) for node in nodes]
    if not gone:
        return None
    verb = "is" if len(gone) == 1 else "are"
    return Change({**layer, "inbound_nodes": changed}, f"{', '.join(gone)} {verb} removed from its calls")


def _plain(node: Any, class_name: str, gone: dict[str, None]) -> Any:
    """A node without the arguments that the class refuses, whose names are noted in `gone`."""
    if isinstance(node, dict) and isinstance(node.get("kwargs"), dict):
        kept = _kept(node["kwargs"], class_name, gone)
        return node if kept is None else {**node, "kwargs": kept}
    if _is_leaf(node):
        kept = _kept(node[3], class_name, gone)
        return node if kept is None else [*node[:3], kept]
    if isinstance(node, list):
        return [_plain(item, class_name, gone) if isinstance(item, list) else item for item in node]
    return node


def _is_leaf(node: Any) -> bool:
    """Whether a node is one tensor with arguments behind it, as Keras 1 and 2 write them."""
    return isinstance(node, list) and len(node) == 4 and isinstance(node[0], str) and isinstance(node[3], dict)


def _kept(kwargs: Config, class_name: str, gone: dict[str, None]) -> Config | None:
    names = refused(class_name, kwargs)
    if not names:
        return None
    gone.update(dict.fromkeys(names))
    return {name: value for name, value in kwargs.items() if name not in names}


REPAIR = Repair("arguments", "Call arguments that Keras 3 does not accept", _apply)

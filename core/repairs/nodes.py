"""A layer's calls as repairs need them: the tensors that reach it, in Keras 3's serialised form."""

from typing import Any

from core.model.calls import is_leaf
from core.repairs.base import Config


def tensor(layer: str, node: int = 0, output: int = 0) -> Config:
    """A tensor in Keras 3's serialised form, its shape unknown."""
    history = [layer, node, output]
    return {"class_name": "__keras_tensor__", "config": {"shape": None, "dtype": "float32", "keras_history": history}}


def modern_node(node: Any) -> Config | None:
    """A Keras 2 node (a list of `[layer, node, tensor, kwargs]`) as Keras 3 writes it; other forms give `None`."""
    if isinstance(node, dict):
        return node
    if is_leaf(node):
        node = [node]
    if not isinstance(node, list) or not node or not all(is_leaf(item) for item in node):
        return None
    tensors = [tensor(*item[:3]) for item in node]
    kwargs: Config = {}
    for item in node:
        if len(item) == 4:
            kwargs.update(_value(item[3]))
    return {"args": tensors[:1] if len(tensors) == 1 else [tensors], "kwargs": kwargs}


def _value(value: Any) -> Any:
    if isinstance(value, list):
        if len(value) >= 3 and value[0] == "_CONSTANT_VALUE":
            return value[2]
        return tensor(*value[:3]) if is_leaf(value) else [_value(item) for item in value]
    if isinstance(value, dict):
        return {key: _value(item) for key, item in value.items()}
    return value


def origins(nodes: Any) -> list[str]:
    """The layers that nodes of any dialect take tensors from, once for each tensor."""
    return [name for name, _ in calls_taken(nodes)]


def calls_taken(nodes: Any) -> list[tuple[str, int]]:
    """The layers and their calls that nodes of any dialect take tensors from, as the file counts them."""
    found: list[tuple[str, int]] = []
    stack: list[Any] = [nodes]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
                found.append((value[0], value[1]))
            else:
                stack.extend(value)
        elif isinstance(value, dict):
            stack.extend(value.values())
    return found


def renamed(value: Any, names: dict[str, str]) -> Any:
    """Nodes or ports with every tensor taken from another layer where its layer is among `names`."""
    if isinstance(value, list):
        if len(value) >= 3 and isinstance(value[0], str) and value[0] in names and isinstance(value[1], int):
            return [names[value[0]], *(renamed(item, names) for item in value[1:])]
        return [renamed(item, names) for item in value]
    if isinstance(value, dict):
        return {key: renamed(item, names) for key, item in value.items()}
    return value

"""A layer's `inbound_nodes` in every dialect, as `Call`s whose leaves are `TensorRef`s counted from 0."""

from typing import Any

from core.model.graph import Call, Shape, TensorRef, TensorSpec

RawRef = tuple[str, int, int]
"""Layer name, node index and tensor index as the file counts them."""

_CONSTANT = "_CONSTANT_VALUE"
"""What Keras 2 writes in a layer's place where an argument is a number or a list."""


def is_legacy_node(node: Any) -> bool:
    """Whether a node has the form Keras 1 and 2 write: a list of `[layer, node, tensor, kwargs]`."""
    return isinstance(node, list)


def is_leaf(value: Any) -> bool:
    """Whether a value is `[layer name, node index, tensor index]` (and maybe kwargs), the old way to write a tensor."""
    return (
        isinstance(value, (list, tuple))
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value[1:3])
        and (len(value) == 3 or isinstance(value[3], dict))
    )


def is_keras_tensor(value: Any) -> bool:
    """Whether a value is Keras 3's serialised tensor."""
    return (
        isinstance(value, dict)
        and value.get("class_name") == "__keras_tensor__"
        and isinstance(value.get("config"), dict)
    )


def read_node(node: Any, specs: dict[RawRef, TensorSpec]) -> Call:
    """One node as a call. Shapes that serialised tensors carry are noted in `specs`."""
    if is_legacy_node(node):
        return _legacy_call(node)
    if "args" not in node and "kwargs" not in node:
        return Call(args=(_nested_legacy(node),))  # Keras 2: tensors by key
    args = _revive(node.get("args", []), specs)
    kwargs = _revive(node.get("kwargs", {}), specs)
    return Call(args=tuple(args) if isinstance(args, (list, tuple)) else (args,), kwargs=dict(kwargs))


def _legacy_call(node: list[Any]) -> Call:
    """Keras 1 and 2: the tensors are the first argument, the last tensor's kwargs are the call's."""
    if is_leaf(node):
        # tf.keras 2.2 and later writes a node with one tensor without the list around it.
        node = [node]
    first = node[0] if node else None
    if isinstance(first, dict) or any(not is_leaf(item) for item in node):
        return Call(args=(_nested_legacy(node),), kwargs={})
    tensors = [item[2] if item[0] == _CONSTANT else TensorRef(*item[:3]) for item in node]
    kwargs: dict[str, Any] = {}
    for item in node:
        if len(item) == 4:
            kwargs.update(item[3])
    return Call(
        args=(tensors[0] if len(tensors) == 1 else tensors,),
        kwargs={key: _legacy_value(value) for key, value in kwargs.items()},
    )


def _nested_legacy(value: Any) -> Any:
    if is_leaf(value):
        return value[2] if value[0] == _CONSTANT else TensorRef(*value[:3])
    if isinstance(value, list):
        inner = [_nested_legacy(item) for item in value]
        return inner[0] if len(inner) == 1 and not isinstance(value[0], list) else inner
    if isinstance(value, dict):
        return {key: _nested_legacy(item) for key, item in value.items()}
    return value


def _legacy_value(value: Any) -> Any:
    """A call argument of a Keras 2 node: tensors are `[layer, node, tensor]`, constants have a marker."""
    if isinstance(value, list) and len(value) in (3, 4) and value[0] == _CONSTANT:
        return value[2]
    if is_leaf(value):
        return TensorRef(*value[:3])
    if isinstance(value, list):
        return [_legacy_value(item) for item in value]
    if isinstance(value, dict):
        return {key: _legacy_value(item) for key, item in value.items()}
    return value


def _revive(value: Any, specs: dict[RawRef, TensorSpec]) -> Any:
    """Keras 3's serialised arguments: tensors become references, everything else stays as it is written."""
    if is_keras_tensor(value):
        config = value["config"]
        history = config.get("keras_history")
        if is_leaf(history):
            ref = TensorRef(*history[:3])
            # every tensor of a model has its batch at least: no axes is how this project writes that it knows none
            shape = read_shape(config.get("shape")) or None
            specs[(ref.layer, ref.call, ref.output)] = TensorSpec(shape, str(config.get("dtype", "float32")))
            return ref
        return value
    if isinstance(value, dict):
        if value.get("class_name") == "__tuple__" and _has_tensor(value):
            items = value.get("config", {}).get("value", value.get("items", []))
            return tuple(_revive(item, specs) for item in items)
        return {key: _revive(item, specs) for key, item in value.items()} if _has_tensor(value) else value
    if isinstance(value, list):
        return [_revive(item, specs) for item in value] if _has_tensor(value) else value
    return value


def _has_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        return is_keras_tensor(value) or any(_has_tensor(item) for item in value.values())
    return isinstance(value, list) and any(_has_tensor(item) for item in value)


def read_shape(value: Any) -> Shape | None:
    """A shape as configs write it (a list, or `{"class_name": "TensorShape" | "__tuple__", "items": [...]}`)."""
    if isinstance(value, dict):
        inner = value.get("config", {})
        value = value.get("items", inner.get("value") if isinstance(inner, dict) else None)
    if not isinstance(value, (list, tuple)):
        return None
    if not all(item is None or (isinstance(item, int) and not isinstance(item, bool)) for item in value):
        return None
    return tuple(value)


def read_ports(value: Any) -> Any:
    """`input_layers` or `output_layers`: the same nesting with references at the leaves."""
    if is_leaf(value):
        return TensorRef(*value[:3])
    if isinstance(value, dict):
        if value.get("class_name") == "__tuple__":
            items = value.get("config", {}).get("value", value.get("items", []))
            return tuple(read_ports(item) for item in items)
        return {key: read_ports(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [read_ports(item) for item in value]
    return value

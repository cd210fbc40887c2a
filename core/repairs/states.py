"""Calls of recurrent layers: Keras 2 wrote the initial state beside the sequence, Keras 3 wants it by name."""

from typing import Any

from core.layers.table import classes
from core.repairs.base import Change, Config, Dialect, Repair
from core.repairs.nodes import modern_node

_CLASSES = classes(kind=("units", "cells", "map")) | {"Bidirectional", "CuDNNLSTM", "CuDNNGRU"}


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    if dialect.major > 2 or layer["class_name"] not in _CLASSES or not layer.get("inbound_nodes"):
        return None
    constants = layer["config"].get("num_constants")
    nodes = [_named(node, int(constants or 0)) for node in layer["inbound_nodes"]]
    if nodes == layer["inbound_nodes"]:
        return None
    return Change({**layer, "inbound_nodes": nodes}, "its initial state is given by name now")


def _named(node: Any, constants: int) -> Any:
    call = modern_node(node)
    if call is None or not isinstance(call["args"][0], list) or constants:
        return node
    first, *states = call["args"][0]
    return {"args": [first], "kwargs": {**call["kwargs"], "initial_state": states}}


REPAIR = Repair("states", "Initial states of recurrent layers", _apply)

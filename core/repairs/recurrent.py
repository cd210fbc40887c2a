"""Recurrent layers of Keras 1 and 2: CuDNN classes, `reset_after` not yet written, gates in arrays of their own.

Keras 2 wrote the initial state of a call beside the sequence, Keras 3 wants it by name. Keras 1 kept one array for each
gate: a note to the weights' reader to join them.
"""

from typing import Any

from core.layers.table import classes, row
from core.repairs.base import Change, Config, Dialect, Repair, with_config, without
from core.repairs.nodes import modern_node

_PLAIN = classes(kind=("units", "cell"))
_CUDNN = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}


def _layers(layer: Config, dialect: Dialect) -> Change | None:
    name, config = layer["class_name"], layer["config"]
    if name in _CUDNN:
        fields = {**config, "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True}
        if name == "CuDNNGRU":
            fields["reset_after"] = True
        made = {
            **with_config(layer, fields),
            "class_name": _CUDNN[name],
            "module": "keras.layers",
            "registered_name": None,
        }
        return Change(
            {**made, "arrays": [*layer.get("arrays", []), {"do": "cudnn", "class": name}]},
            f"{name} is now {_CUDNN[name]}",
        )
    if "reset_after" in row(name).fields and "reset_after" not in config and dialect.major < 3:
        # Written since Keras 2.1.5; before, there was only the form that resets before the product.
        return Change(
            with_config(layer, {**config, "reset_after": False}),
            "reset_after was set to False, the only form in that version of Keras",
        )
    if "implementation" in config and name in _PLAIN:
        return Change(with_config(layer, without(config, "implementation")), "")
    return None


_GATES = {"LSTM": 4, "GRU": 3}


def _gates(layer: Config, dialect: Dialect) -> Change | None:
    name = layer["class_name"]
    if dialect.major > 1 or name not in (*_GATES, "SimpleRNN"):
        return None
    steps = list(layer.get("arrays", []))
    if any(step["do"] == "keras1_gates" for step in steps):
        return None
    made = {**layer, "arrays": [*steps, {"do": "keras1_gates", "class": name}]}
    return Change(made, "the arrays of its gates were joined" if name in _GATES else "")


_CLASSES = classes(kind=("units", "cells", "map")) | {"Bidirectional", *_CUDNN}


def _states(layer: Config, dialect: Dialect) -> Change | None:
    if dialect.major > 2 or layer["class_name"] not in _CLASSES or not layer.get("inbound_nodes"):
        return None
    constants = layer["config"].get("num_constants")
    nodes = [_named(node, int(constants or 0)) for node in layer["inbound_nodes"]]
    if nodes == layer["inbound_nodes"]:
        return None
    return Change({**layer, "inbound_nodes": nodes}, "its initial state is now passed by name")


def _named(node: Any, constants: int) -> Any:
    call = modern_node(node)
    if call is None or not isinstance(call["args"][0], list) or constants:
        return node
    first, *states = call["args"][0]
    return {"args": [first], "kwargs": {**call["kwargs"], "initial_state": states}}


STATES = Repair("states", "Initial states of recurrent layers", _states)
REPAIR = Repair("recurrent", "Recurrent layers of Keras 2", _layers)
GATES = Repair("gates", "Recurrent layers of Keras 1", _gates)

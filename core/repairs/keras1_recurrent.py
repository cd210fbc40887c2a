"""Keras 1's recurrent layers kept one array for each gate: a note to the weights' reader to join them."""

from core.repairs.base import Change, Config, Dialect, Repair

_GATES = {"LSTM": 4, "GRU": 3}


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    name = layer["class_name"]
    if dialect.major > 1 or name not in (*_GATES, "SimpleRNN"):
        return None
    steps = list(layer.get("arrays", []))
    if any(step["do"] == "keras1_gates" for step in steps):
        return None
    made = {**layer, "arrays": [*steps, {"do": "keras1_gates", "class": name}]}
    return Change(made, "its gates' arrays are joined" if name in _GATES else "")


REPAIR = Repair("gates", "Recurrent layers of Keras 1", _apply)

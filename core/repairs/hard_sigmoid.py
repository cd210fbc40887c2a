"""`hard_sigmoid` of Keras 1 and 2, clip(0.2 x + 0.5), which is not Keras 3's clip(x / 6 + 0.5).

Both are equal after scaling x by 1.2, so the gates' (or the layer's) weights and biases are scaled instead.
"""

from core.layers.table import classes, row
from core.repairs.base import Change, Config, Dialect, Repair, with_config

_LSTMS = classes(family="recurrent", states=2)
_ONE_STATE = classes(family="recurrent", states=1)
_GRUS = frozenset(name for name in _ONE_STATE if "recurrent_activation" in row(name).fields.split())
GATED = {
    **dict.fromkeys(_LSTMS, (0, 1, 3)),
    **dict.fromkeys(_GRUS, (0, 1)),
}
_BLOCKS = {name: 4 if len(gates) == 3 else 3 for name, gates in GATED.items()}
_LINEAR = classes(family=("convolution", "dense")) | (_ONE_STATE - _GRUS)


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    name, config = layer["class_name"], layer["config"]
    if dialect.major > 2 or any(step["do"] == "hard_sigmoid" for step in layer.get("arrays", [])):
        return None
    step: Config | None = None
    if name in GATED:
        blocks: list[int] = []
        if config.get("recurrent_activation", "hard_sigmoid") == "hard_sigmoid":
            blocks += GATED[name]
            layer = with_config(layer, {**config, "recurrent_activation": "hard_sigmoid"})
        if name in _GRUS and config.get("activation") == "hard_sigmoid":
            blocks.append(2)
        if blocks:
            step = {"do": "hard_sigmoid", "count": _BLOCKS[name], "blocks": blocks}
    elif name in _LINEAR and config.get("activation") == "hard_sigmoid":
        step = {"do": "hard_sigmoid", "count": 1, "blocks": [0]}
    if step is None:
        return None
    said = "weights were scaled by 1.2, because hard_sigmoid has a different slope in Keras 3"
    return Change({**layer, "arrays": [*layer.get("arrays", []), step]}, said)


def _apply_twice(layer: Config, dialect: Dialect) -> Change | None:
    """The activation of an LSTM acts on the candidate and on the state, which no weights scale."""
    lstm = layer["class_name"] in _LSTMS
    if dialect.major > 2 or not lstm or layer["config"].get("activation") != "hard_sigmoid":
        return None
    return Change(layer, "activation=hard_sigmoid has a different slope in Keras 3, so its outputs differ slightly")


REPAIR = Repair("hard_sigmoid", "hard_sigmoid of Keras 1 and 2", _apply)
TWICE = Repair("hard_sigmoid state", "hard_sigmoid as the activation of an LSTM", _apply_twice, severity="warning")

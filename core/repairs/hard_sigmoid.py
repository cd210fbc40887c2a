"""`hard_sigmoid` of Keras 1 and 2, clip(0.2 x + 0.5), which is not Keras 3's clip(x / 6 + 0.5).

Both are equal after scaling x by 1.2, so the gates' (or the layer's) weights and biases are scaled instead.
"""

from core.repairs.base import Change, Config, Dialect, Repair, with_config

_GATED = {"LSTM": (0, 1, 3), "GRU": (0, 1), "ConvLSTM1D": (0, 1, 3), "ConvLSTM2D": (0, 1, 3), "ConvLSTM3D": (0, 1, 3)}
_BLOCKS = {"LSTM": 4, "GRU": 3, "ConvLSTM1D": 4, "ConvLSTM2D": 4, "ConvLSTM3D": 4}
_LINEAR = frozenset({"Dense", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"})


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    name, config = layer["class_name"], layer["config"]
    if dialect.major > 2 or any(step["do"] == "hard_sigmoid" for step in layer.get("arrays", [])):
        return None
    step: Config | None = None
    if name in _GATED and config.get("recurrent_activation", "hard_sigmoid") == "hard_sigmoid":
        step = {"do": "hard_sigmoid", "count": _BLOCKS[name], "blocks": list(_GATED[name])}
        layer = with_config(layer, {**config, "recurrent_activation": "hard_sigmoid"})
    elif name in _LINEAR and config.get("activation") == "hard_sigmoid":
        step = {"do": "hard_sigmoid", "count": 1, "blocks": [0]}
    if step is None:
        return None
    said = "weights scaled by 1.2, because Keras 3's hard_sigmoid has another slope"
    return Change({**layer, "arrays": [*layer.get("arrays", []), step]}, said)


REPAIR = Repair("hard_sigmoid", "hard_sigmoid of Keras 1 and 2", _apply)

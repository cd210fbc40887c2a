"""Recurrent layers of Keras 2: `reset_after` that was not yet written, `implementation`, CuDNN classes."""

from core.repairs.base import Change, Config, Dialect, Repair, with_config, without

_CUDNN = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}


def _apply(layer: Config, dialect: Dialect) -> Change | None:
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
            f"{name} is {_CUDNN[name]} now",
        )
    if name in ("GRU", "GRUCell") and "reset_after" not in config and dialect.major < 3:
        # Written since Keras 2.1.5; before, there was only the form that resets before the product.
        return Change(with_config(layer, {**config, "reset_after": False}), "reset_after=False, the only form then")
    if "implementation" in config and name in ("LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell", "SimpleRNNCell"):
        return Change(with_config(layer, without(config, "implementation")), "")
    return None


REPAIR = Repair("recurrent", "Recurrent layers of Keras 2", _apply)

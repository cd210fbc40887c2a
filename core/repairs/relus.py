"""ReLU's relatives: `alpha` of LeakyReLU, arrays as numbers, ThresholdedReLU."""

from typing import Any

from core.layers.channel_ops import ACTIVATIONS
from core.repairs.base import Change, Config, Dialect, Repair, with_config, without


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    name, config = layer["class_name"], layer["config"]
    if name == "LeakyReLU" and "alpha" in config:
        slope = number(config["alpha"])
        return Change(
            with_config(layer, {**without(config, "alpha"), "negative_slope": slope}), "alpha is now negative_slope"
        )
    if name == "ThresholdedReLU":
        theta = number(config.get("theta", 1.0))
        fields = {**without(config, "theta"), "max_value": None, "negative_slope": 0.0, "threshold": theta}
        return Change(
            {**with_config(layer, fields), "class_name": "ReLU"}, f"ThresholdedReLU is now ReLU(threshold={theta})"
        )
    arrays = {
        key: number(value)
        for key, value in config.items()
        if isinstance(value, dict) and value.get("type") == "ndarray"
    }
    if name in ACTIVATIONS and arrays:
        return Change(with_config(layer, {**config, **arrays}), f"{', '.join(arrays)} converted to a number")
    return None


def number(value: Any) -> float:
    """A number, or the one in Keras 2's `{"type": "ndarray", "value": 0.3}`."""
    while isinstance(value, dict):
        value = value.get("value", 0.0)
    while isinstance(value, list) and value:
        value = value[0]
    return float(value or 0.0)


REPAIR = Repair("relus", "Old formats of ReLU layers", _apply)

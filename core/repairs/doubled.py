"""Models that give one tensor several times where only one can be taken: inside a Sequential or a TimeDistributed.

Keras has written such files (a model of one output saved with it listed twice) and cannot load them itself: the next
layer gets a list of equal tensors.
"""

from typing import Any

from core.model.calls import is_leaf
from core.repairs.base import Change, Config, Dialect, Repair, is_serialised


def _apply(model: Config, dialect: Dialect) -> Change | None:
    config = model.get("config")
    if not isinstance(config, dict):
        return None
    said: list[str] = []
    if model.get("class_name") == "Sequential" and isinstance(config.get("layers"), list):
        layers = [_once(item, said) for item in config["layers"]]
        changed: Config = {**config, "layers": layers}
    elif model.get("class_name") == "TimeDistributed":
        changed = {**config, "layer": _once(config.get("layer"), said)}
    if not said:
        return None
    return Change({**model, "config": changed}, "; ".join(said))


def _once(item: Any, said: list[str]) -> Any:
    """A model with the output that it lists several times listed once."""
    if not is_serialised(item) or not isinstance(item["config"].get("output_layers"), list):
        return item
    outputs = item["config"]["output_layers"]
    if is_leaf(outputs) or len(outputs) < 2 or any(one != outputs[0] for one in outputs) or not is_leaf(outputs[0]):
        return item
    name = item.get("name") or item["config"].get("name") or "the inner model"
    said.append(f"{name} lists its output once instead of {len(outputs)} times, because only one can be used here")
    return {**item, "config": {**item["config"], "output_layers": outputs[0]}}


REPAIR = Repair("doubled", "Outputs listed more than once", _apply)

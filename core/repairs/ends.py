"""Models whose config names no inputs or no outputs: tf-keras opens them, and then cannot call them.

The connections are all there. `core.readers.config_graph` takes the input layers for the inputs and what no layer takes
for the outputs; here it is told.
"""

from collections import Counter
from typing import Any

from core.repairs.base import Change, Config, Dialect, Repair, is_serialised
from core.repairs.nodes import calls_taken


def _apply(model: Config, dialect: Dialect) -> Change | None:
    config = model.get("config")
    if model.get("class_name") == "Sequential" or not isinstance(config, dict):
        return None
    layers: Any = config.get("layers")
    if not isinstance(layers, list) or not all(map(is_serialised, layers)):
        return None
    taken = {ref for item in layers for ref in calls_taken(item.get("inbound_nodes"))}
    if not taken:
        return None
    used = Counter(name for name, _ in taken)
    missing = [name for name in ("input_layers", "output_layers") if not config.get(name)]
    names = [str(item.get("name") or item["config"].get("name")) for item in layers]
    starts = [name for name, item in zip(names, layers, strict=True) if item["class_name"] == "InputLayer"]
    calls = {name: len(item.get("inbound_nodes") or ()) for name, item in zip(names, layers, strict=True)}
    ends = [name for name in names if calls[name] > used[name] and name not in starts]
    said = {"input_layers": ("inputs", starts), "output_layers": ("outputs", ends)}
    told = [f"its {said[name][0]} are {_listed(said[name][1])}" for name in missing if said[name][1]]
    return (
        Change({**model, "config": {**{name: [] for name in missing}, **config}}, " and ".join(told)) if told else None
    )


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:3])} and {len(names) - 3} more" if len(names) > 4 else ", ".join(names)


REPAIR = Repair("ends", "Inputs or outputs not named in the file", _apply, severity="warning")

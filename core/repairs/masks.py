"""Masks that meet in a `Concatenate`: Keras 2 keeps a step that every input has, Keras 3 one that any input has.

Keras 3 also makes operations for joined masks, which take the names `concatenate`, `concatenate_1` and so on; a layer
of that name, as Keras 2 gave it, would clash with them when the model is loaded.
"""

import re
from typing import Any

from core.layers.table import classes
from core.repairs.base import Change, Config, Dialect, Repair
from core.repairs.nodes import origins, renamed

_TAKEN = re.compile(r"concatenate(_\d+)?$")
_ENDS = frozenset({"Flatten", "Reshape", "GlobalAveragePooling1D", "GlobalMaxPooling1D", "Conv1D", "Conv2D", "Lambda"})
_RECURRENT = classes(kind=("units", "cells"))


def _apply(model: Config, dialect: Dialect) -> Change | None:
    config = model.get("config")
    if dialect.major > 2 or not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return None
    layers = {_name(item): item for item in config["layers"] if isinstance(item, dict)}
    if not any(_masks(item) for item in layers.values()):
        return None
    makers: dict[str, frozenset[str]] = {}
    for name in layers:
        _find(name, layers, makers)
    joined = {
        name: [makers.get(origin, frozenset()) for origin in _origins(item)]
        for name, item in layers.items()
        if item.get("class_name") == "Concatenate" and makers.get(name)
    }
    table = {name: _free(f"{name}_layer", layers) for name in joined if _TAKEN.match(name)}
    unlike = [name for name, found in joined.items() if len(set(found)) > 1]
    if not table and not unlike:
        return None
    listed = [_renamed(item, table) for item in config["layers"]]
    ends = {key: renamed(config[key], table) for key in ("input_layers", "output_layers") if key in config}
    said = [f"{name} is now {new}, because Keras 3 uses its name for the combined mask" for name, new in table.items()]
    said += [
        f"{table.get(name, name)} combines different masks; Keras 3 keeps a step that any input keeps, Keras 2 "
        "only one that all inputs keep, so outputs can differ where the masks differ"
        for name in unlike
    ]
    return Change({**model, "config": {**config, **ends, "layers": listed}}, "; ".join(said))


def _masks(item: Config) -> bool:
    config = item.get("config")
    return item.get("class_name") == "Masking" or (isinstance(config, dict) and bool(config.get("mask_zero")))


def _find(name: str, layers: dict[str, Config], makers: dict[str, frozenset[str]]) -> None:
    """The mask makers above each layer, without recursion: models are thousands of layers deep."""
    stack = [name]
    while stack:
        top = stack[-1]
        if top in makers:
            stack.pop()
            continue
        item = layers[top]
        missing = [one for one in _origins(item) if one in layers and one not in makers]
        if missing and not set(missing) & set(stack):
            stack.extend(missing)
            continue
        above: frozenset[str] = frozenset().union(*(makers.get(one, frozenset()) for one in _origins(item)))
        makers[top] = frozenset({top}) if _masks(item) else frozenset() if _ends(item) else above
        stack.pop()


def _ends(item: Config) -> bool:
    config = item.get("config")
    kind = item.get("class_name")
    return kind in _ENDS or (kind in _RECURRENT and not (isinstance(config, dict) and config.get("return_sequences")))


def _origins(item: Config) -> list[str]:
    return origins(item.get("inbound_nodes"))


def _free(name: str, layers: dict[str, Config]) -> str:
    while name in layers:
        name += "_"
    return name


def _renamed(item: Any, table: dict[str, str]) -> Any:
    if not isinstance(item, dict):
        return item
    changed = dict(item)
    if "inbound_nodes" in item:
        changed["inbound_nodes"] = renamed(item["inbound_nodes"], table)
    name = _name(item)
    if name in table:
        changed["saved_name"] = item.get("saved_name") or name
        changed["name"] = table[name]
        changed["config"] = {**item["config"], "name": table[name]}
    return changed


def _name(item: Config) -> str:
    config = item.get("config")
    own = config.get("name") if isinstance(config, dict) else None
    return str(item.get("name") or own or "")


REPAIR = Repair("masks", "Masks joined by Concatenate", _apply, severity="warning")

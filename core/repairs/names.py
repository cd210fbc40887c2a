"""Names with a slash, which Keras 3 does not take: the slash becomes an underscore, in connections too."""

from typing import Any

from core.model.calls import is_leaf
from core.repairs.base import Change, Config, Dialect, Repair


def _apply(model: Config, dialect: Dialect) -> Change | None:
    config = model.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        return None
    table = _new_names(config["layers"])
    if not table:
        return None
    layers = [_renamed(layer, table) for layer in config["layers"]]
    ends = {key: _follow(config[key], table) for key in ("input_layers", "output_layers") if key in config}
    said = ", ".join(f"{old} is now {new}" for old, new in table.items())
    return Change({**model, "config": {**config, **ends, "layers": layers}}, said)


def _new_names(layers: list[Any]) -> dict[str, str]:
    names = [_name(layer) for layer in layers if isinstance(layer, dict)]
    taken = {name for name in names if "/" not in name}
    table: dict[str, str] = {}
    for name in names:
        if "/" not in name:
            continue
        new = name.replace("/", "_")
        while new in taken:
            new += "_"
        taken.add(new)
        table[name] = new
    return table


def _name(layer: Config) -> str:
    config = layer.get("config")
    own = config.get("name") if isinstance(config, dict) else None
    return str(layer.get("name") or own or "")


def _renamed(layer: Any, table: dict[str, str]) -> Any:
    if not isinstance(layer, dict):
        return layer
    old = _name(layer)
    changed = dict(layer)
    if "inbound_nodes" in layer:
        changed["inbound_nodes"] = _follow(layer["inbound_nodes"], table)
    if old in table:
        changed["saved_name"] = old
        if "name" in layer:
            changed["name"] = table[old]
        if isinstance(layer.get("config"), dict):
            changed["config"] = {**layer["config"], "name": table[old]}
    return changed


def _follow(value: Any, table: dict[str, str]) -> Any:
    if is_leaf(value) and isinstance(value, list):
        head = table.get(value[0], value[0])
        return [head, *(_follow(item, table) if isinstance(item, dict) else item for item in value[1:])]
    if isinstance(value, list):
        return [_follow(item, table) for item in value]
    if isinstance(value, dict):
        return {key: _follow(item, table) for key, item in value.items()}
    return value


REPAIR = Repair("names", "Names with slashes", _apply)

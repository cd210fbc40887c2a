"""Models of Keras 2 with one input or output in a list: Keras 2 took the list off, Keras 3 would hand it on."""

from typing import Any

from core.model.calls import is_leaf
from core.repairs.base import Change, Config, Dialect, Repair


def _apply(model: Config, dialect: Dialect) -> Change | None:
    config = model.get("config")
    if dialect.major > 2 or not isinstance(config, dict) or "layers" not in config:
        return None
    changed = {key: _single(config[key]) for key in ("input_layers", "output_layers") if key in config}
    changed = {key: value for key, value in changed.items() if value is not config[key]}
    return Change({**model, "config": {**config, **changed}}, "") if changed else None


def _single(ports: Any) -> Any:
    return ports[0] if isinstance(ports, list) and len(ports) == 1 and is_leaf(ports[0]) else ports


REPAIR = Repair("ports", "Single inputs and outputs", _apply)

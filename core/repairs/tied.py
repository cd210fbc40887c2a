"""Layers that stand at two depths of a model: one layer when it was saved, two when Keras loads it again.

Keras writes a layer that a model and a model inside it share at both places, and notes at the second that the object is
known (`shared_object_id`). Neither tf-keras nor Keras 3 finds the first by it: the copies share no variables.
"""

import json
from collections.abc import Iterator
from typing import Any

from core.findings import Finding
from core.repairs.base import Config

_SHARED = "shared_object_id"


def tied_findings(model: Config) -> list[Finding]:
    """A warning for every layer that the file says is the same as one at another depth."""
    layers = list(_layers(model, ""))
    found = []
    for path, item in layers:
        if item.get(_SHARED) is None:
            continue
        twins = [other for other, one in layers if other != path and _level(other) != _level(path) and _same(item, one)]
        if twins:
            others = " and ".join(twins)
            text = (
                f"{path} and {others} were one layer when the file was saved. Keras files cannot store a layer that a "
                f"model shares with an inner model, so the result has {len(twins) + 1} layers with the same values, "
                "which will diverge in training. To train them as one layer, rebuild the model in code."
            )
            found.append(Finding("warning", "weight.tied", path, text, detail="\n".join((path, *twins))))
    return found


def _layers(model: Config, prefix: str) -> Iterator[tuple[str, Config]]:
    """Every layer of a serialised model with its path, those of wrapped models too."""
    config = model.get("config")
    items = config if isinstance(config, list) else config.get("layers") if isinstance(config, dict) else None
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict) or not isinstance(item.get("config"), (dict, list)):
            continue
        own = item["config"] if isinstance(item["config"], dict) else {}
        path = f"{prefix}{item.get('name') or own.get('name') or ''}"
        yield path, item
        yield from _layers(item, f"{path}/")
        if isinstance(own.get("layer"), dict):
            yield from _layers(own["layer"], f"{path}/")


def _level(path: str) -> str:
    return path.rpartition("/")[0]


def _same(one: Config, other: Config) -> bool:
    """Whether two entries are the same layer: by the mark if both have it, else by class, name and settings."""
    if one.get("class_name") != other.get("class_name"):
        return False
    if other.get(_SHARED) is not None:
        return bool(one[_SHARED] == other[_SHARED])
    return _text(one["config"]) == _text(other["config"])


def _text(config: Any) -> str:
    return json.dumps(_unmarked(config), sort_keys=True)


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unmarked(item) for key, item in value.items() if key != _SHARED}
    return [_unmarked(item) for item in value] if isinstance(value, list) else value

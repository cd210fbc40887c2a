"""Numbers of a custom layer's config that belong to the old input: image sizes, grids, counts of patches."""

import re
from math import prod
from typing import Any

from msgspec import Struct

from core.model.graph import Graph
from core.phrases import shape_words
from core.surgery.grids import Grid, grid_pairs

_COUNTS = re.compile(r"patch(es)?$|token|position|seq(uence)?_?len|max_?len", re.IGNORECASE)
_SIZES = re.compile(r"(image|img|input|grid).*(size|shape|dim|res)|resolution|^(image|img)$|num_patch", re.IGNORECASE)
_PREFIXES = (0, 1, 2, 5)


class Moved(Struct, frozen=True):
    """What an edit did to sizes: image sizes and grids of patches, old to new."""

    sizes: tuple[tuple[Grid, Grid], ...]
    grids: tuple[tuple[Grid, Grid], ...]


def moved(before: Graph, after: Graph) -> Moved:
    """Sizes of inputs and grids that differ between the graphs."""
    pairs = tuple(dict.fromkeys(pair for pair in grid_pairs(before, after) if pair[0] != pair[1]))
    sizes = []
    olds = {layer.name: layer for layer in before.input_layers()} if not before.opaque else {}
    for layer in after.input_layers() if not after.opaque else ():
        old = olds[layer.name].config.get("batch_shape") if layer.name in olds else None
        new = layer.config.get("batch_shape")
        if old and new and len(old) == len(new) > 2 and old != new and None not in (*old[1:], *new[1:]):
            sizes.append((tuple(old[1:]), tuple(new[1:])))
    return Moved(tuple(sizes), pairs)


def renumbered(config: dict[str, Any], change: Moved) -> dict[str, Any]:
    """A custom layer's config with counts of patches, grids and image sizes of the old input made those of the new."""
    if not change.sizes and not change.grids:
        return config
    return {key: _number(key, value, change) for key, value in config.items()}


def _number(key: str, value: Any, change: Moved) -> Any:
    if isinstance(value, dict):
        if value.get("class_name") == "__tuple__":
            return {**value, "items": _number(key, value.get("items"), change)}
        return {name: _number(name, item, change) for name, item in value.items()}
    if isinstance(value, bool) or "patch_size" in key.lower():
        return value
    if isinstance(value, int) and _COUNTS.search(key):
        for old, new in change.grids:
            for prefix in _PREFIXES:
                if value == prod(old) + prefix:
                    return prod(new) + prefix
    if isinstance(value, int) and _SIZES.search(key):
        return next((new[0] for old, new in change.sizes if value == old[0] == old[1] and new[0] == new[1]), value)
    if isinstance(value, (list, tuple)) and _SIZES.search(key) and all(isinstance(one, int) for one in value):
        for old, new in (*change.sizes, *change.grids):
            if list(value) in (list(old), list(old[:2])):
                return type(value)(new[: len(value)])
    return value


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs between two configs, field by field, in words."""
    return [
        f"{key} {_plain(old.get(key))} became {_plain(value)}"
        for key, value in new.items()
        if value != old.get(key) and not isinstance(value, dict)
    ] or ["nested fields"]


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return shape_words(value)
    return str(value)

"""The layer inside a wrapper (TimeDistributed, SpectralNormalization, ...): read as a layer of its own, and changed."""

from typing import Any

from msgspec.structs import replace

from core.layers.axes import WRAPPERS, leaf_class, unwrapped
from core.model.graph import Graph, Layer


def leaf(layer: Layer) -> Layer:
    """The layer with the class and config of the one that it wraps; itself where it wraps none."""
    class_name, config = leaf_class(layer)
    return layer if config is layer.config else replace(layer, class_name=class_name, config=config)


def leaf_configured(layer: Layer, **fields: Any) -> Layer:
    """The layer with some fields replaced in the config of the innermost one."""
    return replace(layer, config=_inside(layer.class_name, layer.config, fields))


def steps(layer: Layer) -> int:
    """How many axes behind the batch a wrapper takes away before the layer inside sees its input."""
    *around, _ = unwrapped(layer)
    return sum(class_name == "TimeDistributed" for class_name, _ in around)


def wrapping(graph: Graph, path: str) -> str | None:
    """The path of the layer itself, or of the wrapper around the layer that `path` names inside it; else `None`."""
    try:
        graph.find(path)
    except KeyError:
        outer, _, name = path.rpartition("/")
        around = wrapping(graph, outer) if outer else None
        if around is None:
            return None
        layer = graph.find(around)
        inside = layer.config.get(WRAPPERS.get(layer.class_name, ""))
        while isinstance(inside, dict) and isinstance(inside.get("config"), dict):
            if inside["config"].get("name") == name:
                return around
            inside = inside["config"].get(WRAPPERS.get(inside.get("class_name", ""), ""))
        return None
    return path


def _inside(class_name: str, config: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    key = WRAPPERS.get(class_name)
    inside = config.get(key) if key is not None else None
    if key is None or not isinstance(inside, dict) or "class_name" not in inside:
        return {**config, **fields}
    return {**config, key: {**inside, "config": _inside(inside["class_name"], inside.get("config", {}), fields)}}

"""Layers that occur at two places of a model but are stored once: the second place gets the first one's arrays."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from core.model.graph import Graph, Layer, Weight


def share_weights(graph: Graph, missing: Sequence[str]) -> tuple[Graph, list[str]]:
    """Fill layers without arrays from an equal one (name, class, config) elsewhere; the graph and what still lacks."""
    lacking = {path.rsplit("/", 1)[0] for path in missing}
    if not lacking:
        return graph, []
    donors: dict[tuple[str, str], list[tuple[dict[str, Any], tuple[Weight, ...]]]] = {}
    for _, layer in graph.walk():
        if any(not weight.state for weight in layer.weights):
            donors.setdefault((layer.name, layer.class_name), []).append((layer.config, layer.weights))
    filled: set[str] = set()

    def fill(path: str, layer: Layer) -> Layer:
        if layer.inner is not None or layer.weights:
            return layer
        for config, weights in donors.get((layer.name, layer.class_name), ()):
            if config == layer.config:
                filled.add(path)
                return replace(layer, weights=weights)
        return layer

    result = graph.replace_layers(lambda path, layer: fill(path, layer) if _lacks(path, lacking) else layer)
    return result, [path for path in missing if not any(path.startswith(found + "/") for found in filled)]


def _lacks(path: str, lacking: set[str]) -> bool:
    return path in lacking or any(item.startswith(path + "/") for item in lacking)

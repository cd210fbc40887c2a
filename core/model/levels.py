"""Levels of a graph: the model around a layer, the model that holds it, names that are free on it."""

from collections.abc import Iterable

from msgspec.structs import replace

from core.errors import EditError
from core.model.graph import Graph


def free_name(taken: Iterable[str], wanted: str) -> str:
    """`wanted`, or with the first free number behind it."""
    names = set(taken)
    name, number = wanted, 1
    while name in names:
        number += 1
        name = f"{wanted}_{number}"
    return name


def parent_of(path: str) -> str:
    """The path of the model around a layer, `""` at the top."""
    return path.rpartition("/")[0]


def owner(graph: Graph, path: str) -> tuple[str, Graph]:
    """`(prefix with its slash, graph)` of the level that holds the layer at `path`. Raises `EditError`."""
    for layer in graph.layers:
        if layer.name == path:
            return "", graph
        if layer.inner is not None and path.startswith(layer.name + "/"):
            try:
                prefix, level = owner(layer.inner, path[len(layer.name) + 1 :])
            except EditError:
                continue
            return f"{layer.name}/{prefix}", level
    raise EditError(f"There is no layer {path!r}.")


def with_level(graph: Graph, prefix: str, level: Graph) -> Graph:
    """The graph with the level under `prefix` (as `owner` gives it) replaced."""
    if not prefix:
        return level
    path = prefix[:-1]
    return graph.with_layer(path, replace(graph.find(path), inner=level))

"""Levels of a graph: the model around a layer, the model that holds it, names that are free on it."""

from collections.abc import Mapping, Set

from msgspec.structs import replace

from core.errors import EditError
from core.model.graph import Graph


def free_name(taken: Set[str] | Mapping[str, object], wanted: str) -> str:
    """`wanted`, or with the first free number behind it; `taken` answers at once, however many names it holds."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def parent_of(path: str) -> str:
    """The path of the model around a layer, `""` at the top."""
    return path.rpartition("/")[0]


def owner(graph: Graph, path: str) -> tuple[str, Graph]:
    """`(prefix with its slash, graph)` of the level that holds the layer at `path`. Raises `EditError`."""
    try:
        *around, _ = graph.trail(path)
    except KeyError:
        raise EditError(f"There is no layer {path!r}.") from None
    return "".join(f"{name}/" for name in around), graph.inside(tuple(around))


def with_level(graph: Graph, prefix: str, level: Graph) -> Graph:
    """The graph with the level under `prefix` (as `owner` gives it) replaced."""
    if not prefix:
        return level
    path = prefix[:-1]
    return graph.with_layer(path, replace(graph.find(path), inner=level))

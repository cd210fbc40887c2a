"""Small helpers that edits share: rules recorded on layers, names that are free, paths."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from core.errors import EditError
from core.graph import Graph, Layer
from core.rules import Rule


def record(layer: Layer, weight: str, rule: Rule) -> Layer:
    """The layer with `rule` in the chain of `weight`, instead of an earlier one that owns the same axes.

    Rules are about the source's array, so a later edit of the same axes replaces what an earlier one chose.
    """
    if rule.owns == "all":
        return layer.with_rules(weight, (rule,))
    kept = tuple(one for one in layer.rules_for(weight) if one.owns not in (rule.owns, "all"))
    return layer.with_rules(weight, (*kept, rule))


def forget(layer: Layer, weight: str, owner: str) -> Layer:
    """The layer without rules of `owner` for `weight`: the shape is the source's again."""
    return layer.with_rules(weight, tuple(one for one in layer.rules_for(weight) if one.owns not in (owner, "all")))


def configured(layer: Layer, **fields: Any) -> Layer:
    """The layer with some fields of its config replaced."""
    return replace(layer, config={**layer.config, **fields})


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

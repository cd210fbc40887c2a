"""Small helpers that edits share: rules recorded on layers, names that are free, paths."""

from typing import Any

from msgspec.structs import replace

from core.model.graph import Layer
from core.rules import Rule


def record(layer: Layer, weight: str, rule: Rule) -> Layer:
    """The layer with `rule` in the chain of `weight`, instead of an earlier one that owns the same axes.

    Rules are about the source's array, so a later edit of the same axes replaces what an earlier one chose; of a weight
    that starts anew, nothing is left to be said.
    """
    if rule.owns == "all":
        return layer.with_rules(weight, (rule,))
    if starts_anew(layer, weight):
        return layer
    kept = tuple(one for one in layer.rules_for(weight) if one.owns not in (rule.owns, "all"))
    return layer.with_rules(weight, (*kept, rule))


def starts_anew(layer: Layer, weight: str) -> bool:
    """Whether a rule says that the weight takes nothing from the source."""
    return any(one.name == "initialize" for one in layer.rules_for(weight))


def forget(layer: Layer, weight: str, owner: str) -> Layer:
    """The layer without rules of `owner` for `weight`: the shape is the source's again. What starts anew still does."""
    if starts_anew(layer, weight):
        return layer
    return layer.with_rules(weight, tuple(one for one in layer.rules_for(weight) if one.owns not in (owner, "all")))


def configured(layer: Layer, **fields: Any) -> Layer:
    """The layer with some fields of its config replaced."""
    return replace(layer, config={**layer.config, **fields})

"""The arrays that a layer has at one step of a recipe: the source's, with what earlier edits decided for them.

An edit that makes one array of several cannot leave a rule behind that later edits would replace, and must not lose
what earlier ones left. So it settles the weight: all of that becomes its `decode`, and the recipe goes on from there.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from core.layers.axes import axes_of
from core.model.graph import Graph, Layer, StoreKey, Weight
from core.model.plan import Fate
from core.rules import Initialize
from core.rules.initialize import LAYER
from core.rules.initializers import canonical
from core.rules.merged import Merge, Part, Settled

Fates = Mapping[str, Fate]
_CONSTANTS = {"zeros": 0.0, "ones": 1.0}


class Unfoldable(Exception):
    """Why something cannot be folded: a clause that follows the layer's path and a colon."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def held(layer: Layer, name: str) -> Weight | None:
    """The layer's weight of that name."""
    return next((weight for weight in layer.weights if weight.name == name), None)


def part(path: str, layer: Layer, name: str, fates: Fates, start: Any = None) -> Part:
    """The array `name` of a layer as it is now. `start` is the initializer that the layer's config names for it.

    Raises `Unfoldable` where there is no such array yet, or one that does not fit.
    """
    weight, fate = held(layer, name), fates.get(f"{path}/{name}")
    rules = _chain(layer, name, weight)
    if fate is not None and fate.fate == "mismatched":
        raise Unfoldable(f"{path}/{name} does not fit its layer yet; resolve that first")
    shape = fate.shape if fate is not None else weight.shape if weight is not None else ()
    if fate is None and weight is None:
        raise Unfoldable(f"{path}/{name} does not exist yet")
    fresh = next((place for place, rule in enumerate(rules) if rule.name == "initialize"), None)
    if weight is not None and weight.source is not None and fresh is None:
        axes = axes_of(layer, name, weight.shape)
        beside = _beside(layer, name) if any(not isinstance(rule, Merge) for rule in rules) else ()
        return Part(weight.source, shape, rules, axes, fate.dtype if fate else weight.dtype, beside)
    made: tuple[Any, ...] = () if fresh is None else rules[fresh:]
    if not made or getattr(made[0], "initializer", "") == LAYER:
        value = _constant(start)
        if value is None:
            raise Unfoldable(f"{path}/{name} holds no trained values")
        made = (Initialize(initializer="constant", value=value), *made[1:])
    return Part(None, shape, made, axes_of(layer, name, shape), fate.dtype if fate else "float32")


def _constant(start: Any) -> float | None:
    """The number that an initializer fills an array with, if it does that."""
    config: dict[str, Any] = start.get("config") or {} if isinstance(start, dict) else {}
    short = canonical(str(start.get("class_name") if isinstance(start, dict) else start))
    if short == "constant":
        return float(config.get("value", 0.0))
    return _CONSTANTS.get(short)


def _chain(layer: Layer, name: str, weight: Weight | None) -> tuple[Any, ...]:
    decode = () if weight is None or weight.decode is None else (weight.decode,)
    return (*decode, *layer.rules_for(name))


def _beside(layer: Layer, name: str) -> tuple[tuple[str, Part], ...]:
    """The other arrays of the layer, as the rules of one of them see them."""
    return tuple(
        (one.name, Part(one.source, one.shape, () if one.decode is None else (one.decode,), dtype=one.dtype))
        for one in layer.weights
        if one.source is not None and one.name != name
    )


def settled(layer: Layer, name: str, rule: Merge, source: StoreKey | None, trainable: bool = True) -> Layer:
    """The layer with the array that `rule` makes for its weight `name`, and nothing left of what was decided before."""
    old = held(layer, name)
    if source is None and (old is None or old.source is None):
        return replace(layer, history=None).with_rules(name, (rule,))  # made of numbers alone
    new = replace(old or Weight(name, rule.shape), shape=rule.shape, decode=rule)
    if old is None or old.source is None:
        new = replace(new, source=source, trainable=trainable)
    if not new.dtype.startswith(("float", "bfloat")):
        new = replace(new, dtype="float32")
    weights = tuple(new if one.name == name else one for one in layer.weights)
    weights = weights if old is not None else (*weights, new)
    return replace(layer, weights=weights, history=None).with_rules(name, ())


def all_settled(graph: Graph, fates: Fates) -> Graph:
    """The graph with what earlier edits decided made part of the arrays, so that later edits start from there.

    Arrays that start anew, or that do not fit yet, keep their rules.
    """

    def change(path: str, layer: Layer) -> Layer:
        if not layer.rules and layer.history is None:
            return layer
        original = layer
        for name, _ in original.rules:
            fate = fates.get(f"{path}/{name}")
            if fate is None or fate.fate != "adapted" or held(original, name) is None:
                continue
            made = part(path, original, name, fates)
            layer = settled(layer, name, Settled(shape=made.shape, own=made), made.source)
        return replace(layer, history=None)

    return graph.replace_layers(change)


def decided(layers: Iterable[Layer]) -> bool:
    """Whether earlier edits left rules or a history on any of these."""
    return any(layer.rules or layer.history is not None for layer in layers)

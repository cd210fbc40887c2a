"""A plan on its way through the pipe: only what differs from the plan of the empty recipe, which both sides have.

A plan of a big model is 50,000 objects, nearly all of them the source's own configs, calls and weights. An edit gives
layers other shapes; so a layer travels as its number in the base plan and the shapes that come out of it.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.model.graph import Call, Graph, Layer
from core.model.plan import Cost, Fate, Plan

_OF_LAYER = tuple(name for name in Layer.__struct_fields__ if name != "calls")
_OF_GRAPH = tuple(name for name in Graph.__struct_fields__ if name != "layers")
_NO_GRAPH = Graph("")


class GraphChanges(Struct, frozen=True):
    """A graph beside its counterpart in the base plan.

    `layers` are a number (the base's layer as it is), a number with what differs in it, or a whole layer. What differs
    is a tuple of outputs, one for each call, or a dict by field with `outputs` instead of `calls` where nothing else of
    the calls differs.
    """

    layers: tuple[Any, ...]
    fields: dict[str, Any] = {}


class PackedPlan(Struct, frozen=True):
    """`plan` is without graph, fates and costs. A fate that the base has too is its number there.

    `costs` are four numbers for each path, `paths` is `None` where they are the base's.
    """

    plan: Plan
    graph: GraphChanges | None
    fates: tuple[int | Fate, ...]
    costs: tuple[int | None, ...]
    paths: tuple[str, ...] | None = None


def pack(plan: Plan, base: Plan) -> PackedPlan:
    """The plan as differences from `base`."""
    numbers = {id(fate): number for number, fate in enumerate(base.fates)}
    paths = tuple(plan.costs)
    return PackedPlan(
        replace(plan, graph=_NO_GRAPH, fates=(), costs={}),
        _pack_graph(plan.graph, base.graph),
        tuple(numbers.get(id(fate), fate) for fate in plan.fates),
        tuple(
            value
            for cost in plan.costs.values()
            for value in (cost.params, cost.trainable_params, cost.macs, cost.activations)
        ),
        None if paths == tuple(base.costs) else paths,
    )


def unpack(packed: PackedPlan, base: Plan) -> Plan:
    """The whole plan again. Its unchanged layers, configs, calls and fates are the base's own objects."""
    costs = packed.costs
    paths = base.costs if packed.paths is None else packed.paths
    return replace(
        packed.plan,
        graph=_unpack_graph(packed.graph, base.graph),
        fates=tuple([base.fates[fate] if isinstance(fate, int) else fate for fate in packed.fates]),
        costs={path: _cost(costs[at : at + 4]) for path, at in zip(paths, range(0, len(costs), 4), strict=True)},
    )


def _cost(four: tuple[Any, ...]) -> Cost:
    return Cost(*four)


def _pack_graph(graph: Graph, base: Graph) -> GraphChanges | None:
    if graph is base:
        return None
    numbers = {layer.name: number for number, layer in enumerate(base.layers)}
    layers: list[Any] = []
    for layer in graph.layers:
        number = numbers.get(layer.name)
        if number is None:
            layers.append(layer)
        elif layer is base.layers[number]:
            layers.append(number)
        else:
            layers.append((number, _pack_layer(layer, base.layers[number])))
    return GraphChanges(tuple(layers), _differing(graph, base, _OF_GRAPH))


def _differing(new: Any, old: Any, fields: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(new, name) for name in fields if getattr(new, name) is not getattr(old, name)}


def _pack_layer(layer: Layer, old: Layer) -> Any:
    fields = _differing(layer, old, _OF_LAYER)
    if layer.inner is not None and old.inner is not None and "inner" in fields:
        fields["inner"] = _pack_graph(layer.inner, old.inner)
    if layer.calls is not old.calls:
        if _only_outputs(layer.calls, old.calls):
            outputs = tuple([call.outputs for call in layer.calls])
            if not fields:
                return outputs
            fields["outputs"] = outputs
        else:
            fields["calls"] = layer.calls
    return fields


def _only_outputs(calls: tuple[Call, ...], old: tuple[Call, ...]) -> bool:
    if len(calls) != len(old):
        return False
    for one, two in zip(calls, old, strict=True):
        if one.args is not two.args or one.kwargs is not two.kwargs:
            return False
    return True


def _unpack_graph(changes: GraphChanges | None, base: Graph) -> Graph:
    if changes is None:
        return base
    layers = []
    for entry in changes.layers:
        if isinstance(entry, int):
            layers.append(base.layers[entry])
        elif isinstance(entry, Layer):
            layers.append(entry)
        else:
            layers.append(_unpack_layer(entry[1], base.layers[entry[0]]))
    return replace(base, layers=tuple(layers), **changes.fields)


def _unpack_layer(changes: Any, old: Layer) -> Layer:
    if isinstance(changes, tuple):
        return replace(old, calls=_with_outputs(old.calls, changes))
    fields = dict(changes)
    if "outputs" in fields:
        fields["calls"] = _with_outputs(old.calls, fields.pop("outputs"))
    inner = fields.get("inner")
    if isinstance(inner, GraphChanges) and old.inner is not None:
        fields["inner"] = _unpack_graph(inner, old.inner)
    return replace(old, **fields)


def _with_outputs(calls: tuple[Call, ...], outputs: tuple[Any, ...]) -> tuple[Call, ...]:
    return tuple([Call(call.args, call.kwargs, out) for call, out in zip(calls, outputs, strict=True)])

"""Layers put into and taken out of one level of a graph, every call of the layer they follow included."""

from collections.abc import Callable, Sequence, Set
from typing import Any

from msgspec.structs import replace

from core.errors import EditError
from core.model.graph import Call, Graph, Layer, TensorRef, map_leaves
from core.model.levels import free_name
from core.model.order import snake_case
from core.stopping import checkpoint

FUNCTIONAL = "keras.src.models.functional"
"""Where Keras 3 says that `Functional` lives; it has no public name."""


def new_layer(class_name: str, name: str, **config: Any) -> Layer:
    """A layer that the source does not have, with Keras's defaults for whatever `config` leaves out."""
    return Layer(name=name, class_name=class_name, config={"name": name, **completed(class_name, config)})


def completed(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    """The config with what Keras's `from_config` asks for although its constructor has a default."""
    return {"offset": 0.0, **config} if class_name == "Rescaling" else config


def remapped(graph: Graph, table: dict[TensorRef, TensorRef], skip: frozenset[str] = frozenset()) -> Graph:
    """Every use of a tensor in `table` replaced, in calls (except those of layers in `skip`) and outputs."""

    def swap(ref: TensorRef) -> TensorRef:
        return table.get(ref, ref)

    def one(layer: Layer) -> Layer:
        checkpoint()
        if layer.name in skip or not any(ref in table for call in layer.calls for ref in call.inputs()):
            return layer
        return replace(layer, calls=tuple(_swapped(call, swap) for call in layer.calls))

    layers = tuple(one(layer) for layer in graph.layers)
    return replace(graph, layers=layers, outputs=map_leaves(swap, graph.outputs))


def _swapped(call: Call, swap: Callable[[TensorRef], TensorRef]) -> Call:
    return replace(call, args=map_leaves(swap, call.args), kwargs=map_leaves(swap, call.kwargs))


def insert_after(graph: Graph, name: str, fresh: Sequence[Layer]) -> Graph:
    """`fresh` in a chain behind the layer `name`: each of its calls gets its own call of every new layer."""
    if not fresh:
        return graph
    layer = graph.layer(name)
    count = max(1, len(layer.calls))
    previous = name
    chained = []
    for one in fresh:
        calls = tuple(Call(args=(TensorRef(previous, number),)) for number in range(count))
        chained.append(replace(one, calls=calls))
        previous = one.name
    table = {TensorRef(name, number): TensorRef(previous, number) for number in range(count)}
    graph = remapped(graph, table)
    at = [one.name for one in graph.layers].index(name) + 1
    return replace(graph, layers=(*graph.layers[:at], *chained, *graph.layers[at:]))


def insert_between(graph: Graph, name: str, consumer: str, fresh: Layer) -> Graph:
    """`fresh` between the layer `name` and one that takes what it gives; whoever else takes it notices nothing.

    Raises `EditError` when `consumer` does not take the first output of a call of `name`.
    """
    taken = [ref for call in graph.layer(consumer).calls for ref in call.inputs() if ref.layer == name]
    numbers = sorted({ref.call for ref in taken if ref.output == 0})
    if not numbers:
        raise EditError(f"{consumer} does not take the output of {name}, so nothing can be inserted between them.")
    calls = tuple(Call(args=(TensorRef(name, number),)) for number in numbers)
    table = {TensorRef(name, number): TensorRef(fresh.name, place) for place, number in enumerate(numbers)}

    def swap(ref: TensorRef) -> TensorRef:
        return table.get(ref, ref)

    old = graph.layer(consumer)
    graph = graph.with_layer(consumer, replace(old, calls=tuple(_swapped(call, swap) for call in old.calls)))
    at = [one.name for one in graph.layers].index(name) + 1
    return replace(graph, layers=(*graph.layers[:at], replace(fresh, calls=calls), *graph.layers[at:]))


def remove(graph: Graph, name: str) -> Graph:
    """The layer `name` gone; whoever took its output takes its input. Raises `EditError` where it has several."""
    layer = graph.layer(name)
    table: dict[TensorRef, TensorRef] = {}
    for number, call in enumerate(layer.calls):
        inputs = call.inputs()
        if len(inputs) != 1:
            raise EditError(
                f"{name} takes {len(inputs)} tensors, so it is unclear which of them should replace its output."
            )
        table[TensorRef(name, number)] = inputs[0]
    graph = replace(graph, layers=tuple(one for one in graph.layers if one.name != name))
    return remapped(graph, table)


def pruned(graph: Graph) -> Graph:
    """The graph without layers that reach no output, inputs excepted; calls nobody needs go too."""
    if graph.opaque:
        return graph
    needed = graph.needed_for(*graph.output_refs(), *graph.input_refs())
    table: dict[TensorRef, TensorRef] = {}
    kept = []
    for layer in graph.layers:
        numbers = [number for number in range(max(1, len(layer.calls))) if (layer.name, number) in needed]
        if not numbers:
            continue
        if len(numbers) == len(layer.calls) or not layer.calls:
            kept.append(layer)
            continue
        for position, number in enumerate(numbers):
            outputs = layer.calls[number].outputs or (None,)
            for output in range(max(1, len(outputs))):
                table[TensorRef(layer.name, number, output)] = TensorRef(layer.name, position, output)
        kept.append(replace(layer, calls=tuple(layer.calls[number] for number in numbers)))
    graph = replace(graph, layers=tuple(kept))
    if not table:
        return graph

    def swap(ref: TensorRef) -> TensorRef:
        return table.get(ref, ref)

    renumbered = tuple(
        replace(layer, calls=tuple(_swapped(call, swap) for call in layer.calls)) for layer in graph.layers
    )
    return replace(graph, layers=renumbered, outputs=map_leaves(swap, graph.outputs))


def as_functional(graph: Graph) -> Graph:
    """A Sequential as a Functional model of the same layers; others as they are."""
    if not graph.is_sequential:
        return graph
    config = {key: value for key, value in graph.config.items() if key != "build_input_shape"}
    return replace(graph, class_name="Functional", module=FUNCTIONAL, registered_name="Functional", config=config)


def layer_from(entry: dict[str, Any], taken: Set[str]) -> Layer:
    """A new layer from `{"class_name", "config"}`, or from its class name and its arguments side by side.

    Raises `EditError` when it names no class.
    """
    class_name = entry.get("class_name")
    if not isinstance(class_name, str) or not class_name:
        raise EditError('Give the layer as {"class_name": "Conv2D", "config": {"filters": 16, ...}}.')
    beside = {key: value for key, value in entry.items() if key not in _ENTRY}
    config = {**(entry.get("config") or {}), **beside}
    wanted = str(config.pop("name", None) or entry.get("name") or snake_case(class_name.rpartition(">")[2]))
    layer = new_layer(class_name, free_name(taken, wanted), **config)
    return replace(
        layer,
        module=entry.get("module") or "keras.layers",
        registered_name=entry.get("registered_name"),
        trainable=bool(config.get("trainable", True)),
    )


_ENTRY = frozenset({"class_name", "config", "module", "name", "registered_name", "build_config", "inbound_nodes"})

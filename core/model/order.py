"""The order in which Keras keeps a Functional model's layers, and the storage keys that follow from it.

Keras 3 stores a model's arrays under `layers/<class name in snake case>[_counter]`, counted in the order of
`model.layers`. That order is not the config's: Keras sorts by depth (the longest way to an output) and, at equal
depth, by when a walk from the outputs first meets the layer (`keras.src.ops.function.map_graph`). Edits change both,
so the order is computed from the edited graph. Loading by Keras afterwards is the judge.
"""

from collections.abc import Iterator

from core.model.graph import Graph, Layer, Node
from core.model.names import snake_case as snake_case


def keras_order(graph: Graph) -> list[Layer]:
    """The layers of one level in the order of Keras's `model.layers` (operations included)."""
    layers = graph.by_name()
    if graph.is_sequential or graph.opaque:
        return list(graph.layers)
    finished, first_seen = _walk_back(graph)
    depth_of_node: dict[Node, int] = {}
    depth_of_layer: dict[str, int] = {}
    for node in reversed(finished):
        name = node[0]
        depth = max(depth_of_node.get(node, 0), depth_of_layer.get(name, 0))
        depth_of_layer[name] = depth_of_node[node] = depth
        for parent in graph.parents(node):
            depth_of_node[parent] = max(depth + 1, depth_of_node.get(parent, 0))
    for ref in graph.input_refs():
        if ref.layer not in depth_of_layer:
            depth_of_layer[ref.layer] = 0
            first_seen[ref.layer] = -1
    return [layers[name] for name in sorted(depth_of_layer, key=lambda name: (-depth_of_layer[name], first_seen[name]))]


def _walk_back(graph: Graph) -> tuple[list[Node], dict[str, int]]:
    """Depth first from the outputs: nodes in the order they are finished, and when each layer was first met.

    Iterative, because models with thousands of layers in a chain are deeper than Python's recursion limit.
    """
    finished: list[Node] = []
    layers = graph.by_name()
    entered: set[Node] = set()
    first_seen: dict[str, int] = {}
    for output in graph.output_refs():
        stack: list[tuple[Node, Iterator[Node]]] = []
        ahead: Node | None = (output.layer, output.call)
        while True:
            if ahead is not None and ahead not in entered and ahead[0] in layers:
                entered.add(ahead)
                first_seen.setdefault(ahead[0], len(first_seen))
                stack.append((ahead, iter(graph.parents(ahead))))
            if not stack:
                break
            ahead = next(stack[-1][1], None)
            if ahead is None:
                finished.append(stack.pop()[0])
    return finished, first_seen


def storage_prefixes(graph: Graph, prefix: str = "", path: str = "") -> Iterator[tuple[str, str, Layer]]:
    """`(layer path, storage prefix, layer)` for every stored layer: where Keras 3 keeps its arrays."""
    used: dict[str, int] = {}
    for position, layer in enumerate(keras_order(graph)):
        if layer.is_operation or (position == 0 and graph.is_sequential and layer.is_input):
            continue
        name = snake_case(layer.class_name)
        count = used[name] = used.get(name, -1) + 1
        own = f"{prefix}layers/{name}_{count}" if count else f"{prefix}layers/{name}"
        yield path + layer.name, own, layer
        if layer.inner is not None:
            inside = f"{own}/" if layer.inner_key is None else f"{own}/{layer.inner_key}/"
            yield from storage_prefixes(layer.inner, inside, f"{path}{layer.name}/")

"""Where a model's head begins: the place after which maps have become a vector."""

from msgspec import Struct

from core.errors import EditError
from core.graph import Graph, Layer, TensorRef
from core.writers.order import calls_in_order

_TAIL = frozenset(
    {"Dense", "Dropout", "Activation", "Softmax", "BatchNormalization", "ReLU", "LayerNormalization", "AlphaDropout"}
    | {"GaussianDropout", "GaussianNoise", "LeakyReLU", "ActivityRegularization", "Identity", "Flatten", "Reshape"}
)


class Head(Struct, frozen=True):
    """`prefix` is the level (with its slash) that holds the boundary, `features` the last tensor of the body there.

    `pool` is the pooling or Flatten layer that the head begins with, if it has one.
    """

    prefix: str
    features: TensorRef
    pool: str | None = None


def find_head(graph: Graph) -> Head:
    """Where the head of a model with one output begins, inside nested models too. Raises `EditError`."""
    head = _find(graph, "")
    if not head.prefix and graph.layer(head.features.layer).is_input:
        raise EditError("The model is all head: its input goes straight into pooling, Flatten or Dense layers.")
    return head


def _find(graph: Graph, prefix: str) -> Head:
    outputs = graph.output_refs()
    if len(outputs) != 1 or graph.opaque:
        count = len(outputs)
        raise EditError(f"The model has {count} outputs; a head is looked for behind one. Use cut_at.")
    spine = trunk(graph, outputs[0])
    layers = graph.by_name()
    for wanted in ("Global", "Flatten"):
        for ref in spine:
            layer = layers[ref.layer]
            if layer.class_name.startswith(wanted) and layer.calls[ref.call].inputs():
                return Head(prefix, layer.calls[ref.call].inputs()[0], layer.name)
    ref = outputs[0]
    while _is_head(layers[ref.layer]) and len(layers[ref.layer].calls[ref.call].inputs()) == 1:
        ref = layers[ref.layer].calls[ref.call].inputs()[0]
    layer = layers[ref.layer]
    if layer.is_model and layer.inner is not None and len(layer.inner.output_refs()) == 1 and len(layer.calls) == 1:
        shape = graph.spec(ref).shape
        if shape is None or len(shape) == 2:
            inside = f"{prefix}{layer.name}/"
            head = _find(layer.inner, inside)
            if head.prefix != inside or not layer.inner.layer(head.features.layer).is_input:
                return head
            # the nested model is all head: its features are what it is given
            place = [one.layer for one in layer.inner.input_refs()].index(head.features.layer)
            return Head(prefix, layer.calls[0].inputs()[place])
    return Head(prefix, ref)


def _is_head(layer: Layer) -> bool:
    """Whether a layer belongs to heads only: a Dense and what goes with it, or a nested model of nothing else."""
    if layer.inner is None or not layer.is_model:
        return layer.class_name in _TAIL
    return len(layer.calls) == 1 and all(one.is_input or _is_head(one) for one in layer.inner.layers)


def trunk(graph: Graph, output: TensorRef) -> list[TensorRef]:
    """Tensors on the way to `output` through which everything passes, from the input on.

    While walking the calls in order, edges that are made but not yet used up are open; a tensor that is the only open
    one lies on every way.
    """
    layers = graph.by_name()
    needed = _needed(graph, output)
    order = [node for node in calls_in_order(graph) if node in needed]
    position = {node: number for number, node in enumerate(order)}
    last: dict[TensorRef, int] = {output: len(order)}
    for node in order:
        for ref in layers[node[0]].calls[node[1]].inputs():
            last[ref] = max(last.get(ref, -1), position[node])
    starts: dict[int, list[TensorRef]] = {}
    for ref in last:
        if (ref.layer, ref.call) in position:
            starts.setdefault(position[ref.layer, ref.call], []).append(ref)
    found: list[TensorRef] = []
    open_until: dict[TensorRef, int] = {}
    for number in range(len(order)):
        open_until = {ref: end for ref, end in open_until.items() if end > number}
        for ref in starts.get(number, ()):
            open_until[ref] = last[ref]
        if len(open_until) == 1:
            found.extend(open_until)
    return list(dict.fromkeys(found))


def _needed(graph: Graph, output: TensorRef) -> set[tuple[str, int]]:
    layers = graph.by_name()
    seen: set[tuple[str, int]] = set()
    stack = [(output.layer, output.call)]
    while stack:
        node = stack.pop()
        if node in seen or node[0] not in layers:
            continue
        seen.add(node)
        calls = layers[node[0]].calls
        stack.extend((ref.layer, ref.call) for ref in (calls[node[1]].inputs() if node[1] < len(calls) else ()))
    return seen


def classifier(graph: Graph) -> tuple[str, Layer]:
    """Path and layer of the Dense (or 1x1 convolution) that makes the classes. Raises `EditError`."""
    path, _, layer = find_classifier(graph)
    return path, layer


def find_classifier(graph: Graph) -> tuple[str, list[int], Layer]:
    """`classifier` with the calls that lead to it, from the outermost model in. Raises `EditError`."""
    outputs = graph.output_refs()
    if len(outputs) != 1:
        raise EditError(f"The model has {len(outputs)} outputs; the classifier is looked for behind one.")
    prefix, level, ref = "", graph, outputs[0]
    calls: list[int] = []
    while True:
        layer = level.layer(ref.layer)
        if layer.class_name == "Dense" or (layer.class_name.startswith("Conv") and "filters" in layer.config):
            return prefix + layer.name, [*calls, ref.call], layer
        if layer.is_model and layer.inner is not None:
            prefix, level = f"{prefix}{layer.name}/", layer.inner
            calls.append(ref.call)
            ref = level.output_refs()[ref.output]
            continue
        inputs = layer.calls[ref.call].inputs() if ref.call < len(layer.calls) else ()
        if layer.class_name not in _TAIL or len(inputs) != 1:
            raise EditError(f"No classifier was found: {prefix}{layer.name} ({layer.class_name}) comes first.")
        ref = inputs[0]

"""Where a model's head begins: the place after which maps have become a vector."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.errors import EditError
from core.layers.axes import leaf_class
from core.layers.table import classes
from core.model.graph import Graph, Layer, TensorRef, map_leaves
from core.surgery.anatomy import CONVOLUTIONS

_VALUES = CONVOLUTIONS | {"Dense"}

_TAIL = classes(acts="number") | classes(family=("activation", "normalization")) | {"Dense", "Flatten", "Reshape"}
_TAIL -= {"Normalization"}  # it stands in front of a model, and is no sign of a head


# What may follow the convolution that gives a value for each place: it moves values, and learns nothing.
_BEHIND_MAPS = classes(family="reshaping") | classes(idle=True) | {"Activation", "Softmax", "Resizing"}


class Head(Struct, frozen=True):
    """`prefix` is the level (with its slash) that holds the boundary, `features` the last tensor of the body there.

    `pool` is the pooling or Flatten layer that the head begins with, if it has one. `dense` is the layer of a
    dense-prediction head, which gives values for each place of a map: a convolution that `features` goes into.
    """

    prefix: str
    features: TensorRef
    pool: str | None = None
    dense: str | None = None


def which_output(graph: Graph, wanted: str | int | None) -> int:
    """The place of an output among the model's: by the name of the layer that gives it, by number, or the only one.

    Raises `EditError`.
    """
    names = [ref.layer for ref in graph.output_refs()]
    if graph.opaque or not names:
        raise EditError("The connections between the model's layers are unknown, so its head cannot be found.")
    if wanted is None:
        if len(names) == 1:
            return 0
        raise EditError(f"The model has {len(names)} outputs ({', '.join(names)}); choose one with output.")
    if isinstance(wanted, int):
        if 0 <= wanted < len(names):
            return wanted
        raise EditError(f"The model has outputs 0 to {len(names) - 1}, but output is {wanted}.")
    if names.count(wanted) == 1:
        return names.index(wanted)
    if wanted in names:
        raise EditError(f"{wanted} has several outputs; give the index of one, starting from 0.")
    raise EditError(f"There is no output {wanted!r}; the outputs are {', '.join(names)}.")


def with_output(graph: Graph, place: int, ref: TensorRef) -> Graph:
    """The graph with another tensor as its output number `place`; the others stay, in their nesting."""
    places = iter(range(len(graph.output_refs())))
    outputs = map_leaves(lambda old: ref if next(places) == place else old, _sorted(graph.outputs))
    return replace(graph, outputs=outputs)


def _sorted(structure: Any) -> Any:
    """The nesting with its dicts in the order in which Keras flattens them."""
    if isinstance(structure, dict):
        return {key: _sorted(structure[key]) for key in sorted(structure)}
    if isinstance(structure, (list, tuple)):
        return type(structure)(_sorted(one) for one in structure)
    return structure


def find_head(graph: Graph, output: str | int | None = None) -> Head:
    """Where the head behind an output begins, inside nested models too. Raises `EditError`."""
    head = _find(graph, "", which_output(graph, output))
    if not head.prefix and graph.layer(head.features.layer).is_input:
        raise EditError(
            "The model consists only of a head: its input goes straight into pooling, Flatten or Dense layers."
        )
    return head


def _dense_head(graph: Graph, prefix: str, output: TensorRef) -> Head | None:
    """The head of a model that gives values for each place of a map, such as a U-Net; `None` where there is none."""
    layers = graph.by_name()
    shape = graph.spec(output).shape
    if shape is None or len(shape) < 3:
        return None
    ref = output
    while True:
        layer = layers[ref.layer]
        inputs = layer.calls[ref.call].inputs() if ref.call < len(layer.calls) else ()
        if len(inputs) != 1 or layer.is_input:
            return None
        kind, config = leaf_class(layer)
        if kind in _VALUES and layer.inner is None:
            return Head(prefix, inputs[0], dense=layer.name) if _is_answer(config.get("activation")) else None
        if kind == "Activation" and not _is_answer(config.get("activation")):
            return None
        if kind not in _BEHIND_MAPS:
            return None
        ref = inputs[0]


def _is_answer(activation: Any) -> bool:
    """Whether an activation is one that answers end with; a ReLU says that features end here."""
    return activation in (None, "linear", "softmax", "sigmoid", "tanh", "log_softmax")


def _find(graph: Graph, prefix: str, place: int = 0) -> Head:
    outputs = graph.output_refs()
    output = outputs[place]
    spine = trunk(graph, output)
    layers = graph.by_name()
    for wanted in (classes(kind=("global average", "global max")), frozenset({"Flatten"})):
        for ref in spine:
            layer = layers[ref.layer]
            if layer.class_name in wanted and layer.calls[ref.call].inputs():
                return Head(prefix, layer.calls[ref.call].inputs()[0], layer.name)
    dense = _dense_head(graph, prefix, output)
    if dense is not None:
        return dense
    ref, given = output, graph.spec(output).shape
    if given is not None and len(given) > 2:
        return _inside(graph, prefix, ref) or Head(prefix, ref)  # a body without a head: what it ends with are features
    while _is_head(layers[ref.layer]) and len(layers[ref.layer].calls[ref.call].inputs()) == 1:
        ref = layers[ref.layer].calls[ref.call].inputs()[0]
    return _inside(graph, prefix, ref) or Head(prefix, ref)


def _inside(graph: Graph, prefix: str, ref: TensorRef) -> Head | None:
    """The head in the nested model that gives a tensor; `None` where no such model is, or it has none."""
    layer = graph.layer(ref.layer)
    if not layer.is_model or layer.inner is None or len(layer.inner.output_refs()) != 1 or len(layer.calls) != 1:
        return None
    shape, inside = graph.spec(ref).shape, f"{prefix}{layer.name}/"
    head = _find(layer.inner, inside)
    if shape is not None and len(shape) > 2 and head.dense is None:
        return None
    if head.prefix != inside or not layer.inner.layer(head.features.layer).is_input:
        return head
    # the nested model is all head: its features are what it is given
    place = [one.layer for one in layer.inner.input_refs()].index(head.features.layer)
    return Head(prefix, layer.calls[0].inputs()[place])


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
    needed = graph.needed_for(output)
    order = [node for node in graph.order if node in needed]
    position = {node: number for number, node in enumerate(order)}
    last: dict[TensorRef, int] = {output: len(order)}
    for node in order:
        for ref in layers[node[0]].calls[node[1]].inputs():
            last[ref] = max(last.get(ref, -1), position[node])
    made = [(ref, position[ref.layer, ref.call]) for ref in last if (ref.layer, ref.call) in position]
    starts: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    for number, (ref, place) in enumerate(made):
        starts.setdefault(place, []).append(number)
        ends.setdefault(last[ref], []).append(number)
    found: dict[TensorRef, None] = {}
    count = total = 0  # of the open tensors: how many, and the sum of their numbers, which is the number of an only one
    for place in range(len(order)):
        for number in starts.get(place, ()):
            count, total = count + 1, total + number
        for number in ends.get(place, ()):
            count, total = count - 1, total - number
        if count == 1:
            found[made[total][0]] = None
    return list(found)


def classifier(graph: Graph, output: str | int | None = None) -> tuple[str, Layer]:
    """Path and layer of the Dense (or convolution) that makes the classes of an output. Raises `EditError`."""
    path, _, layer = find_classifier(graph, output)
    return path, layer


def find_classifier(graph: Graph, output: str | int | None = None) -> tuple[str, list[int], Layer]:
    """`classifier` with the calls that lead to it, from the outermost model in. Raises `EditError`."""
    prefix, level, ref = "", graph, graph.output_refs()[which_output(graph, output)]
    calls: list[int] = []
    while True:
        layer = level.layer(ref.layer)
        if layer.class_name in _VALUES:
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

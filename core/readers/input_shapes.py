"""Inputs whose shape no file says: what the first layers need, from their class and from the arrays they have.

A Sequential of Keras 2 that was built by being called can be saved without any input shape. Keras 3 cannot build an
input of unknown rank, but the first convolution, Dense or recurrent layer takes one rank only, and its kernel says how
many channels. Sizes stay open, unless a Dense behind a Flatten fits one size alone; then the input is square.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from core.findings import Finding
from core.layers import table
from core.layers.shapes.graph import fill_shapes
from core.model.graph import Graph, Layer, Shape, TensorRef, TensorSpec
from core.phrases import sample_words

_FIXED = table.classes(kind="units") | {"Dense"}
_LARGEST = 512
_LONGEST = 400
"""Layers of a chain in which a size is looked for by trying."""


def with_input_shapes(graph: Graph) -> tuple[Graph, tuple[Finding, ...]]:
    """The graph with a shape for each input that had none, and what to say of it."""
    if graph.opaque:
        return graph, ()
    findings = []
    for layer in graph.input_layers():
        if layer.config.get("batch_shape") is not None:
            continue
        found = _needed(graph, layer.name)
        if found is None:
            continue
        first, shape = found
        graph = _sized(_with_shape(graph, layer.name, shape), layer.name, shape, first)
        now = graph.layer(layer.name).config["batch_shape"]
        words = sample_words(now)
        message = (
            f"The file gives no input shape; {first.name} ({first.class_name}) takes {words}, so that shape is used."
        )
        findings.append(Finding("info", "legacy.repaired", layer.name, message))
    return graph, tuple(findings)


def _with_shape(graph: Graph, name: str, shape: Shape) -> Graph:
    layer = graph.layer(name)
    calls = tuple(replace(call, outputs=(TensorSpec(shape, _dtype(layer)),)) for call in layer.calls)
    return graph.with_layer(name, replace(layer, config={**layer.config, "batch_shape": list(shape)}, calls=calls))


def _dtype(layer: Layer) -> str:
    dtype = layer.config.get("dtype")
    return dtype if isinstance(dtype, str) else "float32"


def _needed(graph: Graph, name: str) -> tuple[Layer, Shape] | None:
    """The first layer that takes one rank only, and the shape it needs; channels may be told further on."""
    first: Layer | None = None
    rank: int | None = None
    channels: int | None = None
    at_front = False
    for layer in _chain(graph, name):
        wanted, count, front = _takes(layer)
        if wanted is not None and rank is None:
            first, rank, at_front = layer, wanted, front
        channels = count if channels is None else channels
        if not _keeps_channels(layer) or (rank is not None and channels is not None):
            break
    if first is None or rank is None:
        return None
    sizes: list[int | None] = [None] * rank
    sizes[1 if at_front else -1] = channels
    return first, tuple(sizes)


def _chain(graph: Graph, name: str) -> Iterator[Layer]:
    """The layers that an input goes through one after another, into nested models too, until the way forks."""
    layers, consumers = graph.by_name(), graph.consumers()
    ref = TensorRef(name)
    while len(users := list(consumers.get(ref, []))) == 1:
        user, number = users[0]
        layer = layers[user]
        if layer.is_model and layer.inner is not None:
            inside = layer.inner.input_refs()
            if len(inside) == 1:
                yield from _chain(layer.inner, inside[0].layer)
            return
        yield layer
        ref = TensorRef(user, number)


def _keeps_channels(layer: Layer) -> bool:
    """Whether a layer has as many channels behind it as before it, and says nothing else of them."""
    row = table.row(layer)
    maps = row.acts == "map" and not row.kind.startswith("global")
    return row.same_shape or maps or layer.class_name == "ThresholdedReLU"


def _takes(layer: Layer) -> tuple[int | None, int | None, bool]:
    """The rank that a layer takes, batch counted, its channels where an array says so, and if they come first."""
    name, config = layer.class_name, layer.config
    shapes = {weight.name.rpartition("/")[2]: weight.shape for weight in layer.weights}
    front = config.get("data_format") == "channels_first"
    kernel = shapes.get("depthwise_kernel") or shapes.get("kernel") or shapes.get("embeddings")
    row = table.row(name)
    if row.family == "convolution" or row.kind == "map":
        if row.kind == "transposed":
            return row.rank + 2, kernel[-1] if kernel else None, front
        groups = config.get("groups") if "depthwise_kernel" not in shapes else 1
        count = kernel[-2] * (groups if isinstance(groups, int) else 1) if kernel else None
        return row.rank + (2 if row.family == "convolution" else 3), count, front
    if row.rank and row.family in ("pooling", "reshaping", "regularization"):
        return row.rank + 2, None, front
    if name == "Embedding":
        return 2, None, False
    if row.family == "recurrent" or name == "Bidirectional":
        return 3, kernel[0] if kernel else None, False
    if name == "Dense":
        return 2, kernel[0] if kernel else None, False
    if table.tracks_batches(name):
        return _normalized(config, shapes)
    if name == "TimeDistributed" and isinstance(inside := config.get("layer"), dict):
        child = Layer(name=layer.name, class_name=str(inside.get("class_name")), config=inside.get("config") or {})
        rank_of, count_of, front_of = _takes(replace(child, weights=layer.weights))
        return None if rank_of is None else rank_of + 1, count_of, front_of
    return None, None, False


def _normalized(config: dict[str, Any], shapes: Mapping[str, Shape]) -> tuple[int | None, int | None, bool]:
    """Its axis, where Keras 2 wrote the place from the front, is the last one but for channels first."""
    axis, mean = config.get("axis"), shapes.get("moving_mean")
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    count = mean[0] if mean and len(mean) == 1 else None
    if not isinstance(axis, int) or axis < 2:
        return None, count if axis == -1 else None, False
    return axis + 1, count, False


def _sized(graph: Graph, name: str, shape: Shape, first: Layer) -> Graph:
    """With the one size at which what comes behind a Flatten fits its kernel, if open sizes leave it without."""
    places = [place for place, size in enumerate(shape) if place and size is None]
    if not places or not _unfit(graph) or len(graph.layers) > _LONGEST or first.class_name == "Embedding":
        return graph
    # the time axis of layers that are applied at every step may stay open
    for fixed in (places[1:], places) if len(places) > 1 else (places,):
        for size in range(1, _LARGEST + 1):
            tried = tuple(size if place in fixed else one for place, one in enumerate(shape))
            sized = _with_shape(graph, name, tried)
            if not _unfit(sized):
                return sized
    return graph


def _unfit(graph: Graph) -> bool:
    """Whether some Dense or recurrent layer does not get as many numbers as its kernel takes."""
    filled = fill_shapes(graph)
    layers = filled.by_name()
    for name, number in filled.order:
        layer = layers[name]
        kernel = next((weight.shape for weight in layer.weights if weight.name.rpartition("/")[2] == "kernel"), None)
        if layer.class_name not in _FIXED or kernel is None:
            continue
        for ref in layer.calls[number].inputs():
            arriving = filled.spec(ref).shape
            if arriving is None or arriving[-1] != kernel[0]:
                return True
    return False

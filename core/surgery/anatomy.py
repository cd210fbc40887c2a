"""Questions about a graph, answered without Keras: where an input goes until its channels mix, and through what."""

from core.caches import IdentityCache
from core.errors import EditError
from core.layers.axes import leaf_class
from core.layers.channel_ops import CONVOLUTIONS, DEPTHWISE, MIXING, TOKENS
from core.layers.leaves import leaf
from core.model.graph import Graph, Layer
from core.surgery.following import Site, State, Trace, traced

__all__ = [
    "CONVOLUTIONS",
    "DEPTHWISE",
    "MIXING",
    "Site",
    "State",
    "Trace",
    "channel_axis",
    "find_input",
    "first_convs",
    "trace_input",
]


def find_input(graph: Graph, name: str | None) -> Layer:
    """The InputLayer called `name`, or the only one. Raises `EditError`."""
    if graph.opaque:
        what = "The file contains weights without a model, so it has"
        if graph.class_name != "Unknown":
            what = f"The model is of the class {graph.class_name}, whose code is not in the file, so it has"
        raise EditError(
            f"{what} no input that can be changed. Build the model at the new size, save it, open that file and copy "
            "the weights of this one with transfer_weights."
        )
    inputs = graph.input_layers()
    names = [layer.name for layer in inputs]
    if name is None:
        if len(inputs) == 1:
            return inputs[0]
        known = ", ".join(names) or "none"
        raise EditError(f"The model has {len(inputs)} inputs ({known}); say which with input.")
    for layer in inputs:
        if layer.name == name:
            return layer
    raise EditError(f"There is no input {name!r}; the model's inputs are {', '.join(names) or 'unknown'}.")


_TRACES: IdentityCache[tuple[Trace, int | None]] = IdentityCache(16)


def trace_input(graph: Graph, name: str) -> Trace:
    """Follow one input through everything that keeps channels apart, into nested models at any depth.

    An edit asks this several times of the same graph, so the last answers are remembered by the graph object.
    """
    return _traced(graph, name)[0]


def channel_axis(graph: Graph, name: str) -> int | None:
    """The channel axis of an input, batch counted; `None` when it has none (tokens that go into an Embedding)."""
    return _traced(graph, name)[1]


def _traced(graph: Graph, name: str) -> tuple[Trace, int | None]:
    return _TRACES.get((graph,), lambda: _followed(graph, name), name)


def _followed(graph: Graph, name: str) -> tuple[Trace, int | None]:
    """The trace from the axis that the layers behind an input take for its channels.

    The last one, unless it leads nowhere (a data format or a Permute says otherwise) and another leads to where
    channels mix.
    """
    shape = graph.layer(name).config.get("batch_shape")
    rank = len(shape) if shape else 0
    if not shape or rank < 2:
        return traced(graph, name, -1, None), None
    candidates = (rank - 1, *range(1, rank - 1))
    first: Trace | None = None
    for axis in candidates:
        trace = traced(graph, name, axis, shape[axis])
        if axis == rank - 1 and any(leaf_class(site.layer)[0] in TOKENS for site in trace.sites):
            return trace, None
        if any(site.role in _FOUND for site in trace.sites) and not trace.blocked():
            return trace, axis
        first = first or trace
    assert first is not None
    stated = any(leaf(site.layer).config.get("data_format") == "channels_first" for site in first.sites)
    axis = 1 if stated and rank > 2 else rank - 1
    return (first if axis == rank - 1 else traced(graph, name, axis, shape[axis])), axis


_FOUND = frozenset({"mixing", "depthwise"})
"""Roles of layers that say which axis holds the channels."""


def first_convs(graph: Graph, name: str | None = None) -> tuple[str, ...]:
    """Paths of the first convolutions behind an input (`None`: behind any); of a wrapped one, the wrapper's."""
    inputs = graph.input_layers() if name is None and not graph.opaque else (find_input(graph, name),)
    found: dict[str, None] = {}
    for layer in inputs:
        for site in trace_input(graph, layer.name).sites:
            inside = leaf_class(site.layer)[0]
            if inside in CONVOLUTIONS | DEPTHWISE and not site.state.filtered and site.role != "blocked":
                found[site.path] = None
    return tuple(found)

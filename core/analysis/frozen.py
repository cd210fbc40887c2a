"""Which layers training leaves alone."""

from core.caches import IdentityCache
from core.layers.weight_table import learns
from core.model.graph import Graph, Layer


def frozen_layers(graph: Graph) -> frozenset[str]:
    """Paths of the layers with weights that training leaves alone, by their own flag or one above them; groups too
    when everything below them is frozen. Several views ask for it after each edit, so the last answers are kept.
    """
    return _FROZEN.get((graph,), lambda: _frozen(graph))


_FROZEN: IdentityCache[frozenset[str]] = IdentityCache(2)


def _frozen(graph: Graph) -> frozenset[str]:
    found: set[str] = set()
    _collect_frozen(graph, "", not graph.trainable, found)
    return frozenset(found)


def _collect_frozen(graph: Graph, prefix: str, above: bool, found: set[str]) -> tuple[bool, bool]:
    """Whether there is anything to freeze at this level, and whether all of it is frozen."""
    some, every = False, True
    for layer in graph.layers:
        path = prefix + layer.name
        frozen = above or not layer.trainable
        has_weights, all_frozen = can_freeze(layer), frozen
        if layer.inner is not None:
            inner_some, inner_all = _collect_frozen(layer.inner, path + "/", frozen, found)
            all_frozen = inner_all if inner_some else frozen
            has_weights = has_weights or inner_some
        if has_weights:
            some = True
            every = every and all_frozen
            if all_frozen:
                found.add(path)
    return some, every and some


def can_freeze(layer: Layer) -> bool:
    """Whether the layer itself holds, or will hold, weights that training changes."""
    for weight in layer.weights:
        if not weight.state:
            return True
    return layer.origin is None and not layer.is_input and learns(layer.class_name, layer.config)

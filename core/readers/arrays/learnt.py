"""What preprocessing layers learnt in `adapt`, put into their config: Keras 2 kept it beside the config.

A Discretization has a summary of the data among its arrays, from which TensorFlow computes the bounds when the layer is
loaded. A lookup in a SavedModel has its words in constants that fill its table; a checkpoint has none of them.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from core.errors import FileError
from core.layers.table import classes
from core.model.graph import Graph, Layer
from core.readers.containers.bundle import Bundle, object_graph, read_entry
from core.readers.formats.saved_objects import SavedObjects
from core.readers.source import WeightStore
from core.rules.base import Array

_SUMMARY = re.compile(
    r"((^|/)summary(_\d+)?(:0)?|summary/\.ATTRIBUTES/VARIABLE_VALUE|(^|/)discretization(_\d+)?/vars/0)$"
)
_LOOKUPS = classes(kind="lookup")


def bounds_of(summary: Array, bins: int) -> list[float]:
    """Bounds of equally full bins from a summary `(values, counts)` of shape `(2, n)`.

    The counts are summed up, and each bound interpolated at its share of the sum, as Keras 2's
    `Discretization.finalize_state` does.
    """
    share = 1.0 / bins
    if summary.shape[1] * share < 1:
        return [float(value) for value in summary[0, :-1]]
    total = summary[1].cumsum()
    found = np.interp(share + np.arange(0.0, 1.0, share), total / total[-1], summary[0]).astype(np.float32)
    return [float(value) for value in found[:-1]]


def with_bounds(graph: Graph, opened: Callable[[], WeightStore]) -> Graph:
    """The graph with the bounds of every adapted Discretization. The file is only opened where there is one."""
    wanted = [path for path, layer in graph.walk() if _is_unbound(layer)]
    if not wanted:
        return graph
    found: dict[str, list[float]] = {}
    with opened() as store:
        keys = sorted(filter(_SUMMARY.search, store.keys()), key=_natural)
        named = {path: [key for key in keys if f"/{path.rsplit('/', 1)[-1]}/" in f"/{key}"] for path in wanted}
        told = all(len(named[path]) == 1 for path in wanted)
        if not told and len(keys) != len(wanted):
            return graph
        for place, path in enumerate(wanted):
            summary = store.read(named[path][0] if told else keys[place])
            bins = graph.find(path).config["num_bins"]
            if summary.ndim == 2 and summary.shape[0] == 2 and summary.shape[1] and np.all(summary[1] > 0):
                found[path] = bounds_of(summary, bins)
    return graph.replace_layers(
        lambda path, layer: _with(layer, bin_boundaries=found[path], num_bins=None) if path in found else layer
    )


def with_idf(graph: Graph, opened: Callable[[], WeightStore]) -> Graph:
    """The graph with the weights of its words in the config of every lookup that Keras 3 stored them for as an array.

    The file is only opened where there is one.
    """
    wanted = {path: key for path, layer in graph.walk() if (key := _stored_idf(layer)) is not None}
    if not wanted:
        return graph
    with opened() as store:
        found = {path: [float(value) for value in store.read(key).reshape(-1)] for path, key in wanted.items()}
    return graph.replace_layers(lambda path, layer: _with(layer, idf_weights=found[path]) if path in found else layer)


def _stored_idf(layer: Layer) -> str | None:
    if layer.class_name not in _LOOKUPS or layer.opaque or layer.config.get("idf_weights"):
        return None
    return next((one.source.key for one in layer.weights if one.name == "idf_weights" and one.source), None)


def _is_unbound(layer: Layer) -> bool:
    bins = layer.config.get("num_bins")
    return (
        layer.class_name == "Discretization"
        and not layer.opaque
        and not layer.config.get("bin_boundaries")
        and isinstance(bins, int)
        and bins > 0
    )


def _natural(key: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", key)]


def _with(layer: Layer, **fields: Any) -> Layer:
    return replace(layer, config={**layer.config, **fields})


def with_words(graph: Graph, folder: Path, data: bytes, bundle: Bundle) -> Graph:
    """The graph with the vocabulary of every lookup whose table a SavedModel fills from constants.

    `data` is the whole of `saved_model.pb`. Lookups that weigh words by `tf_idf` get their weights too.
    """
    if not any(_is_empty(layer) for _, layer in graph.walk()):
        return graph
    saved = SavedObjects(folder, data)

    def change(path: str, layer: Layer) -> Layer:
        if not _is_empty(layer):
            return layer
        place = saved.place(layer.origin or layer.name)
        if place is None:
            return layer
        where = (*place, "_lookup_layer") if layer.class_name == "TextVectorization" else place
        words = saved.words((*where, "lookup_table"))
        if not words:
            return layer
        if layer.config.get("output_mode") != "tf_idf":
            return _with(layer, vocabulary=words)
        weights = _array(bundle, (*where, "idf_weights"))
        if weights is None or weights.size < len(words):
            return layer
        # the weights of words that are in no vocabulary come first, the mean of the others
        return _with(layer, vocabulary=words, idf_weights=weights.reshape(-1)[-len(words) :].tolist())

    return graph.replace_layers(change)


def _is_empty(layer: Layer) -> bool:
    return layer.class_name in _LOOKUPS and not layer.opaque and not layer.config.get("vocabulary")


def _array(bundle: Bundle, path: tuple[str, ...]) -> Array | None:
    nodes = object_graph(bundle)
    index: int | None = 0
    for name in path:
        index = nodes[index].children.get(name) if index is not None and index < len(nodes) else None
    key = nodes[index].key if index is not None and index < len(nodes) else None
    if key is None or key not in bundle.entries or bundle.entries[key].dtype is None:
        return None
    try:
        return read_entry(bundle, key)
    except FileError:
        return None

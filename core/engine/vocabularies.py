"""Vocabularies of lookups, kept beside a file's arrays: put into the configuration, where every format has them.

A `.keras` file holds them as assets; Keras's `.h5` and a model rebuilt from its configuration would start without.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from core.analysis.fates import Move
from core.engine.arrays import Arrays
from core.model.graph import Graph, Layer, origins
from core.model.order import storage_prefixes
from core.readers.source import Source
from core.surgery.words import LOOKUPS, holds_numbers

_FILE = "vocabulary.txt"


def asset_names(graph: Graph, source: Source) -> dict[str, list[tuple[str, str]]]:
    """`(name below the layer, name in the source)` of the assets of each layer of `graph`, by path.

    Names in the source are `assets/<storage prefix>/...`.
    """
    if not source.assets or graph.opaque or source.graph.opaque:
        return {}
    before = origins(source.graph)
    old = {before[path]: prefix for path, prefix, layer in storage_prefixes(source.graph) if layer.inner is None}
    found = {}
    for path, origin in origins(graph).items():
        start = f"assets/{old.get(origin)}/"
        names = [(name[len(start) :], name) for name in source.assets if name.startswith(start)]
        if names:
            found[path] = names
    return found


def with_vocabularies(graph: Graph, moves: tuple[Move, ...], arrays: Arrays) -> Graph:
    """The graph with the vocabulary of each lookup in its config, and the weights of a `tf_idf` one beside it."""
    named = asset_names(graph, arrays.source)
    if not named:
        return graph
    weights = {move.layer: move for move in moves if move.name.rpartition("/")[2] == "idf_weights"}

    def known(path: str, layer: Layer) -> Layer:
        asset = dict(named.get(path, ())).get(_FILE)
        if asset is None or layer.class_name not in LOOKUPS or layer.config.get("vocabulary") is not None:
            return layer
        weighed = layer.config.get("output_mode") == "tf_idf"
        if weighed and path not in weights and not layer.config.get("idf_weights"):
            return layer  # Keras takes words without weights from a file alone
        # split as Keras itself does when it loads the file
        words: list[Any] = arrays.asset(asset).decode().splitlines()
        while words and words[-1] == "":
            words.pop()
        if holds_numbers(layer):
            words = [int(word) for word in words]
        config = {**layer.config, "vocabulary": words}
        if weighed:
            given = layer.config.get("idf_weights") or arrays.values(weights[path])
            config["idf_weights"] = [float(value) for value in given[: len(words)]]
        return replace(layer, config=config)

    return graph.replace_layers(known)


def load_other_assets(graph: Graph, live: Iterable[tuple[str, Layer, Any]], arrays: Arrays) -> None:
    """Give layers of the person's own classes the files that they keep, through their own loading code."""
    named = asset_names(graph, arrays.source)
    for path, layer, keras_layer in live if named else ():
        if path in named and layer.class_name not in LOOKUPS and hasattr(keras_layer, "load_assets"):
            with tempfile.TemporaryDirectory() as folder:
                for rest, name in named[path]:
                    place = Path(folder, rest)
                    if not place.resolve().is_relative_to(Path(folder).resolve()):
                        continue  # a name in a file is no path on this disk
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(arrays.asset(name))
                keras_layer.load_assets(folder)

"""Two files side by side: layers and weights, paired by layer path and weight name, arrays compared one at a time."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from msgspec import Struct

from core.analysis.likeness import differing
from core.model.graph import Graph, Layer, Shape, StoreKey, Weight
from core.readers import open_store
from core.readers.source import Source, WeightStore
from core.rules.base import Array

Progress = Callable[[str, float], None]


class Change(Struct, frozen=True):
    """One thing that differs in both files' layer: `what` is a config field, `class`, `trainable` or `inbound`."""

    layer: str
    what: str
    a: Any
    b: Any


class WeightChange(Struct, frozen=True):
    """One weight that differs. `largest` is the largest absolute difference, null where shapes or kinds differ."""

    weight: str
    a: Shape | None
    b: Shape | None
    largest: float | None = None


class Difference(Struct, frozen=True):
    """What sets two files apart. Layers and weights not named here are equal, weights bit for bit."""

    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    layers: tuple[Change, ...]
    weights: tuple[WeightChange, ...]
    equal_weights: int
    params_a: int
    params_b: int

    def rows(self) -> Iterator[tuple[str, str, Any, Any]]:
        """Layer, what, A, B: one row a difference."""
        for path in self.only_a:
            yield path, "layer", "present", "-"
        for path in self.only_b:
            yield path, "layer", "-", "present"
        for change in self.layers:
            yield change.layer, change.what, change.a, change.b
        for one in self.weights:
            if one.largest is not None:
                yield one.weight, "values", "largest difference", f"{one.largest:.4g}"
            else:
                yield one.weight, "shape", one.a or "-", one.b or "-"

    def summary(self) -> str:
        """The totals in one line."""
        if not (self.only_a or self.only_b or self.layers or self.weights):
            return f"no difference; {self.equal_weights} weights are equal bit for bit"
        return (
            f"{len(self.only_a)} layers only in A, {len(self.only_b)} only in B, {len(self.layers)} fields differ, "
            f"{len(self.weights)} weights differ, {self.equal_weights} weights are equal bit for bit; "
            f"parameters {self.params_a:,} and {self.params_b:,}"
        )


def compare(a: Source, b: Source, progress: Progress) -> Difference:
    """Compare two opened files. Reads every array that both have in the same shape; raises `FileError`."""
    layers_a, layers_b = a.graph.by_path(), b.graph.by_path()
    both = [path for path in layers_a if path in layers_b]
    ranks = dict(_ranks(a.graph))
    weights: list[WeightChange] = []
    equal = 0
    with open_store(a) as store_a, open_store(b) as store_b:
        for number, path in enumerate(both):
            progress(f"comparing {path}", number / len(both))
            for change in _weights(path, layers_a[path], layers_b[path], store_a, store_b):
                if change is None:
                    equal += 1
                else:
                    weights.append(change)
    return Difference(
        only_a=tuple(path for path in layers_a if path not in layers_b),
        only_b=tuple(path for path in layers_b if path not in layers_a),
        layers=tuple(
            change for path in both for change in _changes(path, layers_a[path], layers_b[path], ranks.get(path))
        ),
        weights=tuple(weights),
        equal_weights=equal,
        params_a=a.graph.num_params(),
        params_b=b.graph.num_params(),
    )


def _ranks(graph: Graph, prefix: str = "") -> Iterator[tuple[str, int]]:
    """How many axes what reaches each layer has, batch counted, where that is known."""
    for layer in graph.layers:
        shapes = {graph.spec(ref).shape for call in layer.calls for ref in call.inputs()}
        ranks = {len(shape) for shape in shapes if shape is not None}
        if len(ranks) == 1:
            yield prefix + layer.name, ranks.pop()
        if layer.inner is not None:
            yield from _ranks(layer.inner, f"{prefix}{layer.name}/")


def _changes(path: str, a: Layer, b: Layer, rank: int | None) -> Iterator[Change]:
    if a.class_name != b.class_name:
        yield Change(path, "class", a.class_name, b.class_name)
    if a.trainable != b.trainable:
        yield Change(path, "trainable", a.trainable, b.trainable)
    for name, one, other in differing(a.class_name, a.config, b.config, rank):
        yield Change(path, name, one, other)
    inbound_a, inbound_b = ([str(ref.layer) for call in one.calls for ref in call.inputs()] for one in (a, b))
    if inbound_a != inbound_b:
        yield Change(path, "inbound", inbound_a, inbound_b)


def _weights(
    path: str, a: Layer, b: Layer, store_a: WeightStore, store_b: WeightStore
) -> Iterator[WeightChange | None]:
    """For each weight of either layer what differs, or `None` where nothing does."""
    named_a, named_b = ({weight.name: weight for weight in one.weights} for one in (a, b))
    for name in dict.fromkeys((*named_a, *named_b)):
        one, other = named_a.get(name), named_b.get(name)
        place = f"{path}/{name}"
        if one is None or other is None or one.shape != other.shape:
            yield WeightChange(place, one.shape if one else None, other.shape if other else None)
            continue
        values, others = _array(one, store_a), _array(other, store_b)
        if values is None or others is None:
            if values is not others:
                yield WeightChange(place, one.shape, other.shape)
        elif values.dtype == others.dtype and values.tobytes() == others.tobytes():
            yield None
        else:
            yield WeightChange(place, one.shape, other.shape, _largest(values, others))


def _array(weight: Weight, store: WeightStore) -> Array | None:
    source: StoreKey | None = weight.source
    return None if source is None else store.read(source.key)


def _largest(a: Array, b: Array) -> float | None:
    """The largest absolute difference of two arrays of one shape; `None` where they hold no numbers."""
    if not (np.issubdtype(a.dtype, np.number) and np.issubdtype(b.dtype, np.number)):
        return None
    return float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)), initial=0.0))

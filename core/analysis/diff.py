"""Two files side by side: layers paired as in `core.analysis.alignment`, arrays compared one at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from core.analysis.alignment import Pair, align
from core.analysis.likeness import differing
from core.model.graph import Graph, Layer, Shape, Weight
from core.readers import open_store
from core.readers.source import Source, WeightStore
from core.rules.base import Array

Progress = Callable[[str, float], None]

PIECE = 1 << 20


class Side(Struct, frozen=True):
    """One of the two files. `params` counts the arrays of all layers, each shared layer once."""

    path: str
    format: str
    layers: int
    params: int


class Change(Struct, frozen=True):
    """What a pair of layers does not share: `what` is a config field, `class`, `trainable` or `inbound`."""

    what: str
    a: Any
    b: Any


class WeightChange(Struct, frozen=True):
    """One weight that differs between a pair of layers, in shape (null where it is not there) or in values.

    `norm_a` and `norm_b` are Euclidean norms, `distance` that of the difference, `relative` the distance over
    `norm_a` (null where that is 0), `largest` the largest absolute difference. All are null where shapes differ or the
    values are no numbers. `close` says that `largest` is within the tolerance.
    """

    name: str
    a: Shape | None
    b: Shape | None
    norm_a: float | None = None
    norm_b: float | None = None
    distance: float | None = None
    relative: float | None = None
    largest: float | None = None
    close: bool = False


class LayerChange(Struct, frozen=True):
    """A pair of layers with other names, fields or weights."""

    a: str
    b: str
    fields: tuple[Change, ...] = ()
    weights: tuple[WeightChange, ...] = ()

    @property
    def name(self) -> str:
        """How the pair is called."""
        return self.a if self.a == self.b else f"{self.a} -> {self.b}"


class Alone(Struct, frozen=True):
    """A layer that only one of the files has, with the shapes of its arrays by name."""

    layer: str
    class_name: str
    weights: dict[str, Shape]


class Difference(Struct, frozen=True):
    """What sets two files apart. Layers and weights not named here are equal, weights bit for bit.

    `reordered` are the layers of A that hold arrays and that B lists in another order, from the first to the last of
    them: what reads arrays by their order takes wrong ones. `tolerance` is the largest absolute difference that counts
    as none.
    """

    a: Side
    b: Side
    layers: tuple[LayerChange, ...]
    only_a: tuple[Alone, ...]
    only_b: tuple[Alone, ...]
    reordered: tuple[str, ...]
    equal_layers: int
    equal_weights: int
    close_weights: int
    tolerance: float = 0.0
    version: int = 1

    @property
    def renamed(self) -> tuple[LayerChange, ...]:
        """Pairs with other names."""
        return tuple(one for one in self.layers if one.a != one.b)

    @property
    def changed(self) -> tuple[LayerChange, ...]:
        """Pairs with other fields or weights, differences within the tolerance left out."""
        return tuple(one for one in self.layers if one.fields or any(not weight.close for weight in one.weights))

    @property
    def same(self) -> bool:
        """Whether nothing differs, within the tolerance. Names count."""
        return not (self.changed or self.renamed or self.only_a or self.only_b or self.reordered)


def compare(a: Source, b: Source, progress: Progress, tolerance: float = 0.0) -> Difference:
    """Compare two opened files. Reads every array that both have in the same shape; raises `FileError`."""
    aligned = align(a.graph, b.graph)
    layers_a, layers_b = a.graph.by_path(), b.graph.by_path()
    names = {pair.a: pair.b for pair in aligned.pairs}
    inbound_a, inbound_b = dict(_inbound(a.graph)), dict(_inbound(b.graph))
    ranks = dict(_ranks(a.graph))
    found: list[LayerChange] = []
    equal = 0
    with open_store(a) as store_a, open_store(b) as store_b:
        for number, pair in enumerate(aligned.pairs):
            progress(f"comparing {pair.a}", number / len(aligned.pairs))
            one, other = layers_a[pair.a], layers_b[pair.b]
            fields = [*_fields(one, other, ranks.get(pair.a))]
            came = [names.get(path) for path in inbound_a[pair.a]]
            if came != inbound_b[pair.b]:
                fields.append(Change("inbound", inbound_a[pair.a], inbound_b[pair.b]))
            weights = []
            for change in _weights(one, other, store_a, store_b, tolerance):
                if change is None:
                    equal += 1
                else:
                    weights.append(change)
            if fields or weights or pair.renamed:
                found.append(LayerChange(pair.a, pair.b, tuple(fields), tuple(weights)))
    return Difference(
        a=_side(a),
        b=_side(b),
        layers=tuple(found),
        only_a=tuple(_alone(path, layers_a[path]) for path in aligned.only_a),
        only_b=tuple(_alone(path, layers_b[path]) for path in aligned.only_b),
        reordered=_reordered(aligned.pairs, layers_a, list(layers_b)),
        equal_layers=len(aligned.pairs) - len(found),
        equal_weights=equal,
        close_weights=sum(weight.close for one in found for weight in one.weights),
        tolerance=tolerance,
    )


def _side(source: Source) -> Side:
    return Side(source.path, source.format, sum(1 for _ in source.graph.walk()), source.graph.num_params())


def _alone(path: str, layer: Layer) -> Alone:
    return Alone(path, layer.class_name, {weight.name: weight.shape for weight in layer.weights})


def _ranks(graph: Graph, prefix: str = "") -> Iterator[tuple[str, int]]:
    """How many axes what reaches each layer has, batch counted, where that is known."""
    for layer in graph.layers:
        shapes = {graph.spec(ref).shape for call in layer.calls for ref in call.inputs()}
        ranks = {len(shape) for shape in shapes if shape is not None}
        if len(ranks) == 1:
            yield prefix + layer.name, ranks.pop()
        if layer.inner is not None:
            yield from _ranks(layer.inner, f"{prefix}{layer.name}/")


def _inbound(graph: Graph, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """The paths of the layers that each layer takes from, call by call."""
    for layer in graph.layers:
        yield prefix + layer.name, [prefix + ref.layer for call in layer.calls for ref in call.inputs()]
        if layer.inner is not None:
            yield from _inbound(layer.inner, f"{prefix}{layer.name}/")


def _fields(a: Layer, b: Layer, rank: int | None) -> Iterator[Change]:
    if a.class_name != b.class_name:
        yield Change("class", a.class_name, b.class_name)
    if a.trainable != b.trainable:
        yield Change("trainable", a.trainable, b.trainable)
    for name, one, other in differing(a.class_name, a.config, b.config, rank):
        yield Change(name, one, other)


def _weights(
    a: Layer, b: Layer, store_a: WeightStore, store_b: WeightStore, tolerance: float
) -> Iterator[WeightChange | None]:
    """For each weight of either layer what differs, or `None` where nothing does."""
    named_a, named_b = ({weight.name: weight for weight in one.weights} for one in (a, b))
    for name in dict.fromkeys((*named_a, *named_b)):
        one, other = named_a.get(name), named_b.get(name)
        if one is None or other is None or one.shape != other.shape:
            yield WeightChange(name, one.shape if one else None, other.shape if other else None)
            continue
        values, others = _array(one, store_a), _array(other, store_b)
        if values is None or others is None:
            if values is not others:
                shapes = [None if array is None else one.shape for array in (values, others)]
                yield WeightChange(name, shapes[0], shapes[1])
        elif values.dtype == others.dtype and values.tobytes() == others.tobytes():
            yield None
        else:
            yield _apart(name, one.shape, values, others, tolerance)


def _array(weight: Weight, store: WeightStore) -> Array | None:
    return None if weight.source is None else store.read(weight.source.key)


def _apart(name: str, shape: Shape, a: Array, b: Array, tolerance: float) -> WeightChange:
    """How far two arrays of one shape lie apart, in pieces, so that no copy of either is whole in double precision."""
    if not all(np.issubdtype(one.dtype, np.number) or one.dtype.name == "bfloat16" for one in (a, b)):
        return WeightChange(name, shape, shape)
    sums = np.zeros(3)
    largest = 0.0
    flat_a, flat_b = a.reshape(-1), b.reshape(-1)
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, flat_a.size, PIECE):
            one, other = (each[start : start + PIECE].astype(np.float64) for each in (flat_a, flat_b))
            gap = one - other
            gap[(one == other) | (np.isnan(one) & np.isnan(other))] = 0.0
            sums += [np.dot(one, one), np.dot(other, other), np.dot(gap, gap)]
            largest = float(np.maximum(largest, np.max(np.abs(gap), initial=0.0)))
        norm_a, norm_b, distance = np.sqrt(sums).tolist()
    return WeightChange(
        name,
        shape,
        shape,
        norm_a=norm_a,
        norm_b=norm_b,
        distance=distance,
        relative=distance / norm_a if norm_a else None,
        largest=largest,
        close=largest <= tolerance,
    )


def _reordered(pairs: Sequence[Pair], layers: Mapping[str, Layer], there: list[str]) -> tuple[str, ...]:
    """The layers with arrays that the other file lists in another order, from the first to the last of them."""
    places = {path: place for place, path in enumerate(there)}
    held = [pair for pair in pairs if layers[pair.a].weights]
    order = sorted(held, key=lambda pair: places[pair.b])
    moved = [place for place, (one, other) in enumerate(zip(held, order, strict=True)) if one != other]
    return tuple(pair.a for pair in held[moved[0] : moved[-1] + 1]) if moved else ()

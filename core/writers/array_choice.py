"""Which arrays of a model are meant, and what is in them: by layer, by path, or all."""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial

from core.errors import FileError
from core.model.graph import Graph, Weight
from core.phrases import did_you_mean
from core.readers.source import Source, WeightStore
from core.writers.array_files import NamedArray

_WILD = "*?["


def held(graph: Graph) -> Iterator[tuple[str, Weight]]:
    """Every array that a source has, as `layer path/weight name`; those that the model holds itself by name alone."""
    for path, layer in graph.walk():
        for weight in layer.weights:
            if weight.source is not None:
                yield f"{path}/{weight.name}", weight
    for weight in graph.weights:
        if weight.source is not None:
            yield weight.name, weight


def chosen(names: Sequence[str], patterns: Iterable[str]) -> frozenset[str]:
    """The arrays that patterns mean: paths of arrays or of layers (all below them), or globs. No pattern means all.

    Raises `FileError` for a pattern that means nothing.
    """
    patterns = tuple(patterns)
    if not patterns:
        return frozenset(names)
    # what is meant by a name: the array itself, or everything below a layer or model of that name
    below: dict[str, set[str]] = {}
    for name in names:
        parts = name.split("/")
        for count in range(1, len(parts) + 1):
            below.setdefault("/".join(parts[:count]), set()).add(name)
    found: set[str] = set()
    for pattern in patterns:
        meant = below.get(pattern, set())
        if not meant and any(sign in pattern for sign in _WILD):
            meant = set().union(*(below[one] for one in below if fnmatchcase(one, pattern)))
        if not meant:
            raise FileError(f"No layer or array with values matches {pattern!r}{did_you_mean(pattern, below)}")
        found |= meant
    return frozenset(found)


def source_arrays(source: Source, store: WeightStore, patterns: Iterable[str] = ()) -> list[NamedArray]:
    """The arrays of a source as its file holds them, in the model's order. Raises `FileError`."""
    listed = list(held(source.graph))
    wanted = chosen([name for name, _ in listed], patterns)
    return [
        NamedArray(name, partial(store.read, weight.source.key), weight.shape, weight.dtype)
        for name, weight in listed
        if name in wanted and weight.source is not None
    ]

"""The arrays of the new model, one at a time: read from the source, through their rules, never all at once."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import numpy as np

from core.analysis.fates import Move
from core.engine.initial import initial_arrays
from core.errors import FileError
from core.layers.axes import Axes, axes_of
from core.model.graph import Graph, Layer, StoreKey, first_paths
from core.phrases import shape_words
from core.readers import open_store
from core.readers.source import Source, WeightStore
from core.rules import adapt
from core.rules.base import Array, sibling_name
from core.rules.quantization import Quantize


class Arrays:
    """Values of moves. A context manager; `files` are the sources by `StoreKey.file`, opened on demand."""

    def __init__(self, graph: Graph, files: Mapping[int, Source]) -> None:
        self._sources = files
        self._stores: dict[int, WeightStore] = {}
        self._graph = graph
        self._layers = graph.by_path()
        self._first_paths: dict[str, str] = {}
        self._initial: tuple[tuple[str, bool], dict[str, Array]] = (("", False), {})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for store in self._stores.values():
            store.close()
        self._stores.clear()

    @property
    def source(self) -> Source:
        """The model that is edited."""
        return self._sources[0]

    def read(self, key: StoreKey) -> Array:
        """An array of a source. Raises `FileError`."""
        if key.file not in self._stores:
            self._stores[key.file] = open_store(self._sources[key.file])
        return self._stores[key.file].read(key.key)

    def asset(self, name: str) -> bytes:
        """An asset of the source."""
        if 0 not in self._stores:
            self._stores[0] = open_store(self._sources[0])
        return self._stores[0].read_asset(name)

    def values(self, move: Move, double: bool = False) -> Array:
        """The array that `move` describes, in its planned shape and dtype. Raises `RuleError`, `FileError`.

        With `double` its rules compute in double precision and it is not rounded to its dtype, if that is a float's.
        """
        fate = move.fate
        double = double and _is_float(fate.dtype)
        dtype = "float64" if double else fate.dtype
        if fate.as_stored and move.source is not None:
            found = self.read(move.source)
        elif fate.fate == "adapted":
            layer = self._layers[move.layer]
            source = self.read(move.source) if move.source is not None else None
            if double and source is not None and _is_float(str(source.dtype)):
                source = source.astype(np.float64)
            shape = move.rules[0].fixed_shape() or (source.shape if source is not None else fate.shape)
            axes = axes_of(layer, move.name, shape)
            found = adapt(source, fate.shape, axes, move.rules, _Siblings(self, layer, move, double), dtype)
        elif move.rules:
            axes = axes_of(self._layers[move.layer], move.name, fate.shape)
            rule = move.rules[0]
            starts = isinstance(rule, Quantize) and rule.starts
            floats = self._first_values(move.layer, floats=True)[rule.of] if starts else None
            found = adapt(floats, fate.shape, axes, move.rules, {}, fate.dtype)
        else:
            found = self._first_values(move.layer)[move.key]
        if found.shape != fate.shape:
            number = move.source.file if move.source is not None else 0
            raise FileError(
                f"{fate.weight} has the shape {shape_words(found.shape)} in the file, but "
                f"{shape_words(fate.shape)} was expected; "
                "the file has changed or is damaged.",
                path=fate.file or self._sources[number].path,
            )
        return _cast(found, dtype)

    def _first_values(self, path: str, floats: bool = False) -> dict[str, Array]:
        wanted = (path, floats)
        known, values = self._initial
        if known != wanted:
            level, layer = self._graph.around(path), self._layers[path]
            call = layer.calls[0]
            tensors = {ref: level.spec(ref) for ref in call.inputs()}
            self._first_paths = self._first_paths or first_paths(self._graph)
            values = initial_arrays(self._first_paths[path], layer, call, tensors, floats)
            self._initial = (wanted, values)
        return values


class _Siblings(Mapping[str, Array]):
    """The source arrays of a move's layer by name, and arrays of other layers its rules ask for; read on demand."""

    def __init__(self, arrays: Arrays, layer: Layer, move: Move, double: bool) -> None:
        self._arrays = arrays
        self._double = double
        self._keys = {weight.name: weight.source for weight in layer.weights if weight.source is not None}
        self._decodes = {weight.name: weight.decode for weight in layer.weights if weight.decode is not None}
        further = [*move.rules, *self._decodes.values()]
        self._keys.update({sibling_name(key): key for rule in further for key in rule.needs()})

    def __getitem__(self, name: str) -> Array:
        array = self._arrays.read(self._keys[name])
        if self._double and _is_float(str(array.dtype)):
            array = array.astype(np.float64)
        decode = self._decodes.get(name)
        return array if decode is None else adapt(array, decode.shape, Axes(), (decode,), self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _is_float(dtype: str) -> bool:
    return dtype in {"bfloat16", "float16", "float32", "float64"}


def _cast(array: Array, dtype: str) -> Array:
    if dtype == "bfloat16":
        import ml_dtypes  # comes with TensorFlow; NumPy itself has no such type

        return array.astype(ml_dtypes.bfloat16)
    wanted = np.dtype(dtype) if dtype != "string" else array.dtype
    return array if array.dtype == wanted or wanted.kind == "O" else array.astype(wanted)

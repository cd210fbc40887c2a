"""What must stay equal after an edit: a member for each kind of contract, which makes its own inputs.

In every kind `old` is the model before and `new` the model after; a member says how their inputs follow from each
other, and which arrays are compared. The engine runs the models (`core.engine.contracts`). `input` names the
InputLayer, `axis` is the channel axis with the batch counted, `shape` is the shape (without batch) at which the new
model is fed: where sizes changed both models run at the old size. Inputs not named are the same for both.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np

from core.model.contract import Array, Contract, End, Inputs, Place, Trial
from core.model.graph import Graph, Layer, Shape
from core.phrases import shape_words
from core.surgery.inputs import concrete, input_range, shared_words
from core.surgery.wiring import Wiring


class SameInput(Contract, frozen=True, kw_only=True, tag="same_input"):
    """The same random input for both gives the same output."""


class _AtShape(Contract, frozen=True, kw_only=True):
    """The new model is built at the shape that is fed to it."""

    input: str
    shape: Shape

    def new_shape(self) -> tuple[str, Shape]:
        """The shape that is fed."""
        return self.input, self.shape

    def _sizes(self, trial: Trial) -> tuple[int, ...]:
        """The shape that is fed, with a batch and a number for every open size."""
        return _sizes(self.shape, trial.x_new[self.input])

    def _random(self, trial: Trial, sizes: tuple[int, ...]) -> Array:
        """Random numbers that the old model's first layers can take."""
        rng, largest = np.random.default_rng(7), input_range(trial.old.graph, self.input)
        return (rng.random(sizes, dtype=np.float32) * largest).astype(trial.dtype)


class _Channels(_AtShape, frozen=True, kw_only=True):
    """The number of channels changes."""

    axis: int

    def holds_between(self, before: End, after: End) -> bool:
        """Where nothing mixes the channels, outputs have as many as the input, and cannot be compared."""
        for one, other in zip(before.outputs, after.outputs, strict=False):
            if one is None or other is None:
                continue
            if len(one) != len(other):
                return False
            place = self.axis if len(one) == len(self.shape) + 1 else -1
            if one[place] != other[place]:
                return False
        return True

    def _given(self, trial: Trial, channels: int) -> Array | None:
        """The person's own inputs with their first channels, or with one that is the mean of all."""
        own = trial.own.get(self.input)
        if own is None or any(size not in (None, found) for size, found in zip(self.shape, own.shape[1:], strict=True)):
            return None
        if channels == 1:
            return np.asarray(own.mean(axis=self.axis, keepdims=True, dtype=trial.dtype))
        return np.take(own, range(channels), self.axis) if channels <= own.shape[self.axis] else None

    def _wide(self, trial: Trial, channels: int) -> tuple[int, ...]:
        """The sizes that are fed, with this number of channels."""
        sizes = self._sizes(trial)
        return tuple(channels if place == self.axis % len(sizes) else size for place, size in enumerate(sizes))


class Gray(_Channels, frozen=True, kw_only=True, tag="gray"):
    """Gray images give what they gave: one random channel, over the `old` channels and over the `new` ones."""

    old: int
    new: int

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """One channel, repeated on both sides."""
        given = self._given(trial, 1)
        gray = self._random(trial, self._wide(trial, 1)) if given is None else given
        x_old, x_new = (np.repeat(gray, count, self.axis) for count in (self.old, self.new))
        return {**trial.x_old, self.input: x_old}, {**trial.x_new, self.input: x_new}


class OldBands(_Channels, frozen=True, kw_only=True, tag="old_bands"):
    """The old bands with nothing in the new ones, which come after them, give what they gave."""

    old: int
    new: int

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """Random bands, with zeros after them for the new model."""
        given = self._given(trial, self.old)
        bands = self._random(trial, self._wide(trial, self.old)) if given is None else given
        extra = np.zeros(self._wide(trial, self.new - self.old), trial.dtype)
        x_new = np.concatenate([bands, extra], self.axis)
        return {**trial.x_old, self.input: bands}, {**trial.x_new, self.input: x_new}


class Mapped(_Channels, frozen=True, kw_only=True, tag="mapped"):
    """`x_new` is random, and `x_old[..., c] = sum_j x_new[..., j] * matrix[j][c]`."""

    matrix: list[list[float]]

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """Random channels, mapped for the old model."""
        matrix = np.asarray(self.matrix, trial.dtype)
        given = self._given(trial, matrix.shape[0])
        x_new = self._random(trial, self._wide(trial, matrix.shape[0])) if given is None else given
        x_old = np.moveaxis(np.moveaxis(x_new, self.axis, -1) @ matrix, -1, self.axis)
        return {**trial.x_old, self.input: x_old}, {**trial.x_new, self.input: x_new}


class OldSize(_AtShape, frozen=True, kw_only=True, tag="old_size"):
    """Inputs of the old size give what they gave."""

    def holds_between(self, before: End, after: End) -> bool:
        """Where a weight counts places, the new one does not fit a model of the old size."""
        return all(before.weights.get(path, shape) == shape for path, shape in after.weights.items())

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """The same input of the old size."""
        given, sizes = trial.x_new[self.input], self._sizes(trial)
        same = given if given.shape[1:] == sizes[1:] else self._random(trial, sizes)
        return {**trial.x_old, self.input: same}, {**trial.x_new, self.input: same}


class Adapted(Contract, frozen=True, kw_only=True, tag="adapted"):
    """The old model on what `x_new` is after the first call of `layer` gives what the new one gives."""

    input: str
    layer: str
    shape: Shape

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """What the new model makes of its input, for the old one."""
        (made,) = trial.new.tensors([[self.layer, [], 0]], trial.x_new)
        return {**trial.x_old, self.input: _floats(made, trial)}, trial.x_new


class Padded(Contract, frozen=True, kw_only=True, tag="padded"):
    """`x_old` is `x_new` within `gaps` of zeros, the old model at that size (`old`); outputs `crop` are cut."""

    input: str
    shape: Shape
    old: Shape
    gaps: list[list[int]]
    crop: list[int]

    def old_shape(self) -> tuple[str, Shape]:
        """The padded size."""
        return self.input, self.old

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """The new model's input, padded for the old one."""
        padded = np.pad(trial.x_new[self.input], [(0, 0), *((low, high) for low, high in self.gaps)])
        return {**trial.x_old, self.input: padded}, trial.x_new

    def arrays(self, trial: Trial, x_old: Inputs, x_new: Inputs) -> tuple[list[Array], list[Array]]:
        """Outputs that are maps of the padded size without their border."""
        old, new = trial.old.outputs(x_old), trial.new.outputs(x_new)
        inside = (slice(None), *(slice(low, -high or None) for low, high in self.gaps))
        return [one[inside] if number in self.crop else one for number, one in enumerate(old)], new


class Features(Contract, frozen=True, kw_only=True, tag="features"):
    """The same input; `pairs` of tensors, new and old: an output's number or an inner tensor's place.

    With `pool` the old tensors are pooled over their map in NumPy (`first`: whose channels come first).
    """

    pairs: list[tuple[int | Place, int | Place]]
    pool: Literal["avg", "max"] | None = None
    first: bool = False

    def arrays(self, trial: Trial, x_old: Inputs, x_new: Inputs) -> tuple[list[Array], list[Array]]:
        """The tensors of each side."""
        old = trial.old.tensors([place for _, place in self.pairs], x_old)
        new = trial.new.tensors([place for place, _ in self.pairs], x_new)
        return [self._pooled(one) for one in old], new

    def _pooled(self, array: Array) -> Array:
        if self.pool is None:
            return array
        axes = tuple(range(2, array.ndim) if self.first else range(1, array.ndim - 1))
        pooled: Array = np.mean(array, axes) if self.pool == "avg" else np.max(array, axes)
        return pooled


class Classes(Contract, frozen=True, kw_only=True, tag="classes"):
    """The same input; ahead of its activation the classifier's columns `new` equal the old one's `old`.

    Behind it they need not: softmax over other classes gives other shares.
    """

    layer: str
    calls: list[int]
    axis: int
    new: list[int]
    old: list[int]

    def arrays(self, trial: Trial, x_old: Inputs, x_new: Inputs) -> tuple[list[Array], list[Array]]:
        """The columns of each side."""
        place = [self.layer, self.calls, 0]
        old, new = trial.old.scores(place, x_old), trial.new.scores(place, x_new)
        return [np.take(old, self.old, self.axis)], [np.take(new, self.new, self.axis)]


class Batch(Contract, frozen=True, kw_only=True, tag="batch"):
    """`x_old` is `x_new` again and again until its batch is full; the first `rows` samples are compared."""

    rows: int

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """The new model's samples, as many as the old one takes."""
        x_old = {
            name: np.resize(trial.x_new[name], (len(array), *trial.x_new[name].shape[1:]))
            for name, array in trial.x_old.items()
        }
        return x_old, trial.x_new

    def arrays(self, trial: Trial, x_old: Inputs, x_new: Inputs) -> tuple[list[Array], list[Array]]:
        """The samples that both have."""
        old, new = trial.old.outputs(x_old), trial.new.outputs(x_new)
        return [one[: self.rows] for one in old], [one[: self.rows] for one in new]


class KeptWords(Contract, frozen=True, kw_only=True, tag="kept_words"):
    """The same for both, made of `words`: those of both vocabularies that have their row from the source.

    The lookup at `lookup` has another vocabulary.
    """

    lookup: str
    words: list[Any]

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """Words that both know."""
        old, new = trial.words
        shared = shared_words(new, old, trial.x_new, only=self.words)
        return {**trial.x_old, **shared}, {**trial.x_new, **shared}


class Tail(Contract, frozen=True, kw_only=True, tag="tail"):
    """`given` pairs new inputs with tensors inside the old model, which they get; `outputs` of the old are compared."""

    given: list[tuple[str, Place]]
    outputs: list[int]

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """What the old model computes at the cut, for the new one."""
        if not self.given:
            return trial.x_old, trial.x_new
        found = trial.old.tensors([place for _, place in self.given], trial.x_old)
        made = {name: _floats(array, trial) for (name, _), array in zip(self.given, found, strict=True)}
        return trial.x_old, {**trial.x_new, **made}

    def arrays(self, trial: Trial, x_old: Inputs, x_new: Inputs) -> tuple[list[Array], list[Array]]:
        """The outputs that come after the cut."""
        old = trial.old.outputs(x_old)
        return [old[number] for number in self.outputs], trial.new.outputs(x_new)


class Transposed(Contract, frozen=True, kw_only=True, tag="transposed"):
    """`x_new` is `x_old` with the axes of `given`, by input; `outputs` are the orders of axes of the new outputs."""

    own_sums: ClassVar[bool] = True
    given: dict[str, list[int]]
    outputs: list[list[int]]

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """The new model's inputs, turned back for the old one."""
        x_old = {name: np.transpose(trial.x_new[name], np.argsort(order)) for name, order in self.given.items()}
        return x_old, trial.x_new

    def arrays(self, trial: Trial, x_old: Inputs, x_new: Inputs) -> tuple[list[Array], list[Array]]:
        """The old outputs, turned as the new ones are."""
        old = trial.old.outputs(x_old)
        return [np.transpose(one, order) for one, order in zip(old, self.outputs, strict=True)], trial.new.outputs(
            x_new
        )


class Stacked(Contract, frozen=True, kw_only=True, tag="stacked"):
    """`x_new` repeats `x_old` along the axis `at`; so do `outputs`, where their number is no 0."""

    own_sums: ClassVar[bool] = True
    input: str
    at: int
    outputs: list[int]

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """One frame, and a stack of it."""
        given = trial.x_new[self.input]
        frame = np.take(given, 0, self.at)
        stack = _repeated(frame, self.at, given.shape[self.at])
        return {**trial.x_old, self.input: frame}, {**trial.x_new, self.input: stack}

    def arrays(self, trial: Trial, x_old: Inputs, x_new: Inputs) -> tuple[list[Array], list[Array]]:
        """The old outputs, repeated where the new ones have frames."""
        old, new = trial.old.outputs(x_old), trial.new.outputs(x_new)
        rows = zip(old, new, self.outputs, strict=True)
        return [_repeated(one, at, two.shape[at]) if at else one for one, two, at in rows], new


class Joined(Contract, frozen=True, kw_only=True, tag="joined"):
    """The old model and that of the further file `file`, each run by itself, give what the new one gives.

    `wires` says which tensors go where; in `series` the other one's outputs come last; `merge` makes one output of
    each pair.
    """

    file: str
    wires: Wiring
    series: bool
    merge: Literal["concatenate", "average", "add"] | None = None

    def arrays(self, trial: Trial, x_old: Inputs, x_new: Inputs) -> tuple[list[Array], list[Array]]:
        """The outputs of both, in the order of the joined model's."""
        other, given = trial.other(self.file), {**x_new, **x_old}
        before = trial.old.graph
        outputs = dict(zip(before.output_refs(), trial.old.outputs(given), strict=True))
        theirs = other.outputs(self._fed(trial, other.graph, given))
        new = trial.new.outputs(x_new)
        if self.merge is not None:
            return [
                _merged(self.merge, outputs[ref], one) for ref, one in zip(self.wires.kept, theirs, strict=True)
            ], new
        if self.series and self.wires.kept:
            return [*(outputs[ref] for ref in self.wires.kept), *theirs], new
        table = {ref: outputs[ref] for ref in self.wires.kept}
        ends = enumerate(other.graph.output_refs())
        table.update({self.wires.port(ref, place): theirs[place] for place, ref in ends})
        return [table[ref] for ref in trial.new.graph.output_refs()], new

    def _fed(self, trial: Trial, other: Graph, given: Inputs) -> Inputs:
        """What goes into the other model: inputs of its own, and tensors of the model before."""
        before = trial.old.graph
        inside = [
            ref for ref in dict.fromkeys(self.wires.fed) if ref is not None and not before.layer(ref.layer).is_input
        ]
        places = [[ref.layer, [ref.call], ref.output] for ref in inside]
        found = trial.old.tensors(places, given) if places else []
        inner = {ref: _floats(array, trial) for ref, array in zip(inside, found, strict=True)}
        fed: Inputs = {}
        for port, ref in zip(other.input_refs(), self.wires.fed, strict=True):
            if ref is None:
                fed[port.layer] = given[self.wires.names[port.layer]]
            else:
                fed[port.layer] = inner[ref] if ref in inner else given[ref.layer]
        return fed


AnyContract = (
    SameInput
    | Gray
    | OldBands
    | Mapped
    | OldSize
    | Adapted
    | Padded
    | Features
    | Classes
    | Batch
    | KeptWords
    | Tail
    | Transposed
    | Stacked
    | Joined
)


def _floats(array: Array, trial: Trial) -> Array:
    """An array that a model computed, in the precision that goes into one; text stays text."""
    return array.astype(trial.dtype) if array.dtype.kind == "f" else array


def _sizes(shape: Shape, now: Array) -> tuple[int, ...]:
    """A shape (without batch) with the batch of `now`, and its numbers for open sizes."""
    return concrete((None, *shape), now.shape[0], now.shape)


def _repeated(array: Array, at: int, count: int) -> Array:
    return np.repeat(np.expand_dims(array, at), count, at)


def _merged(how: str, mine: Array, theirs: Array) -> Array:
    """Two outputs as one, in NumPy."""
    if how == "concatenate":
        return np.concatenate([mine, theirs], axis=-1)
    total: Array = mine + theirs
    return total / 2 if how == "average" else total


def batch_shape(layer: Layer) -> Shape | None:
    """The shape an InputLayer declares, batch first."""
    shape = layer.config.get("batch_shape")
    return None if shape is None else tuple(shape)


def gray(name: str, axis: int, shape: Shape, old: int, new: int, exact: bool) -> Gray:
    """Gray images give what they gave."""
    text = f"new({_channels(new)}) == old({_channels(old)})"
    return Gray(name=text, exact=exact, input=name, axis=axis, shape=shape, old=old, new=new)


def old_bands(name: str, axis: int, shape: Shape, old: int, new: int, exact: bool) -> OldBands:
    """The old bands with nothing in the new ones give what they gave."""
    text = f"new({old} old bands, {new - old} at 0) == old({old} bands)"
    return OldBands(name=text, exact=exact, input=name, axis=axis, shape=shape, old=old, new=new)


def mapped(name: str, axis: int, shape: Shape, matrix: list[list[float]], exact: bool) -> Mapped:
    """The old model on the mapped channels gives what the new one gives."""
    text = "new(x) == old(x mapped to the old channels)"
    return Mapped(name=text, exact=exact, input=name, axis=axis, shape=shape, matrix=matrix)


def old_size(name: str, shape: Shape, exact: bool) -> OldSize:
    """Inputs of the old size give what they gave."""
    text = shape_words(shape)
    return OldSize(name=f"new({text}) == old({text})", exact=exact, input=name, shape=shape)


def unchanged() -> SameInput:
    """The same input gives the same output."""
    return SameInput(name="new(x) == old(x)")


def nearly() -> SameInput:
    """The same input gives nearly the same output: how near is measured."""
    return SameInput(name="new(x) is nearly old(x)", exact=False)


def features(
    name: str,
    pairs: Iterable[tuple[int | Place, int | Place]],
    pool: Literal["avg", "max"] | None = None,
    first: bool = False,
) -> Features:
    """Tensors of the new model, each with one of the old model that it equals."""
    return Features(name=name, pairs=list(pairs), pool=pool, first=first)


def places(graph: Graph, path: str) -> list[Place]:
    """Every tensor that the layer at `path` gives, in the order in which `cut_at` makes outputs of them."""
    for layer in graph.layers:
        count = max(1, len(layer.calls))
        if layer.name == path:
            return [
                [path, [number], output]
                for number in range(count)
                for output in range(max(1, len((layer.calls[number].outputs if layer.calls else None) or (0,))))
            ]
        if layer.is_model and layer.inner is not None and path.startswith(layer.name + "/"):
            inner = places(layer.inner, path[len(layer.name) + 1 :])
            return [[path, [number, *calls], output] for number in range(count) for _, calls, output in inner]
    return []


def fed(graph: Graph, path: str) -> tuple[Features, ...]:
    """What a layer that is changed or taken out was given stays what it was. `path` is the layer's in `graph`."""
    prefix, level = "", graph
    name = path
    while all(layer.name != name for layer in level.layers):
        around = next(one for one in level.layers if one.inner is not None and name.startswith(one.name + "/"))
        if not around.is_model or around.inner is None:
            return ()
        prefix, level, name = f"{prefix}{around.name}/", around.inner, name[len(around.name) + 1 :]
    layer = level.layer(name)
    refs = [ref for ref in (layer.calls[0].inputs() if layer.calls else ()) if not level.layer(ref.layer).is_input]
    # the first call, on every level: what a layer gets in later ones may come from itself
    found: list[Place] = [
        [prefix + ref.layer, [0] * (prefix.count("/") + 1), ref.output] for ref in dict.fromkeys(refs)
    ]
    if not found or any(ref.call for ref in refs):
        return ()
    names = ", ".join(dict.fromkeys(prefix + ref.layer for ref in refs))
    return (features(f"{names} of new(x) == {names} of old(x)", [(place, place) for place in found]),)


def _channels(count: int) -> str:
    return ", ".join(["gray"] * count) if count <= 4 else f"gray x {count}"

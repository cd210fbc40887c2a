"""Contracts, measured: old and new model run on inputs that follow from each other as `core.surgery.contracts` says.

A contract that is called exact is off by `EXACT` at most. Single precision cannot always show that: sums taken in
another order differ in the last bits, and a deep network amplifies them. There both models are built and run once more
in double precision, with arrays that their rules made in it and that no float32 rounded. What is left there is the
contract's own error, and it must keep to `EXACT`. The written file may be off by as much as rounding explains, which is
measured too: a model in single precision against itself in double, on the same inputs and with the numbers of its file,
`ROUNDS` times.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.analysis.fates import Move
from core.engine.arrays import Arrays
from core.engine.build import live_model
from core.engine.places import layer_at, part_of, plain_sums, tensor_at, without_activation
from core.engine.precision import pooled_by_axes
from core.engine.running import Unrunnable, numbers, numbers_at
from core.engine.shapes import Shaper
from core.engine.sizes import trial_sizes
from core.engine.vocabularies import with_vocabularies
from core.errors import FileError
from core.model.contract import Contract, Inputs, Place
from core.model.graph import Graph, Layer
from core.model.plan import ContractResult
from core.rules.base import Array
from core.surgery.baked import rebaked
from core.surgery.inputs import SAMPLES, ordered, random_inputs
from core.surgery.recording import configured

EXACT = 1e-5
"""Relative to the largest old output."""

ROUNDS = 8.0
"""How many times the old model's own rounding error the two together may show: they round in other places."""

_ULP = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
WITHOUT_DOUBLE = 10.0
"""Times `EXACT`: how far rounding is believed in where there is no double precision to tell it (quantized layers)."""


class Pair(Struct, frozen=True):
    """The old model and the new one, with what it takes to build each at another size or in double precision."""

    old_graph: Graph
    old: Any
    old_moves: tuple[Move, ...]
    old_arrays: Arrays
    new_graph: Graph
    new: Any
    moves: tuple[Move, ...]
    arrays: Arrays
    shaper: Shaper
    own_inputs: Mapping[str, Array]
    other_model: Callable[[str, bool], tuple[Graph, Any]] | None = None
    """The graph and model of one of the recipe's further files, by key; in double precision if asked."""
    double: bool = False


def check_contract(contract: Contract, pair: Pair) -> tuple[ContractResult, tuple[tuple[str, float], ...]]:
    """The drift of one contract, and the drift layer by layer (largest first) where it is not nothing.

    A model that does not run breaks its contract. Whatever else is raised is our own mistake.
    """
    layers: tuple[tuple[str, float], ...] = ()
    try:
        pair, x_old, x_new = _settled(contract, pair)
        old_out, new_out = _both(contract, pair, x_old, x_new)
        if not old_out or len(old_out) != len(new_out):
            return _failed(contract, "there are no outputs to compare"), ()
        drift = _drift(new_out, old_out)
        # outputs that cannot be compared are no measurement
        holds = drift <= EXACT if contract.exact else bool(np.isfinite(drift))
        result = ContractResult(contract.name, drift, contract.exact, holds)
        if contract.exact and not holds:
            result = _in_double(contract, pair, drift, old_out, new_out)
        # where old and new part is asked only when they do
        if not (contract.exact and result.holds):
            layers = drift_by_layer(pair.old, pair.new, pair.old_graph, pair.new_graph, x_old, x_new)
    except (Unrunnable, FileError) as error:
        return _failed(contract, error.message), ()
    mean = max((_average(one, two) for one, two in zip(new_out, old_out, strict=True)), default=0.0)
    return replace(result, mean=mean), layers


def _failed(contract: Contract, reason: str) -> ContractResult:
    return ContractResult(f"{contract.name}: {reason}", float("inf"), contract.exact, False)


def _settled(contract: Contract, pair: Pair) -> tuple[Pair, Inputs, Inputs]:
    """The models at the sizes that the contract speaks of, and their inputs."""
    pair = _old_at_size(contract, pair)
    new, new_graph = _new_model(contract, pair)
    pair = replace(pair, new=new, new_graph=new_graph)
    return (pair, *paired_inputs(contract, pair))


def _both(contract: Contract, pair: Pair, x_old: Inputs, x_new: Inputs) -> tuple[list[Array], list[Array]]:
    with plain_sums() if contract.own_sums else contextlib.nullcontext():
        return contract.arrays(PairTrial(pair), x_old, x_new)


class LiveModel(Struct, frozen=True):
    """A Keras model as contracts ask it (`core.model.contract.Live`)."""

    graph: Graph
    model: Any

    def outputs(self, inputs: Inputs) -> list[Array]:
        """What the model gives."""
        return numbers(self.model, ordered(self.graph, inputs))

    def tensors(self, places: Sequence[int | Place], inputs: Inputs) -> list[Array]:
        """Outputs by number, and tensors inside the model by place."""
        if all(isinstance(place, int) for place in places):
            outputs = self.outputs(inputs)
            return [outputs[place] for place in places if isinstance(place, int)]
        found = [self.model.outputs[one] if isinstance(one, int) else tensor_at(self.model, *one) for one in places]
        return numbers_at(self.model, found, ordered(self.graph, inputs))

    def scores(self, place: Place, inputs: Inputs) -> Array:
        """What the layer at a place gives ahead of its activation."""
        with without_activation(layer_at(self.model, place[0])):
            return numbers_at(self.model, [tensor_at(self.model, *place)], ordered(self.graph, inputs))[0]


class PairTrial:
    """A pair as contracts ask it (`core.model.contract.Trial`), with seeded random inputs in its precision."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self.old = LiveModel(pair.old_graph, pair.old)
        self.new = LiveModel(pair.new_graph, pair.new)
        self.dtype = np.float64 if pair.double else np.float32

    @cached_property
    def words(self) -> tuple[Graph, Graph]:
        """Both graphs, old and new, with the vocabularies that their files keep elsewhere."""
        pair = self._pair
        return (
            with_vocabularies(pair.old_graph, pair.old_moves, pair.old_arrays),
            with_vocabularies(pair.new_graph, pair.moves, pair.arrays),
        )

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return trial_sizes(self._pair.shaper, self._pair.new_graph, self._pair.old_graph)

    @cached_property
    def own(self) -> Inputs:
        """The person's own inputs for the new model."""
        return {name: self._as(array) for name, array in self._pair.own_inputs.items()}

    @cached_property
    def x_new(self) -> Inputs:
        """Random inputs for the new model, or the person's own."""
        drawn = random_inputs(self.words[1], self._count, like=self._pair.old_graph, sizes=self._sizes)
        return {**{name: self._as(array) for name, array in drawn.items()}, **self.own}

    @property
    def _count(self) -> int:
        """How many samples there are: all inputs of a model have as many."""
        return max((len(array) for array in self._pair.own_inputs.values()), default=SAMPLES)

    @cached_property
    def x_old(self) -> Inputs:
        """Random inputs for the old model: the new one's where they are of the same shape."""
        drawn = random_inputs(self.words[0], self._count, like=self._pair.new_graph, sizes=self._sizes)
        for name, array in drawn.items():
            given = self.x_new.get(name)
            drawn[name] = given if given is not None and given.shape == array.shape else self._as(array)
        return drawn

    def other(self, name: str) -> LiveModel:
        """The model of one of the recipe's further files, by itself."""
        assert self._pair.other_model is not None
        return LiveModel(*self._pair.other_model(name, self._pair.double))

    def _as(self, array: Array) -> Array:
        return array.astype(self.dtype) if array.dtype == np.float32 else array


def paired_inputs(contract: Contract, pair: Pair) -> tuple[Inputs, Inputs]:
    """`(x_old, x_new)` by input name, in the precision of the pair."""
    return contract.inputs(PairTrial(pair))


def _drift(new: list[Array], old: list[Array]) -> float:
    return max(relative(one, two) for one, two in zip(new, old, strict=True))


def _in_double(
    contract: Contract, pair: Pair, drift: float, old_out: list[Array], new_out: list[Array]
) -> ContractResult:
    """The verdict on an exact contract that single precision does not show to be one."""
    try:
        old = live_model(pair.old_graph, pair.old_moves, pair.old_arrays, double=True)
        new = live_model(pair.new_graph, pair.moves, pair.arrays, double=True)
        both = replace(pair, old=old, new=new, double=True)
        with pooled_by_axes():
            x_old, x_new = paired_inputs(contract, both)
            old_exact, new_exact = _both(contract, both, x_old, x_new)
            exact, rounding = _drift(new_exact, old_exact), _drift(old_out, old_exact)
            if exact <= EXACT < drift and drift > ROUNDS * rounding and _filled(new, pair.new):
                # more is summed up in the new model than in the old one
                rounding = max(rounding, _drift(new_out, _both(contract, both, x_old, x_new)[1]))
    except (Unrunnable, FileError):
        # quantized layers, or code that insists on a precision of its own
        allowed = min(ROUNDS * _sensitivity(contract, pair, old_out), WITHOUT_DOUBLE * EXACT)
        return ContractResult(contract.name, drift, True, drift <= allowed)
    if exact <= EXACT < drift and drift > ROUNDS * rounding:
        words = f"exact in double precision, but the file is off by {drift:.1g}; rounding explains only {rounding:.1g}"
        return ContractResult(f"{contract.name}: {words}", drift, True, False)
    return ContractResult(contract.name, exact, True, exact <= EXACT, rounding=drift)


def _filled(double: Any, model: Any) -> bool:
    """Whether the model in double precision could be given the very numbers of the one that the file holds."""
    pairs = list(zip(double.variables, model.variables, strict=False))
    if len(double.variables) != len(model.variables) or any(one.shape != two.shape for one, two in pairs):
        return False
    for mine, theirs in pairs:
        mine.assign(theirs)
    for layer in double._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return True


def _sensitivity(contract: Contract, pair: Pair, old_out: list[Array]) -> float:
    """The drift of the old model when its inputs are off in their last bit."""
    dtypes = {layer.compute_dtype for layer in pair.old._flatten_layers()}
    step = max((_ULP[dtype] for dtype in dtypes if dtype in _ULP), default=2.0**-24)
    rng = np.random.default_rng(3)
    x_old, x_new = paired_inputs(contract, pair)
    moved = {
        name: (array * (1 + rng.choice([-step, step], array.shape))).astype(array.dtype)
        if np.issubdtype(array.dtype, np.floating)
        else array
        for name, array in x_old.items()
    }
    return _drift(_both(contract, pair, moved, x_new)[0], old_out)


def relative(new: Array, old: Array) -> float:
    """Largest difference over the largest old value; texts are equal or not."""
    if new.shape != old.shape:
        return float("inf")
    if not old.size:
        return 0.0
    if "O" in (new.dtype.kind, old.dtype.kind):
        return float(not np.array_equal(new, old))
    scale = float(np.max(np.abs(old))) or 1.0
    return float(np.max(np.abs(new - old))) / scale


def _average(new: Array, old: Array) -> float:
    """Mean difference over the mean size of the old values."""
    if new.shape != old.shape:
        return float("inf")
    if "O" in (new.dtype.kind, old.dtype.kind):
        return relative(new, old)
    return float(np.mean(np.abs(new - old)) / (np.mean(np.abs(old)) or 1.0)) if old.size else 0.0


def _new_model(contract: Contract, pair: Pair) -> tuple[Any, Graph]:
    """The new model, at the size that the contract names if that is another than the planned one."""
    graph, wanted = pair.new_graph, contract.new_shape()
    if wanted is None:
        return pair.new, graph
    name, shape = wanted
    now = graph.layer(name).config.get("batch_shape") or [None]
    if list(now[1:]) == list(shape) or all(mine in (None, given) for mine, given in zip(now[1:], shape, strict=False)):
        return pair.new, graph
    return _at_size(graph, name, [now[0], *shape], pair)


def _old_at_size(contract: Contract, pair: Pair) -> Pair:
    """With the old model at the size that the contract names, if it names one."""
    wanted = contract.old_shape()
    if wanted is None:
        return pair
    old, graph = _at_size(pair.old_graph, wanted[0], [None, *wanted[1]], pair)
    return replace(pair, old=old, old_graph=graph, old_moves=pair.moves, old_arrays=pair.arrays)


def _at_size(graph: Graph, name: str, shape: list[int | None], pair: Pair) -> tuple[Any, Graph]:
    """The model of `graph` with another shape of one input; the weights are the new model's."""
    layer = graph.layer(name)
    resized = graph.with_layer(name, replace(layer, config={**layer.config, "batch_shape": shape}))
    fresh = pair.shaper.shape(resized).graph
    for _ in range(len(graph.layers)):
        settled = _padded_as(pair.old_graph, rebaked(graph, fresh))
        if settled is fresh or settled == fresh:
            break
        fresh = pair.shaper.shape(settled).graph
    return live_model(fresh, pair.moves, pair.arrays), fresh


def _padded_as(old: Graph, graph: Graph) -> Graph:
    """The graph with the padding that the model had at its old size, which need not be what parity would make it."""
    known = old.by_path()

    def change(path: str, layer: Layer) -> Layer:
        before = known.get(path)
        if before is None or before.class_name != layer.class_name or not layer.class_name.startswith("ZeroPadding"):
            return layer
        padding = before.config.get("padding")
        return layer if padding == layer.config.get("padding") else configured(layer, padding=padding)

    return graph.replace_layers(change)


def drift_by_layer(
    old: Any, new: Any, old_graph: Graph, new_graph: Graph, x_old: Inputs, x_new: Inputs
) -> tuple[tuple[str, float], ...]:
    """Where old and new part: the drift of every top-level layer both have, in the order of the network."""
    both = [
        layer.name
        for layer in new_graph.layers
        if not layer.is_input and layer.name in old_graph.by_name() and len(layer.calls) == 1
    ]
    try:
        one = numbers_at(old, [part_of(old, name).output for name in both], ordered(old_graph, x_old))
        two = numbers_at(new, [part_of(new, name).output for name in both], ordered(new_graph, x_new))
    except (ValueError, AttributeError, KeyError, Unrunnable):
        return ()
    if len(one) != len(both):
        return ()
    return tuple((name, relative(b, a)) for name, a, b in zip(both, one, two, strict=True) if a.shape == b.shape)

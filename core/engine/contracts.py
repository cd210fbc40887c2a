"""Contracts, measured: old and new model run on inputs that follow from each other as `core.surgery.contracts` says.

A contract that is called exact is off by `EXACT` at most. Single precision cannot always show that: sums taken in
another order differ in the last bits, and a deep network amplifies them. There both models are built and run once more
in double precision, with arrays that their rules made in it and that no float32 rounded. What is left there is the
contract's own error, and it must keep to `EXACT`. The written file may be off by as much as rounding explains, which is
measured too: the old model in single precision against itself in double, on the same inputs, `ROUNDS` times.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.analysis.fates import Move
from core.edits.join_models import JoinModels, wiring
from core.engine.arrays import Arrays
from core.engine.build import live_model
from core.engine.inputs import concrete, input_range, ordered, random_inputs, shared_words
from core.engine.joined import joined_outputs
from core.engine.places import layer_at, part_of, plain_sums, tensor_at, without_activation
from core.engine.running import Unrunnable, numbers, numbers_at
from core.engine.shapes import Shaper
from core.engine.sizes import trial_sizes
from core.engine.vocabularies import with_vocabularies
from core.errors import FileError
from core.model.graph import Graph, Layer
from core.model.plan import Contract, ContractResult
from core.rules.base import Array
from core.surgery.baked import rebaked
from core.surgery.recording import configured

EXACT = 1e-5
"""Relative to the largest old output."""

ROUNDS = 8.0
"""How many times the old model's own rounding error the two together may show: they round in other places."""

_ULP = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
WITHOUT_DOUBLE = 10.0
"""Times `EXACT`: how far rounding is believed in where there is no double precision to tell it (quantized layers)."""

Inputs = dict[str, Array]


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
            result = _in_double(contract, pair, drift, old_out)
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
    pair = _padded_pair(contract, pair)
    new, new_graph = _new_model(contract, pair)
    pair = replace(pair, new=new, new_graph=new_graph)
    return (pair, *paired_inputs(contract, pair))


def _both(contract: Contract, pair: Pair, x_old: Inputs, x_new: Inputs) -> tuple[list[Array], list[Array]]:
    with plain_sums() if contract.kind in ("transposed", "stacked") else contextlib.nullcontext():
        old = _side(contract, "old", pair.old, pair.old_graph, x_old)
        new = _side(contract, "new", pair.new, pair.new_graph, x_new)
    if contract.kind == "joined":
        old = _joined(contract.fields["edit"], pair, x_new, old)
    elif contract.kind == "stacked":
        places = contract.fields["outputs"]
        old = [_repeated(one, at, two.shape[at]) if at else one for one, two, at in zip(old, new, places, strict=True)]
    return old, new


def _repeated(array: Array, at: int, count: int) -> Array:
    return np.repeat(np.expand_dims(array, at), count, at)


def _joined(edit: JoinModels, pair: Pair, inputs: Inputs, outputs: list[Array]) -> list[Array]:
    """What the model before and the other file's give on the joined model's inputs."""
    assert pair.other_model is not None
    other, model = pair.other_model(edit.key, pair.double)
    wanted = [ref for ref in wiring(edit, pair.old_graph, other).fed if ref is not None]
    inside = [ref for ref in dict.fromkeys(wanted) if not pair.old_graph.layer(ref.layer).is_input]
    tensors = [tensor_at(pair.old, ref.layer, [ref.call], ref.output) for ref in inside]
    found = numbers_at(pair.old, tensors, ordered(pair.old_graph, inputs)) if tensors else []
    given = dict(zip(pair.old_graph.output_refs(), outputs, strict=True))
    inner = {ref: array if pair.double else _single(array) for ref, array in zip(inside, found, strict=True)}
    return joined_outputs(edit, (pair.old_graph, other, pair.new_graph), model, inputs, given, inner)


def _single(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _drift(new: list[Array], old: list[Array]) -> float:
    return max(relative(one, two) for one, two in zip(new, old, strict=True))


def _in_double(contract: Contract, pair: Pair, drift: float, old_out: list[Array]) -> ContractResult:
    """The verdict on an exact contract that single precision does not show to be one."""
    try:
        old = live_model(pair.old_graph, pair.old_moves, pair.old_arrays, double=True)
        new = live_model(pair.new_graph, pair.moves, pair.arrays, double=True)
        both = replace(pair, old=old, new=new, double=True)
        x_old, x_new = paired_inputs(contract, both)
        old_exact, new_exact = _both(contract, both, x_old, x_new)
    except (Unrunnable, FileError):
        # quantized layers, or code that insists on a precision of its own
        allowed = min(ROUNDS * _sensitivity(contract, pair, old_out), WITHOUT_DOUBLE * EXACT)
        return ContractResult(contract.name, drift, True, drift <= allowed)
    exact, rounding = _drift(new_exact, old_exact), _drift(old_out, old_exact)
    if exact <= EXACT < drift and drift > ROUNDS * rounding:
        words = f"exact in double precision, but the file is off by {drift:.1g} and rounding explains {rounding:.1g}"
        return ContractResult(f"{contract.name}: {words}", drift, True, False)
    return ContractResult(contract.name, exact, True, exact <= EXACT, rounding=drift)


def _sensitivity(contract: Contract, pair: Pair, old_out: list[Array]) -> float:
    """The drift of the old model when its inputs are off in their last bit."""
    dtypes = {layer.compute_dtype for layer in pair.old._flatten_layers()}
    step = max((_ULP[dtype] for dtype in dtypes if dtype in _ULP), default=2.0**-24)
    rng = np.random.default_rng(3)
    x_old, _ = paired_inputs(contract, pair)
    moved = {
        name: (array * (1 + rng.choice([-step, step], array.shape))).astype(array.dtype)
        if np.issubdtype(array.dtype, np.floating)
        else array
        for name, array in x_old.items()
    }
    return _drift(_side(contract, "old", pair.old, pair.old_graph, moved), old_out)


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
    graph = pair.new_graph
    name, shape = contract.fields.get("input"), contract.fields.get("shape")
    if name is None or shape is None or contract.kind in {"adapted", "padded"}:
        return pair.new, graph
    layer = graph.layer(name)
    now = layer.config.get("batch_shape") or [None]
    if list(now[1:]) == list(shape) or all(mine in (None, given) for mine, given in zip(now[1:], shape, strict=False)):
        return pair.new, graph
    return _at_size(graph, name, [now[0], *shape], pair)


def _padded_pair(contract: Contract, pair: Pair) -> Pair:
    """With the old model at the size that it is padded to."""
    if contract.kind != "padded":
        return pair
    name, shape = contract.fields["input"], contract.fields["old_shape"]
    old, graph = _at_size(pair.old_graph, name, [None, *shape], pair)
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
    known = dict(old.walk())

    def change(path: str, layer: Layer) -> Layer:
        before = known.get(path)
        if before is None or before.class_name != layer.class_name or not layer.class_name.startswith("ZeroPadding"):
            return layer
        padding = before.config.get("padding")
        return layer if padding == layer.config.get("padding") else configured(layer, padding=padding)

    return graph.replace_layers(change)


def paired_inputs(contract: Contract, pair: Pair) -> tuple[Inputs, Inputs]:
    """`(x_old, x_new)` by input name, in the precision of the pair."""
    new, new_graph, dtype = pair.new, pair.new_graph, np.float64 if pair.double else np.float32
    sizes = trial_sizes(pair.shaper, new_graph, pair.old_graph)
    words = (
        with_vocabularies(new_graph, pair.moves, pair.arrays),
        with_vocabularies(pair.old_graph, pair.old_moves, pair.old_arrays),
    )
    x_new = {**random_inputs(words[0], like=pair.old_graph, sizes=sizes), **pair.own_inputs}
    x_old = random_inputs(words[1], like=new_graph, sizes=sizes)
    x_new, x_old = ({name: _as(array, dtype) for name, array in one.items()} for one in (x_new, x_old))
    for both in set(x_old) & set(x_new):
        if x_old[both].shape == x_new[both].shape:
            x_old[both] = x_new[both]
    kind, fields = contract.kind, contract.fields
    if kind == "batch":
        return {
            name: np.resize(x_new[name], (len(array), *x_new[name].shape[1:])) for name, array in x_old.items()
        }, x_new
    if kind == "kept_words":
        shared = shared_words(*words, x_new)
        return {**x_old, **shared}, {**x_new, **shared}
    if kind == "tail" and fields["inputs"]:
        tensors = [tensor_at(pair.old, layer, [call], out) for _, layer, call, out in fields["inputs"]]
        found = numbers_at(pair.old, tensors, ordered(pair.old_graph, x_old))
        given = {row[0]: array.astype(dtype) for row, array in zip(fields["inputs"], found, strict=True)}
        return x_old, {**x_new, **given}
    if kind == "transposed":
        turned = {one: np.transpose(x_new[one], np.argsort(order)) for one, order in fields["inputs"].items()}
        return turned, x_new
    if kind == "stacked":
        name, at = fields["input"], int(fields["at"])
        x_old[name] = np.take(x_new[name], 0, at)
        return x_old, {**x_new, name: _repeated(x_old[name], at, x_new[name].shape[at])}
    name = fields.get("input") or ""
    if not name or kind in {"same_input", "features", "classes", "tail"}:
        return x_old, x_new
    axis = int(fields.get("axis", -1))
    shape = _at(fields, x_new[name].shape)
    rng, largest = np.random.default_rng(7), input_range(pair.old_graph, name)

    def some(size: tuple[int, ...]) -> Array:
        return (rng.random(size, dtype=np.float32) * largest).astype(dtype)

    if kind == "gray":
        gray = some(_with(shape, axis, 1))
        x_old[name] = np.repeat(gray, int(fields["old"]), axis)
        x_new[name] = np.repeat(gray, int(fields["new"]), axis)
    elif kind == "old_bands":
        bands = some(_with(shape, axis, int(fields["old"])))
        extra = np.zeros(_with(shape, axis, int(fields["new"]) - int(fields["old"])), dtype)
        x_old[name], x_new[name] = bands, np.concatenate([bands, extra], axis)
    elif kind == "mapped":
        matrix = np.asarray(fields["matrix"], dtype)
        x_new[name] = some(_with(shape, axis, matrix.shape[0]))
        x_old[name] = np.moveaxis(np.moveaxis(x_new[name], axis, -1) @ matrix, -1, axis)
    elif kind == "old_size":
        x_new[name] = x_new[name] if x_new[name].shape[1:] == shape[1:] else some(shape)
        x_old[name] = x_new[name]
    elif kind == "padded":
        x_old[name] = np.pad(x_new[name], [(0, 0), *fields["gaps"]])
    elif kind == "adapted":
        target = tensor_at(new, str(fields["layer"]))
        x_old[name] = numbers_at(new, target, ordered(new_graph, x_new))[0].astype(dtype)
    return x_old, x_new


def _as(array: Array, dtype: Any) -> Array:
    return array.astype(dtype) if array.dtype == np.float32 else array


def _side(contract: Contract, side: str, model: Any, graph: Graph, inputs: Inputs) -> list[Array]:
    """What one side gives of that which the contract compares."""
    given, fields = ordered(graph, inputs), contract.fields
    if contract.kind == "features":
        return _features(fields, side, model, given)
    if contract.kind == "classes":
        # before the activation: softmax over other classes gives other shares
        with without_activation(layer_at(model, fields["layer"])):
            logits = numbers_at(model, [tensor_at(model, fields["layer"], fields["calls"])], given)[0]
        return [np.take(logits, fields[side], axis=int(fields["axis"]))]
    outputs = numbers(model, given)
    if contract.kind == "batch":
        return [one[: int(fields["rows"])] for one in outputs]
    if contract.kind == "tail" and side == "old":
        return [outputs[int(number)] for number in fields["outputs"]]
    if contract.kind == "transposed" and side == "old":
        return [np.transpose(one, order) for one, order in zip(outputs, fields["outputs"], strict=True)]
    if contract.kind == "padded" and side == "old":
        inside = (slice(None), *(slice(low, -high or None) for low, high in fields["gaps"]))
        return [one[inside] if number in fields["crop"] else one for number, one in enumerate(outputs)]
    return outputs


def _features(fields: Mapping[str, Any], side: str, model: Any, given: Any) -> list[Array]:
    """One side's tensors: outputs by number, inner ones by address; the old side's pooled in closed form if asked."""
    places = [pair[side == "old"] for pair in fields["pairs"]]
    if all(isinstance(place, int) for place in places):
        outputs = numbers(model, given)
        found = [outputs[place] for place in places]
    else:
        tensors = [model.outputs[one] if isinstance(one, int) else tensor_at(model, *one) for one in places]
        found = numbers_at(model, tensors, given)
    how = fields.get("pool")
    if how is None or side == "new":
        return found
    reduce = np.mean if how == "avg" else np.max
    return [reduce(one, axis=tuple(range(2, one.ndim) if fields["first"] else range(1, one.ndim - 1))) for one in found]


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


def _at(fields: Mapping[str, Any], now: tuple[int, ...]) -> tuple[int, ...]:
    shape = fields.get("shape")
    return now if shape is None else concrete((None, *shape), now[0], now)


def _with(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return tuple(size if position == axis % len(shape) else value for position, value in enumerate(shape))

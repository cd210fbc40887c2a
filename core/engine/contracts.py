"""Contracts, measured: old and new model run on inputs that follow from each other as `core.edits.contracts` says."""

import contextlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.edits.baked import rebaked
from core.edits.recording import configured
from core.engine.arrays import Arrays
from core.engine.build import live_model
from core.engine.inputs import concrete, input_range, ordered, random_inputs
from core.engine.places import layer_at, part_of, plain_sums, tensor_at, without_activation
from core.engine.shapes import Shaper
from core.engine.specs import sentence
from core.errors import SutureError
from core.fates import Move
from core.graph import Graph, Layer
from core.plan import Contract, ContractResult
from core.rules.base import Array

TOLERANCE = 1e-4
"""Relative to the largest old output: what float32 rounding may do to a deep network whose weights were re-arranged."""

MOST = 0.05

Inputs = dict[str, Array]


class Pair(Struct, frozen=True):
    """The old model and the new one, with what it takes to build the new one at another size."""

    old_graph: Graph
    old: Any
    new_graph: Graph
    new: Any
    moves: tuple[Move, ...]
    arrays: Arrays
    shaper: Shaper
    own_inputs: Mapping[str, Array]


def check_contract(contract: Contract, pair: Pair) -> tuple[ContractResult, tuple[tuple[str, float], ...]]:
    """The drift of one contract, and the drift layer by layer (largest first) where it is not nothing."""
    try:
        pair = _padded_pair(contract, pair)
        new, new_graph = _new_model(contract, pair)
        x_old, x_new = paired_inputs(contract, pair, new, new_graph)
        with plain_sums() if contract.kind == "transposed" else contextlib.nullcontext():
            old_out = _side(contract, "old", pair.old, pair.old_graph, x_old)
        new_out = _side(contract, "new", new, new_graph, x_new)
        drift = max((relative(one, two) for one, two in zip(new_out, old_out, strict=True)), default=0.0)
        holds = not contract.exact or drift <= TOLERANCE or drift <= _rounding(contract, pair, x_old, old_out)
        # where old and new part is asked only when they do
        agree = contract.exact and holds
        layers = () if agree else drift_by_layer(pair.old, new, pair.old_graph, new_graph, x_old, x_new)
    except SutureError as error:
        return ContractResult(f"{contract.name}: {error.message}", float("inf"), contract.exact, False), ()
    except Exception as error:  # noqa: BLE001 - a model that does not run breaks its contract, whatever it raises
        return ContractResult(f"{contract.name}: {sentence(error)}", float("inf"), contract.exact, False), ()
    mean = max((_average(one, two) for one, two in zip(new_out, old_out, strict=True)), default=0.0)
    return ContractResult(contract.name, drift, contract.exact, holds, mean), layers


def _rounding(contract: Contract, pair: Pair, x_old: Inputs, old_out: list[Array]) -> float:
    """How much drift is no more than rounding: four times that of the old model when its input is off by a millionth.

    Sums taken in another order differ in the last bits, and a deep network may amplify that a thousandfold. Half
    precision rounds at a thousandth. At least `TOLERANCE`; never more than `MOST`, where a contract would mean nothing.
    """
    half = any(layer.compute_dtype in {"float16", "bfloat16"} for layer in pair.old._flatten_layers())
    step = 1e-3 if half else 1e-6
    rng = np.random.default_rng(3)
    moved = {
        name: (array * (1 + rng.uniform(-step, step, array.shape))).astype(array.dtype)
        if np.issubdtype(array.dtype, np.floating)
        else array
        for name, array in x_old.items()
    }
    again = _side(contract, "old", pair.old, pair.old_graph, moved)
    drift = max((relative(one, two) for one, two in zip(again, old_out, strict=True)), default=0.0)
    return min(max(4 * drift, 1e-2 if half else TOLERANCE), MOST)


def relative(new: Array, old: Array) -> float:
    """Largest difference over the largest old value."""
    if new.shape != old.shape:
        return float("inf")
    if not old.size:
        return 0.0
    scale = float(np.max(np.abs(old))) or 1.0
    return float(np.max(np.abs(new - old))) / scale


def _average(new: Array, old: Array) -> float:
    """Mean difference over the mean size of the old values."""
    if new.shape != old.shape:
        return float("inf")
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
    return replace(pair, old=old, old_graph=graph)


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


def paired_inputs(contract: Contract, pair: Pair, new: Any, new_graph: Graph) -> tuple[Inputs, Inputs]:
    """`(x_old, x_new)` by input name."""
    x_new = {**random_inputs(new_graph, like=pair.old_graph), **pair.own_inputs}
    x_old = {**random_inputs(pair.old_graph, like=new_graph)}
    for both in set(x_old) & set(x_new):
        if x_old[both].shape == x_new[both].shape:
            x_old[both] = x_new[both]
    kind, fields = contract.kind, contract.fields
    if kind == "tail" and fields["inputs"]:
        tensors = [tensor_at(pair.old, layer, [call], out) for _, layer, call, out in fields["inputs"]]
        found = _run_to(pair.old, tensors, ordered(pair.old_graph, x_old))
        given = {row[0]: array.astype(np.float32) for row, array in zip(fields["inputs"], found, strict=True)}
        return x_old, {**x_new, **given}
    if kind == "transposed":
        turned = {one: np.transpose(x_new[one], np.argsort(order)) for one, order in fields["inputs"].items()}
        return turned, x_new
    name: str = fields.get("input") or ""
    if not name or kind in {"same_input", "features", "classes", "tail"}:
        return x_old, x_new
    axis = int(fields.get("axis", -1))
    shape = _at(fields, x_new[name].shape)
    rng, largest = np.random.default_rng(7), input_range(pair.old_graph, name)

    def some(size: tuple[int, ...]) -> Array:
        return rng.random(size, dtype=np.float32) * largest

    if kind == "gray":
        gray = some(_with(shape, axis, 1))
        x_old[name] = np.repeat(gray, int(fields["old"]), axis)
        x_new[name] = np.repeat(gray, int(fields["new"]), axis)
    elif kind == "old_bands":
        bands = some(_with(shape, axis, int(fields["old"])))
        extra = np.zeros(_with(shape, axis, int(fields["new"]) - int(fields["old"])), np.float32)
        x_old[name], x_new[name] = bands, np.concatenate([bands, extra], axis)
    elif kind == "mapped":
        matrix = np.asarray(fields["matrix"], np.float32)
        x_new[name] = some(_with(shape, axis, matrix.shape[0]))
        x_old[name] = np.moveaxis(np.moveaxis(x_new[name], axis, -1) @ matrix, -1, axis)
    elif kind == "old_size":
        x_new[name] = x_new[name] if x_new[name].shape[1:] == shape[1:] else some(shape)
        x_old[name] = x_new[name]
    elif kind == "padded":
        x_old[name] = np.pad(x_new[name], [(0, 0), *fields["gaps"]])
    elif kind == "adapted":
        target = tensor_at(new, str(fields["layer"]))
        x_old[name] = _run_to(new, target, ordered(new_graph, x_new))[0].astype(np.float32)
    return x_old, x_new


def _side(contract: Contract, side: str, model: Any, graph: Graph, inputs: Inputs) -> list[Array]:
    """What one side gives of that which the contract compares."""
    given, fields = ordered(graph, inputs), contract.fields
    if contract.kind == "features":
        return _features(fields, side, model, given)
    if contract.kind == "classes":
        # before the activation: softmax over other classes gives other shares
        with without_activation(layer_at(model, fields["layer"])):
            logits = _run_to(model, [tensor_at(model, fields["layer"], fields["calls"])], given)[0]
        return [np.take(logits, fields[side], axis=int(fields["axis"]))]
    outputs = _run(model, given)
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
        outputs = _run(model, given)
        found = [outputs[place] for place in places]
    else:
        tensors = [model.outputs[one] if isinstance(one, int) else tensor_at(model, *one) for one in places]
        found = _run_to(model, tensors, given)
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
        one = _run_to(old, [part_of(old, name).output for name in both], ordered(old_graph, x_old))
        two = _run_to(new, [part_of(new, name).output for name in both], ordered(new_graph, x_new))
    except (ValueError, AttributeError, KeyError):
        return ()
    if len(one) != len(both):
        return ()
    return tuple((name, relative(b, a)) for name, a, b in zip(both, one, two, strict=True) if a.shape == b.shape)


def _run(model: Any, inputs: Any) -> list[Array]:
    return [np.asarray(tensor, dtype=np.float64) for tensor in keras.tree.flatten(model(inputs, training=False))]


def _run_to(model: Any, tensors: Any, inputs: Any) -> list[Array]:
    """Inner tensors of a model. Inputs are given flat: Keras complains where a list stands for a single tensor."""
    inner = keras.Model(model.inputs[0] if len(model.inputs) == 1 else model.inputs, tensors)
    flat = keras.tree.flatten(inputs)
    return _run(inner, flat[0] if len(flat) == 1 else flat)


def _at(fields: Mapping[str, Any], now: tuple[int, ...]) -> tuple[int, ...]:
    shape = fields.get("shape")
    return now if shape is None else concrete((None, *shape), now[0], now)


def _with(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return tuple(size if position == axis % len(shape) else value for position, value in enumerate(shape))

"""Contracts, measured: old and new model run on inputs that follow from each other as `core.edits.contracts` says."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.edits.baked import rebaked
from core.engine.arrays import Arrays
from core.engine.build import live_model
from core.engine.inputs import concrete, ordered, random_inputs
from core.engine.shapes import Shaper
from core.engine.specs import sentence
from core.errors import SutureError
from core.fates import Move
from core.graph import Graph
from core.plan import Contract, ContractResult
from core.rules.base import Array

TOLERANCE = 1e-4
"""Relative to the largest old output: what float32 rounding may do to a deep network whose weights were re-arranged."""

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
        new, new_graph = _new_model(contract, pair)
        x_old, x_new = paired_inputs(contract, pair, new, new_graph)
        old_out = _run(pair.old, ordered(pair.old_graph, x_old))
        new_out = _run(new, ordered(new_graph, x_new))
        old_out, new_out = _outputs(contract, pair, x_old, old_out, new_out)
        drift = max((relative(one, two) for one, two in zip(new_out, old_out, strict=True)), default=0.0)
        layers = () if drift < 1e-6 else drift_by_layer(pair.old, new, pair.old_graph, new_graph, x_old, x_new)
    except SutureError as error:
        return ContractResult(f"{contract.name}: {error.message}", float("inf"), contract.exact, False), ()
    except Exception as error:  # noqa: BLE001 - a model that does not run breaks its contract, whatever it raises
        return ContractResult(f"{contract.name}: {sentence(error)}", float("inf"), contract.exact, False), ()
    return ContractResult(contract.name, drift, contract.exact, drift <= TOLERANCE or not contract.exact), layers


def relative(new: Array, old: Array) -> float:
    """Largest difference over the largest old value."""
    if new.shape != old.shape:
        return float("inf")
    if not old.size:
        return 0.0
    scale = float(np.max(np.abs(old))) or 1.0
    return float(np.max(np.abs(new - old))) / scale


def _new_model(contract: Contract, pair: Pair) -> tuple[Any, Graph]:
    """The new model, at the size that the contract names if that is another than the planned one."""
    graph = pair.new_graph
    name, shape = contract.fields.get("input"), contract.fields.get("shape")
    if name is None or shape is None or contract.kind == "adapted":
        return pair.new, graph
    layer = graph.layer(name)
    now = layer.config.get("batch_shape") or [None]
    if list(now[1:]) == list(shape) or all(mine in (None, given) for mine, given in zip(now[1:], shape, strict=False)):
        return pair.new, graph
    resized = graph.with_layer(name, replace(layer, config={**layer.config, "batch_shape": [now[0], *shape]}))
    fresh = pair.shaper.shape(resized).graph
    for _ in range(len(graph.layers)):
        settled = rebaked(graph, fresh)
        if settled is fresh:
            break
        fresh = pair.shaper.shape(settled).graph
    return live_model(fresh, pair.moves, pair.arrays), fresh


def paired_inputs(contract: Contract, pair: Pair, new: Any, new_graph: Graph) -> tuple[Inputs, Inputs]:
    """`(x_old, x_new)` by input name."""
    x_new = {**random_inputs(new_graph, like=pair.old_graph), **pair.own_inputs}
    x_old = {**random_inputs(pair.old_graph, like=new_graph)}
    for both in set(x_old) & set(x_new):
        if x_old[both].shape == x_new[both].shape:
            x_old[both] = x_new[both]
    kind, fields = contract.kind, contract.fields
    name: str = fields.get("input") or ""
    if not name or kind in {"same_input", "features", "classes"}:
        return x_old, x_new
    axis = int(fields.get("axis", -1))
    shape = _at(fields, x_new[name].shape)
    rng = np.random.default_rng(7)
    if kind == "gray":
        gray = rng.random(_with(shape, axis, 1), dtype=np.float32)
        x_old[name] = np.repeat(gray, int(fields["old"]), axis)
        x_new[name] = np.repeat(gray, int(fields["new"]), axis)
    elif kind == "old_bands":
        bands = rng.random(_with(shape, axis, int(fields["old"])), dtype=np.float32)
        extra = np.zeros(_with(shape, axis, int(fields["new"]) - int(fields["old"])), np.float32)
        x_old[name], x_new[name] = bands, np.concatenate([bands, extra], axis)
    elif kind == "mapped":
        matrix = np.asarray(fields["matrix"], np.float32)
        x_new[name] = rng.random(_with(shape, axis, matrix.shape[0]), dtype=np.float32)
        x_old[name] = np.moveaxis(np.moveaxis(x_new[name], axis, -1) @ matrix, -1, axis)
    elif kind == "old_size":
        x_new[name] = x_new[name] if x_new[name].shape[1:] == shape[1:] else rng.random(shape, dtype=np.float32)
        x_old[name] = x_new[name]
    elif kind == "adapted":
        target = _layer_output(new, str(fields["layer"]))
        x_old[name] = _run_to(new, target, ordered(new_graph, x_new))[0].astype(np.float32)
    return x_old, x_new


def _outputs(
    contract: Contract, pair: Pair, x_old: Inputs, old_out: list[Array], new_out: list[Array]
) -> tuple[list[Array], list[Array]]:
    if contract.kind == "features":
        wanted = contract.fields["outputs"]
        tensors = [_layer_output(pair.old, str(path)) for _, path in wanted]
        old = _run_to(pair.old, tensors, ordered(pair.old_graph, x_old))
        return old, [new_out[int(number)] for number, _ in wanted]
    if contract.kind == "classes":
        old_columns, new_columns = contract.fields["old"], contract.fields["new"]
        return [old_out[0][..., old_columns]], [new_out[0][..., new_columns]]
    return old_out, new_out


def _layer_output(model: Any, path: str) -> Any:
    """The symbolic output of a layer of `model`; inner layers of nested models are found by calling a model of them."""
    head, _, rest = path.partition("/")
    layer = model.get_layer(head)
    if not rest:
        return layer.output
    inner = keras.Model(layer.inputs if len(layer.inputs) > 1 else layer.inputs[0], _layer_output(layer, rest))
    node = layer._inbound_nodes[0]
    return inner(node.input_tensors if len(node.input_tensors) > 1 else node.input_tensors[0])


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
        one = _run_to(old, [old.get_layer(name).output for name in both], ordered(old_graph, x_old))
        two = _run_to(new, [new.get_layer(name).output for name in both], ordered(new_graph, x_new))
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

"""Parameters, multiply-accumulates and activations of a layer, from closed forms. Counts are for one sample.

Every kernel is used once per output position: a convolution's `(k..., in / groups, out)` or a depthwise
`(k..., in, multiplier)` at each output pixel (a transposed convolution at each input pixel), a dense `(in, out)` at
each position before the last axis, a recurrent cell's kernels at each step. Attention adds its two matrix products.
Biases, normalisation and activations are not counted, as usual.
"""

from collections.abc import Iterable, Sequence
from math import prod

from core.layers import table
from core.model.graph import Layer, TensorSpec, Weight
from core.model.plan import Cost

_RECURRENT = table.classes(kind=("units", "cells")) | {"Bidirectional"}


def layer_cost(
    layer: Layer,
    weights: Sequence[Weight],
    calls: Iterable[tuple[Sequence[TensorSpec], Sequence[TensorSpec]]],
    trainable: bool,
) -> Cost:
    """The cost of a layer from the arrays it needs and the (inputs, outputs) of each of its calls."""
    params = sum(weight.size for weight in weights if not weight.state)
    trained = sum(weight.size for weight in weights if weight.trainable and not weight.state) if trainable else 0
    macs: int | None = 0
    activations: int | None = 0
    for inputs, outputs in calls:
        one = _macs(layer, weights, inputs, outputs)
        macs = None if macs is None or one is None else macs + one
        sizes = [_elements(spec) for spec in outputs]
        activations = None if activations is None or None in sizes else activations + sum(size or 0 for size in sizes)
    return Cost(params, trained, macs, activations)


def _macs(
    layer: Layer, weights: Sequence[Weight], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> int | None:
    kernels = [weight for weight in weights if len(weight.shape) >= 2 and "kernel" in weight.name and not weight.state]
    if not kernels:
        return 0
    if not inputs or not outputs or inputs[0].shape is None or outputs[0].shape is None:
        return None
    before, after = inputs[0].shape[1:], outputs[0].shape[1:]
    total = sum(prod(kernel.shape) for kernel in kernels)
    if layer.class_name in _RECURRENT:
        return None if before[0] is None else total * before[0]
    if table.row(layer).kind == "heads":
        return _attention(layer, kernels, inputs)
    if "Conv" in layer.class_name:
        positions = _positions(layer, before if "Transpose" in layer.class_name else after)
        return None if positions is None else total * positions
    if layer.class_name == "EinsumDense":
        width = prod(kernels[0].shape)
        out = _elements(outputs[0])
        shared = (out and prod(size for size in kernels[0].shape if size in after)) or 1
        return None if out is None else width * max(out // shared, 1)
    lead = after[:-1]
    return None if None in lead else total * prod(size for size in lead if size is not None)


def _attention(layer: Layer, kernels: Sequence[Weight], inputs: Sequence[TensorSpec]) -> int | None:
    """Projections at each token, then scores and mixture: `2 * heads * key_dim * queries * keys`."""
    queries = inputs[0].shape[1] if inputs[0].shape else None
    keys = inputs[1].shape[1] if len(inputs) > 1 and inputs[1].shape else queries
    if queries is None or keys is None:
        return None
    per_token = sum(
        prod(kernel.shape) * (queries if kernel.name.startswith(("query", "output")) else keys) for kernel in kernels
    )
    heads = int(layer.config.get("num_heads") or layer.config.get("num_query_heads") or 1)
    key_dim = int(layer.config.get("key_dim") or layer.config.get("head_dim") or 1)
    value_dim = int(layer.config.get("value_dim") or key_dim)
    return per_token + heads * (key_dim + value_dim) * queries * keys


def _positions(layer: Layer, shape: Sequence[int | None]) -> int | None:
    spatial = shape[1:] if layer.config.get("data_format") == "channels_first" else shape[:-1]
    return None if None in spatial else prod(size for size in spatial if size is not None)


def _elements(spec: TensorSpec) -> int | None:
    if spec.shape is None or None in spec.shape[1:]:
        return None
    return prod(size for size in spec.shape[1:] if size is not None)


def total(costs: Iterable[Cost]) -> Cost:
    """The sum; unknown parts make the sum unknown."""
    costs = list(costs)
    macs = [cost.macs for cost in costs]
    activations = [cost.activations for cost in costs]
    return Cost(
        sum(cost.params for cost in costs),
        sum(cost.trainable_params for cost in costs),
        None if None in macs else sum(value or 0 for value in macs),
        None if None in activations else sum(value or 0 for value in activations),
    )

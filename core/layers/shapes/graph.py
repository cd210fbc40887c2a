"""Output shapes of every call, without Keras: as the file tells them, else by each layer's formula, else unknown.

The engine asks Keras itself; this is what `inspect` and the first picture of a file show before the engine is warm.
"""

from typing import Any

from msgspec.structs import replace

from core.layers.shapes import convs as shape_convs
from core.layers.shapes import merges as shape_merges
from core.layers.shapes import ops as shape_ops
from core.layers.shapes import others as shape_others
from core.layers.shapes import recurrent as shape_recurrent
from core.model.graph import Call, Graph, Layer, TensorRef, TensorSpec

Rule = Any
_RULES: dict[str, Rule] = {
    **shape_convs.RULES,
    **shape_merges.RULES,
    **shape_recurrent.RULES,
    **shape_others.RULES,
}


def fill_shapes(graph: Graph) -> Graph:
    """The graph with `outputs` on every call whose shape can be told."""
    return _infer(graph, None)[0]


def _infer(graph: Graph, given: list[TensorSpec] | None) -> tuple[Graph, dict[TensorRef, TensorSpec]]:
    specs: dict[TensorRef, TensorSpec] = {}
    outputs: dict[tuple[str, int], tuple[TensorSpec, ...]] = {}
    layers = graph.by_name()
    inner_done: dict[str, Graph] = {}
    overrides = dict(zip((ref.layer for ref in graph.input_refs()), given or (), strict=False))
    for name, number in graph.order:
        layer, call = layers[name], layers[name].calls[number]
        if layer.inner is not None and name not in inner_done:
            inner_done[name] = fill_shapes(layer.inner)
        found = _call_outputs(layer, call, specs, inner_done.get(name), overrides, given is None)
        if found is None:
            continue
        outputs[(name, number)] = found
        for index, spec in enumerate(found):
            specs[TensorRef(name, number, index)] = spec
    changed = [
        _with_outputs(replace(layer, inner=inner_done[layer.name]) if layer.name in inner_done else layer, outputs)
        for layer in graph.layers
    ]
    return replace(graph, layers=tuple(changed)), specs


def _with_outputs(layer: Layer, outputs: dict[tuple[str, int], tuple[TensorSpec, ...]]) -> Layer:
    calls = tuple(
        replace(call, outputs=outputs.get((layer.name, number), call.outputs))
        for number, call in enumerate(layer.calls)
    )
    inner = layer.inner
    if inner is not None and not layer.calls:
        inner = fill_shapes(inner)
    return replace(layer, calls=calls, inner=inner)


def _call_outputs(
    layer: Layer,
    call: Call,
    specs: dict[TensorRef, TensorSpec],
    inner: Graph | None,
    overrides: dict[str, TensorSpec],
    believe: bool = True,
) -> tuple[TensorSpec, ...] | None:
    if layer.is_input:
        known = overrides.get(layer.name)
        return (known,) if known is not None else call.outputs
    inputs = [specs.get(ref, TensorSpec(None)) for ref in call.inputs()]
    if inner is not None and layer.inner_key is None:
        return _model_outputs(inner, inputs)
    told = call.outputs
    if believe and told is not None and all(spec.shape is not None for spec in told):
        return told
    try:
        found = call_specs(layer, call, inputs, specs, inner)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ZeroDivisionError):
        # A config this version of Keras would refuse: nothing is known of the shape, and the engine will say why.
        found = None
    return found if found is not None or not believe else told


def _model_outputs(inner: Graph, inputs: list[TensorSpec]) -> tuple[TensorSpec, ...]:
    declared = [inner.spec(ref) for ref in inner.input_refs()]
    if len(inputs) == len(declared) and any(
        a.shape is not None and a.shape != b.shape for a, b in zip(inputs, declared, strict=True)
    ):
        merged = [a if a.shape is not None else b for a, b in zip(inputs, declared, strict=True)]
        specs = _infer(inner, merged)[1]
        return tuple(specs.get(ref, TensorSpec(None)) for ref in inner.output_refs())
    return tuple(inner.spec(ref) for ref in inner.output_refs())


def call_specs(
    layer: Layer, call: Call, inputs: list[TensorSpec], specs: dict[TensorRef, TensorSpec], inner: Graph | None
) -> tuple[TensorSpec, ...] | None:
    """The outputs of one call by the layer's formula; `None` when there is none."""
    if layer.is_operation:
        return shape_ops.outputs(layer.class_name, layer.config, call, specs)
    shapes = [spec.shape for spec in inputs]
    if any(shape is None for shape in shapes) or not shapes:
        return None
    if layer.class_name == "TimeDistributed":
        return _time_distributed(layer, call, inputs, specs, inner)
    if layer.class_name == "Bidirectional":
        return shape_recurrent.bidirectional(layer.config, shapes)
    rule = _RULES.get(layer.class_name)
    if rule is None:
        return None
    found = rule(layer.config, [shape for shape in shapes if shape is not None])
    dtype = output_dtype(layer, inputs)
    if isinstance(found, list):
        return tuple(TensorSpec(shape, dtype) for shape in found)
    return (TensorSpec(found, dtype),)


def _time_distributed(
    layer: Layer, call: Call, inputs: list[TensorSpec], specs: dict[TensorRef, TensorSpec], inner: Graph | None
) -> tuple[TensorSpec, ...] | None:
    shape = inputs[0].shape
    if shape is None:
        return None
    step = TensorSpec((shape[0], *shape[2:]), inputs[0].dtype)
    if inner is not None:
        found: tuple[TensorSpec, ...] | None = _model_outputs(inner, [step])
    else:
        wrapped = layer.config["layer"]
        child = Layer(
            name="wrapped", class_name=wrapped["class_name"], module=wrapped.get("module"), config=wrapped["config"]
        )
        found = call_specs(child, Call(args=(TensorRef("step"),)), [step], {TensorRef("step"): step}, None)
    if found is None:
        return None
    return tuple(
        TensorSpec(None if spec.shape is None else (spec.shape[0], shape[1], *spec.shape[1:]), spec.dtype)
        for spec in found
    )


_INTEGER = frozenset(
    {"Hashing", "HashedCrossing", "Discretization", "IntegerLookup", "StringLookup", "TextVectorization"}
)


def output_dtype(layer: Layer, inputs: list[TensorSpec]) -> str:
    """What a layer computes in, from its dtype policy."""
    if layer.class_name in _INTEGER and layer.config.get("output_mode", "int") in ("int", None):
        return "int64"
    return compute_dtype(layer.config.get("dtype"))


def compute_dtype(policy: Any) -> str:
    """The dtype a policy computes in: `mixed_float16` is `float16`, `int8_from_float32` is `float32`."""
    name = policy
    if isinstance(policy, dict):
        fields = policy.get("config")
        name = (fields.get("name") or fields.get("source_name")) if isinstance(fields, dict) else None
    if not isinstance(name, str):
        return "float32"
    name = name.removeprefix("mixed_")
    return name.split("_from_", 1)[1].removeprefix("mixed_") if "_from_" in name else name

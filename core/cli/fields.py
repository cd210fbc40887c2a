"""The JSON that scripts rely on: the fields of each answer, made from the values of the rooms."""

from typing import Any

import msgspec
from msgspec import Struct, field

from core.findings import Finding
from core.model.graph import Graph, Layer, Shape, TensorRef, Weight
from core.model.plan import Fate, Plan, Port, Verification
from core.readers.source import Source


class PortFields(Struct, frozen=True):
    """An input or output."""

    name: str
    shape: Shape | None
    dtype: str


class WeightFields(Struct, frozen=True):
    """One array of a layer."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class FixFields(Struct, frozen=True, omit_defaults=True):
    """A title and the edits, as a recipe has them; with `step` they stand in the place of that step, from 1."""

    title: str
    edits: tuple[Any, ...]
    step: int = 0


class FindingFields(Struct, frozen=True, omit_defaults=True):
    """One finding; `detail` only where there is one, `step` where it is about that step of the recipe."""

    severity: str
    code: str
    layer: str
    message: str
    fixes: tuple[FixFields, ...]
    detail: str = ""
    step: int = 0


class LayerFields(Struct, frozen=True):
    """One layer, with the layers inside it. `shape` is that of its first output, null when the file does not say."""

    path: str
    class_name: str = field(name="class")
    trainable: bool
    params: int
    shape: Shape | None
    inbound: tuple[str, ...]
    weights: tuple[WeightFields, ...]
    layers: tuple["LayerFields", ...]


class InspectFields(Struct, frozen=True, omit_defaults=True):
    """What is in a file. `weights_file` is the second file that the arrays of an architecture come from."""

    format: str
    keras_version: str | None
    class_name: str = field(name="class")
    inputs: tuple[PortFields, ...]
    outputs: tuple[PortFields, ...]
    params: int
    layers: tuple[LayerFields, ...]
    findings: tuple[FindingFields, ...]
    weights_file: str | None = None


class FateFields(Struct, frozen=True, omit_defaults=True):
    """What happens to one weight. `file` holds the array where that is another one than the model's own."""

    weight: str
    fate: str
    rule: str | None
    source: str | None = field(name="from")
    source_shape: tuple[int, ...] | None
    shape: tuple[int, ...]
    file: str | None = None


class PlanFields(Struct, frozen=True):
    """What would happen."""

    ok: bool
    inputs: tuple[PortFields, ...]
    outputs: tuple[PortFields, ...]
    params: int
    trainable_params: int
    fates: tuple[FateFields, ...]
    merged: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]
    findings: tuple[FindingFields, ...]


class ContractFields(Struct, frozen=True):
    """A contract as measured."""

    name: str
    drift: float


class VerificationFields(Struct, frozen=True, omit_defaults=True):
    """What Keras said of a written file. `from_files` counts the arrays that are, bit for bit, another file's."""

    reloaded: bool
    forward: bool
    copied_equal: bool
    contracts: tuple[ContractFields, ...]
    from_files: dict[str, int] = {}


def inspect_fields(source: Source) -> InspectFields:
    """The fields of `inspect`."""
    graph = source.graph
    return InspectFields(
        format=source.format,
        keras_version=source.keras_version,
        class_name=graph.class_name,
        inputs=tuple(port(graph, ref) for ref in graph.input_refs()),
        outputs=tuple(port(graph, ref) for ref in graph.output_refs()),
        params=graph.num_params(),
        layers=layer_fields(graph),
        findings=tuple(map(finding_fields, source.findings)),
        weights_file=source.weights_path,
    )


def layer_fields(graph: Graph, prefix: str = "") -> tuple[LayerFields, ...]:
    """The layers of a graph and of the graphs inside it."""
    return tuple(
        LayerFields(
            path=prefix + layer.name,
            class_name=layer.class_name,
            trainable=layer.trainable,
            params=layer.num_params(),
            shape=output_shape(layer),
            inbound=tuple(prefix + name for name in inbound(layer)),
            weights=tuple(map(weight_fields, layer.weights)),
            layers=layer_fields(layer.inner, f"{prefix}{layer.name}/") if layer.inner is not None else (),
        )
        for layer in graph.layers
    )


def inbound(layer: Layer) -> tuple[str, ...]:
    """Names of the layers that feed any call of this one, each once, in order."""
    return tuple(dict.fromkeys(ref.layer for call in layer.calls for ref in call.inputs()))


def output_shape(layer: Layer) -> Shape | None:
    """The shape of the first output of the first call, or of a nested model's own first output."""
    if layer.calls and layer.calls[0].outputs:
        return layer.calls[0].outputs[0].shape
    refs = layer.inner.output_refs() if layer.inner is not None and layer.is_model else ()
    return layer.inner.spec(refs[0]).shape if layer.inner is not None and refs else None


def port(graph: Graph, ref: TensorRef) -> PortFields:
    """An end of a graph, named after its layer."""
    spec = graph.spec(ref)
    shape = spec.shape
    if shape is None:
        named = graph.by_name().get(ref.layer)
        shape = output_shape(named) if named is not None and ref.call == 0 and ref.output == 0 else None
    return PortFields(ref.layer, shape, spec.dtype)


def weight_fields(weight: Weight) -> WeightFields:
    """The fields of one array."""
    return WeightFields(weight.name, weight.shape, weight.dtype)


def finding_fields(finding: Finding) -> FindingFields:
    """The fields of one finding."""
    return FindingFields(
        finding.severity,
        finding.code,
        finding.layer,
        finding.message,
        tuple(FixFields(fix.title, tuple(map(msgspec.to_builtins, fix.edits)), fix.step) for fix in finding.fixes),
        finding.detail,
        finding.step,
    )


def plan_fields(plan: Plan) -> PlanFields:
    """The fields of `plan`."""
    return PlanFields(
        ok=plan.ok,
        inputs=tuple(map(_planned_port, plan.inputs)),
        outputs=tuple(map(_planned_port, plan.outputs)),
        params=plan.after.params,
        trainable_params=plan.after.trainable_params,
        fates=tuple(map(_fate, plan.fates)),
        merged=plan.merged,
        dropped=plan.dropped,
        findings=tuple(map(finding_fields, plan.findings)),
    )


def _planned_port(one: Port) -> PortFields:
    return PortFields(one.name, one.shape, one.dtype)


def _fate(fate: Fate) -> FateFields:
    return FateFields(fate.weight, fate.fate, fate.rule, fate.source, fate.source_shape, fate.shape, fate.file or None)


def verification_fields(result: Verification) -> VerificationFields:
    """The fields of `verify`."""
    return VerificationFields(
        result.reloaded,
        result.forward,
        result.copied_equal,
        tuple(ContractFields(one.name, one.drift) for one in result.contracts),
        dict(result.from_files),
    )


def apply_fields(plan: Plan, written: str | None, size: int | None, result: Verification | None) -> dict[str, Any]:
    """The fields of `apply`: the plan's, and what was written and found."""
    return {
        **{name: getattr(fields, name) for fields in [plan_fields(plan)] for name in fields.__struct_fields__},
        "written": written,
        "bytes": size,
        "verification": verification_fields(result) if result is not None else None,
    }

"""Outputs at inner layers: features by name, several at once, inside nested models too."""

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding, Fix
from core.model.graph import Graph, Layer, TensorRef
from core.model.splice import FUNCTIONAL, as_functional, pruned, remapped
from core.phrases import did_you_mean
from core.surgery import contracts


class CutAt(Edit, frozen=True, kw_only=True, tag="cut_at"):
    """The outputs of `layers` (paths) become the model's; what no longer reaches one of them is removed."""

    layers: tuple[str, ...]

    def check(self) -> None:
        """At least one layer, none twice."""
        if not self.layers:
            raise EditError("layers is empty; name the layers whose outputs the model should give.")
        if len(set(self.layers)) != len(self.layers):
            raise EditError("layers lists a layer twice.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with these outputs, each what that layer computed before, and nothing that they do not need."""
        self.check()
        before = graph
        if graph.opaque:
            raise EditError("The connections between these layers are unknown, so none of them can become an output.")
        refs: list[TensorRef] = []
        for path in self.layers:
            graph, found = exposed(graph, path)
            refs += found
        if len(refs) > 1:
            graph = as_functional(graph)
        graph = slimmed(replace(graph, outputs=refs[0] if len(refs) == 1 else refs))
        after = _without_idle_inputs(graph)
        old = [place for path in self.layers for place in contracts.places(before, path)]
        same = contracts.features(f"new(x) == {', '.join(self.layers)} of old(x)", enumerate(old))
        return Outcome(after, (same,), (*_idle_inputs(before, after), *self._replaced(before, after)))

    def gives_way_to(self, later: Edit) -> bool:
        """A cut that keeps all of these outputs takes this one's place."""
        return isinstance(later, CutAt) and set(self.layers) <= set(later.layers)

    def _replaced(self, before: Graph, after: Graph) -> tuple[Finding, ...]:
        """That the model's own outputs are removed, and the way to keep them."""
        old = tuple(dict.fromkeys(ref.layer for ref in before.output_refs()))
        left = after.by_name()
        gone = [name for name in old if name not in left]
        if not gone:
            return ()
        here, there = ", ".join(self.layers), ", ".join(gone)
        text = (
            f"The output{'s' * (len(self.layers) > 1)} at {here} replace{'s' * (len(self.layers) == 1)} {there}; the "
            "layers that only led there are removed with their weights."
        )
        both = replace(self, layers=tuple(dict.fromkeys((*old, *self.layers))))
        return (Finding("info", "outputs.replaced", gone[0], text, (Fix(f"Keep {there} as well", (both,)),)),)

    def summary(self) -> str:
        """For the recipe list."""
        return f"Output at {', '.join(self.layers)}"


def _idle_inputs(before: Graph, after: Graph) -> tuple[Finding, ...]:
    """Inputs that nothing needs any more."""
    gone = {layer.name for layer in before.input_layers()} - {layer.name for layer in after.input_layers()}
    return tuple(
        Finding("info", "shape.incompatible", name, f"The input {name} reaches none of the outputs and is removed.")
        for name in sorted(gone)
    )


def exposed(graph: Graph, path: str) -> tuple[Graph, list[TensorRef]]:
    """The graph in which the layer at `path` can be read from outside, and the tensors it gives at this level.

    A nested model gets one more output. Raises `EditError` where that cannot be.
    """
    for layer in graph.layers:
        if layer.name == path:
            count = max(1, len(layer.calls))
            refs = []
            for number in range(count):
                outputs = layer.calls[number].outputs if layer.calls else None
                refs += [TensorRef(path, number, place) for place in range(max(1, len(outputs or (0,))))]
            return graph, refs
    for layer in graph.layers:
        if layer.inner is not None and path.startswith(layer.name + "/"):
            if layer.inner_key is not None:
                raise EditError(
                    f"{layer.name} applies its model to every time step; what happens inside cannot be an output."
                )
            inner, found = exposed(layer.inner, path[len(layer.name) + 1 :])
            return _with_outputs(graph, layer, inner, found)
    names = [name for name, _ in graph.walk()]
    raise EditError(f"There is no layer {path!r}{did_you_mean(path, names)}")


def _with_outputs(graph: Graph, layer: Layer, inner: Graph, found: list[TensorRef]) -> tuple[Graph, list[TensorRef]]:
    outputs = list(inner.output_refs())
    places = []
    for ref in found:
        if ref not in outputs:
            outputs.append(ref)
        places.append(outputs.index(ref))
    if len(outputs) != len(inner.output_refs()):
        if isinstance(inner.outputs, dict):
            raise EditError(f"The outputs of {layer.name} have names, so another output cannot be added.")
        inner = replace(as_functional(inner), outputs=outputs)
        layer = replace(layer, class_name="Functional", module=FUNCTIONAL, registered_name="Functional")
        layer = replace(layer, config={key: v for key, v in layer.config.items() if key != "build_input_shape"})
    calls = tuple(replace(call, outputs=None) for call in layer.calls)
    graph = graph.with_layer(layer.name, replace(layer, inner=inner, calls=calls))
    refs = [TensorRef(layer.name, number, place) for number in range(max(1, len(calls))) for place in places]
    return graph, refs


def slimmed(graph: Graph) -> Graph:
    """The graph without what reaches no output, also inside nested models whose outputs are not all needed."""
    graph = pruned(graph)
    used = {ref for layer in graph.layers for call in layer.calls for ref in call.inputs()} | set(graph.output_refs())
    for layer in graph.layers:
        if not layer.is_model or layer.inner is None or layer.inner.opaque:
            continue
        outputs = layer.inner.output_refs()
        read = {ref.output for ref in used if ref.layer == layer.name}
        needed = [place for place in range(len(outputs)) if place in read]
        inner = layer.inner
        if len(needed) < len(outputs) and needed and not isinstance(inner.outputs, dict):
            kept = [outputs[place] for place in needed]
            inner = replace(inner, outputs=kept[0] if len(kept) == 1 else kept)
            graph = _renumbered(graph, layer.name, {place: at for at, place in enumerate(needed)})
        inner = slimmed(inner)
        if inner is not layer.inner:
            calls = tuple(replace(call, outputs=None) for call in graph.layer(layer.name).calls)
            graph = graph.with_layer(layer.name, replace(graph.layer(layer.name), inner=inner, calls=calls))
    return graph


def _renumbered(graph: Graph, name: str, places: dict[int, int]) -> Graph:
    count = len(graph.layer(name).calls)
    table = {
        TensorRef(name, number, old): TensorRef(name, number, new)
        for number in range(count)
        for old, new in places.items()
        if old != new
    }
    return remapped(graph, table)


def _without_idle_inputs(graph: Graph) -> Graph:
    """Inputs that reach nothing go, as long as one is left."""
    consumed = {ref.layer for layer in graph.layers for call in layer.calls for ref in call.inputs()}
    consumed |= {ref.layer for ref in graph.output_refs()}
    idle = {ref.layer for ref in graph.input_refs()} - consumed
    if not idle or isinstance(graph.inputs, TensorRef):
        return graph
    layers = tuple(layer for layer in graph.layers if layer.name not in idle)
    if isinstance(graph.inputs, dict):
        kept = {key: value for key, value in graph.inputs.items() if value.layer not in idle}
        return replace(graph, layers=layers, inputs=kept)
    rest = [ref for ref in graph.input_refs() if ref.layer not in idle]
    return replace(graph, layers=layers, inputs=rest[0] if len(rest) == 1 else rest)

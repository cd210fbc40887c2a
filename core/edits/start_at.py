"""The tail of a model: what comes after some layers, with new inputs where the rest was cut away."""

from typing import Any

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding
from core.model.graph import Call, Graph, TensorRef
from core.model.levels import free_name
from core.model.splice import as_functional, new_layer, pruned, remapped
from core.phrases import did_you_mean
from core.surgery.contracts import Tail

Node = tuple[str, int]


class StartAt(Edit, frozen=True, kw_only=True, tag="start_at"):
    """The outputs of `layers` become inputs; what lies before them is removed.

    Other tensors that cross the cut (skip connections from further up) become inputs too. Names are of layers at the
    top level.
    """

    layers: tuple[str, ...]

    def check(self) -> None:
        """At least one layer, none twice."""
        if not self.layers or len(set(self.layers)) != len(self.layers):
            raise EditError("layers must list at least one layer, and none twice.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph from these layers on: given what they computed, the tail answers as the whole did."""
        self.check()
        tail, outputs = self._tail(graph)
        if not outputs:
            raise EditError(f"Nothing comes after {', '.join(self.layers)} that reaches an output.")
        before, taken_in = graph, self._crossing(graph, tail)
        graph = as_functional(graph)
        table: dict[TensorRef, TensorRef] = {}
        fresh, kept = [], []
        taken = {layer.name for layer in graph.layers}
        for ref in taken_in:
            if graph.layer(ref.layer).is_input:
                kept.append(ref)
                continue
            spec = graph.spec(ref)
            if spec.shape is None:
                raise EditError(f"The shape of {ref.layer} is unknown, so it cannot become an input.")
            name = free_name(taken, f"{ref.layer}_input")
            taken.add(name)
            shape: list[Any] = list(spec.shape)
            layer = new_layer("InputLayer", name, batch_shape=shape, dtype=spec.dtype, sparse=False)
            fresh.append(replace(layer, calls=(Call(),)))
            table[ref] = TensorRef(name)
        refs = [*(TensorRef(layer.name) for layer in fresh), *kept]
        graph = remapped(replace(graph, outputs=outputs[0] if len(outputs) == 1 else outputs), table)
        inputs = refs[0] if len(refs) == 1 else refs
        after = pruned(replace(graph, layers=(*fresh, *graph.layers), inputs=inputs))
        given = [(made.layer, [ref.layer, [ref.call], ref.output]) for ref, made in table.items()]
        everything = list(before.output_refs())
        name = f"new({', '.join(self.layers)} of old(x)) == old(x)"
        same = Tail(name=name, given=given, outputs=[everything.index(ref) for ref in outputs])
        return Outcome(after, (same,), self._told(taken_in))

    def _told(self, taken_in: list[TensorRef]) -> tuple[Finding, ...]:
        """Inputs that nobody named, but that the tail cannot do without."""
        more = [ref.layer for ref in taken_in if ref.layer not in self.layers]
        return tuple(
            Finding(
                "info", "shape.incompatible", name, f"{name} also leads past the cut, so the model takes it as input."
            )
            for name in dict.fromkeys(more)
        )

    def summary(self) -> str:
        """For the recipe list."""
        return f"Start after {', '.join(self.layers)}"

    def _crossing(self, graph: Graph, tail: set[Node]) -> list[TensorRef]:
        """Tensors that the tail takes from outside: those of the named layers first."""
        order = {name: place for place, name in enumerate(self.layers)}
        return sorted(crossing(graph, tail), key=lambda ref: order.get(ref.layer, len(order)))

    def _tail(self, graph: Graph) -> tuple[set[Node], list[TensorRef]]:
        """The calls behind the cut, and the outputs among them."""
        layers = graph.by_name()
        if graph.opaque:
            raise EditError(
                "The connections between these layers are unknown, so the model cannot start after any of them."
            )
        for name in self.layers:
            if "/" in name and any(path == name for path, _ in graph.walk()):
                raise EditError(
                    f"{name} is inside a nested model, but a model can only start at its top level; use "
                    f"{name.split('/')[0]} to start after the whole nested model."
                )
            if name not in layers or not layers[name].calls:
                raise EditError(f"There is no layer {name!r} at the top{did_you_mean(name, layers)}")
        starts = {(name, number) for name in self.layers for number in range(len(layers[name].calls))}
        users: dict[Node, list[Node]] = {}
        for ref, nodes in graph.consumers().items():
            users.setdefault((ref.layer, ref.call), []).extend(nodes)
        tail: set[Node] = set()
        stack = list(starts)
        while stack:
            for node in users.get(stack.pop(), ()):
                if node not in tail and node not in starts:
                    tail.add(node)
                    stack.append(node)
        return tail, [ref for ref in graph.output_refs() if (ref.layer, ref.call) in tail]


def crossing(graph: Graph, tail: set[Node]) -> list[TensorRef]:
    """Tensors from outside the tail that calls inside take, in the order of the graph."""
    layers = graph.by_name()
    found: dict[TensorRef, None] = {}
    for layer in graph.layers:
        for number, call in enumerate(layer.calls):
            if (layer.name, number) in tail:
                found.update(dict.fromkeys(ref for ref in call.inputs() if (ref.layer, ref.call) not in tail))
    return [ref for ref in found if ref.layer in layers]

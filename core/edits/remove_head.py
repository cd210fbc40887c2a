"""Take the head off: what stays is a feature extractor, as `include_top=False` would have made it."""

from typing import ClassVar, Literal

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding, Fix
from core.model.graph import Call, Graph, Layer, TensorRef
from core.model.levels import free_name
from core.model.splice import insert_after, new_layer, pruned
from core.surgery import contracts
from core.surgery.heads import Head, find_head, which_output, with_output


class RemoveHead(Edit, frozen=True, kw_only=True, tag="remove_head"):
    """Everything after the last map goes; `pooling` makes a vector of it: `avg`, `max`, or `none` to keep the map.

    `output` says whose head, by name or by number, where the model has several outputs; the others stay. Of a model
    that gives values for each place of a map (a U-Net), the last convolution and what follows it is the head.
    """

    about: ClassVar[str] = "output"
    pooling: Literal["avg", "max", "none"] = "avg"
    output: str | int | None = None

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph up to its features, pooled as asked: those that the old model computed inside."""
        head, number = find_head(graph, self.output), which_output(graph, self.output)
        after = pruned(self._cut(graph, head, number))
        path, ref = head.prefix + head.features.layer, head.features
        place = [path, [0] * head.prefix.count("/") + [ref.call], ref.output]
        level = graph.find(head.prefix[:-1]).inner if head.prefix else graph
        shape = level.spec(ref).shape if level is not None else None
        if self.pooling == "none" or (shape is not None and len(shape) < 3):
            same = contracts.features(f"new(x) == {path} of old(x)", [(number, place)])
        else:
            words = {"avg": "average", "max": "maximum"}[self.pooling]
            name = f"new(x) == {words} over the map {path} of old(x)"
            same = contracts.features(name, [(number, place)], self.pooling, channels_first(graph))
        return Outcome(after, (same,), self._told(head))

    def _told(self, head: Head) -> tuple[Finding, ...]:
        """What pooling does to a model that gave a map."""
        if head.dense is None or self.pooling == "none":
            return ()
        text = (
            f"The model gives an output for each position of a map; its head is {head.prefix}{head.dense}. The "
            "features are pooled over the map, so positions are lost; keep the map for a new head that gives an output "
            "for each position."
        )
        fix = Fix("Keep the map", (replace(self, pooling="none"),))
        return (Finding("info", "shape.incompatible", head.prefix + head.dense, text, (fix,)),)

    def summary(self) -> str:
        """For the recipe list."""
        words = {"avg": "average pooling", "max": "max pooling", "none": "no pooling"}
        where = "" if self.output is None else f" of output {self.output}"
        return f"Remove the head{where}, {words[self.pooling]}"

    def _cut(self, graph: Graph, head: Head, place: int) -> Graph:
        if head.prefix:
            name, _, rest = head.prefix.partition("/")
            layer = graph.layer(name)
            if layer.inner is None:
                raise EditError(f"{name} contains no layers to cut.")
            inner = pruned(self._cut(layer.inner, replace(head, prefix=rest), 0))
            graph = graph.with_layer(name, replace(layer, inner=inner))
            return with_output(graph, place, TensorRef(name))
        return self._pooled(graph, head, place)

    def _pooled(self, graph: Graph, head: Head, place: int) -> Graph:
        shape = graph.spec(head.features).shape
        if shape is None and self.pooling != "none" and head.pool is None:
            raise EditError(f"The shape of {head.features.layer} is unknown, so it cannot be pooled.")
        plain = with_output(graph, place, head.features)
        rank = len(shape) if shape is not None else 4
        if self.pooling == "none" or rank < 3:
            return plain
        kind = f"Global{'Average' if self.pooling == 'avg' else 'Max'}Pooling{rank - 2}D"
        if head.pool is not None:
            old = graph.layer(head.pool)
            if old.class_name == kind and not old.config.get("keepdims"):
                return with_output(graph, place, TensorRef(head.pool))
        feeder = graph.layer(head.features.layer)
        cut = pruned(plain)
        name = free_name({layer.name for layer in cut.layers}, f"{self.pooling}_pool")
        pool = new_layer(kind, name, **({"data_format": "channels_first"} if channels_first(graph) else {}))
        return appended(cut, feeder, head.features, pool, place)


def channels_first(graph: Graph) -> bool:
    """Whether some layer says that channels come before sizes."""
    return any(layer.config.get("data_format") == "channels_first" for _, layer in graph.walk())


def appended(graph: Graph, feeder: Layer, ref: TensorRef, layer: Layer, place: int = 0) -> Graph:
    """`layer` behind the tensor `ref`, which is output number `place`, and that output from it."""
    alone = len(graph.consumers().get(ref, ())) + graph.output_refs().count(ref) == 1
    if len(feeder.calls) <= 1 and not ref.output and (graph.is_sequential or alone):
        return with_output(insert_after(graph, feeder.name, [layer]), place, TensorRef(layer.name))
    fresh = replace(layer, calls=(Call(args=(ref,)),))
    return with_output(replace(graph, layers=(*graph.layers, fresh)), place, TensorRef(layer.name))

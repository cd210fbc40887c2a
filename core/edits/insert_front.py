"""New trainable layers before a body: a convolution and a pooling, say, in front of a frozen model."""

from typing import Any

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding, Severity
from core.model.graph import Call, Graph, Layer, Shape, TensorRef
from core.model.splice import insert_after, layer_from
from core.phrases import sample_words
from core.surgery import contracts
from core.surgery.anatomy import channel_axis, find_input
from core.surgery.contracts import batch_shape
from core.surgery.recording import configured


class InsertFront(Edit, frozen=True, kw_only=True, tag="insert_front"):
    """`shape` (without batch) arrives at `input` and goes through `layers` (Keras layer configs) into the body."""

    shape: tuple[int | None, ...]
    layers: tuple[dict[str, Any], ...]
    input: str | None = None

    def check(self) -> None:
        """Sizes from 1, at least one layer."""
        for size in self.shape:
            if size is not None and size < 1:
                raise EditError(f"shape contains {size}; every size must be at least 1, or null for any.")
        if not self.layers:
            raise EditError('layers is empty; give a list such as [{"class_name": "Conv2D", "config": {...}}].')

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The input at its new shape, the new layers behind it, the body behind them."""
        self.check()
        layer = find_input(graph, self.input)
        old = batch_shape(layer)
        taken = {one.name for one in graph.layers}
        fresh: list[Layer] = []
        for entry in self.layers:
            one = layer_from(entry, taken)
            if one.is_input:
                raise EditError("layers contains an InputLayer; give the input's shape in shape instead.")
            fresh.append(one)
            taken.add(one.name)
        batch = old[0] if old else None
        resized = replace(configured(layer, batch_shape=[batch, *self.shape]), calls=(Call(),))
        after = context.shaped(insert_after(graph.with_layer(layer.name, resized), layer.name, fresh))
        gives = after.spec(TensorRef(fresh[-1].name)).shape
        if gives is None or old is None:
            return Outcome(after)
        return self._outcome(after, fresh[-1].name, gives, old, channel_axis(graph, layer.name))

    def _outcome(self, after: Graph, last: str, gives: Shape, takes: Shape, axis: int | None) -> Outcome:
        """The body answers as it did to what the front hands it, if that has the shape that it took."""
        alike = len(gives) == len(takes)
        if alike and all(want in (None, have) for have, want in zip(gives[1:], takes[1:], strict=True)):
            name = find_input(after, self.input).name
            same = contracts.Adapted(name="new(x) == old(front(x))", input=name, layer=last, shape=self.shape)
            return Outcome(after, (same,))
        wrong = not alike or (axis is not None and takes[axis] not in (None, gives[axis]))
        severity: Severity = "error" if wrong else "warning"
        text = f"The front gives {sample_words(gives)}; the body was made for {sample_words(takes)}."
        return Outcome(after, (), (Finding(severity, "shape.incompatible", last, text),))

    def summary(self) -> str:
        """For the recipe list."""
        names = ", ".join(str(entry.get("class_name")) for entry in self.layers)
        return f"New front: {names}"

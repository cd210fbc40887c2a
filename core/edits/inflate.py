"""A pretrained model with one more axis: images to clips or volumes, signals to images."""

from typing import ClassVar

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding, Fix
from core.model.graph import Graph, Layer
from core.phrases import sample_words, shape_words
from core.rules.arranged import InflatedRows
from core.surgery.anatomy import channel_axis, find_input
from core.surgery.contracts import Stacked, batch_shape
from core.surgery.inflating import Extent, Grown, How, Plan3, grow


class Inflate(Edit, frozen=True, kw_only=True, tag="inflate"):
    """`shape` (without batch) is the new shape of `input` [the only one]: the old one with one size more, ahead of the
    others (behind the channels where they come first).

    Kernels are repeated along the new axis and divided (`mean`) or put in its middle (`centre`). `depth` is how many
    taps they get there [as many as their first other size]; kernels of size 1 stay so. `stride` and `pool` say whether
    strides and pools go along the new axis as along the others (`same`) or not (`one`).
    """

    about: ClassVar[str] = "input"
    shape: tuple[int | None, ...]
    how: How = "centre"
    input: str | None = None
    depth: int | None = None
    stride: Extent = "one"
    pool: Extent = "one"

    def check(self) -> None:
        """Sizes from 1."""
        for size in (*self.shape, self.depth):
            if size is not None and size < 1:
                raise EditError(f"{size} is not a valid size; every size must be at least 1, or null for any.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with one more axis: a stack of equal frames gives what one frame gave."""
        self.check()
        layer, at = self._place(graph)
        grown = grow(graph, layer.name, self.shape, at, Plan3(self.how, self.depth, self.stride, self.pool))
        after = context.settled(grown.graph, lambda now: self._rows_placed(grown, now))
        first = dict(grown.split)  # of two layers that were one the first has the frames
        reaching = tuple(path for path in grown.padded if _adds_frames(after, first.get(path, path), grown.at))
        outputs = [grown.at if tall else 0 for tall in grown.outputs]
        name = "new(x repeated) == old(x)"
        same = Stacked(name=name, exact=not reaching, input=layer.name, at=grown.at, outputs=outputs)
        return Outcome(after, (same,), self._told(grown, reaching))

    def _rows_placed(self, grown: Grown, after: Graph) -> Graph:
        """Rows of a Dense behind a Flatten, now that it is known how many frames reach it."""
        for dense in grown.dense:
            layer = after.find(dense.path)
            weight = next((one for one in layer.weights if one.name == "kernel"), None)
            prefix = dense.path[: len(dense.path) - len(layer.name)]
            level = after.find(prefix[:-1]).inner if prefix else after
            shape = level.spec(layer.calls[0].inputs()[0]).shape if level is not None else None
            if weight is None or weight.source is None or not shape or shape[-1] is None:
                continue
            done = weight.decode if isinstance(weight.decode, InflatedRows) else None
            if weight.shape[0] == shape[-1] and (done or dense.rows == shape[-1]):
                continue
            if shape[-1] % dense.rows or (weight.decode is not None and done is None):
                continue
            rule = InflatedRows(
                shape=(int(shape[-1]), weight.shape[1]),
                axis=0,
                outer=dense.outer,
                size=int(shape[-1]) // dense.rows,
                how=self.how,
            )
            fresh = replace(weight, shape=rule.shape, decode=rule)
            weights = tuple(fresh if one is weight else one for one in layer.weights)
            after = after.with_layer(dense.path, replace(layer, weights=weights))
        return after

    def _told(self, grown: Grown, reaching: tuple[str, ...]) -> tuple[Finding, ...]:
        """Where averaged kernels reach over the ends of the new axis, and what became two layers."""
        found = []
        if reaching:
            more = f" The same applies to {len(reaching) - 1} more." if len(reaching) > 1 else ""
            text = (
                f"{reaching[0]} averages over frames that padding adds at both ends, where its output is weaker than "
                f"before; away from the ends it is the same.{more}"
            )
            fixes = [Fix("Centre the kernels, which is exact", (replace(self, how="centre"),))]
            fixes.append(Fix("Let each kernel see a single frame", (replace(self, depth=1),)))
            found.append(Finding("warning", "adapt.lossy", reaching[0], text, tuple(fixes), "\n".join(reaching)))
        if grown.split:
            old, new = grown.split[0]
            more = f" The same applies to {len(grown.split) - 1} more." if len(grown.split) > 1 else ""
            text = f"{old} becomes two layers, {new} and {old}: its class has no counterpart with one more axis.{more}"
            found.append(Finding("info", "name.changed", old, text))
        return tuple(found)

    def summary(self) -> str:
        """For the recipe list."""
        return f"Inflate to {shape_words(self.shape)} by {self.how}"

    def _place(self, graph: Graph) -> tuple[Layer, int]:
        """The input, and where its new axis goes (batch counted)."""
        layer = find_input(graph, self.input)
        old = batch_shape(layer)
        if old is None or len(old) not in (3, 4):
            raise EditError(f"{layer.name!r} takes neither signals nor images, so it cannot be given another axis.")
        at = 2 if channel_axis(graph, layer.name) == 1 else 1
        if len(self.shape) != len(old):
            raise EditError(
                f"The input {layer.name!r} has {len(old) - 1} dimensions, so shape must give {len(old)}, not "
                f"{len(self.shape)}."
            )
        rest = (*self.shape[: at - 1], *self.shape[at:])
        if any(one not in (two, None) and two is not None for one, two in zip(rest, old[1:], strict=True)):
            raise EditError(
                f"Without the new size, shape is {shape_words(rest)}, but {layer.name!r} takes "
                f"{sample_words(old)}; give the "
                "old sizes here, and change them with change_input."
            )
        return layer, at


def _adds_frames(graph: Graph, path: str, at: int) -> bool:
    """Whether SAME padding adds anything along the new axis, at the size that arrives."""
    layer = graph.find(path)
    prefix = path[: len(path) - len(layer.name)]
    level = graph.find(prefix[:-1]).inner if prefix else graph
    if level is None or "kernel_size" not in layer.config:
        return True
    taps = layer.config["kernel_size"]
    steps = layer.config.get("strides", 1)
    taps = taps[0] if isinstance(taps, (list, tuple)) else taps
    step = steps[0] if isinstance(steps, (list, tuple)) else steps
    for ref in (ref for call in layer.calls for ref in call.inputs()):
        shape = level.spec(ref).shape
        size = shape[at] if shape and len(shape) > at else None
        if taps > 1 if size is None else (-(-size // step) - 1) * step + taps > size:
            return True
    return not layer.calls and bool(taps > 1)

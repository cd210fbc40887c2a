"""The whole model in the other data format: channels first or channels last."""

from core.edits.base import Context, Edit, Outcome, Subject
from core.errors import EditError
from core.findings import Finding
from core.model.graph import Graph, Layer
from core.surgery.contracts import Transposed
from core.surgery.layout_walk import Format, Walked, format_of, walk_layout

_WORDS = {"channels_last": "last", "channels_first": "first"}


class DataFormat(Edit, frozen=True, kw_only=True, tag="data_format"):
    """Every layer, axis and array brought to `to`; inputs and outputs that are maps are then transposed.

    Kernels keep their arrays, a Dense after Flatten gets its rows in the new order. A layer that is tied to the old
    order gets a Permute on either side.
    """

    to: Format

    @property
    def subject(self) -> Subject:
        """The model's format: there is one."""
        return Subject("data_format")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph in the other format, which gives the same numbers, transposed."""
        if graph.opaque:
            raise EditError(
                f"The file does not describe the layers of {graph.name}, so its data format cannot be changed."
            )
        formats = {format_of(layer) for _, layer in graph.walk()} - {None}
        if not formats - {self.to}:
            held = f"every layer already has channels {_WORDS[self.to]}" if formats else "no layer has a data format"
            raise EditError(f"There is nothing to convert: {held}.")
        walked = walk_layout(graph, self.to)
        after = context.shaped(walked.graph)
        moved = any(list(order) != sorted(order) for order in walked.outputs)
        name = "new(x transposed) == old(x)" + (" transposed" if moved else "")
        given = {one: list(order) for one, order in walked.inputs.items()}
        same = Transposed(name=name, given=given, outputs=[list(order) for order in walked.outputs])
        return Outcome(after, (same,), self._findings(graph, after, walked))

    def _findings(self, before: Graph, after: Graph, walked: Walked) -> tuple[Finding, ...]:
        """What is given otherwise now, where a Permute had to go in, and what stays in the old format."""
        found = [
            Finding(
                "info",
                "shape.incompatible",
                name,
                f"The input {name!r} now expects channels {_WORDS[self.to]}; transpose your data by {list(order)}.",
            )
            for name, order in walked.inputs.items()
            if list(order) != sorted(order)
        ]
        for ref, order in zip(before.output_refs(), walked.outputs, strict=True):
            if list(order) != sorted(order):
                text = f"The output of {ref.layer} now has channels {_WORDS[self.to]}."
                found.append(Finding("info", "shape.incompatible", ref.layer, text))
        if walked.permutes:
            first, place = walked.permutes[0]
            rest = len(walked.permutes) - 1
            more = f" {rest} more Permute {'layer was' if rest == 1 else 'layers were'} added." if rest else ""
            text = (
                f"{place} works along an axis of the old data format, so {first}, a Permute, was inserted before "
                f"it.{more}"
            )
            detail = "\n".join(f"{name} before {place}" for name, place in walked.permutes)
            found.append(Finding("info", "shape.incompatible", first, text, detail=detail))
        wide = [path for path, layer in after.walk() if _as_wide(layer)] if self.to == "channels_first" else []
        if wide:
            text = (
                f"The output of {wide[0]} has as many columns as channels; Keras 3.15 on TensorFlow then adds the bias "
                "along the width when the model is called directly, so use a different size."
            )
            found.append(Finding("warning", "shape.incompatible", wide[0], text, detail="\n".join(wide)))
        stays = [path for path, layer in after.walk() if _stays(layer.is_operation, layer.config, self.to)]
        if stays:
            text = f"{stays[0]} keeps its old data format, between Permute layers."
            found.append(Finding("warning", "shape.incompatible", stays[0], text, detail="\n".join(stays)))
        return tuple(found)

    def summary(self) -> str:
        """For the recipe list."""
        return f"Change data format to channels {_WORDS[self.to]}"


def _as_wide(layer: Layer) -> bool:
    """Whether a channels-first convolution with a bias has as many columns as channels."""
    if layer.config.get("data_format") != "channels_first" or not layer.config.get("use_bias", False):
        return False
    shapes = [spec.shape for call in layer.calls for spec in call.outputs or ()]
    return any(shape is not None and len(shape) > 2 and shape[1] == shape[-1] for shape in shapes)


def _stays(operation: bool, config: dict[str, object], to: str) -> bool:
    return operation and config.get("data_format") in _WORDS and config["data_format"] != to

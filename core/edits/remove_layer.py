"""Take one layer out; what it was given goes on to where its output went."""

from glob import escape

from core.edits.base import Context, Edit, Outcome
from core.edits.drop_training_only import called_to_train
from core.edits.fold_batch_norm import FoldBatchNorm
from core.errors import EditError
from core.findings import Finding, Fix
from core.layers import table
from core.model.graph import Graph, Layer
from core.model.levels import owner, with_level
from core.model.splice import pruned, remove
from core.surgery import contracts
from core.surgery.folding import folded


def _trained_norm(layer: Layer) -> bool:
    """Whether a layer is a BatchNormalization that has learnt something."""
    return table.tracks_batches(layer) and any(weight.source is not None for weight in layer.weights)


class RemoveLayer(Edit, frozen=True, kw_only=True, tag="remove_layer"):
    """`layer` is a path. A layer with several inputs has no one tensor that could take its place and is refused."""

    layer: str

    def gives_way_to(self, later: Edit) -> bool:
        """Folding a normalization takes the place of taking it out."""
        return isinstance(later, FoldBatchNorm) and later.layers == (escape(self.layer),)

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph without the layer. What it was given stays, and all else where it only acts in training."""
        prefix, level = owner(graph, self.layer)
        name = self.layer[len(prefix) :]
        layer = level.layer(name)
        if layer.is_input:
            raise EditError(f"{self.layer} is an input of its model and cannot be removed.")
        if not layer.calls or level.opaque:
            raise EditError(f"The connections of {self.layer} are unknown, so it cannot be removed.")
        after = with_level(graph, prefix, pruned(remove(level, name)))
        if table.idle(layer.class_name, layer.config) and not called_to_train(layer):
            return Outcome(after, (contracts.unchanged(),))
        same = contracts.fed(graph, self.layer)
        if _trained_norm(layer):
            return Outcome(after, (*same, contracts.nearly()), (self._passed_over(graph),))
        return Outcome(after, same)

    def _passed_over(self, before: Graph) -> Finding:
        """A normalization that is taken out as if it did nothing, where folding it would change nothing."""
        text = (
            f"{self.layer} is removed as if it passed its input through unchanged, so outputs change; Verify measures "
            "by how much. Folding it into the neighbouring layers instead would keep the outputs unchanged."
        )
        fixes: tuple[Fix, ...] = (Fix("Fold it instead", (FoldBatchNorm(layers=(escape(self.layer),)),)),)
        if self.layer not in folded(before, {self.layer}, {}).gone:
            text, fixes = text[: text.index(" Folding")], ()
        return Finding("warning", "adapt.lossy", self.layer, text, fixes)

    def summary(self) -> str:
        """For the recipe list."""
        return f"Remove {self.layer}"

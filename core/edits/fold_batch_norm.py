"""BatchNormalization layers made part of the convolutions and Dense layers beside them."""

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding
from core.layers.axes import leaf_class
from core.model.graph import Graph
from core.surgery import contracts
from core.surgery.choosing import ALL, named
from core.surgery.folding import Folded, folded, norms
from core.surgery.held import all_settled
from core.surgery.quantized import policy_name
from core.surgery.selectors import chosen, refuse_named


class FoldBatchNorm(Edit, frozen=True, kw_only=True, tag="fold_batch_norm"):
    """`layers` are globs on layer paths (`*`: all). The model answers as before, with fewer layers.

    A layer named without a wildcard is folded or refused; of those that a glob means, all that can be folded exactly
    are, and the others stay and are named.
    """

    layers: tuple[str, ...] = ALL

    def check(self) -> None:
        """At least one glob."""
        if not self.layers:
            raise EditError('layers is empty; give paths of BatchNormalization layers, or globs such as "*".')

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with the layers folded. Raises `EditError` for one that is named and cannot be, or if none can.

        Nothing changes but rounding; in half precision that can be seen.
        """
        self.check()
        found = folded(graph, chosen(norms(graph), self.layers, "BatchNormalization layer", graph), context.fates)
        refuse_named(self.layers, found.kept, found.gone, "folded")
        after = all_settled(found.graph, context.fates) if found.decided else found.graph
        half = _half(graph, found)
        return Outcome(after, (contracts.nearly() if half else contracts.unchanged(),), _told(graph, found, half))

    def summary(self) -> str:
        """For the recipe list."""
        return "Fold BatchNormalization" + named(self.layers)


def _told(before: Graph, found: Folded, half: str) -> tuple[Finding, ...]:
    """What stays and why, what no longer follows the data in training, and what half precision rounds."""
    told = []
    stays = dict(sorted(found.kept.items()))
    if stays:
        path, why = next(iter(stays.items()))
        text = f"{path} is not folded: {why}."
        if len(stays) > 1:
            text = f"{len(stays)} BatchNormalization layers are not folded. The first is {path}: {why}."
        lines = "\n".join(f"{one}: {reason}" for one, reason in stays.items())
        told.append(Finding("info", "adapt.lossy", path, text, detail=lines))
    training = [path for path in found.gone if before.find(path).trainable]
    if training:
        which = training[0] if len(training) == 1 else f"{len(training)} layers (first: {training[0]})"
        text = (
            f"{which}: the normalization is now part of the weights, so its statistics are no longer updated when "
            "the model is trained."
        )
        told.append(Finding("info", "freeze.batch_norm", training[0], text, detail="\n".join(training)))
    if half:
        text = f"{half} computes in half precision, so folded weights are rounded differently; Verify shows how much."
        told.append(Finding("warning", "adapt.lossy", half, text))
    return tuple(told)


def _half(before: Graph, found: Folded) -> str:
    """The first folded layer that computes in half precision, or whose neighbours do."""
    layers = before.by_path()
    for path, names in found.into.items():
        for one in (path, *names):
            _, config = leaf_class(layers[one])
            if policy_name(config).endswith("float16"):
                return one
    return ""

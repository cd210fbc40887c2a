"""BatchNormalization layers made part of the convolutions and Dense layers beside them."""

from typing import ClassVar

from core.edits.base import Edit
from core.errors import EditError
from core.findings import Finding
from core.layers.axes import leaf_class
from core.model.contract import Contract
from core.model.graph import Graph
from core.surgery import contracts
from core.surgery.choosing import ALL, chosen, named, refuse_named
from core.surgery.folding import Folded, folded, norms
from core.surgery.held import Fates, all_settled
from core.surgery.quantized import policy_name

_REMEMBERED: list[tuple["FoldBatchNorm", Graph, Folded]] = []
_MOST = 16


class FoldBatchNorm(Edit, frozen=True, kw_only=True, tag="fold_batch_norm"):
    """`layers` are globs on layer paths (`*`: all). The model answers as before, with fewer layers.

    A layer named without a wildcard is folded or refused; of those that a glob means, all that can be folded exactly
    are, and the others stay and are named.
    """

    wants_fates: ClassVar[bool] = True
    layers: tuple[str, ...] = ALL

    def check(self) -> None:
        """At least one glob."""
        if not self.layers:
            raise EditError('layers is empty; give paths of BatchNormalization layers, or globs such as "*".')

    def apply(self, graph: Graph, fates: Fates | None = None) -> Graph:
        """The graph with the layers folded. Raises `EditError` for one that is named and cannot be, or if none can."""
        self.check()
        fates = fates or {}
        found = folded(graph, self._chosen(graph), fates)
        _remember(self, graph, found)
        refuse_named(self.layers, found.kept, found.gone, "folded")
        return all_settled(found.graph, fates) if found.decided else found.graph

    def contracts(self, before: Graph, after: Graph) -> tuple[Contract, ...]:
        """Nothing changes but rounding; in half precision that can be seen."""
        if self._half(before, self._outcome(before)):
            return (contracts.nearly(),)
        return (contracts.unchanged(),)

    def findings(self, before: Graph, after: Graph) -> tuple[Finding, ...]:
        """What stays and why, what no longer follows the data in training, and what half precision rounds."""
        found = self._outcome(before)
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
        half = self._half(before, found)
        if half:
            text = (
                f"{half} computes in half precision, so folded weights are rounded differently; Verify shows how much."
            )
            told.append(Finding("warning", "adapt.lossy", half, text))
        return tuple(told)

    def summary(self) -> str:
        """For the recipe list."""
        return "Fold BatchNormalization" + named(self.layers)

    def _chosen(self, graph: Graph) -> set[str]:
        """Paths of the layers meant. Raises `EditError` for a name that means none."""
        return chosen(norms(graph), self.layers, "BatchNormalization layer")

    def _outcome(self, before: Graph) -> Folded:
        """What `apply` found of the same graph."""
        known = next((found for edit, graph, found in _REMEMBERED if edit == self and graph is before), None)
        return known if known is not None else folded(before, self._chosen(before), {})

    def _half(self, before: Graph, found: Folded) -> str:
        """The first folded layer that computes in half precision, or whose neighbours do."""
        layers = dict(before.walk())
        for path, names in found.into.items():
            for one in (path, *names):
                _, config = leaf_class(layers[one])
                if policy_name(config).endswith("float16"):
                    return one
        return ""


def _remember(edit: FoldBatchNorm, graph: Graph, found: Folded) -> None:
    """Keep what was found, which contracts and findings ask for of the same graph."""
    del _REMEMBERED[:-_MOST]
    _REMEMBERED.append((edit, graph, found))

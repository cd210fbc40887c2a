"""BatchNormalization layers made part of the convolutions and Dense layers beside them."""

import difflib
from fnmatch import fnmatchcase
from typing import ClassVar

from core.edits import contracts
from core.edits.base import Edit
from core.edits.folding import Folded, folded, norms
from core.edits.held import Fates, all_settled
from core.edits.quantized import policy_name
from core.errors import EditError
from core.findings import Finding
from core.graph import Graph
from core.plan import Contract
from core.rules.axes import leaf_class

_WILD = frozenset("*?[")


class FoldBatchNorm(Edit, frozen=True, kw_only=True, tag="fold_batch_norm"):
    """`layers` are globs on layer paths (`*`: all). The model answers as before, with fewer layers.

    A layer named without a wildcard is folded or refused; of those that a glob means, all that can be folded exactly
    are, and the others stay and are named.
    """

    wants_fates: ClassVar[bool] = True
    layers: tuple[str, ...] = ("*",)

    def check(self) -> None:
        """At least one glob."""
        if not self.layers:
            raise EditError('layers names nothing; give paths of BatchNormalization layers or globs such as "*".')

    def apply(self, graph: Graph, fates: Fates | None = None) -> Graph:
        """The graph with the layers folded. Raises `EditError` for one that is named and cannot be, or if none can."""
        self.check()
        chosen = self._chosen(graph)
        fates = fates or {}
        found = folded(graph, chosen, fates)
        for name in self.layers:
            if not _WILD & set(name) and name in found.kept:
                raise EditError(f"{name} cannot be folded: {found.kept[name]}.")
        if not found.gone:
            path, why = next(iter(found.kept.items()))
            what = path if len(found.kept) == 1 else f"None of {len(found.kept)} BatchNormalization layers"
            first = "" if len(found.kept) == 1 else f"{path}: "
            raise EditError(f"{what} can{'not' if not first else ''} be folded: {first}{why}.")
        return all_settled(found.graph, fates) if found.decided else found.graph

    def contracts(self, before: Graph, after: Graph) -> tuple[Contract, ...]:
        """Nothing changes but rounding; in half precision that can be seen."""
        if self._half(before, self._outcome(before, after)):
            return (contracts.same_input("new(x) is nearly old(x)", False),)
        return (contracts.same_input("new(x) == old(x)", True),)

    def findings(self, before: Graph, after: Graph) -> tuple[Finding, ...]:
        """What stays and why, what no longer follows the data in training, and what half precision rounds."""
        found = self._outcome(before, after)
        told = []
        stays = {path: found.kept.get(path, "its arrays do not allow it") for path in self._stays(before, after)}
        if stays:
            path, why = next(iter(stays.items()))
            text = f"{path} is not folded: {why}."
            if len(stays) > 1:
                text = f"{len(stays)} BatchNormalization layers are not folded. The first is {path}: {why}."
            lines = "\n".join(f"{one}: {reason}" for one, reason in stays.items())
            told.append(Finding("info", "adapt.lossy", path, text, detail=lines))
        gone = self._gone(before, after)
        training = [path for path in gone if before.find(path).trainable]
        if training:
            which = training[0] if len(training) == 1 else f"{len(training)} layers (first: {training[0]})"
            text = (
                f"{which}: the normalization is part of the weights now, so when this model is trained, its statistics "
                "no longer follow the data."
            )
            told.append(Finding("info", "freeze.batch_norm", training[0], text, detail="\n".join(training)))
        half = self._half(before, found)
        if half:
            text = f"{half} computes in half precision, so folded weights are rounded differently; Verify shows how much."
            told.append(Finding("warning", "adapt.lossy", half, text))
        return tuple(told)

    def summary(self) -> str:
        """For the recipe list."""
        return "Fold BatchNormalization" + ("" if self.layers == ("*",) else f": {', '.join(self.layers)}")

    def _chosen(self, graph: Graph) -> set[str]:
        """Paths of the layers meant. Raises `EditError` for a name that means none."""
        known = sorted(norms(graph))
        if not known:
            raise EditError("The model has no BatchNormalization layer that could be folded.")
        chosen: set[str] = set()
        for glob in self.layers:
            hits = [path for path in known if fnmatchcase(path, glob) or path == glob]
            hits = hits or [path for path in known if fnmatchcase(path.rpartition("/")[2], glob)]
            hits = hits or [path for path in known if path.startswith(glob + "/")]
            if not hits:
                near = difflib.get_close_matches(glob, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else "."
                raise EditError(f"No BatchNormalization matches {glob!r}{hint}")
            chosen.update(hits)
        return chosen

    def _outcome(self, before: Graph, after: Graph) -> Folded:
        """What folding says of the graph before it; the rules of earlier edits do not matter to the reasons."""
        return folded(before, self._chosen(before), {})

    def _gone(self, before: Graph, after: Graph) -> list[str]:
        left = norms(after)
        return sorted(path for path in self._chosen(before) if path not in left)

    def _stays(self, before: Graph, after: Graph) -> list[str]:
        return sorted(self._chosen(before) & norms(after))

    def _half(self, before: Graph, found: Folded) -> str:
        """The first folded layer that computes in half precision, or whose neighbours do."""
        layers = dict(before.walk())
        for path, names in found.into.items():
            for one in (path, *names):
                _, config = leaf_class(layers[one])
                if policy_name(config).endswith("float16"):
                    return one
        return ""

"""Kernels that a layer computes from several arrays, or keeps small while it is trained, made plain kernels."""

from collections.abc import Iterable

from core.edits.base import Context, Edit, Outcome
from core.edits.set_trainable import made_by_code
from core.errors import EditError
from core.findings import Finding, NameCode
from core.model.graph import Graph, Layer
from core.surgery import contracts
from core.surgery.choosing import ALL, named
from core.surgery.held import Unfoldable
from core.surgery.plain import foldable_kind, plain, unneeded
from core.surgery.selectors import chosen, refuse_named


class FoldWeights(Edit, frozen=True, kw_only=True, tag="fold_weights"):
    """`layers` are globs on layer paths (`*`: all). The layer inside a wrapper takes the wrapper's name and place."""

    layers: tuple[str, ...] = ALL

    def check(self) -> None:
        """At least one glob."""
        if not self.layers:
            raise EditError('layers is empty; give layer paths, or globs such as "*".')

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with the same kernels, plain. Raises `EditError` for a layer that is named and cannot be folded."""
        self.check()
        what = "layer with WeightNormalization, SpectralNormalization or a low-rank update"
        meant = chosen(foldable(graph), self.layers, what, graph)
        kept: dict[str, str] = {}
        gone: list[str] = []
        inside = made_by_code(graph)

        def change(path: str, layer: Layer) -> Layer:
            if path not in meant:
                return layer
            try:
                made = plain(path, layer, context.fates, inside)
            except Unfoldable as why:
                kept[path] = why.reason
                return layer
            gone.append(path)
            return made

        after = graph.replace_layers(change)
        refuse_named(self.layers, kept, gone, "folded")
        return Outcome(after, (contracts.unchanged(),), _told(graph, after, meant))

    def summary(self) -> str:
        """For the recipe list."""
        return "Fold weights into plain kernels" + named(self.layers)


def _told(before: Graph, after: Graph, meant: Iterable[str]) -> tuple[Finding, ...]:
    """What stays, what is no longer needed, and what is known of code that is not here."""
    found = []
    now = after.by_path()
    for path in sorted(meant):
        layer, made = before.find(path), now[path]
        if made is layer or made.config == layer.config:
            text = f"{path} is not folded: its arrays do not match any {foldable_kind(layer)} that Suture knows."
            found.append(Finding("info", "adapt.lossy", path, text))
            continue
        dropped = unneeded(layer)
        if dropped:
            verb = "is" if len(dropped) == 1 else "are"
            names = ", ".join(dropped)
            use = _SERVES[foldable_kind(layer)]
            text = f"{path}: the plain kernel does not need {names} ({use}), which {verb} dropped."
            lines = "\n".join(f"{path}/{name}" for name in dropped)
            found.append(Finding("info", "weight.unmatched", path, text, detail=lines))
        found += assumed(path, layer)
    return tuple(found)


_SERVES = {
    "WeightNormalization": "used only at the start of training",
    "SpectralNormalization": "used only in training",
    "LoRA": "already part of the kernel",
}


def assumed(path: str, layer: Layer) -> list[Finding]:
    """What is only supposed of a WeightNormalization whose code is not here."""
    if not layer.opaque or layer.class_name.startswith("Addons>") or foldable_kind(layer) != "WeightNormalization":
        return []
    text = (
        f"{path} is assumed to be the usual WeightNormalization, g v / |v| over all axes but the last, because the "
        f"code of {layer.class_name} is not available. Compare some outputs with those of the old model."
    )
    return [Finding("warning", "code.custom", path, text, (NameCode(path),))]


def foldable(graph: Graph) -> set[str]:
    """Paths of the layers whose kernels can be made plain ones."""
    return {path for path, layer in graph.walk() if foldable_kind(layer) in _SERVES}

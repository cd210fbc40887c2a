"""What the canvas marks on each card: a layer's dominant fate, its freezing, its worst finding."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from core.findings import Finding
from core.graph import Graph
from core.plan import FateName, Plan
from gui.theme import FATE_ORDER

Marker = Literal["error", "warning"]


@dataclass(frozen=True)
class Badge:
    """The marks of one layer. `ghost` is a removed layer, `changed` one that differs, both of the Difference view."""

    fate: FateName | None = None
    frozen: bool = False
    severity: Marker | None = None
    ghost: bool = False
    changed: bool = False
    messages: tuple[str, ...] = ()


NO_BADGE = Badge()


def layer_of(weight: str, paths: Mapping[str, object]) -> str:
    """The path of the layer that a weight path such as `backbone/conv1/cell/kernel` belongs to, or `""`."""
    head = weight
    while head:
        head = head.rpartition("/")[0]
        if head in paths:
            return head
    return ""


def dominant(fates: Iterable[FateName]) -> FateName | None:
    """The fate that stands for several: the one that most needs a look."""
    found = set(fates)
    return next((fate for fate in FATE_ORDER if fate in found), None)


def badges_after(plan: Plan) -> dict[str, Badge]:
    """Badges by path in the planned graph."""
    paths = {path: layer for path, layer in plan.graph.walk()}
    fates: dict[str, set[FateName]] = {}
    for fate in plan.fates:
        fates.setdefault(layer_of(fate.weight, paths), set()).add(fate.fate)
    return _collect(plan.graph, fates, plan.findings)


def badges_before(plan: Plan, source: Graph) -> dict[str, Badge]:
    """Badges by path in the source: what will happen to the weights that each layer has now."""
    paths = {path: layer for path, layer in source.walk()}
    origins = {path: layer.origin or path for path, layer in plan.graph.walk()}
    fates: dict[str, set[FateName]] = {}
    for fate in plan.fates:
        if fate.source is not None:
            fates.setdefault(layer_of(fate.source, paths), set()).add(fate.fate)
    for weight in plan.dropped:
        fates.setdefault(layer_of(weight, paths), set()).add("dropped")
    findings = [replace_layer(finding, origins) for finding in plan.findings]
    return _collect(source, fates, findings)


def replace_layer(finding: Finding, origins: Mapping[str, str]) -> tuple[str, Finding]:
    """A finding with the source path of its layer."""
    return origins.get(finding.layer, finding.layer), finding


def _collect(
    graph: Graph, fates: Mapping[str, set[FateName]], findings: Iterable[Finding | tuple[str, Finding]]
) -> dict[str, Badge]:
    """One badge a layer; a nested model sums up its children."""
    notes: dict[str, list[Finding]] = {}
    for item in findings:
        path, finding = item if isinstance(item, tuple) else (item.layer, item)
        notes.setdefault(path, []).append(finding)
    made: dict[str, Badge] = {}
    gathered: dict[str, set[FateName]] = {}
    order = list(graph.walk())
    for path, layer in reversed(order):
        own = fates.get(path, set()) | gathered.get(path, set())
        parent = path[: -len(layer.name) - 1]
        if parent:
            gathered.setdefault(parent, set()).update(own)
        here = notes.get(path, [])
        severities = {finding.severity for finding in here}
        severity: Marker | None = "error" if "error" in severities else "warning" if "warning" in severities else None
        frozen = not layer.trainable and layer.num_params() > 0
        badge = Badge(dominant(own), frozen, severity, messages=tuple(finding.message for finding in here))
        made[path] = badge
    for path, layer in reversed(order):
        parent = path[: -len(layer.name) - 1]
        worst = made[path].severity
        if parent and worst and made[parent].severity != "error":
            made[parent] = replace(made[parent], severity=worst)
    return made

"""What the canvas marks on each card: a layer's dominant fate, its freezing, its worst finding."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from msgspec import structs

from core.caches import IdentityCache
from core.findings import Finding, Severity
from core.model.graph import Graph
from core.model.plan import FateName, Plan
from gui.models.digest import above, frozen_layers, layer_of, worst_findings
from gui.widgets.theme import FATE_ORDER

Marker = Literal["error", "warning"]


@dataclass(frozen=True)
class Marks:
    """The marks of one layer. `ghost` is a removed layer, `changed` one that differs, both of the Difference view.
    `files` are those beside the source that its arrays come from.
    """

    fate: FateName | None = None
    frozen: bool = False
    severity: Marker | None = None
    ghost: bool = False
    changed: bool = False
    messages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


NO_MARKS = Marks()


def dominant(fates: Iterable[FateName]) -> FateName | None:
    """The fate that stands for several: the one that most needs a look."""
    found = set(fates)
    if len(found) < 2:
        return next(iter(found), None)
    return next((fate for fate in FATE_ORDER if fate in found), None)


def source_paths(before: Graph, after: Graph) -> dict[str, str]:
    """For each layer after that was there before: its path in the source.

    A layer's origin is its path in the source, or its name in the source of the model around it. Several views ask for
    it after each edit, so the last answers are kept.
    """
    return _SOURCES.get((before, after), lambda: _source_paths(before, after))


_SOURCES: IdentityCache[dict[str, str]] = IdentityCache(4)


def _source_paths(before: Graph, after: Graph) -> dict[str, str]:
    known = {path for path, _ in before.walk()}
    found: dict[str, str] = {}

    def visit(level: Graph, prefix: str, source_prefix: str | None) -> None:
        for layer in level.layers:
            path, origin = prefix + layer.name, layer.origin
            if origin is not None:
                near = f"{source_prefix}{origin}" if source_prefix is not None else origin
                match = near if near in known else origin if origin in known else None
                if match is not None:
                    found[path] = match
            if layer.inner is not None:
                visit(layer.inner, path + "/", found[path] + "/" if path in found else None)

    visit(after, "", "")
    return found


def badges_before(plan: Plan, source: Graph) -> dict[str, Marks]:
    """Badges by path in the source: what will happen to the weights that each layer has now."""
    paths = above(source)
    origins = source_paths(source, plan.graph)
    fates: dict[str, set[FateName]] = {}
    for fate in plan.fates:
        if fate.source is not None and not fate.further:
            fates.setdefault(layer_of(fate.source, paths), set()).add(fate.fate)
    for weight, _ in plan.merged:
        fates.setdefault(layer_of(weight, paths), set()).add("merged")
    for weight in plan.dropped:
        fates.setdefault(layer_of(weight, paths), set()).add("dropped")
    findings = [structs.replace(finding, layer=origins.get(finding.layer, finding.layer)) for finding in plan.findings]
    return marks(source, _summed(fates, paths), findings)


def _summed(fates: Mapping[str, set[FateName]], around: Mapping[str, str]) -> dict[str, FateName]:
    """The fate that stands for the weights at or below each path."""
    gathered: dict[str, set[FateName]] = {}
    for path, own in fates.items():
        at = path
        while at:
            gathered.setdefault(at, set()).update(own)
            at = around.get(at, "")
    return {path: fate for path, found in gathered.items() if (fate := dominant(found)) is not None}


@lru_cache(1024)
def _badge(
    fate: FateName | None,
    frozen: bool,
    severity: Marker | None,
    messages: tuple[str, ...],
    files: tuple[str, ...],
) -> Marks:
    """Most layers of a model have one of very few badges, so equal ones are the same object."""
    return Marks(fate, frozen, severity, messages=messages, files=files)


def together(found: Iterable[Marks]) -> Marks:
    """The marks of a card that stands for several layers: the fate and the finding that most need a look."""
    every = list(found)
    severities = {one.severity for one in every}
    held = [one.frozen for one in every if one.fate is not None or one.frozen]
    return _together(
        dominant(one.fate for one in every if one.fate is not None),
        bool(held) and all(held),
        "error" if "error" in severities else "warning" if "warning" in severities else None,
        bool(every) and all(one.ghost for one in every),
        any(one.changed or one.ghost for one in every),
        tuple(message for one in every for message in one.messages)[:_MOST_MESSAGES],
        tuple(dict.fromkeys(file for one in every for file in one.files)),
    )


_MOST_MESSAGES = 6


@lru_cache(1024)
def _together(
    fate: FateName | None,
    frozen: bool,
    severity: Marker | None,
    ghost: bool,
    changed: bool,
    messages: tuple[str, ...],
    files: tuple[str, ...],
) -> Marks:
    return Marks(fate, frozen, severity, ghost, changed, messages, files)


def marks(
    graph: Graph,
    fates: Mapping[str, FateName],
    findings: Iterable[Finding],
    files: Mapping[str, tuple[str, ...]] | None = None,
) -> dict[str, Marks]:
    """One badge a layer. `fates` stand for the weights at or below a path, `files` are those beside the source that
    they come from; a nested model shows its layers' worst finding.
    """
    notes: dict[str, list[str]] = {}
    findings = list(findings)
    for finding in findings:
        notes.setdefault(finding.layer, []).append(finding.message)
    around = above(graph)
    worst, frozen = worst_findings(findings, around), frozen_layers(graph)
    severities: dict[Severity, Marker] = {"error": "error", "warning": "warning"}
    return {
        path: _badge(
            fates.get(path),
            path in frozen,
            severities.get(worst[path]) if path in worst else None,
            tuple(notes.get(path, ())),
            (files or {}).get(path, ()),
        )
        for path in around
    }

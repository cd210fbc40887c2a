"""What the banner says after opening: what kind of file it is, what was repaired, what is missing."""

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from core.findings import Action, Finding, NameCode, OpenArchitecture, OpenWeights, RebuildModel, TrustCode
from core.readers.source import Source
from gui.models.digest import count_words, size_words

CODE = ("layer.unknown", "code.custom", "code.lambda", "graph.opaque")
SHOWN = 12
"""Lines of one group that are listed; the rest is counted, and stands in full among the findings."""


class Reload(Struct, frozen=True):
    """Open the same files again."""


class RestoreRecipe(Struct, frozen=True):
    """Take up the recipe that a run before left unsaved."""


class ForgetRecipe(Struct, frozen=True):
    """Let go of the recipe that a run before left unsaved."""


class Link(Struct, frozen=True):
    """A link of the banner, and what it asks for: a finding's action, or one of the window's own."""

    action: Action | Reload | RestoreRecipe | ForgetRecipe
    text: str


class Group(Struct, frozen=True):
    """Some lines under a heading, which may have a link beside it. `tone` is a severity."""

    tone: str
    title: str
    lines: tuple[str, ...]
    link: Link | None = None


class Opened(Struct, frozen=True):
    """The banner after opening: one line, and groups behind "Details"."""

    tone: str
    sentence: str
    groups: tuple[Group, ...] = ()
    links: tuple[Link, ...] = ()


def opened(source: Source) -> Opened:
    """What to say of a file that was just opened."""
    findings = source.findings
    damaged = [one for one in findings if one.severity == "error"]
    unseen = [one for one in findings if one.code in CODE and one.severity == "warning"]
    unmatched = [one for one in findings if one.code == "weight.unmatched" and one.severity == "warning"]
    repaired = [one for one in findings if one.code == "legacy.repaired"]
    parts = [_what(source)]
    groups: list[Group] = []
    if damaged:
        parts.append(_number(len(damaged), "part is damaged", "parts are damaged"))
        groups.append(Group("error", "Damaged", _lines(damaged)))
    if unseen:
        parts.append(_missing_words(unseen))
        groups += _code_groups(unseen)
    if unmatched:
        parts.append("some weights do not match")
        groups.append(Group("warning", "Weights and layers that do not match", _lines(unmatched)))
    if repaired:
        parts.append(_number(len(repaired), "repair", "repairs"))
        title = f"Converted for Keras 3 ({len(repaired)})"
        groups.append(Group("info", title, _lines(repaired)))
    rest = [one for one in findings if one not in (*damaged, *unseen, *unmatched, *repaired)]
    notes = [one for one in rest if one.code != "code.lambda"]
    replaced = [one for one in rest if one.code == "code.lambda"]
    if replaced:
        groups.append(Group("info", "Stored code that is no longer needed, and was not run", _lines(replaced)))
    if notes:
        groups.append(Group("info", "Good to know", _lines(notes)))
    tone = "error" if damaged else "warning" if unseen or unmatched else "info"
    return Opened(tone, " \u00b7 ".join(parts), tuple(groups), _links(source))


def _what(source: Source) -> str:
    layers = sum(1 for _ in source.graph.walk())
    text = f"{source.format}, {_number(layers, 'layer', 'layers')}, {count_words(source.graph.num_params())} parameters"
    if source.size:
        text += f", {size_words(source.size)}"
    if source.keras_version and source.keras_version.split(".")[0] not in source.format:
        text += f", written by Keras {source.keras_version}"
    if source.weights_path:
        return f"{text} \u00b7 weights from {Path(source.weights_path).name}"
    kinds = {"weights": "weights without a model", "architecture": "a model without weights"}
    return f"{text} \u00b7 {kinds[source.kind]}" if source.kind in kinds else text


def _missing_words(unseen: list[Finding]) -> str:
    """In words what code is not here."""
    if any(one.code == "graph.opaque" for one in unseen):
        return "its connections are unknown"
    stored = len({one.layer for one in unseen if one.code == "code.lambda"})
    unknown = sum(max(len(one.detail.splitlines()), 1) for one in unseen if one.code == "layer.unknown")
    unknown += len({one.layer for one in unseen if one.code == "code.custom"})
    words = []
    if unknown:
        words.append(_number(unknown, "layer without code", "layers without code"))
    if stored:
        words.append(_number(stored, "layer with stored code", "layers with stored code"))
    return " and ".join(words)


def _code_groups(unseen: list[Finding]) -> list[Group]:
    whole = [one for one in unseen if one.code == "graph.opaque"]
    named = [one for one in unseen if one.code not in ("code.lambda", "graph.opaque")]
    stored = [one for one in unseen if one.code == "code.lambda"]
    groups = [Group("warning", "A custom model class", _lines(whole))] if whole else []
    if named:
        title = "Code that is not in the file: layers kept unchanged, not checked"
        groups.append(Group("warning", title, _lines(named), Link(NameCode(""), "Where is it defined?")))
    if stored:
        title = "Code stored in the file: shown, never run unless you trust the file"
        groups.append(Group("warning", title, _lines(stored), Link(TrustCode(""), "Look at it")))
    return groups


def _links(source: Source) -> tuple[Link, ...]:
    if source.kind == "architecture" and not source.weights_path:
        return (Link(OpenWeights(), OpenWeights.title),)
    if source.kind == "weights":
        return (Link(OpenArchitecture(), OpenArchitecture.title),)
    return (Link(RebuildModel(), RebuildModel.title),) if source.graph.opaque else ()


def _lines(findings: Iterable[Finding]) -> tuple[str, ...]:
    lines = [one.message for one in findings]
    more = len(lines) - SHOWN
    return (*lines[:SHOWN], f"\u2026 and {more} more, among the findings below") if more > 0 else tuple(lines)


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def suggested_name(source: Source) -> str:
    """A name beside the source's that is not the source's."""
    stem = Path(source.path).name
    for ending in (".keras", ".hdf5", ".h5", ".json"):
        stem = stem.removesuffix(ending)
    return f"{stem}-adapted.keras"

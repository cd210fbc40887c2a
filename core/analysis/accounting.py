"""No array ends nowhere and no weight starts anew without a word: what was lost between source and result, told. Pure.

Every array of the source is copied, adapted, merged or dropped; every weight of the result comes from an array or
starts at new values. What is dropped or starts anew is named by a finding: the edit's own where it has one, else the
ones made here. What the file itself loses, before any edit, is an error until the recipe accepts it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from glob import escape
from typing import Any

from msgspec import Struct

from core.analysis.fates import Move
from core.edits import AcceptLosses
from core.edits.accept_losses import matching
from core.findings import Action, Finding, Fix, OpenWeights, Severity
from core.model.graph import Layer, Weight

_SHOWN = 3
_NAMED = 24
"""So many arrays are accepted by name; more by the layers that hold them."""


class Ledger(Struct, frozen=True):
    """A graph's moves and the source's arrays without a use (`dropped`)."""

    moves: tuple[Move, ...]
    dropped: tuple[str, ...]

    def fresh(self) -> list[Move]:
        """Moves of weights that no array makes, seeds apart; where quantized numbers stand in the way, that is told."""
        return [
            move
            for move in self.moves
            if move.fate.fate == "initialized" and not move.fate.note and not is_state(move.fate.weight)
        ]


class Loss(Struct, frozen=True):
    """Names of arrays or weights with one reason: how bad it is, a sentence with `{}` for them, and what settles it."""

    severity: Severity
    text: str
    names: tuple[str, ...]
    layers: tuple[str, ...]
    fix: str = ""
    field: str = ""
    weightless: bool = False
    """Whether the file holds no weights at all: opening them beside it settles this."""


def is_state(name: str) -> bool:
    """Whether a stored array is the state of a random generator, which is no weight."""
    return "seed_generator" in name


def loss_findings(
    edits: Sequence[Any],
    first: Ledger,
    last: Ledger,
    layers: Mapping[str, Layer],
    held: Mapping[str, Mapping[str, Weight]],
    told: Iterable[Finding],
) -> list[Finding]:
    """Findings that name what is dropped and what starts anew, as far as those of the edits (`told`) do not.

    `first` is the source without edits, `last` the result; `layers` the result's by path, `held` the source's arrays
    by path and name.
    """
    fresh = last.fresh()
    if not fresh and not last.dropped:
        return []
    steps = [edit for edit in edits if isinstance(edit, AcceptLosses)]
    known = _named(told)
    accepted = matching((name for step in steps for name in step.dropped), last.dropped)
    granted = matching((name for step in steps for name in step.initialized), (move.fate.weight for move in fresh))
    losses = [
        *_new_values(fresh, first, layers, held, granted, known),
        *_dropped(last, first, layers, held, accepted, known),
    ]
    return [_finding(loss) for loss in losses if loss.names]


def _new_values(
    fresh: list[Move],
    first: Ledger,
    layers: Mapping[str, Layer],
    held: Mapping[str, Mapping[str, Weight]],
    granted: Collection[str],
    known: Collection[str],
) -> list[Loss]:
    """Weights that start anew, by reason."""
    own = {(move.layer, move.name) for move in first.fresh()}
    empty = not any(held.values())
    groups: dict[str, list[Move]] = {"file": [], "bare": [], "lost": [], "wanted": [], "new": []}
    for move in fresh:
        layer = layers[move.layer]
        if move.name.endswith("idf_weights") and layer.config.get("idf_weights"):
            continue  # the layer makes them of what its config holds
        origin = layer.origin or ""
        chosen = move.fate.weight in granted or any(rule.name == "initialize" for rule in layer.rules_for(move.name))
        if (origin, move.name) in own and not chosen:
            groups["bare" if empty else "file"].append(move)
        elif move.fate.weight in known:
            continue
        elif chosen and held.get(origin):
            groups["wanted"].append(move)
        elif _had(layer, move.name, held.get(origin, {})):
            groups["lost"].append(move)
        else:
            groups["new"].append(move)

    def loss(kind: str, severity: Severity, text: str, fix: str = "") -> Loss:
        moves = groups[kind]
        names = tuple(move.fate.weight for move in moves)
        layers = tuple(move.layer for move in moves)
        return Loss(severity, text, names, layers, fix, "initialized" if fix else "", kind == "bare")

    return [
        loss(
            "file",
            "error",
            "The file has no array for {}, which its own model needs; {they} would start at initial values.",
            "Let {them} start at initial values",
        ),
        loss(
            "bare",
            "warning",
            "The file holds no weights: {} start{s} at initial values. Open it together with its weights to load them.",
        ),
        loss("lost", "warning", "{} start{s} at initial values although the source has arrays for {that_layer}."),
        loss("wanted", "info", "{} start{s} at initial values, as the recipe says."),
        loss("new", "info", "{} {are} new: {they} start{s} at initial values."),
    ]


def _had(layer: Layer, name: str, before: Mapping[str, Weight]) -> bool:
    """Whether the source has an array for a weight of this layer: of its name, or one that has no use now."""
    if not before:
        return False
    kept = {weight.source for weight in layer.weights}
    return name in before or any(weight.source not in kept for weight in before.values() if not weight.state)


def _dropped(
    last: Ledger,
    first: Ledger,
    layers: Mapping[str, Layer],
    held: Mapping[str, Mapping[str, Weight]],
    accepted: Collection[str],
    known: Collection[str],
) -> list[Loss]:
    """Arrays of the source that go nowhere, by reason."""
    if not last.dropped:
        return []
    here = {layer.origin: layer for layer in layers.values() if layer.origin}
    own, places = set(first.dropped), {f"{path}/{name}": (path, name) for path, found in held.items() for name in found}
    groups: dict[str, list[str]] = {"file": [], "wanted": [], "taken": [], "gone": [], "lost": []}
    for array in last.dropped:
        path, name = places.get(array, ("", array))
        layer = here.get(path)
        if array in own and array not in accepted and (layer is not None or not path):
            groups["file"].append(array)
        elif array in known:
            continue
        elif array in accepted:
            groups["wanted"].append(array)
        elif layer is None:
            groups["gone"].append(array)
        elif any(weight.name == name and weight.source and weight.source.file for weight in layer.weights):
            groups["taken"].append(array)
        elif any(rule.name == "initialize" for rule in layer.rules_for(name)):
            groups["wanted"].append(array)
        else:
            groups["lost"].append(array)

    def loss(kind: str, severity: Severity, text: str, fix: str = "") -> Loss:
        names = tuple(groups[kind])
        at = tuple(places.get(name, ("", name))[0] for name in names)
        return Loss(severity, text, names, at, fix, "dropped" if fix else "")

    return [
        loss("file", "error", "The file's own model does not use {}; {they} would be dropped.", "Drop {them}"),
        loss("lost", "warning", "The model no longer uses {}: {they} {are} dropped."),
        loss("taken", "info", "{} {are} dropped: arrays of another file take {their} place."),
        loss("wanted", "info", "{} {are} dropped, as the recipe says."),
        loss("gone", "info", "{} {are} dropped together with {that_layer}."),
    ]


def _finding(loss: Loss) -> Finding:
    """The first names and how many more; all of them on demand."""
    count, shown = len(loss.names), ", ".join(loss.names[:_SHOWN])
    more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
    one, layers = count == 1, dict.fromkeys(loss.layers)
    words = {
        "they": "it" if one else "they",
        "them": "it" if one else "them",
        "their": "its" if one else "their",
        "are": "is" if one else "are",
        "s": "s" if one else "",
        "that_layer": "that layer" if len(layers) == 1 else "these layers",
    }
    actions: tuple[Action, ...] = (OpenWeights(),) if loss.weightless else ()
    if loss.fix:
        patterns = loss.names if count <= _NAMED else tuple(f"{escape(layer)}/*" for layer in layers)
        dropped = loss.field == "dropped"
        edit = AcceptLosses(dropped=patterns) if dropped else AcceptLosses(initialized=patterns)
        actions = (Fix(loss.fix.format(**words), (edit,)),)
    text = loss.text.format(shown + more, **words)
    return Finding(loss.severity, "weight.unmatched", next(iter(layers)), text, actions, "\n".join(loss.names))


def _named(findings: Iterable[Finding]) -> frozenset[str]:
    """What findings name: every line of their details, and the words of sentences about arrays without a partner."""
    names: set[str] = set()
    for finding in findings:
        names.update(finding.detail.splitlines())
        if finding.code == "weight.unmatched":
            names.update(word.strip(",.;:()") for word in finding.message.split())
    return frozenset(names)

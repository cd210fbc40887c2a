"""Arrays of the person's own classes that cannot be placed: never a random start in silence."""

from collections.abc import Iterable, Mapping

from core.analysis.fates import Move
from core.edits import SetRule
from core.findings import Finding, Fix
from core.model.graph import Layer
from core.readers.arrays.identity import needs_code
from core.rules import Initialize
from core.rules.initialize import LAYER


def unplaced_findings(moves: Iterable[Move], layers: Mapping[str, Layer]) -> list[Finding]:
    """An error for each layer of the person's class that would start at random beside arrays of the file."""
    by_layer: dict[str, list[Move]] = {}
    for move in moves:
        by_layer.setdefault(move.layer, []).append(move)
    found = []
    for path, mine in by_layer.items():
        layer = layers[path]
        fresh = [move for move in mine if _starts_by_itself(move)]
        if not fresh or layer.opaque or not layer.weights or not needs_code(layer):
            continue
        used = {move.source for move in mine}
        left = [weight.name for weight in layer.weights if weight.source not in used]
        needs = f"{path} ({layer.class_name}) needs {', '.join(move.name for move in fresh)}"
        why = (
            f"the file has {', '.join(left)} for it, and names, order and shapes do not show which array is which"
            if left
            else "the file has no array for this"
        )
        message = (
            f"{needs}, but {why}. Use the code that the file was saved with, or let these weights start at initial "
            "values."
        )
        edits = tuple(SetRule(weight=move.fate.weight, rule=Initialize(initializer=LAYER)) for move in fresh)
        found.append(Finding("error", "weight.unmatched", path, message, (Fix("Start them at initial values", edits),)))
    return found


def _starts_by_itself(move: Move) -> bool:
    """Whether an array starts anew without anybody having said so; seeds may."""
    return move.fate.fate == "initialized" and move.fate.rule is None and "seed" not in move.name

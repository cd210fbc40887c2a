"""Both sides of a transfer of weights before it happens: which array would go where, and as what."""

from core.edits import TransferWeights
from core.edits.transfer_weights import holders, transferred
from core.errors import SutureError
from core.layers.descriptions import Matching, RecipeCheck, WeightMatch
from core.model.plan import Plan
from core.readers.arrays.transforms import plain_keys
from core.readers.source import Source

_SHOWN = 5000
_NUMBER = -1
"""The other file, while nobody has opened it for a recipe."""


def aligned(before: Plan, after: Plan | None, other: Source, edit: TransferWeights, problem: str = "") -> Matching:
    """The model's weights (as `before` plans them) beside the file's, with the fates of `after`."""
    try:
        done = transferred(before.graph, other, _NUMBER, edit.match, edit.pairs)
    except SutureError as error:
        return _sides(before, other, error.message)
    fates = {fate.weight: fate for fate in after.fates} if after is not None else {}
    theirs = {
        name: (f"{path}/{weight.name}", weight.shape)
        for path, layer in other.graph.walk()
        for weight in layer.weights
        if weight.source is not None
        for name in plain_keys(weight.source.key)
    }
    rows = []
    for path, layer in done.graph.walk():
        for weight in layer.weights:
            if weight.state:
                continue
            ours = weight.source is None or weight.source.file != _NUMBER
            first = "" if ours or weight.source is None else plain_keys(weight.source.key)[0]
            source, shape = theirs.get(first, ("", None))
            fate = fates.get(f"{path}/{weight.name}")
            rows.append(
                WeightMatch(
                    path,
                    weight.name,
                    fate.shape if fate is not None else weight.shape,
                    source,
                    shape,
                    fate.fate if fate is not None else "copied",
                    (fate.rule or "") if fate is not None else "",
                )
            )
    sides = _sides(before, other, problem)
    left = done.pairing.theirs
    return Matching(tuple(rows[:_SHOWN]), left, sides.ours, sides.theirs, len(done.layers), problem)


def _sides(before: Plan, other: Source, problem: str) -> Matching:
    return Matching(
        (),
        (),
        tuple(path for path, layer in before.graph.walk() if layer.weights),
        tuple(holders(other.graph)),
        0,
        problem,
    )


def verdict(plan: Plan) -> RecipeCheck:
    """Whether a plan is clean, else its first error."""
    first = next((finding.message for finding in plan.findings if finding.severity == "error"), "")
    return RecipeCheck(plan.ok, "" if plan.ok else first)

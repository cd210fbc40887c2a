"""Both sides of a transfer of weights before it happens: which array would go where, and as what."""

from core.descriptions import Matching, RecipeCheck, WeightMatch
from core.edits import TransferWeights
from core.edits.transfer_weights import holders, pairing
from core.errors import SutureError
from core.plan import Plan
from core.readers.source import Source

_SHOWN = 5000


def aligned(before: Plan, after: Plan | None, other: Source, edit: TransferWeights, problem: str = "") -> Matching:
    """The model's weights (as `before` plans them) beside the file's, with the fates of `after`."""
    graph = before.graph
    try:
        found = pairing(graph, other.graph, edit.match, edit.pairs)
    except SutureError as error:
        return _sides(before, other, error.message)
    pairs = dict(found.pairs)
    fates = {fate.weight: fate for fate in after.fates} if after is not None else {}
    theirs = holders(other.graph)
    rows = []
    for path, layer in graph.walk():
        given = [weight for weight in theirs[pairs[path]].weights if not weight.state] if path in pairs else []
        mine = layer.weights or tuple(given)
        by_name = {weight.name: weight for weight in given}
        for place, weight in enumerate(one for one in mine if not one.state):
            match = by_name.get(weight.name) or (given[place] if place < len(given) else None)
            fate = fates.get(f"{path}/{weight.name}")
            source = f"{pairs[path]}/{match.name}" if match is not None else ""
            if fate is not None and fate.source and path in pairs:
                # the array alone is not enough: every Dense holds a kernel
                source = fate.source if "/" in fate.source else f"{pairs[path]}/{fate.source}"
            rows.append(
                WeightMatch(
                    path,
                    weight.name,
                    fate.shape if fate is not None else weight.shape,
                    source,
                    match.shape if match is not None else None,
                    fate.fate if fate is not None else "copied",
                    (fate.rule or "") if fate is not None else "",
                )
            )
    sides = _sides(before, other, problem)
    return Matching(tuple(rows[:_SHOWN]), found.theirs, sides.ours, sides.theirs, len(pairs), problem)


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

"""Both sides of a transfer of weights before it happens: which array would go where, and as what.

The answer is read from the plan that the transfer would give, so that preview, plan and result are the same.
"""

from msgspec import Struct

from core.analysis.accounting import is_state
from core.edits import TransferWeights
from core.edits.transfer_weights import holders
from core.layers.descriptions import Matching, RecipeCheck, WeightMatch
from core.model.plan import Fate, Plan
from core.readers.source import Source

_SHOWN = 5000


class Taking(Struct, frozen=True):
    """What a plan takes of one further file: each weight's layer, name and fate, and whether its array is the file's;
    the layers that take something; the layers of the file that nothing is taken of.
    """

    weights: tuple[tuple[str, str, Fate, bool], ...]
    layers: tuple[str, ...]
    unused: tuple[str, ...]


def taking(plan: Plan, name: str, other: Source) -> Taking:
    """Which array of the further file `name` each weight takes, and which weights keep their own."""
    weights = []
    layers: dict[str, None] = {}
    used = set()
    paths = plan.graph.by_path()
    for fate in plan.fates:
        if is_state(fate.weight):
            continue
        path = fate.weight.rpartition("/")[0]
        while path and path not in paths:  # names of weights hold slashes too
            path = path.rpartition("/")[0]
        own = fate.further and fate.file == name
        weights.append((path, fate.weight[len(path) + 1 :] if path else fate.weight, fate, own))
        if own:
            layers[path] = None
            used.add(fate.source)
    unused = [
        path
        for path, layer in holders(other.graph).items()
        if used.isdisjoint(f"{path}/{weight.name}" for weight in layer.weights)
    ]
    return Taking(tuple(weights), tuple(layers), tuple(unused))


def aligned(before: Plan, after: Plan | None, other: Source, edit: TransferWeights, problem: str = "") -> Matching:
    """The model's weights (as `before` has them) beside the file's: what `after`, the plan with the transfer, does."""
    ours, theirs = tuple(path for path, layer in before.graph.walk() if layer.weights), tuple(holders(other.graph))
    if after is None:
        return Matching((), (), ours, theirs, problem=problem)
    found = taking(after, edit.file, other)
    rows = tuple(
        WeightMatch(
            layer,
            name,
            fate.shape,
            (fate.source or "") if own else "",
            fate.source_shape if own else None,
            fate.fate,
            fate.rule or "",
        )
        for layer, name, fate, own in found.weights
    )
    return Matching(
        rows[:_SHOWN],
        found.unused,
        ours,
        theirs,
        paired=len(found.layers),
        problem=problem,
        given=sum(bool(row.source) for row in rows),
        unfit=sum(row.fate == "mismatched" for row in rows),
        weights=len(rows),
    )


def verdict(plan: Plan) -> RecipeCheck:
    """Whether a plan is clean, else its first error."""
    first = next((finding.message for finding in plan.findings if finding.severity == "error"), "")
    return RecipeCheck(plan.ok, "" if plan.ok else first)

"""Between which two graphs each edit's contract is checked.

A contract speaks of the model before its edit and the one after it. Neither need be the source or the result: a head
that was replaced says nothing against a gray input that was folded in before. So a recipe is cut into stages, at the
steps whose every weight is settled; rules and flags set by hand belong to the edit that they follow.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from core.analysis.fates import Move
from core.edits.base import Edit
from core.edits.set_rule import SetRule
from core.engine.shapes import Shaped
from core.findings import Finding
from core.model.contract import Contract, End
from core.model.graph import first_paths
from core.readers.source import Source


class Step(Struct, frozen=True):
    """The graph after an edit, its weights' fates, and what that edit has to say. `edit` is `None` for the source.

    `others` are the further files that the edit has read. A step that was refused has a `refusal`, the graph before it,
    and `ways` to say it otherwise.
    """

    edit: Edit | None
    shaped: Shaped
    moves: tuple[Move, ...]
    contracts: tuple[Contract, ...] = ()
    findings: tuple[Finding, ...] = ()
    others: Mapping[str, Source] = {}
    refusal: str = ""
    ways: tuple[tuple[str, Edit], ...] = ()

    @property
    def follows(self) -> bool:
        """Whether the step belongs to the edit before it."""
        return self.edit is not None and self.edit.follows

    def settled(self) -> bool:
        """Whether a model could be built from this step."""
        return not self.shaped.problems and all(move.fate.fate != "mismatched" for move in self.moves)


class Stage(Struct, frozen=True):
    """Contracts that hold between two steps."""

    before: Step
    after: Step
    contracts: tuple[Contract, ...]


def stages(steps: Sequence[Step]) -> tuple[Stage, ...]:
    """The stages of a recipe that have contracts. `steps[0]` is the source.

    Where edits can only be built together, none of their contracts is about both ends, so there is none. A rule set by
    hand after an edit makes its contract a measurement. Nothing can be held against a model whose code is not here, or
    whose own weights would start at other values after the edit.
    """
    found = []
    start = 0
    for end in range(1, len(steps)):
        last = end == len(steps) - 1
        if not last and (steps[end + 1].follows or not steps[end].settled()):
            continue
        stage = steps[start + 1 : end + 1]
        edits = [step for step in stage if not step.follows] or stage[-1:]
        if len(edits) == 1 and edits[0].contracts and _comparable(steps[start], steps[end]):
            overruled = any(isinstance(step.edit, SetRule) for step in stage)
            contracts = tuple(
                replace(one, exact=one.exact and not overruled)
                for one in edits[0].contracts
                if one.holds_between(_end(steps[start]), _end(steps[end]))
            )
            if contracts:
                found.append(Stage(steps[start], steps[end], contracts))
        start = end
    return tuple(found)


def _end(step: Step) -> End:
    """What a contract may ask of the model at a step."""
    outputs = tuple(spec.shape for spec in step.shaped.outputs())
    return End(outputs, {move.fate.weight: move.fate.shape for move in step.moves})


def _comparable(before: Step, after: Step) -> bool:
    """Whether both can be run, with the same values in the weights that no file has.

    They start by their shape and the place that their layer came to.
    """
    if any(layer.opaque for step in (before, after) for _, layer in step.shaped.graph.walk()):
        return False
    old, new = (_started(step) for step in (before, after))
    return not (old - new and new - old)


def _started(step: Step) -> set[tuple[str, str, tuple[int, ...]]]:
    """The weights that start anew: where their layer came to, their name and shape."""
    fresh = [move for move in step.moves if move.fate.fate == "initialized"]
    first = first_paths(step.shaped.graph) if fresh else {}
    return {(first[move.layer], move.name, move.fate.shape) for move in fresh}

"""Whether a file that was checked is the planned model at all, and what to say when its arrays are not the plan's."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from core.engine.planner import Planned
from core.model.plan import Fate

Sizes = tuple[int, ...]
_MOST = 0.5
"""The share of planned weights that may be absent before a file is called another model."""


def difference(planned: Planned, found: Mapping[str, Sizes], wrong: Collection[str], name: str) -> str:
    """One sentence about a file whose arrays differ from the plan's; empty where none does.

    `found` are the shapes of the planned weights that the file has, by their path; `wrong` the weights that do not
    hold the planned values, those that are not there among them.
    """
    if not wrong:
        return ""
    fates = _numbers(planned)
    absent = _absent(planned, found)
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        count = f"{len(absent)} of the {len(fates)} planned weights {verb} missing or have another shape"
        return another(planned, found, name) or f"{name} is not the planned model: {count}, such as {absent[0]}."
    # what starts at a constant is the same in every model of this shape
    telling = [fate.weight for fate in fates if fate.as_stored or fate.fate == "adapted"]
    differ = set(wrong)
    if len(telling) > 1 and differ.issuperset(telling):
        return (
            f"{name} has the planned layers but none of the planned values: it holds other weights, from another "
            "training or another recipe."
        )
    first = next(iter(wrong))
    count = "1 array differs" if len(differ) == 1 else f"{len(differ)} arrays differ"
    return f"{first} does not hold the planned values ({count})."


def another(planned: Planned, found: Mapping[str, Sizes] | None, name: str) -> str:
    """One sentence where a file lacks so many of the planned weights that it is another model; else empty."""
    absent = _absent(planned, found or {})
    many = len(_numbers(planned))
    if found is None or len(absent) <= _MOST * many:
        return ""
    count = "none" if len(absent) == many else f"only {many - len(absent)}"
    return f"{name} is another model: it has {count} of the {many} planned weights; {absent[0]} is not there."


def _numbers(planned: Planned) -> list[Fate]:
    """The fates of weights that hold numbers."""
    return [move.fate for move in planned.moves if not move.fate.dtype.startswith("string")]


def _absent(planned: Planned, found: Mapping[str, Sizes]) -> list[str]:
    """The planned weights that a file lacks, or has in another shape."""
    return [fate.weight for fate in _numbers(planned) if found.get(fate.weight) != fate.shape]


def from_files(planned: Planned, wrong: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """How many arrays are those of another file, bit for bit, by file: `wrong` ones apart, and those in other types."""
    layers, apart = planned.plan.graph.by_path(), set(wrong)
    counts: Counter[str] = Counter()
    for move in planned.moves:
        fate = move.fate
        if fate.fate != "transferred" or fate.weight in apart or fate.dtype.startswith("string"):
            continue
        stored = {weight.dtype for weight in layers[move.layer].weights if weight.source == move.source}
        if fate.dtype in stored:
            counts[fate.file] += 1
    return tuple(counts.items())

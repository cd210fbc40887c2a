"""Arrays of a result without the model around them, to be listed or saved."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from core.engine.arrays import Arrays
from core.engine.execute import refuse_errors
from core.engine.planner import Planned
from core.writers.array_choice import chosen
from core.writers.array_files import NamedArray


@contextmanager
def result_arrays(planned: Planned, patterns: Sequence[str] = ()) -> Iterator[list[NamedArray]]:
    """The arrays of the planned model, each to be read through its rules. Raises `PlanRefused`, `FileError`.

    `patterns` are paths of arrays or layers, or globs; none means all. Text (a vocabulary) is no array of numbers.
    """
    refuse_errors(planned)
    moves = [move for move in planned.moves if not move.fate.dtype.startswith("string")]
    wanted = chosen([move.fate.weight for move in moves], patterns)
    with Arrays(planned.plan.graph, planned.files) as arrays:
        yield [
            NamedArray(move.fate.weight, partial(arrays.values, move), move.fate.shape, move.fate.dtype)
            for move in moves
            if move.fate.weight in wanted
        ]

"""Common runs: Python's own `difflib` is the oracle."""

from difflib import SequenceMatcher

from hypothesis import given
from hypothesis import strategies as st

from core.model.runs import CommonRuns

FEW = st.lists(st.sampled_from("abc"), max_size=40)


@given(FEW, FEW)
def test_that_runs_are_those_of_difflib(first: list[str], second: list[str]) -> None:
    expected = SequenceMatcher(None, first, second, autojunk=False).get_opcodes()
    assert CommonRuns(first, second).get_opcodes() == expected


@given(FEW, FEW, FEW)
def test_that_something_put_in_between_shifts_nothing_for_difflib_or_us(
    head: list[str], between: list[str], tail: list[str]
) -> None:
    first, second = [*head, *tail], [*head, *between, *tail]
    expected = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    assert CommonRuns(first, second).get_matching_blocks() == expected


class Counted:
    """A thing that counts how often it is compared or looked up."""

    times = 0

    def __init__(self, kind: int) -> None:
        self.kind = kind

    def __hash__(self) -> int:
        type(self).times += 1
        return hash(self.kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counted) and self.kind == other.kind


def test_that_equal_things_are_not_compared_pair_by_pair() -> None:
    """Two kinds in turn, 2,000 of them: Python's own looks at a million pairs."""
    items = [Counted(number % 2) for number in range(2_000)]
    Counted.times = 0
    blocks = CommonRuns(items, items[1:]).get_matching_blocks()
    assert blocks[0].size == 1_999
    assert Counted.times == 3_999

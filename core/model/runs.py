"""Common runs of two sequences, as `difflib` finds them, in a time that grows with their length alone."""

from collections.abc import Hashable, Sequence
from difflib import Match, SequenceMatcher
from typing import Any

from typing_extensions import override


class CommonRuns(SequenceMatcher[Any]):
    """A `SequenceMatcher` of the same answers, for sequences in which few kinds of things come again and again.

    Python's own looks at every pair of equal things for each run, a hundred million pairs for two models of ten
    thousand layers. The automaton of all runs of one side tells the longest that the other has in a single pass
    (Blumer et al. 1985, "The smallest automaton recognizing the subwords of a text").
    """

    def __init__(self, first: Sequence[Hashable], second: Sequence[Hashable]) -> None:
        numbers: dict[Hashable, int] = {}
        one, two = ([numbers.setdefault(item, len(numbers)) for item in side] for side in (first, second))
        super().__init__(None, one, two, autojunk=False)
        self._first, self._second = one, two

    @override
    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        """The longest common run inside these bounds: of several the first in the first sequence, then the second."""
        ahi, bhi = len(self._first) if ahi is None else ahi, len(self._second) if bhi is None else bhi
        following, links, lengths, ends = _automaton(self._second[blo:bhi])
        best = Match(alo, blo, 0)
        state = length = 0
        for place in range(alo, ahi):
            item = self._first[place]
            while state and item not in following[state]:
                state = links[state]
                length = lengths[state]
            if item in following[state]:
                state, length = following[state][item], length + 1
            if length > best.size:
                best = Match(place - length + 1, blo + ends[state] - length + 1, length)
        return best


def _automaton(items: Sequence[int]) -> tuple[list[dict[int, int]], list[int], list[int], list[int]]:
    """States by number: where each item leads, the state of the next shorter runs, the longest run that leads here,
    and where its first occurrence ends.
    """
    following: list[dict[int, int]] = [{}]
    links, lengths, ends = [-1], [0], [-1]
    last = 0
    for place, item in enumerate(items):
        fresh, at = len(following), last
        following.append({})
        links.append(0)
        lengths.append(lengths[last] + 1)
        ends.append(place)
        while at >= 0 and item not in following[at]:
            following[at][item] = fresh
            at = links[at]
        if at >= 0:
            old = following[at][item]
            if lengths[old] == lengths[at] + 1:
                links[fresh] = old
            else:
                twin = len(following)
                following.append(dict(following[old]))
                links.append(links[old])
                lengths.append(lengths[at] + 1)
                ends.append(ends[old])
                while at >= 0 and following[at].get(item) == old:
                    following[at][item] = twin
                    at = links[at]
                links[old] = links[fresh] = twin
        last = fresh
    return following, links, lengths, ends

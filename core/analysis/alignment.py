"""Which layer of one graph is which of another: by name, else by structure and shape.

Names that somebody gave pair layers wherever they lie. Names that Keras counts (`conv2d_7`) say little between two
models, so such layers must also have the same arrays and the same neighbours; what is left is aligned in the order of
the two models, between the pairs that are certain. The cost is near linear in the number of layers.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

from msgspec import Struct

from core.model.graph import Graph, Layer
from core.model.names import snake_case
from core.stopping import checkpoint

ROUNDS = 3
LARGEST_TABLE = 60_000


class Pair(Struct, frozen=True):
    """A layer of A and the layer of B that it is, by their paths."""

    a: str
    b: str

    @property
    def renamed(self) -> bool:
        """Whether the two have other paths."""
        return self.a != self.b


class Alignment(Struct, frozen=True):
    """Every layer of both graphs once: in a pair (in A's order), or alone."""

    pairs: tuple[Pair, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]


class _Entry(Struct, frozen=True):
    """A layer as far as alignment looks at it. `contexts` are hashes of what lies up to 0, 1, ... calls around it."""

    path: str
    kind: str
    counted: bool
    arrays: tuple[tuple[str, tuple[int, ...]], ...]
    contexts: tuple[int, ...]

    @property
    def same(self) -> int:
        """Equal for layers of one class with arrays of the same names and shapes."""
        return self.contexts[0]


def align(a: Graph, b: Graph) -> Alignment:
    """Pair the layers of two graphs, those of nested models included."""
    return _Aligner(_entries(a), _entries(b)).run()


class _Aligner:
    """One run: `found` are the pairs so far, as places in the two lists."""

    def __init__(self, a: list[_Entry], b: list[_Entry]) -> None:
        self.a, self.b = a, b
        self.found: dict[int, int] = {}
        self.taken: set[int] = set()

    def run(self) -> Alignment:
        """All passes, the certain ones first."""
        places = {entry.path: place for place, entry in enumerate(self.b)}
        self._by_name(places)
        chain = _rising(sorted(self.found.items()))
        for low, high in zip([(-1, -1), *chain], [*chain, (len(self.a), len(self.b))], strict=True):
            self._between(range(low[0] + 1, high[0]), range(low[1] + 1, high[1]))
        self._left_over(places)
        pairs = tuple(Pair(self.a[one].path, self.b[other].path) for one, other in sorted(self.found.items()))
        return Alignment(
            pairs,
            tuple(entry.path for place, entry in enumerate(self.a) if place not in self.found),
            tuple(entry.path for place, entry in enumerate(self.b) if place not in self.taken),
        )

    def _pair(self, one: int, other: int) -> None:
        self.found[one] = other
        self.taken.add(other)

    def _by_name(self, places: dict[str, int]) -> None:
        counted = []
        for one, entry in enumerate(self.a):
            other = places.get(entry.path)
            if other is None or self.b[other].kind != entry.kind:
                continue
            if not entry.counted:
                self._pair(one, other)
            elif entry.contexts[1] == self.b[other].contexts[1]:
                counted.append((one, other))
        for one, other in _rising(counted):
            self._pair(one, other)

    def _between(self, ones: Iterable[int], others: Iterable[int]) -> None:
        """Align what lies between two certain pairs: first what is unique on both sides, then the rest in order."""
        stack = [([one for one in ones if one not in self.found], [each for each in others if each not in self.taken])]
        while stack:
            checkpoint()
            left, right = stack.pop()
            if not left or not right:
                continue
            anchors = self._unique(left, right)
            if not anchors:
                self._in_order(left, right)
                continue
            start = (0, 0)
            for one, other in [*anchors, (len(left), len(right))]:
                stack.append((left[start[0] : one], right[start[1] : other]))
                start = one + 1, other + 1
            for one, other in anchors:
                self._pair(left[one], right[other])

    def _unique(self, left: list[int], right: list[int]) -> list[tuple[int, int]]:
        """Places of layers whose surroundings occur once on each side and are the same, in rising order."""
        for depth in range(ROUNDS, -1, -1):
            hashes = [[side[place].contexts[depth] for place in places] for side, places in self._sides(left, right)]
            counts = [Counter(each) for each in hashes]
            there = {mark: place for place, mark in enumerate(hashes[1]) if counts[1][mark] == 1}
            pairs = [(at, there[mark]) for at, mark in enumerate(hashes[0]) if counts[0][mark] == 1 and mark in there]
            if pairs:
                return _rising(pairs)
        return []

    def _sides(self, left: list[int], right: list[int]) -> tuple[tuple[list[_Entry], list[int]], ...]:
        return (self.a, left), (self.b, right)

    def _in_order(self, left: list[int], right: list[int]) -> None:
        if len(left) * len(right) > LARGEST_TABLE:
            blocks = SequenceMatcher(
                None, [self.a[one].same for one in left], [self.b[other].same for other in right], autojunk=True
            ).get_matching_blocks()
            for block in blocks:
                for step in range(block.size):
                    self._pair(left[block.a + step], right[block.b + step])
            return
        for one, other in _best(left, right, lambda one, other: _likeness(self.a[one], self.b[other])):
            self._pair(one, other)

    def _left_over(self, places: dict[str, int]) -> None:
        """What order could not pair: the same path, or the same unique surroundings elsewhere."""
        for one, entry in enumerate(self.a):
            other = places.get(entry.path)
            if one not in self.found and other is not None and other not in self.taken:
                self._pair(one, other)
        left = [one for one in range(len(self.a)) if one not in self.found and self.a[one].arrays]
        right = [other for other in range(len(self.b)) if other not in self.taken and self.b[other].arrays]
        counts = [Counter(side[place].contexts[1] for place in each) for side, each in self._sides(left, right)]
        there = {self.b[other].contexts[1]: other for other in right}
        for one in left:
            mark = self.a[one].contexts[1]
            if counts[0][mark] == counts[1][mark] == 1:
                self._pair(one, there[mark])


def _likeness(a: _Entry, b: _Entry) -> float:
    """How much two layers speak for being one; 0 where they cannot be."""
    if a.path == b.path:
        return 4.5 if a.same == b.same else 3.0
    if a.same == b.same:
        return 3.0 + (a.contexts[1] == b.contexts[1])
    ranks = [[(name, len(shape)) for name, shape in one.arrays] for one in (a, b)]
    return 1.0 if a.kind == b.kind and a.counted and b.counted and ranks[0] == ranks[1] else 0.0


def _best(left: list[int], right: list[int], likeness: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """The pairs in rising order whose likeness is greatest in sum (Needleman and Wunsch 1970, gaps free)."""
    table = [[0.0] * (len(right) + 1)]
    for one in left:
        above, row = table[-1], [0.0]
        for at, other in enumerate(right):
            like = likeness(one, other)
            row.append(max(above[at + 1], row[at], above[at] + like if like else 0.0))
        table.append(row)
    pairs = []
    one, other = len(left), len(right)
    while one and other:
        if table[one][other] == table[one - 1][other]:
            one -= 1
        elif table[one][other] == table[one][other - 1]:
            other -= 1
        else:
            one, other = one - 1, other - 1
            pairs.append((left[one], right[other]))
    return pairs


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs, given in order of their first places, whose second places rise too (patience sort)."""
    tails: list[int] = []
    last: list[int] = []
    before: list[int | None] = []
    for number, (_, other) in enumerate(pairs):
        place = bisect_left(tails, other)
        tails[place : place + 1] = [other]
        last[place : place + 1] = [number]
        before.append(last[place - 1] if place else None)
    chain = []
    at = last[-1] if last else None
    while at is not None:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]


def _entries(graph: Graph) -> list[_Entry]:
    entries: list[_Entry] = []
    _level(graph, "", entries)
    return entries


def _level(graph: Graph, prefix: str, entries: list[_Entry]) -> None:
    arrays = {layer.name: tuple((one.name, one.shape) for one in layer.weights) for layer in graph.layers}
    marks = {layer.name: hash((layer.class_name, arrays[layer.name])) for layer in graph.layers}
    around = _neighbours(graph)
    contexts = {name: [mark] for name, mark in marks.items()}
    for _ in range(ROUNDS):
        checkpoint()
        marks = {
            name: hash((contexts[name][0], tuple(marks.get(one, 0) for one in into), _bag(marks, out)))
            for name, (into, out) in around.items()
        }
        for name, mark in marks.items():
            contexts[name].append(mark)
    for layer in graph.layers:
        entries.append(
            _Entry(
                prefix + layer.name,
                layer.class_name,
                _is_counted(layer),
                arrays[layer.name],
                tuple(contexts[layer.name]),
            )
        )
        if layer.inner is not None:
            _level(layer.inner, f"{prefix}{layer.name}/", entries)


def _neighbours(graph: Graph) -> dict[str, tuple[list[str], list[str]]]:
    """For each layer of a level those that it takes from, in order, and those that take from it.

    A level whose connections are not in the file is taken as a chain.
    """
    around: dict[str, tuple[list[str], list[str]]] = {layer.name: ([], []) for layer in graph.layers}
    if not any(call.inputs() for layer in graph.layers for call in layer.calls):
        names = [layer.name for layer in graph.layers]
        for one, other in pairwise(names):
            around[one][1].append(other)
            around[other][0].append(one)
        return around
    for layer in graph.layers:
        for call in layer.calls:
            for ref in call.inputs():
                around[layer.name][0].append(ref.layer)
                if ref.layer in around:
                    around[ref.layer][1].append(layer.name)
    return around


def _bag(marks: dict[str, int], names: Iterable[str]) -> Any:
    return tuple(sorted(marks.get(name, 0) for name in names))


def _is_counted(layer: Layer) -> bool:
    """Whether a name is the one that Keras gives by itself: the class in snake case, and a number."""
    kind = "input(_layer)?" if layer.is_input else re.escape(snake_case(layer.class_name))
    return re.fullmatch(rf"{kind}(_\d+)?", layer.name) is not None

"""How far left or right everything stands: the longest way through the model straight down, the rest close beside it.

Qt-free. Blocks that follow each other without a branch, and the bends of one long edge, stay in one vertical line (a
unit). Units are packed outwards from the longest way, which keeps skip connections tight along the blocks they skip.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gui.canvas.ordering import Pair, Ranks

BEND_EXTENT = 4.0
GAP = 30.0
BEND_GAP = 16.0
LANE_BIAS = 90.0


@dataclass(slots=True)
class Extents:
    """How far each block reaches to the left and right of its anchor."""

    left: Sequence[float]
    right: Sequence[float]

    def of(self, number: int) -> tuple[float, float]:
        """Left and right reach of a block, or of a bend."""
        if number < len(self.left):
            return self.left[number], self.right[number]
        return BEND_EXTENT, BEND_EXTENT


def columns(ranks: Ranks, count: int, edges: Sequence[Pair], extents: Extents, weights: Sequence[float]) -> list[float]:
    """The x of each block's anchor and of each bend, indexed by number; 0 is the longest way."""
    size = 1 + max((number for row in ranks.ranks for number in row), default=-1)
    above, below = _neighbours(ranks, size, edges)
    row_of = [0] * size
    for index, row in enumerate(ranks.ranks):
        for number in row:
            row_of[number] = index
    spine = _spine(ranks, count, below, row_of, weights)
    unit = _units(ranks, size, above, below, spine)
    x = [0.0] * size
    halves = _halves(ranks, count, above, below, spine, extents)
    for side, half in zip((-1, 1), halves, strict=True):
        _pack(half, side, spine, unit, extents, count, above, below, x)
    return x


def _neighbours(ranks: Ranks, size: int, edges: Sequence[Pair]) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in range(size)]
    below: list[list[int]] = [[] for _ in range(size)]
    lanes = set(ranks.lanes)
    for pair in edges:
        if pair in lanes:
            continue
        way = [pair[0], *ranks.chains.get(pair, ()), pair[1]]
        for upper, lower in pairwise(way):
            below[upper].append(lower)
            above[lower].append(upper)
    return above, below


def _spine(
    ranks: Ranks, count: int, below: list[list[int]], row_of: list[int], weights: Sequence[float]
) -> dict[int, int]:
    """The heaviest way through the model, as rank -> number."""
    best = [0.0] * len(below)
    step = [-1] * len(below)
    for row in reversed(ranks.ranks):
        for number in row:
            for target in below[number]:
                if row_of[target] > row_of[number] and best[target] > best[number]:
                    best[number], step[number] = best[target], target
            best[number] += weights[number] if number < count else 0.0
    start = max((number for row in ranks.ranks for number in row), key=lambda number: (best[number], -number))
    spine = {}
    while start >= 0:
        spine[row_of[start]] = start
        start = step[start]
    return spine


def _units(ranks: Ranks, size: int, above: list[list[int]], below: list[list[int]], spine: dict[int, int]) -> list[int]:
    """Which vertical line each number belongs to, named by its topmost number. The spine's own are -1."""
    on_spine = set(spine.values())
    unit = list(range(size))
    for row in ranks.ranks:
        for number in row:
            if number in on_spine:
                unit[number] = -1
            elif len(above[number]) == 1:
                upper = above[number][0]
                if upper not in on_spine and len(below[upper]) == 1:
                    unit[number] = unit[upper]
    return unit


def _halves(
    ranks: Ranks, count: int, above: list[list[int]], below: list[list[int]], spine: dict[int, int], extents: Extents
) -> tuple[list[list[int]], list[list[int]]]:
    """Each rank's numbers left and right of the spine, from the inside out.

    Branches that hang on the spine alone (those of an Inception module, a skip connection) may stand on either side:
    the shortest are placed first, each where it comes nearer to the spine. Whatever else there is keeps its side.
    """
    side, distance = _sides(ranks, spine)
    parts, bound = _parts(side, above, below)
    row_of = {number: index for index, row in enumerate(ranks.ranks) for number in row}
    halves: tuple[list[list[int]], list[list[int]]] = ([[] for _ in ranks.ranks], [[] for _ in ranks.ranks])
    reach = ([0.0] * len(ranks.ranks), [0.0] * len(ranks.ranks))

    def height(part: list[int]) -> int:
        rows = [row_of[number] for number in part]
        return max(rows) - min(rows)

    for part in sorted(parts, key=lambda part: (height(part), min(part))):
        rows = sorted({row_of[number] for number in part})
        own = side[part[0]]
        if part[0] not in bound:
            real = any(number < count for number in part)
            far = [max(reach[index][row] for row in range(rows[0], rows[-1] + 1)) for index in (0, 1)]
            if real:
                own = own if far[0] == far[1] else (-1 if far[0] < far[1] else 1)
            else:
                own = 1 if far[0] > far[1] + LANE_BIAS else -1
        index = 0 if own < 0 else 1
        for number in sorted(part, key=distance.__getitem__):
            row = row_of[number]
            halves[index][row].append(number)
            left, right = extents.of(number)
            reach[index][row] += left + right + (GAP if number < count else BEND_GAP)
    return halves


def _sides(ranks: Ranks, spine: dict[int, int]) -> tuple[dict[int, int], dict[int, int]]:
    """For each number beside the spine, its side in the given order (-1 or 1), and how many places away it is."""
    side: dict[int, int] = {}
    distance: dict[int, int] = {}
    middle = 0.5
    for index, row in enumerate(ranks.ranks):
        if index in spine:
            place = row.index(spine[index])
            middle = place / (len(row) - 1) if len(row) > 1 else 0.5
            left, right = row[:place][::-1], row[place + 1 :]
        else:
            place = round(middle * len(row))
            left, right = row[:place][::-1], row[place:]
        for sign, half in ((-1, left), (1, right)):
            for step, number in enumerate(half):
                side[number], distance[number] = sign, step
    return side, distance


def _parts(side: dict[int, int], above: list[list[int]], below: list[list[int]]) -> tuple[list[list[int]], set[int]]:
    """What hangs together on one side of the spine, and the numbers of parts that also reach to the other side."""
    parts: list[list[int]] = []
    bound: set[int] = set()
    seen: set[int] = set()
    for start in side:
        if start in seen:
            continue
        part, stack, crossing = [], [start], False
        seen.add(start)
        while stack:
            number = stack.pop()
            part.append(number)
            for near in (*above[number], *below[number]):
                if near not in side:
                    continue
                if side[near] != side[number]:
                    crossing = True
                elif near not in seen:
                    seen.add(near)
                    stack.append(near)
        parts.append(part)
        if crossing:
            bound.update(part)
    return parts, bound


def _pack(
    halves: list[list[int]],
    side: int,
    spine: dict[int, int],
    unit: list[int],
    extents: Extents,
    count: int,
    above: list[list[int]],
    below: list[list[int]],
    x: list[float],
) -> None:
    """Place one side: each unit as near to the spine as those inside it allow, then out towards what it belongs to."""
    members: dict[int, list[int]] = {}
    own = {}
    for row in halves:
        for number in row:
            own[number] = unit[number]
            members.setdefault(unit[number], []).append(number)
    inner: dict[int, list[tuple[int, float]]] = {}
    for index, row in enumerate(halves):
        previous = spine.get(index, -1)
        for number in row:
            inner.setdefault(number, []).append((previous, _distance(previous, number, side, extents, count)))
            previous = number
    ranked = _topological(members, own, inner)
    offset: dict[int, float] = {}
    limits: dict[int, list[tuple[int, float]]] = {}
    for name in ranked:
        reach = 0.0
        for number in members[name]:
            for previous, distance in inner[number]:
                base = offset[own[previous]] if previous in own else 0.0
                reach = max(reach, base + distance)
                if previous in own:
                    limits.setdefault(own[previous], []).append((name, distance))
        offset[name] = reach
    for number, name in own.items():
        x[number] = side * offset[name]
    for name in reversed(ranked):
        around = [x[near] * side for number in members[name] for near in (*above[number], *below[number])
                  if own.get(near) != name]  # fmt: skip
        if not around:
            continue
        wanted = sum(around) / len(around)
        room = min((offset[outer] - distance for outer, distance in limits.get(name, ())), default=wanted)
        if min(wanted, room) > offset[name]:
            offset[name] = min(wanted, room)
            for number in members[name]:
                x[number] = side * offset[name]


def _distance(inner: int, outer: int, side: int, extents: Extents, count: int) -> float:
    """The least distance of two neighbours' anchors; -1 is an empty place on the spine."""
    if inner < 0:
        return extents.of(outer)[0 if side > 0 else 1] + GAP / 2
    gap = GAP if inner < count and outer < count else BEND_GAP
    return extents.of(inner)[1 if side > 0 else 0] + extents.of(outer)[0 if side > 0 else 1] + gap


def _topological(
    members: dict[int, list[int]], own: dict[int, int], inner: dict[int, list[tuple[int, float]]]
) -> list[int]:
    """Units from the inside out. Units that cross each other are taken apart (names and `own` change in place)."""
    while True:
        waiting = dict.fromkeys(members, 0)
        outer: dict[int, list[int]] = {}
        for name, numbers in members.items():
            for number in numbers:
                for previous, _ in inner[number]:
                    if previous in own:
                        outer.setdefault(own[previous], []).append(name)
                        waiting[name] += 1
        ready = deque(name for name, number in waiting.items() if not number)
        order = []
        while ready:
            name = ready.popleft()
            order.append(name)
            for target in outer.get(name, ()):
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)
        if len(order) == len(members):
            return order
        done = set(order)
        for name in [name for name in members if name not in done and len(members[name]) > 1]:
            for number in members.pop(name):
                own[number] = number
                members[number] = [number]

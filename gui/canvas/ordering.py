"""Which rank each block stands in, and in what order: the part of a layered layout that fast-sugiyama does.

Qt-free. Blocks are numbers `0..count-1`; places that long edges pass through are higher numbers ("bends").
"""

from collections import deque
from dataclasses import dataclass, field

from fast_sugiyama import from_edges

MAX_BLOCKS = 20_000
MAX_BENDS = 30_000

Pair = tuple[int, int]


@dataclass(slots=True)
class Ranks:
    """`ranks[r]` lists blocks and bends from left to right. `chains` gives the bends of each long edge, top to bottom.

    Edges in `lanes` are so long that they have no bends and run beside everything.
    """

    ranks: list[list[int]]
    chains: dict[Pair, list[int]] = field(default_factory=dict)
    lanes: list[Pair] = field(default_factory=list)


def acyclic(count: int, edges: list[Pair]) -> list[Pair]:
    """The edges without duplicates, loops, and those that close a cycle (a damaged file may have some)."""
    unique = [pair for pair in dict.fromkeys(edges) if pair[0] != pair[1]]
    if all(source < target for source, target in unique):
        return unique
    users: list[list[int]] = [[] for _ in range(count)]
    for source, target in unique:
        users[source].append(target)
    state = [0] * count
    back: set[Pair] = set()
    for start in range(count):
        if state[start]:
            continue
        stack = [(start, 0)]
        state[start] = 1
        while stack:
            block, index = stack.pop()
            if index == len(users[block]):
                state[block] = 2
                continue
            stack.append((block, index + 1))
            target = users[block][index]
            if state[target] == 1:
                back.add((block, target))
            elif state[target] == 0:
                state[target] = 1
                stack.append((target, 0))
    return [pair for pair in unique if pair not in back]


def depths(count: int, edges: list[Pair]) -> list[int]:
    """For each block, the number of blocks on the longest way to it. Edges must be acyclic."""
    users: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for source, target in edges:
        users[source].append(target)
        waiting[target] += 1
    depth = [0] * count
    ready = deque(block for block in range(count) if not waiting[block])
    while ready:
        block = ready.popleft()
        for target in users[block]:
            depth[target] = max(depth[target], depth[block] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return depth


def components(count: int, edges: list[Pair]) -> list[list[int]]:
    """The connected parts, each in ascending order, in the order of their first block."""
    parent = list(range(count))

    def root(block: int) -> int:
        while parent[block] != block:
            parent[block] = parent[parent[block]]
            block = parent[block]
        return block

    for source, target in edges:
        first, second = root(source), root(target)
        if first != second:
            parent[max(first, second)] = min(first, second)
    groups: dict[int, list[int]] = {}
    for block in range(count):
        groups.setdefault(root(block), []).append(block)
    return list(groups.values())


def rank(count: int, edges: list[Pair]) -> Ranks:
    """Ranks and order of one connected part with acyclic `edges`."""
    depth = depths(count, edges)
    if len(edges) == count - 1 and max(depth, default=0) == count - 1:
        return Ranks([[block] for block in sorted(range(count), key=depth.__getitem__)])
    kept, lanes = _within_budget(edges, depth)
    if count > MAX_BLOCKS:
        return _plain(count, edges, depth)
    return _sugiyama(count, kept, lanes)


def _within_budget(edges: list[Pair], depth: list[int]) -> tuple[list[Pair], list[Pair]]:
    """Edges for the layout, and the longest ones, whose bends would be too many, for lanes."""
    spans = sorted(edges, key=lambda pair: depth[pair[1]] - depth[pair[0]])
    total = 0
    for index, (source, target) in enumerate(spans):
        total += depth[target] - depth[source] - 1
        if total > MAX_BENDS:
            lanes = set(spans[index:])
            return [pair for pair in edges if pair not in lanes], spans[index:]
    return edges, []


def _plain(count: int, edges: list[Pair], depth: list[int]) -> Ranks:
    """Ranks by depth in the order of the model: for graphs too large for anything else."""
    ranks: list[list[int]] = [[] for _ in range(max(depth, default=0) + 1)]
    for block in range(count):
        ranks[depth[block]].append(block)
    return Ranks(ranks, {}, [pair for pair in edges if depth[pair[1]] - depth[pair[0]] > 1])


def _sugiyama(count: int, edges: list[Pair], lanes: list[Pair]) -> Ranks:
    """Ranks, order and bends by fast-sugiyama. Every block must have an edge."""
    position: dict[int, tuple[float, float]] = {}
    steps: dict[int, list[int]] = {}
    offset = 0.0
    for places, width, _, routed in from_edges(edges, dummy_vertices=True, check_layout=False):
        position.update((number, (x + offset, -y)) for number, (x, y) in places)
        offset += width + 1000.0
        for source, target in routed or ():
            steps.setdefault(source, []).append(target)
    heights = sorted({y for _, y in position.values()})
    index = {y: number for number, y in enumerate(heights)}
    ranks: list[list[int]] = [[] for _ in heights]
    for number, (_, y) in position.items():
        ranks[index[y]].append(number)
    for row in ranks:
        row.sort(key=lambda number: position[number][0])
    chains: dict[Pair, list[int]] = {}
    for source in range(count):
        for first in steps.get(source, ()):
            chain, number = [], first
            while number >= count:
                chain.append(number)
                number = steps[number][0]
            if chain:
                chains[source, number] = chain
    return Ranks(ranks, chains, lanes)

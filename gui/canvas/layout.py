"""Where everything stands: ranks from top to bottom, containers around unfolded models, ways for the edges.

Qt-free. Sizes are logical pixels. Each level is laid out by itself and then moved into its container.
"""

from itertools import pairwise

from gui.canvas.columns import Extents, columns
from gui.canvas.flow import CARD_WIDTH, Edge, Level, Node
from gui.canvas.ordering import Pair, acyclic, components, rank

RANK_GAP = 30.0
RANK_GAP_MOST = 74.0
COLUMN_GAP = 70.0
HEADER = 38.0
PADDING = 26.0
LANE = 18.0
PORT_SPREAD = 0.32
CHAIN_GAP = 14.0


def layout(level: Level) -> None:
    """Set position and size of every node, and the points of every edge; the level's corner is (0, 0)."""
    for node in level.nodes:
        if node.inner is not None:
            layout(node.inner)
            node.width = max(node.inner.width + 2 * PADDING, CARD_WIDTH + 2 * PADDING)
            node.height = node.inner.height + HEADER + PADDING
    _place(level)
    for node in level.nodes:
        if node.inner is not None:
            left = node.x + (node.width - node.inner.width) / 2
            _shift(node.inner, left, node.y + HEADER)


def _place(level: Level) -> None:
    """Lay out one level's blocks, part by part: connected parts side by side, single blocks in a column."""
    number_of = {node.key: number for number, block in enumerate(level.blocks) for node in block}
    between = [edge for edge in level.edges if number_of[edge.source.key] != number_of[edge.target.key]]
    pairs = acyclic(len(level.blocks), [(number_of[edge.source.key], number_of[edge.target.key]) for edge in between])
    parts = components(len(level.blocks), pairs)
    alone = [part[0] for part in parts if len(part) == 1]
    joined = [part for part in parts if len(part) > 1]
    by_pair: dict[Pair, list[Edge]] = {}
    for edge in between:
        by_pair.setdefault((number_of[edge.source.key], number_of[edge.target.key]), []).append(edge)
    part_of = {number: index for index, part in enumerate(joined) for number in part}
    pairs_of: list[list[Pair]] = [[] for _ in joined]
    for pair in pairs:
        pairs_of[part_of[pair[0]]].append(pair)
    right, bottom = 0.0, 0.0
    anchor = None
    for part, own in zip(joined, pairs_of, strict=True):
        width, height, middle = _place_part(level, part, own, by_pair, right)
        anchor = middle if anchor is None else anchor
        right, bottom = right + width + COLUMN_GAP, max(bottom, height)
    if alone:
        width, height = _place_column(level, alone, right)
        anchor = right + width / 2 if anchor is None else anchor
        right, bottom = right + width + COLUMN_GAP, max(bottom, height)
    level.width, level.height = max(right - COLUMN_GAP, 0.0), bottom
    level.anchor = level.width / 2 if anchor is None else anchor


def _size(block: list[Node]) -> tuple[float, float]:
    return block[0].width, sum(node.height for node in block)


def _set(block: list[Node], x: float, y: float) -> None:
    for node in block:
        node.x, node.y = x, y
        y += node.height


def _place_column(level: Level, numbers: list[int], left: float) -> tuple[float, float]:
    """Blocks without edges, one below the other."""
    width = max(_size(level.blocks[number])[0] for number in numbers)
    y = 0.0
    for number in numbers:
        block = level.blocks[number]
        own_width, height = _size(block)
        _set(block, left + (width - own_width) / 2, y)
        y += height + CHAIN_GAP
    return width, y - CHAIN_GAP


def _place_part(
    level: Level, part: list[int], pairs: list[Pair], by_pair: dict[Pair, list[Edge]], left: float
) -> tuple[float, float, float]:
    """One connected part with its left side at `left`. Returns width, height and the x of its main column."""
    local = {number: index for index, number in enumerate(part)}
    blocks = [level.blocks[number] for number in part]
    edges = [(local[source], local[target]) for source, target in pairs]
    ranks = rank(len(part), edges)
    sizes = [_size(block) for block in blocks]
    anchors = [_anchor(block) for block in blocks]
    extents = Extents(anchors, [size[0] - anchor for size, anchor in zip(sizes, anchors, strict=True)])
    weights = [float(len(block)) + 0.5 * (block[0].inner is not None) for block in blocks]
    x = columns(ranks, len(part), edges, extents, weights)
    row_of = {number: index for index, row in enumerate(ranks.ranks) for number in row}

    gaps = [RANK_GAP] * len(ranks.ranks)
    for pair in edges:
        way = [pair[0], *ranks.chains.get(pair, ()), pair[1]]
        for upper, lower in pairwise(way):
            reach = abs(x[upper] - x[lower])
            place = row_of[upper]
            gaps[place] = max(gaps[place], min(RANK_GAP_MOST, RANK_GAP + 0.045 * reach))
    tops, bottoms = [], []
    y = 0.0
    for index, row in enumerate(ranks.ranks):
        tops.append(y)
        y += max((sizes[number][1] for number in row if number < len(part)), default=0.0)
        bottoms.append(y)
        y += gaps[index]
    height = bottoms[-1] if bottoms else 0.0

    least = min(x[number] - extents.of(number)[0] for row in ranks.ranks for number in row)
    most = max(x[number] + extents.of(number)[1] for row in ranks.ranks for number in row)
    lanes = _lanes(ranks.lanes, row_of, most - least + COLUMN_GAP / 2)
    shift = left - least
    for number, block in enumerate(blocks):
        _set(block, x[number] + shift - anchors[number], tops[row_of[number]])
    for pair in edges:
        chain = ranks.chains.get(pair, [])
        way = [(x[bend] + shift, row_of[bend]) for bend in chain]
        if pair in lanes:
            lane = left + lanes[pair]
            way = [(lane, row) for row in range(row_of[pair[0]] + 1, row_of[pair[1]])]
        for edge in by_pair[part[pair[0]], part[pair[1]]]:
            edge.long = len(way) > 0
            edge.points = _route(edge, way, tops, bottoms, row_of[pair[0]], row_of[pair[1]])
    width = max(most - least, *(lane + LANE for lane in lanes.values())) if lanes else most - least
    return width, height, shift


def _anchor(block: list[Node]) -> float:
    """How far a block's main column is from its left side: the middle, or the inner main column of a container."""
    node = block[0]
    if node.inner is None:
        return node.width / 2
    return (node.width - node.inner.width) / 2 + node.inner.anchor


def _lanes(pairs: list[Pair], row_of: dict[int, int], start: float) -> dict[Pair, float]:
    """Columns to the right of everything for edges without bends, each as far left as is free."""
    ends: list[int] = []
    lanes = {}
    for pair in sorted(pairs, key=lambda pair: (row_of[pair[0]], row_of[pair[1]])):
        first, last = row_of[pair[0]], row_of[pair[1]]
        lane = next((index for index, end in enumerate(ends) if end < first), len(ends))
        if lane == len(ends):
            ends.append(last)
        ends[lane] = last
        lanes[pair] = start + lane * LANE
    return lanes


def _route(
    edge: Edge, way: list[tuple[float, int]], tops: list[float], bottoms: list[float], first: int, last: int
) -> list[tuple[float, float]]:
    """Points of an edge: pairs that share an x are straight, the steps between them are curves."""
    source, target = edge.source, edge.target
    from_x, to_x = _centre(source), _centre(target)
    next_x = way[0][0] if way else to_x
    last_x = way[-1][0] if way else from_x
    start_x = from_x + _port(next_x - from_x, source)
    end_x = to_x + _port(last_x - to_x, target)
    points = [(start_x, source.y + source.height), (start_x, bottoms[first])]
    for x, row in way:
        points += [(x, tops[row]), (x, bottoms[row])]
    points += [(end_x, tops[last]), (end_x, target.y)]
    return _straightened(points)


def _centre(node: Node) -> float:
    return node.x + _anchor([node])


def _port(reach: float, node: Node) -> float:
    """Where an edge meets a card: aside of its middle, towards where the edge comes from."""
    most = min(node.width, CARD_WIDTH) * PORT_SPREAD
    return max(-most, min(most, reach * 0.3)) if abs(reach) > 1.0 else 0.0


def _straightened(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same way without points in the middle of a straight line."""
    kept: list[tuple[float, float]] = []
    for point in points:
        if len(kept) > 1 and kept[-1][0] == point[0] == kept[-2][0]:
            kept[-1] = point
        elif not kept or kept[-1] != point:
            kept.append(point)
    return kept


def _shift(level: Level, x: float, y: float) -> None:
    """Move a level, with all that is inside, to its place in the canvas."""
    for node in level.nodes:
        node.x += x
        node.y += y
        if node.inner is not None:
            _shift(node.inner, x, y)
    for edge in level.edges:
        edge.points = [(px + x, py + y) for px, py in edge.points]

"""What there is to draw: one node for each call of each layer, edges between them, and runs glued to blocks.

Qt-free. A level is one graph; an unfolded nested model is a node with a level inside.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from core.analysis.blocks import Group
from core.caches import IdentityCache
from core.model.graph import Graph, Layer, TensorRef
from core.phrases import sample_words
from gui.canvas.describe import DOT, detail_text, outputs_text
from gui.models.digest import count_words
from gui.widgets.theme import family

CARD_WIDTH = 228.0
GROUP_WIDTH = 312.0
CARD_HEIGHT = 50.0
SLIM_HEIGHT = 25.0
FOLDED_HEIGHT = 56.0
MAX_RUN = 8
LEVEL = "\x1f"
"""Stands between levels in keys; unlike `/`, it occurs in no name."""
GROUP = "\x1e"
"""Stands before a group's key in its path."""

SLIM = frozenset({"norm", "activation", "merge", "shape", "port"})
_Pair = tuple[str, str]
FOLLOWERS = frozenset({"norm", "activation", "shape"})


@dataclass(slots=True, eq=False)
class Node:
    """One call of one layer, drawn as a card, as a section of a block, or as a container. Positions come from `layout`.

    `key` is unique in the whole canvas; `path` is the layer's path (of a removed layer: its path in the source).
    A `group` stands for several layers of its level, `holds` are their paths in the drawn graph. A node that comes
    `outside` of a group shows where one of its tensors comes from.
    """

    key: str
    path: str
    layer: Layer
    call: int
    ghost: bool
    family: str
    slim: bool
    detail: str
    shape: str
    shape_in: str = ""
    inner: "Level | None" = None
    group: Group | None = None
    holds: tuple[str, ...] = ()
    outside: bool = False
    x: float = 0.0
    y: float = 0.0
    width: float = CARD_WIDTH
    height: float = CARD_HEIGHT

    @property
    def foldable(self) -> bool:
        """Whether there is something inside that can be shown."""
        return self.layer.inner is not None or self.group is not None

    @property
    def shared(self) -> bool:
        """Whether the layer is used more than once, so that this node is one of several."""
        return len(self.layer.calls) > 1


@dataclass(slots=True, eq=False)
class Edge:
    """A tensor from one node to another of the same level, its `ref` where a node may stand for several layers.

    `points` come from `layout`: straight, curve, straight...
    """

    source: Node
    target: Node
    text: str
    ghost: bool
    long: bool = False
    output: int = 0
    points: list[tuple[float, float]] = field(default_factory=list)
    ref: TensorRef | None = None


@dataclass(slots=True, eq=False)
class Level:
    """The nodes and edges of one graph. A block is a run of nodes that is drawn as one card with several sections.

    `graph` and `members` are those of a level with groups.
    """

    nodes: list[Node]
    edges: list[Edge]
    blocks: list[list[Node]]
    graph: Graph | None = None
    members: "Sequence[str | Group] | None" = None
    width: float = 0.0
    height: float = 0.0
    anchor: float = 0.0

    def walk(self) -> "list[Node]":
        """Every node, those of unfolded models included, parents first."""
        found: list[Node] = []
        for node in self.nodes:
            found.append(node)
            if node.inner is not None:
                found.extend(node.inner.walk())
        return found


@dataclass(frozen=True, slots=True)
class Folding:
    """What is open: `unfolded(path, layer)` says it of nested models and groups (whose layer is a stand-in).

    `members` says what a level is drawn as: its layers and groups, or `None` for all layers as they are. `ghosts` maps
    paths of removed layers in a difference graph to their paths in the source.
    """

    unfolded: Callable[[str, Layer], bool]
    ghosts: Mapping[str, str] = field(default_factory=dict)
    members: Callable[[Graph], Sequence["str | Group"] | None] = lambda graph: None


def build(
    graph: Graph,
    unfolded: Callable[[str, Layer], bool],
    ghosts: Mapping[str, str] | None = None,
    members: Callable[[Graph], Sequence[str | Group] | None] = lambda graph: None,
) -> Level:
    """The level of a graph (see `Folding`)."""
    return _level(graph, Folding(unfolded, ghosts or {}, members), "", "")


def _level(graph: Graph, folding: Folding, prefix: str, key_prefix: str) -> Level:
    members = folding.members(graph)
    if members is not None:
        return _Grouped(graph, folding, prefix).level(members, key_prefix)
    nodes: list[Node] = []
    by_call: dict[tuple[str, int], Node] = {}
    for layer in graph.layers:
        for node in _nodes_of(layer, folding, prefix, key_prefix):
            if (layer.name, node.call) in by_call:
                node.key += f"\n{len(nodes)} again"  # two layers of one name: a damaged file, but both are shown
            by_call.setdefault((layer.name, node.call), node)
            nodes.append(node)
    edges = _edges(nodes, by_call)
    return Level(nodes, edges, _blocks(nodes, edges))


def _nodes_of(layer: Layer, folding: Folding, prefix: str, key_prefix: str) -> Iterator[Node]:
    """One node for each call of a layer."""
    path = prefix + layer.name
    kind = family(layer.class_name, nested=layer.inner is not None, opaque=layer.opaque)
    detail = detail_text(layer)
    opened = layer.inner is not None and folding.unfolded(path, layer)
    slim = kind in SLIM and layer.inner is None
    for number in range(max(1, len(layer.calls))):
        key = key_prefix + layer.name + (f"\n{number}" if number else "")
        outputs = layer.calls[number].outputs if number < len(layer.calls) else None
        shape = outputs_text(outputs) or _weight_text(layer)
        shown = folding.ghosts.get(path, path)
        node = Node(key, shown, layer, number, path in folding.ghosts, kind, slim, detail, shape)
        node.height = SLIM_HEIGHT if slim else FOLDED_HEIGHT if layer.inner is not None else CARD_HEIGHT
        if opened and layer.inner is not None:
            node.inner = _level(layer.inner, folding, path + "/", key + LEVEL)
        yield node


class _Grouped:
    """A level with groups: a folded one is a card, an open one a container, with cards for tensors from outside."""

    def __init__(self, graph: Graph, folding: Folding, prefix: str) -> None:
        self._graph, self._folding, self._prefix = graph, folding, prefix
        self._layers = graph.by_name()
        self._ways: dict[tuple[str, int], tuple[Node, ...]] = {}
        self._levels: dict[str, Level] = {}

    def level(self, members: Sequence["str | Group"], key_prefix: str) -> Level:
        """The whole level, edges included."""
        top = self._fill(members, (), key_prefix)
        top.graph, top.members = self._graph, members
        self._levels[""] = top
        self._connect()
        for level in self._levels.values():
            level.blocks = _blocks(level.nodes, level.edges)
            for node in level.nodes:
                if node.group is not None:
                    self._describe(node)
        return top

    def retake(self, level: Level) -> set[str] | None:
        """Put the graph's layers into a level that is drawn alike; the keys of the nodes whose words changed."""
        changed: set[str] = set()
        levels = [level]
        while levels:
            shown = levels.pop()
            for node in shown.nodes:
                layer = self._layers[node.layer.name]
                if node.group is not None:
                    if node.inner is not None:
                        levels.append(node.inner)
                    continue
                if node.outside or node.layer is layer:
                    continue
                if layer.inner is not None:
                    path = self._prefix + layer.name
                    if self._folding.unfolded(path, layer) != (node.inner is not None):
                        return None
                    if node.inner is not None and layer.inner is not node.layer.inner:
                        folding = self._folding
                        inside = retake(
                            node.inner, layer.inner, folding.unfolded, path + "/", folding.ghosts, folding.members
                        )
                        if inside is None:
                            return None
                        changed |= inside
                _reword(node, layer)
                changed.add(node.key)
            for edge in shown.edges:
                text = self._text(edge.ref)
                if text != edge.text:
                    edge.text = text
                    changed |= {edge.source.key, edge.target.key}
                if edge.source.outside:
                    edge.source.shape = text
            _note_inputs(shown)
            for node in shown.nodes:
                if node.group is not None:
                    before = (node.detail, node.shape)
                    self._describe(node)
                    if (node.detail, node.shape) != before:
                        changed.add(node.key)
        return changed

    def _describe(self, node: Node) -> None:
        """What a group holds, in words."""
        assert node.group is not None
        names = [path[len(self._prefix) :] for path in node.holds]
        sizes = _SIZES.get((self._graph,), lambda: _sizes(self._graph))
        params = sum([sizes[name][0] for name in names])
        count = sum([sizes[name][1] for name in names])
        last = self._layers[names[-1]]
        node.detail = f"{count:,} layers" + (f"{DOT}{count_words(params)}" if params else "")
        shape = outputs_text(last.calls[-1].outputs) if last.calls else ""
        node.shape = " \u2192 ".join(dict.fromkeys(text for text in (node.shape_in, shape) if text))

    def _text(self, ref: TensorRef | None) -> str:
        if ref is None:
            return ""
        calls = self._layers[ref.layer].calls
        outputs = calls[ref.call].outputs if ref.call < len(calls) else None
        return sample_words(outputs[ref.output].shape, "") if outputs and ref.output < len(outputs) else ""

    def _fill(self, members: Sequence["str | Group"], way: tuple[Node, ...], key_prefix: str) -> Level:
        nodes: list[Node] = []
        for member in members:
            if isinstance(member, Group):
                nodes.append(self._group(member, way, key_prefix))
                continue
            for node in _nodes_of(self._layers[member], self._folding, self._prefix, key_prefix):
                self._ways[member, node.call] = (*way, node)
                nodes.append(node)
        return Level(nodes, [], [])

    def _group(self, group: Group, way: tuple[Node, ...], key_prefix: str) -> Node:
        names = tuple(group.names())
        layers = [self._layers[name] for name in names]
        stand_in = Layer(names[0], group.title, module=None, calls=layers[-1].calls[-1:])
        path = f"{self._prefix}{GROUP}{group.key}"
        key = f"{key_prefix}{GROUP}{group.key}"
        node = Node(key, path, stand_in, 0, False, "model", False, "", "", group=group)
        node.holds = tuple([self._prefix + name for name in names])
        node.ghost = bool(self._folding.ghosts) and all(one in self._folding.ghosts for one in node.holds)
        node.width, node.height = GROUP_WIDTH, FOLDED_HEIGHT
        inside = (*way, node)
        if self._folding.unfolded(path, stand_in):
            node.inner = self._levels[key] = self._fill(group.members, inside, key + LEVEL)
        else:
            for layer in layers:
                for number in range(max(1, len(layer.calls))):
                    self._ways[layer.name, number] = inside
        return node

    def _connect(self) -> None:
        """Edges where the ways of two calls part, and from the side of a container to what takes the tensor in it."""
        seen: set[_Pair] = set()
        ports: dict[tuple[str, str, int], Node] = {}
        for name, calls in _TAKEN.get((self._graph,), lambda: _taken(self._graph)):
            for number, refs in enumerate(calls):
                target = self._ways[name, number]
                for ref in refs:
                    source = self._ways.get((ref.layer, ref.call))
                    if source is None or source[-1] is target[-1]:
                        continue
                    at = next(
                        place
                        for place, (one, other) in enumerate(zip(source, target, strict=False))
                        if one is not other
                    )
                    text = self._text(ref)
                    self._join(target[at - 1].key if at else "", source[at], target[at], text, ref, seen)
                    for around, inside in pairwise(target[at:]):
                        port = ports.get((around.key, ref.layer, ref.call))
                        if port is None:
                            port = ports[around.key, ref.layer, ref.call] = self._port(around, ref, text)
                        self._join(around.key, port, inside, text, ref, seen)

    def _join(self, level: str, source: Node, target: Node, text: str, ref: TensorRef, seen: set[_Pair]) -> None:
        if (source.key, target.key) not in seen:
            seen.add((source.key, target.key))
            target.shape_in = target.shape_in or text
            edge = Edge(source, target, text, source.ghost or target.ghost, output=ref.output, ref=ref)
            self._levels[level].edges.append(edge)

    def _port(self, around: Node, ref: TensorRef, text: str) -> Node:
        """A card inside a container for a tensor from outside."""
        layer = self._layers[ref.layer]
        key = f"{around.key}{LEVEL}{GROUP}from {ref.layer} {ref.call}"
        stand_in = Layer(layer.name, "from", module=None, calls=layer.calls[ref.call : ref.call + 1])
        path = self._prefix + layer.name
        path = self._folding.ghosts.get(path, path)
        node = Node(key, path, stand_in, 0, False, "port", True, "", text, height=SLIM_HEIGHT, outside=True)
        self._levels[around.key].nodes.insert(0, node)
        return node


# a fold changes the cards, not the layers: what is the same at every fold is found once
_SIZES: IdentityCache[dict[str, tuple[int, int]]] = IdentityCache(8)
_TAKEN: IdentityCache[list[tuple[str, list[tuple[TensorRef, ...]]]]] = IdentityCache(8)


def _sizes(graph: Graph) -> dict[str, tuple[int, int]]:
    """The parameters of each layer, and how many layers it is with those inside."""
    return {
        layer.name: (layer.num_params(), 1 if layer.inner is None else 1 + sum(1 for _ in layer.inner.walk()))
        for layer in graph.layers
    }


def _taken(graph: Graph) -> list[tuple[str, list[tuple[TensorRef, ...]]]]:
    """The tensors that each call of each layer takes."""
    return [(layer.name, [tuple(call.inputs()) for call in layer.calls]) for layer in graph.layers]


def retake(
    level: Level,
    graph: Graph,
    unfolded: Callable[[str, Layer], bool],
    prefix: str = "",
    ghosts: Mapping[str, str] | None = None,
    members: Callable[[Graph], Sequence[str | Group] | None] = lambda graph: None,
) -> set[str] | None:
    """Put another graph that is drawn with the same cards and edges into a level, which keeps its places.

    Returns the keys of the nodes whose words changed; `None` when the graph needs a level of its own, and then this one
    is of no use any more. Ghosts must be the same.
    """
    changed: set[str] = set()
    if level.members is not None:
        return _retake_grouped(level, graph, Folding(unfolded, ghosts or {}, members), prefix)
    if members(graph) is not None:
        return None
    nodes = iter(level.nodes)
    for layer in graph.layers:
        for number in range(max(1, len(layer.calls))):
            node = next(nodes, None)
            if node is None:
                return None
            old = node.layer
            if old is layer:
                continue
            if node.call != number or not _drawn_alike(old, layer):
                return None
            if layer.inner is not None:
                path = prefix + layer.name
                if unfolded(path, layer) != (node.inner is not None):
                    return None
                if node.inner is not None and layer.inner is not old.inner:
                    inside = retake(node.inner, layer.inner, unfolded, path + "/", ghosts, members)
                    if inside is None:
                        return None
                    changed |= inside
            _reword(node, layer)
            changed.add(node.key)
    if next(nodes, None) is not None:
        return None
    for edge in level.edges:
        if edge.source.key in changed:
            text = _tensor_text(edge.source, edge.output)
            if text != edge.text:
                edge.text = text
                changed.add(edge.target.key)
    _note_inputs(level)
    return changed


def _reword(node: Node, layer: Layer) -> None:
    """Put a layer that is drawn as the same card into a node."""
    old, node.layer = node.layer, layer
    if layer.config is not old.config or layer.inner is not old.inner:
        node.detail = detail_text(layer)
    outputs = layer.calls[node.call].outputs if node.call < len(layer.calls) else None
    node.shape = outputs_text(outputs) or _weight_text(layer)


def _retake_grouped(level: Level, graph: Graph, folding: Folding, prefix: str) -> set[str] | None:
    """`retake` for a level with groups: all layers, those that are not to be seen too, must be connected as before."""
    if level.graph is None or len(level.graph.layers) != len(graph.layers):
        return None
    if not all(map(_drawn_alike, level.graph.layers, graph.layers)) or folding.members(graph) != level.members:
        return None
    level.graph = graph
    grouped = _Grouped(graph, folding, prefix)
    return grouped.retake(level)


def _drawn_alike(old: Layer, new: Layer) -> bool:
    """Whether two layers are drawn as the same card with the same edges, whatever is written on it."""
    return (
        new.name == old.name
        and new.class_name == old.class_name
        and new.opaque == old.opaque
        and (new.inner is None) == (old.inner is None)
        and len(new.calls) == len(old.calls)
        and all(
            (one.args is two.args or one.args == two.args) and (one.kwargs is two.kwargs or one.kwargs == two.kwargs)
            for one, two in zip(new.calls, old.calls, strict=True)
        )
    )


def _tensor_text(source: Node, output: int) -> str:
    """The shape of one output of a node."""
    calls = source.layer.calls
    outputs = calls[source.call].outputs if source.call < len(calls) else None
    return sample_words(outputs[output].shape, "") if outputs and output < len(outputs) else ""


def _note_inputs(level: Level) -> None:
    """What arrives at each node: the first shape that is known."""
    for node in level.nodes:
        node.shape_in = ""
    for edge in level.edges:
        edge.target.shape_in = edge.target.shape_in or edge.text


def _weight_text(layer: Layer) -> str:
    """What a card tells where no shape is known, as in files of weights only."""
    count = layer.num_params() if layer.inner is None else 0
    return f"{count_words(count)} parameters" if count else ""


def _edges(nodes: list[Node], by_call: Mapping[tuple[str, int], Node]) -> list[Edge]:
    edges: list[Edge] = []
    for node in nodes:
        if node.call >= len(node.layer.calls):
            continue
        seen: set[str] = set()
        for ref in node.layer.calls[node.call].inputs():
            source = by_call.get((ref.layer, ref.call))
            if source is None or source is node or source.key in seen:
                continue
            seen.add(source.key)
            text = _tensor_text(source, ref.output)
            node.shape_in = node.shape_in or text
            edges.append(Edge(source, node, text, source.ghost or node.ghost, output=ref.output))
    return edges


def _blocks(nodes: list[Node], edges: list[Edge]) -> list[list[Node]]:
    """Runs such as Conv2D, BatchNormalization, ReLU: each follower has one input, and is its only user."""
    outgoing: dict[str, list[Node]] = {}
    incoming: dict[str, int] = {}
    for edge in edges:
        outgoing.setdefault(edge.source.key, []).append(edge.target)
        incoming[edge.target.key] = incoming.get(edge.target.key, 0) + 1
    taken: set[str] = set()
    blocks: list[list[Node]] = []
    for node in nodes:
        if node.key in taken:
            continue
        block = [node]
        taken.add(node.key)
        while len(block) < MAX_RUN and block[-1].inner is None and node.group is None and node.family != "port":
            users = outgoing.get(block[-1].key, ())
            if len(users) != 1:
                break
            follower = users[0]
            fits = follower.family in FOLLOWERS and follower.slim and follower.ghost == node.ghost
            if not fits or incoming[follower.key] != 1 or follower.key in taken:
                break
            block.append(follower)
            taken.add(follower.key)
        blocks.append(block)
    return blocks

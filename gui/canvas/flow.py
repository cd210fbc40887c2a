"""What there is to draw: one node for each call of each layer, edges between them, and runs glued to blocks.

Qt-free. A level is one graph; an unfolded nested model is a node with a level inside.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.model.graph import Graph, Layer
from core.phrases import sample_words
from gui.canvas.describe import detail_text, outputs_text
from gui.models.digest import count_words
from gui.widgets.theme import family

CARD_WIDTH = 228.0
CARD_HEIGHT = 50.0
SLIM_HEIGHT = 25.0
FOLDED_HEIGHT = 56.0
MAX_RUN = 8
LEVEL = "\x1f"
"""Stands between levels in keys; unlike `/`, it occurs in no name."""

SLIM = frozenset({"norm", "activation", "merge", "shape", "port"})
FOLLOWERS = frozenset({"norm", "activation", "shape"})


@dataclass(slots=True, eq=False)
class Node:
    """One call of one layer, drawn as a card, as a section of a block, or as a container. Positions come from `layout`.

    `key` is unique in the whole canvas; `path` is the layer's path (of a removed layer: its path in the source).
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
    x: float = 0.0
    y: float = 0.0
    width: float = CARD_WIDTH
    height: float = CARD_HEIGHT

    @property
    def foldable(self) -> bool:
        """Whether there is a graph inside."""
        return self.layer.inner is not None

    @property
    def shared(self) -> bool:
        """Whether the layer is used more than once, so that this node is one of several."""
        return len(self.layer.calls) > 1


@dataclass(slots=True, eq=False)
class Edge:
    """A tensor from one node to another of the same level. `points` come from `layout`: straight, curve, straight..."""

    source: Node
    target: Node
    text: str
    ghost: bool
    long: bool = False
    output: int = 0
    points: list[tuple[float, float]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Level:
    """The nodes and edges of one graph. A block is a run of nodes that is drawn as one card with several sections."""

    nodes: list[Node]
    edges: list[Edge]
    blocks: list[list[Node]]
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


def build(
    graph: Graph,
    unfolded: Callable[[str, Layer], bool],
    ghosts: Mapping[str, str] | None = None,
    prefix: str = "",
    key_prefix: str = "",
) -> Level:
    """The level of a graph. `unfolded(path, layer)` says which nested models are open.

    `ghosts` maps paths of removed layers in a difference graph to their paths in the source.
    """
    ghosts = ghosts or {}
    nodes: list[Node] = []
    by_call: dict[tuple[str, int], Node] = {}
    for layer in graph.layers:
        path = prefix + layer.name
        kind = family(layer.class_name, nested=layer.inner is not None, opaque=layer.opaque)
        detail = detail_text(layer)
        opened = layer.inner is not None and unfolded(path, layer)
        for number in range(max(1, len(layer.calls))):
            key = key_prefix + layer.name + (f"\n{number}" if number else "")
            if (layer.name, number) in by_call:
                key += f"\n{len(nodes)} again"  # two layers of one name: a damaged file, but both are shown
            outputs = layer.calls[number].outputs if number < len(layer.calls) else None
            slim = kind in SLIM and layer.inner is None
            shape = outputs_text(outputs) or _weight_text(layer)
            node = Node(key, ghosts.get(path, path), layer, number, path in ghosts, kind, slim, detail, shape)
            node.height = SLIM_HEIGHT if slim else FOLDED_HEIGHT if layer.inner is not None else CARD_HEIGHT
            if opened and layer.inner is not None:
                node.inner = build(layer.inner, unfolded, ghosts, path + "/", key + LEVEL)
            by_call.setdefault((layer.name, number), node)
            nodes.append(node)
    edges = _edges(nodes, by_call)
    return Level(nodes, edges, _blocks(nodes, edges))


def retake(
    level: Level,
    graph: Graph,
    unfolded: Callable[[str, Layer], bool],
    prefix: str = "",
) -> set[str] | None:
    """Put another graph that is drawn with the same cards and edges into a level, which keeps its places.

    Returns the keys of the nodes whose words changed; `None` when the graph needs a level of its own, and then this one
    is of no use any more. Ghosts must be the same.
    """
    changed: set[str] = set()
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
                    inside = retake(node.inner, layer.inner, unfolded, path + "/")
                    if inside is None:
                        return None
                    changed |= inside
            node.layer = layer
            if layer.config is not old.config or layer.inner is not old.inner:
                node.detail = detail_text(layer)
            outputs = layer.calls[number].outputs if number < len(layer.calls) else None
            node.shape = outputs_text(outputs) or _weight_text(layer)
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
        while len(block) < MAX_RUN and block[-1].inner is None and block[-1].family != "port":
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

"""The scene: built anew from a level, and asked where things are. It never changes a model."""

from collections.abc import Iterator, Mapping

from PySide6.QtCore import QObject, QPointF, QRectF
from PySide6.QtGui import QPainter, QPainterPath
from PySide6.QtWidgets import QGraphicsItem, QGraphicsScene, QStyleOptionGraphicsItem, QWidget
from typing_extensions import override

from gui.canvas.badges import NO_MARKS, Marks, together
from gui.canvas.colouring import Colouring, Painted
from gui.canvas.edges import EdgeCell, Highlight, edge_cells
from gui.canvas.flow import Edge, Level, Node
from gui.canvas.frames import Frames
from gui.canvas.items import NO_BRUSH, BlockItem, GroupItem
from gui.canvas.look import RADIUS, Look, Paint
from gui.canvas.overview import Overview, OverviewItem

FAR_ZOOM = 0.2
MARGIN = 48.0
HEADER = 38.0
_CELL = 512.0
_SIBLINGS = 128
"""Qt takes children out of their parent one by one, each time from the front: with all cards in one, that is slow."""


class _Layer(QGraphicsItem):
    """An empty parent, to show and hide many items at once."""

    def __init__(self) -> None:
        super().__init__()
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemHasNoContents)

    @override
    def boundingRect(self) -> QRectF:
        return QRectF()

    @override
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        """Nothing of its own."""


class _Ring(QGraphicsItem):
    """Rounded outlines: the selection, or what the mouse is on."""

    def __init__(self, look: Look, *, hover: bool) -> None:
        super().__init__()
        self.look = look
        self.hover = hover
        self.path = QPainterPath()
        self._bounds = QRectF()

    def show_around(self, nodes: list[Node]) -> None:
        """Outline these nodes and no others."""
        self.prepareGeometryChange()
        path = QPainterPath()
        for node in nodes:
            radius = 14.0 if node.inner is not None else RADIUS
            path.addRoundedRect(QRectF(node.x - 2, node.y - 2, node.width + 4, node.height + 4), radius, radius)
        self.path = path
        self._bounds = path.controlPointRect().adjusted(-24, -24, 24, 24) if nodes else QRectF()
        self.update()

    @override
    def boundingRect(self) -> QRectF:
        return self._bounds

    @override
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        # nobody saves the painter's state between items, and a marker leaves its red behind
        painter.setBrush(NO_BRUSH)
        if self.hover:
            painter.setPen(self.look.hover)
            painter.drawPath(self.path)
            return
        painter.setPen(self.look.glow)
        painter.drawPath(self.path)
        painter.setPen(self.look.ring)
        painter.drawPath(self.path)


class GraphScene(QGraphicsScene):
    """What is on the canvas. `nodes` are in drawing order, parents before children."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.nodes: list[Node] = []
        self.badges: dict[str, Marks] = {}
        self.overview: Overview | None = None
        self.colouring = Colouring()
        self.painted: Painted | None = None
        self.bounds = QRectF()
        self.far = False
        self._by_key: dict[str, Node] = {}
        self._by_path: dict[str, list[Node]] = {}
        self._edges: dict[str, tuple[list[Edge], list[Edge]]] = {}
        self._parents: dict[str, Node] = {}
        self._hidden: dict[str, Node] = {}
        self._cells: dict[tuple[int, int], list[Node]] = {}
        self._level: Level | None = None
        self._look: Look | None = None
        self._difference = False
        self._union_paths: dict[str, str] = {}
        self._blocks: list[BlockItem] = []
        self._groups: list[GroupItem] = []
        self._edge_cells: list[EdgeCell] = []
        self._cards: list[_Layer] = []
        self._far_item: OverviewItem | None = None
        self._ring: _Ring | None = None
        self._hover_ring: _Ring | None = None
        self._highlight: Highlight | None = None
        self._frames: list[Frames] = []

    def show_level(self, level: Level, badges: Mapping[str, Marks], look: Look, *, difference: bool = False) -> None:
        """Draw a laid out level. `badges` are by the path that the layer has in the drawn graph."""
        self._forget()
        self.clear()
        self.nodes = level.walk()
        self._level, self._look, self._difference = level, look, difference
        self._union_paths = _paths(level)
        self.badges = self._by_node(badges)
        self._paint_all()
        edges = list(self._index(level, None))
        self.bounds = QRectF(0, 0, level.width, level.height)
        self._add_groups(level, look, 0)
        self._edge_cells = edge_cells(edges, look)
        for cell in self._edge_cells:
            cell.setZValue(1)
            self.addItem(cell)
        for number, block in enumerate(_blocks(level)):
            card = BlockItem(block, look, self.badges, difference=difference, paints=self.paints)
            if number % _SIBLINGS == 0:
                self._cards.append(_Layer())
                self._cards[-1].setZValue(2)
                self.addItem(self._cards[-1])
            card.setParentItem(self._cards[-1])
            self._blocks.append(card)
        self.overview = Overview(self.nodes, self.badges, look, difference=difference, paints=self.paints)
        self._far_item = OverviewItem(self.overview, self.bounds)
        self._far_item.setZValue(2)
        self.addItem(self._far_item)
        self._highlight = Highlight(look)
        self._highlight.setZValue(1.5)
        self._hover_ring = _Ring(look, hover=True)
        self._hover_ring.setZValue(3)
        self._ring = _Ring(look, hover=False)
        self._ring.setZValue(4)
        self._frames = [Frames(look.chosen), Frames(look.hit, 3.5)]
        for item in (self._highlight, self._hover_ring, self._ring, *self._frames):
            self.addItem(item)
        self.far = not self.far
        self.set_far(far=not self.far)

    def shows(self, level: Level, look: Look, *, difference: bool) -> bool:
        """Whether this very level is drawn, in the same colours, so that `retake` is enough."""
        return self._level is level and self._look is look and self._difference == difference

    def retake(self, badges: Mapping[str, Marks], changed: set[str]) -> int:
        """The level that is drawn got other badges, and other words on the `changed` nodes: change the items in place.

        Returns how many cards are painted again.
        """
        before, self.badges = self.badges, self._by_node(badges)
        if self.badges != before and self.colouring.by != "class":
            self.recolour(self.colouring)
        painted = sum([card.retake(self.badges, changed) for card in self._blocks])
        for group in self._groups:
            if group.badge != self.badges[group.node.key] or group.node.key in changed:
                group.badge = self.badges[group.node.key]
                group.update()
        if changed:
            for cell in self._edge_cells:
                cell.reword()
                cell.update()
        if self._look is not None and self._far_item is not None and self.badges != before:
            self._look_from_afar()
        return painted

    @property
    def drawn(self) -> Level | None:
        """What the items show: another one when they are made anew."""
        return self._level

    def pictured(self) -> list[GroupItem | EdgeCell | BlockItem]:
        """What a picture shows, from the back to the front."""
        return [*self._groups, *self._edge_cells, *self._blocks]

    def recolour(self, colouring: Colouring) -> None:
        """Colour all cards by something else."""
        self.colouring = colouring
        self._paint_all()
        for card in self._blocks:
            card.recolour(self.paints)
        self._look_from_afar()

    def _paint_all(self) -> None:
        self.painted = None
        if self._look is not None:
            self.painted = Painted(self.colouring, self._look, self.nodes, self._union_paths, self.badges)

    @property
    def paints(self) -> Mapping[str, Paint]:
        """The paint of each node by its key; nothing while colours are those of the classes."""
        return self.painted.paints if self.painted is not None else {}

    def _look_from_afar(self) -> None:
        if self._look is not None and self._far_item is not None:
            self.overview = Overview(
                self.nodes, self.badges, self._look, difference=self._difference, paints=self.paints
            )
            self._far_item.overview = self.overview
            self._far_item.update()

    def _by_node(self, badges: Mapping[str, Marks]) -> dict[str, Marks]:
        found = {key: badges.get(path, NO_MARKS) for key, path in self._union_paths.items()}
        for node in self.nodes:
            if node.group is not None:
                found[node.key] = together([badges.get(path, NO_MARKS) for path in node.holds])
        return found

    def _forget(self) -> None:
        """Drop everything that refers to items, before they are deleted."""
        self._blocks, self._groups, self._edge_cells, self._level = [], [], [], None
        self._cards = []
        self._far_item = self._ring = self._hover_ring = self._highlight = None
        self._frames = []
        self._by_key, self._by_path, self._edges, self._parents, self._cells = {}, {}, {}, {}, {}
        self._hidden = {}
        self.nodes, self.badges, self.overview = [], {}, None

    def _index(self, level: Level, parent: Node | None) -> Iterator[Edge]:
        for node in level.nodes:
            self._by_key[node.key] = node
            if not node.outside:
                self._by_path.setdefault(node.path, []).append(node)
            if node.group is not None and node.inner is None:
                self._hidden.update(dict.fromkeys(node.holds, node))
            self._edges[node.key] = ([], [])
            if parent is not None:
                self._parents[node.key] = parent
            for column in range(int(node.x // _CELL), int((node.x + node.width) // _CELL) + 1):
                if node.inner is None:
                    for row in range(int(node.y // _CELL), int((node.y + node.height) // _CELL) + 1):
                        self._cells.setdefault((column, row), []).append(node)
        for edge in level.edges:
            self._edges[edge.source.key][1].append(edge)
            self._edges[edge.target.key][0].append(edge)
            yield edge
        for node in level.nodes:
            if node.inner is not None:
                yield from self._index(node.inner, node)

    def _add_groups(self, level: Level, look: Look, depth: int) -> None:
        for node in level.nodes:
            if node.inner is not None:
                item = GroupItem(node, look, self.badges[node.key], depth)
                item.setZValue(0)
                self.addItem(item)
                self._groups.append(item)
                self._add_groups(node.inner, look, depth + 1)

    def set_far(self, *, far: bool) -> None:
        """Show the overview instead of the cards, or the other way round."""
        if far == self.far or self._far_item is None:
            return
        self.far = far
        for layer in self._cards:
            layer.setVisible(not far)
        self._far_item.setVisible(far)

    def node(self, key: str) -> Node | None:
        """The node of a key."""
        return self._by_key.get(key)

    def nodes_of(self, path: str) -> list[Node]:
        """Every node of a layer path: several for shared layers."""
        return self._by_path.get(path, [])

    def holder_of(self, path: str) -> Node | None:
        """The folded group that a layer, or the model around it, is in."""
        while path and path not in self._hidden:
            path = path.rpartition("/")[0]
        return self._hidden.get(path)

    def parent_of(self, node: Node) -> Node | None:
        """The container that a node stands in."""
        return self._parents.get(node.key)

    def edges_of(self, node: Node) -> tuple[list[Edge], list[Edge]]:
        """Edges into and out of a node."""
        return self._edges.get(node.key, ([], []))

    def node_at(self, point: QPointF) -> Node | None:
        """The card at a place, else the innermost container there."""
        x, y = point.x(), point.y()
        for node in self._cells.get((int(x // _CELL), int(y // _CELL)), ()):
            if node.x <= x <= node.x + node.width and node.y <= y <= node.y + node.height:
                return node
        inside = [node for node in self.nodes if node.inner is not None and QRectF(
            node.x, node.y, node.width, node.height).contains(point)]  # fmt: skip
        return inside[-1] if inside else None

    def on_header(self, node: Node, point: QPointF) -> bool:
        """Whether a place is on the title of an unfolded model."""
        return node.inner is not None and point.y() <= node.y + HEADER

    def mark_selected(self, nodes: list[Node]) -> None:
        """Draw the selection ring."""
        if self._ring is not None:
            self._ring.show_around(nodes)

    def mark_many(self, chosen: list[Node], hits: list[Node]) -> None:
        """Frame the nodes of several selected layers, and those that were found."""
        for frames, nodes in zip(self._frames, (chosen, hits), strict=False):
            frames.show_around(nodes)

    @property
    def many_chosen(self) -> int:
        """How many nodes are framed as selected together."""
        return self._frames[0].count if self._frames else 0

    @property
    def many_found(self) -> int:
        """How many nodes are framed as found."""
        return self._frames[1].count if self._frames else 0

    def mark_hovered(self, node: Node | None) -> None:
        """Light up a node and its edges."""
        if self._hover_ring is None or self._highlight is None:
            return
        self._hover_ring.show_around([node] if node is not None else [])
        incoming, outgoing = self.edges_of(node) if node is not None else ([], [])
        self._highlight.show_edges([*incoming, *outgoing])


def _blocks(level: Level) -> Iterator[list[Node]]:
    for block in level.blocks:
        if block[0].inner is None:
            yield block
        else:
            yield from _blocks(block[0].inner)


def _paths(level: Level, prefix: str = "") -> dict[str, str]:
    """Each node's path in the drawn graph, by key; a removed layer's `path` is the one it had in the source."""
    found = {}
    for node in level.nodes:
        grouped = node.group is not None or node.outside
        path = node.path if grouped else prefix + node.layer.name
        found[node.key] = "" if node.outside else path
        if node.inner is not None:
            found.update(_paths(node.inner, prefix if grouped else path + "/"))
    return found

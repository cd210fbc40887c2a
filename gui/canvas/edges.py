"""Edges, many to an item: all pieces that lie in one cell of the plane are drawn with one call.

One item an edge costs too many calls into Python; one item for all defeats culling when zoomed in (measured: 51 ms
against 3.8 ms at 1:1 for 10,000 edges).
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget
from typing_extensions import override

from gui.canvas.flow import Edge
from gui.canvas.look import Look

CELL = 1024.0
HEADS_ZOOM = 0.28
LONG_LABEL_ZOOM = 0.7
LABEL_ZOOM = 1.2
HEAD = 4.2

Point = tuple[float, float]


def add_piece(path: QPainterPath, start: Point, end: Point) -> None:
    """One step of an edge: a straight line, or a curve that leaves and arrives vertically."""
    path.moveTo(*start)
    if start[0] == end[0]:
        path.lineTo(*end)
        return
    half = (end[1] - start[1]) / 2
    if half >= 0:
        path.cubicTo(start[0], start[1] + half * 1.15, end[0], end[1] - half * 1.15, end[0], end[1])
    else:
        path.lineTo(*end)


def add_head(path: QPainterPath, tip: Point) -> None:
    """An arrow head that points down at `tip`."""
    x, y = tip
    path.moveTo(x, y)
    path.lineTo(x - HEAD, y - HEAD * 1.9)
    path.lineTo(x, y - HEAD * 1.45)
    path.lineTo(x + HEAD, y - HEAD * 1.9)
    path.closeSubpath()


class EdgeCell(QGraphicsItem):
    """The pieces of edges, arrow heads and shape labels in one cell."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.lines = QPainterPath()
        self.ghosts = QPainterPath()
        self.heads = QPainterPath()
        self.ghost_heads = QPainterPath()
        self.labelled: list[Edge] = []
        self._places: list[Point] = []
        self._labels: list[Label] | None = None
        self._drawn = QRectF()
        self._bounds = QRectF()
        self.has_ghosts = False

    @property
    def labels(self) -> list["Label"]:
        """The shapes beside the edges whose middle is in this cell; measured when first painted."""
        if self._labels is None:
            made = [label_of(edge, self.look) for edge in self.labelled if edge.text]
            # a short way around one card has no room beside it
            self._labels = [label for label in made if label.upright or not label.long]
        return self._labels

    def settle(self) -> None:
        """Take the bounds, after the last piece was added."""
        bounds = QRectF()
        for path in (self.lines, self.ghosts, self.heads, self.ghost_heads):
            if not path.isEmpty():
                bounds = bounds.united(path.controlPointRect().adjusted(-3, -3, 3, 3))
        self.has_ghosts = not self.ghosts.isEmpty()
        self._drawn = bounds
        self._bounds = self._with_labels()

    def reword(self) -> None:
        """Measure the labels again when next painted: the shapes on the edges may be others."""
        self._labels = None
        bounds = self._with_labels()
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds

    def add_label(self, edge: Edge, place: Point) -> None:
        """Write the shape of an edge, if it has one, at a place in this cell."""
        self.labelled.append(edge)
        self._places.append(place)

    def _with_labels(self) -> QRectF:
        """The bounds with room for labels of any direction: measuring each would take longer than all else."""
        longest = max((len(edge.text) for edge in self.labelled), default=0)
        if not longest:
            return self._drawn
        reach = (longest * self.look.small_metrics.horizontalAdvance("W") + 8) / 2
        left, right = min(x for x, _ in self._places), max(x for x, _ in self._places)
        top, bottom = min(y for _, y in self._places), max(y for _, y in self._places)
        labels = QRectF(left - reach, top - reach, right - left + 2 * reach, bottom - top + 2 * reach)
        return self._drawn.united(labels)

    @override
    def boundingRect(self) -> QRectF:
        return self._bounds

    @override
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        look = self.look
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(look.edge if zoom >= HEADS_ZOOM else look.edge_far)
        painter.drawPath(self.lines)
        if self.has_ghosts:
            painter.setPen(look.ghost_edge)
            painter.drawPath(self.ghosts)
        if zoom < HEADS_ZOOM:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.edge_fill)
        painter.drawPath(self.heads)
        if self.has_ghosts:
            painter.setBrush(look.ghost_edge.color())
            painter.drawPath(self.ghost_heads)
        if zoom < LONG_LABEL_ZOOM:
            return
        for label in self.labels:
            if label.long or zoom >= LABEL_ZOOM:
                paint_label(painter, look, label, look.muted)


def paint_label(painter: QPainter, look: Look, label: "Label", pen: QPen) -> None:
    """A shape on an edge, on a patch of canvas; upright along a long vertical piece."""
    rect = label.rect
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.label_back)
    painter.drawRoundedRect(rect, 4, 4)
    painter.setFont(look.small)
    painter.setPen(pen)
    if not label.upright:
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, label.text)
        return
    middle = rect.center()
    painter.save()
    painter.translate(middle)
    painter.rotate(-90.0)
    turned = QRectF(-rect.height() / 2, -rect.width() / 2, rect.height(), rect.width())
    painter.drawText(turned, Qt.AlignmentFlag.AlignCenter, label.text)
    painter.restore()


class Label(NamedTuple):
    """An edge's shape and where it is written. `long` ones show from farther away."""

    rect: QRectF
    text: str
    long: bool
    upright: bool


def _longest_piece(edge: Edge) -> tuple[Point, Point]:
    points = edge.points
    if len(points) == 2:
        return points[0], points[1]
    return max(pairwise(points), key=lambda step: abs(step[1][1] - step[0][1]))


def label_place(edge: Edge) -> Point:
    """The middle of an edge's longest piece."""
    start, end = _longest_piece(edge)
    return (start[0] + end[0]) / 2, (start[1] + end[1]) / 2


def label_of(edge: Edge, look: Look) -> Label:
    """An edge's shape in the middle of its longest piece, along it if it is straight and long."""
    width = look.small_metrics.horizontalAdvance(edge.text) + 8
    start, end = _longest_piece(edge)
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    upright = start[0] == end[0] and abs(end[1] - start[1]) > width + 30
    rect = QRectF(x - 7, y - width / 2, 14, width) if upright else QRectF(x - width / 2, y - 7.5, width, 15)
    return Label(rect, edge.text, edge.long, upright)


def edge_cells(edges: Iterable[Edge], look: Look) -> list[EdgeCell]:
    """All edges, batched by cell."""
    cells: dict[tuple[int, int], EdgeCell] = {}

    def cell_at(x: float, y: float) -> EdgeCell:
        key = (int(x // CELL), int(y // CELL))
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = EdgeCell(look)
        return cell

    for edge in edges:
        points = edge.points
        if len(points) < 2:
            continue
        for start, end in _pieces(points):
            cell = cell_at((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
            add_piece(cell.ghosts if edge.ghost else cell.lines, start, end)
        tip = points[-1]
        cell = cell_at(*tip)
        add_head(cell.ghost_heads if edge.ghost else cell.heads, tip)
        place = label_place(edge)
        cell_at(*place).add_label(edge, place)
    made = list(cells.values())
    for cell in made:
        cell.settle()
    return made


def _pieces(points: Sequence[Point]) -> list[tuple[Point, Point]]:
    """Steps of an edge, with straight ones cut so that each stays near one cell."""
    pieces = []
    for start, end in pairwise(points):
        if start[0] != end[0] or end[1] - start[1] <= CELL:
            pieces.append((start, end))
            continue
        y = start[1]
        while y < end[1]:
            step = min(y + CELL, end[1])
            pieces.append(((start[0], y), (start[0], step)))
            y = step
    return pieces


class Highlight(QGraphicsItem):
    """The edges into and out of one node, drawn over all others, with their shapes."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.lines = QPainterPath()
        self.heads = QPainterPath()
        self.labels: list[Label] = []
        self._bounds = QRectF()

    def show_edges(self, edges: Sequence[Edge]) -> None:
        """Draw these edges and no others."""
        self.prepareGeometryChange()
        self.lines, self.heads, self.labels = QPainterPath(), QPainterPath(), []
        for edge in edges:
            for start, end in pairwise(edge.points):
                add_piece(self.lines, start, end)
            if edge.points:
                add_head(self.heads, edge.points[-1])
                if edge.text:
                    self.labels.append(label_of(edge, self.look))
        bounds = self.lines.controlPointRect() if edges else QRectF()
        for label in self.labels:
            bounds = bounds.united(label.rect)
        self._bounds = bounds.adjusted(-6, -6, 6, 6) if edges else QRectF()
        self.update()

    @override
    def boundingRect(self) -> QRectF:
        return self._bounds

    @override
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(self.look.active)
        painter.drawPath(self.lines)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.look.active_fill)
        painter.drawPath(self.heads)
        if zoom >= LONG_LABEL_ZOOM:
            for label in self.labels:
                paint_label(painter, self.look, label, QPen(self.look.active.color()))

"""A layer is dragged over the graph: the edge or the card under it lights up, and a word says what would happen."""

from msgspec import Struct
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QDragMoveEvent, QDropEvent, QPainterPath, QPainterPathStroker, QPen
from PySide6.QtWidgets import QGraphicsPathItem, QLabel
from shiboken6 import isValid
from typing_extensions import override

from gui.canvas.edges import add_piece
from gui.canvas.flow import Edge, Node
from gui.canvas.scene import GraphScene
from gui.canvas.view import CanvasView
from gui.widgets.theme import LIGHT, Theme

REACH = 14.0
"""How far from an edge, in pixels of the screen, a drop is still meant for it."""


class Place(Struct, frozen=True):
    """Where a layer would go: after a layer, and on an edge only `before` another one. `why` it cannot, else `""`."""

    after: str = ""
    before: str = ""
    why: str = ""


class Dropping(QObject):
    """Watches a canvas. `offered(name, place)` at each new place, `dropped(name, place)`; `mime` is what it takes.

    Whoever listens answers with `say`, which decides whether the drop is taken.
    """

    offered = Signal(str, object)
    dropped = Signal(str, object)

    def __init__(self, view: CanvasView, scene: GraphScene, mime: str) -> None:
        super().__init__(view)
        self._view, self._scene, self._mime = view, scene, mime
        self._lit: QGraphicsPathItem | None = None
        self._place: Place | None = None
        self._name = ""
        self._point = QPoint()
        self.allowed = False
        self.theme: Theme = LIGHT
        # beside the view, not in it: the map of the graph lies there too, and the word must be on top
        self.tip = QLabel(view.parentWidget() or view)
        self.tip.setObjectName("dropTip")
        self.tip.setWordWrap(True)
        self.tip.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.tip.hide()
        view.setAcceptDrops(True)
        view.viewport().setAcceptDrops(True)
        view.viewport().installEventFilter(self)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.DragLeave and self._name:
            self.clear()
            return True
        if not isinstance(event, QDropEvent) or not event.mimeData().hasFormat(self._mime):
            return False
        self._name = bytes(event.mimeData().data(self._mime).data()).decode(errors="replace")
        if kind in (QEvent.Type.DragEnter, QEvent.Type.DragMove):
            event.setDropAction(Qt.DropAction.CopyAction)
            if kind == QEvent.Type.DragEnter:
                self._place = None  # another layer may be held over the same place
            # entering is always taken: a drag that is refused at the border would not be told of its moves
            self._move(event.position().toPoint())
            if self.allowed or kind == QEvent.Type.DragEnter:
                event.accept()
            elif isinstance(event, QDragMoveEvent):
                event.ignore()
            return True
        if kind == QEvent.Type.Drop:
            self._move(event.position().toPoint())
            name, place, allowed = self._name, self._place, self.allowed
            self.clear()
            if place is not None and allowed:
                event.setDropAction(Qt.DropAction.CopyAction)
                event.accept()
                self.dropped.emit(name, place)
            else:
                event.ignore()
            return True
        return False

    def _move(self, point: QPoint) -> None:
        self._point = point
        place, path = self._under(self._view.mapToScene(point))
        if place != self._place:
            self._place = place
            self.allowed = False
            self._light(path)
            self.tip.hide()
            if place is not None:
                self.offered.emit(self._name, place)
        self._put_tip(point)

    def say(self, text: str, allowed: bool | None) -> None:
        """What would happen at the place that was offered last; `None` while nobody knows yet."""
        if self._place is None:
            return
        self.allowed = allowed is not False
        ink = self.theme.error.ink if allowed is False else self.theme.accent
        self.tip.setText(text)
        self.tip.setStyleSheet(
            f"#dropTip {{ background: {self.theme.raised}; color: {ink if allowed is False else self.theme.text}; "
            f"border: 1px solid {ink}; border-radius: 6px; padding: 5px 9px; }}"
        )
        self.tip.adjustSize()
        self._put_tip(self._point)
        self.tip.show()
        self.tip.raise_()
        if self._lit is not None and isValid(self._lit):
            pen = QPen(QColor(ink), 4.0)
            pen.setCosmetic(True)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            self._lit.setPen(pen)

    def again(self) -> tuple[str, Place] | None:
        """What is held over the graph now, and where."""
        return (self._name, self._place) if self._place is not None else None

    def clear(self) -> None:
        """The drag is over."""
        self._light(None)
        self._place, self._name, self.allowed = None, "", False
        self.tip.hide()

    # where

    def _under(self, point: QPointF) -> tuple[Place | None, QPainterPath | None]:
        reach = REACH / max(self._view.zoom, 0.05)
        node = self._scene.node_at(point)
        card = node is not None and node.inner is None
        edge = None if card else edge_near(self._scene, point, reach)
        if edge is not None:
            return _on_edge(edge), _line(edge)
        if node is None or node.inner is not None:
            return None, None
        return _on_node(node), _below(node)

    def _light(self, path: QPainterPath | None) -> None:
        # a graph that is drawn anew takes everything out of the scene, this too
        if self._lit is not None and isValid(self._lit) and self._lit.scene() is self._scene:
            self._scene.removeItem(self._lit)
        self._lit = None
        if path is not None:
            self._lit = QGraphicsPathItem(path)
            self._lit.setZValue(5)
            pen = QPen(QColor(self.theme.accent), 4.0)
            pen.setCosmetic(True)
            self._lit.setPen(pen)
            self._scene.addItem(self._lit)

    def _put_tip(self, point: QPoint) -> None:
        if not self.tip.text():
            return  # nothing has been said yet, and no words have no height
        area = self._view.viewport().rect()
        self.tip.setFixedWidth(min(320, max(160, area.width() - 16)))
        self.tip.setFixedHeight(self.tip.heightForWidth(self.tip.width()))
        x = min(point.x() + 18, area.right() - self.tip.width() - 8)
        y = point.y() + 20 if point.y() + 28 + self.tip.height() < area.bottom() else point.y() - self.tip.height() - 12
        self.tip.move(max(x, 8), max(y, 8))


def edge_near(scene: GraphScene, point: QPointF, reach: float) -> Edge | None:
    """The edge that passes a place within `reach`, the closest one."""
    x, y = point.x(), point.y()
    best: tuple[float, Edge] | None = None
    for node in scene.nodes:
        for edge in scene.edges_of(node)[1]:
            places = edge.points
            if len(places) < 2:
                continue
            xs, ys = [one[0] for one in places], [one[1] for one in places]
            if not (min(xs) - reach <= x <= max(xs) + reach and min(ys) - reach <= y <= max(ys) + reach):
                continue
            distance = _distance(_line(edge), point, reach)
            if distance is not None and (best is None or distance < best[0]):
                best = (distance, edge)
    return best[1] if best is not None else None


def _distance(path: QPainterPath, point: QPointF, reach: float) -> float | None:
    """About how far a place is from a line, in three steps; `None` beyond the reach."""
    for part in (0.25, 0.5, 1.0):
        stroker = QPainterPathStroker()
        stroker.setWidth(2 * reach * part)
        if stroker.createStroke(path).contains(point):
            return reach * part
    return None


def _line(edge: Edge) -> QPainterPath:
    path = QPainterPath()
    for start, end in zip(edge.points, edge.points[1:], strict=False):
        add_piece(path, start, end)
    return path


def _below(node: Node) -> QPainterPath:
    path = QPainterPath()
    path.moveTo(node.x + 6, node.y + node.height)
    path.lineTo(node.x + node.width - 6, node.y + node.height)
    return path


def _on_edge(edge: Edge) -> Place:
    if edge.ghost:
        return Place(why="This connection is gone in the result.")
    if edge.source.group is not None or edge.target.group is not None:
        return Place(why="Unfold the block first, then drop the layer inside it.")
    if edge.output:
        return Place(why=f"This is another output of {edge.source.path}; a layer can be put behind its first one.")
    return Place(after=edge.source.path, before=edge.target.path)


def _on_node(node: Node) -> Place:
    if node.ghost:
        return Place(why=f"{node.path} is not in the result.")
    if node.group is not None:
        return Place(why="Unfold the block first, then drop the layer inside it.")
    return Place(after=node.path)

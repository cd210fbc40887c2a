"""Where one looks: zoom, place, the first look at a graph, and gliding from node to node."""

from typing import cast

from PySide6.QtCore import QEasingCurve, QPointF, QRect, QRectF, QSize, Qt, QVariantAnimation, Signal, Slot
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPen, QPolygonF, QResizeEvent, QTransform
from PySide6.QtWidgets import QFrame, QGraphicsView, QWidget
from typing_extensions import override

from gui.canvas.flow import Node
from gui.canvas.scene import FAR_ZOOM, MARGIN, GraphScene

ZOOM_MOST = 4.0
ZOOM_LEAST = 0.01
STEP = 1.25
READABLE = 0.6
DOTS = 26.0
ROAM = 100_000.0
ANIMATION_MS = 180
HEADING = 30.0


class Camera(QGraphicsView):
    """A view without scroll bars that can look anywhere on the graph. `moved` follows every change of place or zoom."""

    moved = Signal()

    def __init__(self, scene: GraphScene, parent: QWidget | None = None) -> None:
        super().__init__(scene, parent)
        self.graph_scene = scene
        self.background = QColor("#ffffff")
        self.dots = QPen()
        self._dotted: tuple[float, int, int, int, int] | None = None
        self._points = QPolygonF()
        self._centre = QPointF()
        self._at_home = True
        self._aside = 0.0
        self._slide = QVariantAnimation(self)
        self._slide.setDuration(ANIMATION_MS)
        self._slide.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._slide.valueChanged.connect(self._on_slide)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        self.setOptimizationFlags(QGraphicsView.OptimizationFlag.DontSavePainterState)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setSceneRect(-ROAM, -ROAM, 2 * ROAM, 2 * ROAM)

    @property
    def zoom(self) -> float:
        """Screen pixels per scene pixel."""
        return self.transform().m11()

    def visible_rect(self) -> QRectF:
        """The part of the scene in the window."""
        return self.mapToScene(self.viewport().rect()).boundingRect()

    def centre(self) -> QPointF:
        """The scene point in the middle, kept exact: scroll bars know whole pixels only and would drift."""
        return QPointF(self._centre)

    def middle(self) -> QPointF:
        """The middle of the viewport, in its own coordinates."""
        return QPointF(self.viewport().width() / 2, self.viewport().height() / 2)

    def on_screen(self, point: QPointF) -> QPointF:
        """Where a scene point is in the viewport."""
        return (point - self._centre) * self.zoom + self.middle()

    def extend_roaming(self) -> None:
        """Make room around the graph for panning, after it changed."""
        bounds = self.graph_scene.bounds
        self.setSceneRect(bounds.adjusted(-ROAM, -ROAM, ROAM, ROAM))

    def look_at(self, point: QPointF) -> None:
        """Put a scene point, or the nearest one on the graph, in the middle."""
        bounds = self.graph_scene.bounds
        if bounds.isEmpty():
            return
        x = min(max(point.x(), bounds.left()), bounds.right())
        y = min(max(point.y(), bounds.top()), bounds.bottom())
        self._centre = QPointF(x, y)
        self.centerOn(self._centre)
        self.moved.emit()

    def set_zoom(self, zoom: float, anchor: QPointF | None = None) -> None:
        """Zoom, with the scene under `anchor` (a viewport point; default: the middle) staying where it is."""
        zoom = max(self._least_zoom(), min(ZOOM_MOST, zoom))
        aside = anchor - self.middle() if anchor is not None else QPointF()
        fixed = self._centre + aside / self.zoom
        self.setTransform(QTransform.fromScale(zoom, zoom))
        self.graph_scene.set_far(far=zoom < FAR_ZOOM)
        self.look_at(fixed - aside / zoom)

    def _least_zoom(self) -> float:
        return max(ZOOM_LEAST, min(FAR_ZOOM, 0.5 * self.fit_zoom()))

    def fit_zoom(self) -> float:
        """The zoom at which the whole graph is in the window, at most 1.25."""
        bounds = self.graph_scene.bounds.adjusted(-MARGIN, -MARGIN, MARGIN, MARGIN)
        size = self.viewport().size()
        if bounds.isEmpty() or size.isEmpty():
            return 1.0
        return min(1.25, size.width() / bounds.width(), size.height() / bounds.height())

    @Slot()
    def fit(self) -> None:
        """Show the whole graph."""
        self._slide.stop()
        self._at_home = False
        self.set_zoom(self.fit_zoom())
        self.look_at(self.graph_scene.bounds.center())

    @Slot()
    def zoom_in(self) -> None:
        """One step nearer."""
        self._at_home = False
        self.set_zoom(self.zoom * STEP)

    @Slot()
    def zoom_out(self) -> None:
        """One step away."""
        self._at_home = False
        self.set_zoom(self.zoom / STEP)

    def go_home(self) -> None:
        """The first look at a graph: all of it if it can be read, else its beginning."""
        self._slide.stop()
        self._at_home = True
        bounds = self.graph_scene.bounds
        size = self.viewport().size()
        fitting = self.fit_zoom()
        if fitting >= READABLE:
            self.set_zoom(min(1.0, fitting))
            self.look_at(bounds.center())
            return
        across = size.width() / (bounds.width() + 2 * MARGIN)
        self.set_zoom(max(READABLE, min(1.0, across)))
        first = self.graph_scene.nodes[0] if self.graph_scene.nodes else None
        spare = max(0.0, (size.width() - bounds.width() * self.zoom) / 2)
        x = bounds.center().x() + min(max(0.0, self._aside - spare), spare) / self.zoom
        if first is not None and across < READABLE:
            x = first.x + first.width / 2
        self.look_at(QPointF(x, bounds.top() - MARGIN + size.height() / 2 / self.zoom))

    def set_aside(self, width: float) -> None:
        """What lies over the right of the window, in pixels: the first look keeps the graph beside it if it can."""
        if width != self._aside:
            self._aside = width
            if self._at_home and self.graph_scene.nodes:
                self.go_home()

    def in_sight(self, node: Node) -> bool:
        """Whether a node's middle (of an open model: its heading's) is in the window."""
        height = min(node.height, 200.0) if node.inner is None else HEADING
        return self.visible_rect().contains(QPointF(node.x + node.width / 2, node.y + height / 2))

    def glide_to(self, node: Node) -> None:
        """Bring a node that is out of sight into the middle; the zoom stays as it is."""
        self._at_home = False
        if self.in_sight(node):
            return
        goal = QPointF(node.x + node.width / 2, node.y + min(node.height, 200.0) / 2)
        if not self.isVisible():
            self.look_at(goal)
            return
        self._slide.stop()
        self._slide.setStartValue(self.centre())
        self._slide.setEndValue(goal)
        self._slide.start()

    @Slot(object)
    def _on_slide(self, point: QPointF) -> None:
        self.look_at(point)

    def settle(self) -> None:
        """End a running movement at its goal."""
        if self._slide.state() == QVariantAnimation.State.Running:
            goal = self._slide.endValue()
            self._slide.stop()
            self.look_at(cast("QPointF", goal))

    def stop(self) -> None:
        """Stop moving, before the window closes."""
        self._slide.stop()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._at_home and self.graph_scene.nodes:
            self.go_home()
        else:
            # what is seen stays where it is; a panel that opens below covers the lower end
            old = event.oldSize()
            grown = event.size() - old if old.isValid() else QSize(0, 0)
            self.look_at(self._centre + QPointF(grown.width(), grown.height()) / 2 / self.zoom)
        self.moved.emit()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        self.settle()
        super().hideEvent(event)

    @override
    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        area = QRectF(rect)
        painter.fillRect(area, self.background)
        zoom = self.zoom
        if zoom < 0.35:
            return
        step = DOTS if zoom >= 0.7 else DOTS * 2
        left, top = int(area.left() // step), int(area.top() // step)
        across, down = int(area.width() // step) + 2, int(area.height() // step) + 2
        place = (step, left, top, across, down)
        if place != self._dotted:
            self._dotted = place
            self._points = QPolygonF(
                [QPointF((left + i) * step, (top + j) * step) for j in range(down) for i in range(across)]
            )
        painter.setPen(self.dots)
        painter.drawPoints(self._points)

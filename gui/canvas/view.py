"""The view on the scene: panning, zooming, picking, walking with the keyboard."""

from typing import cast

from PySide6.QtCore import (
    QEasingCurve,
    QEvent,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    QVariantAnimation,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QHelpEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPen,
    QPolygonF,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QGesture,
    QGestureEvent,
    QGraphicsView,
    QPinchGesture,
    QToolTip,
    QWidget,
)
from typing_extensions import override

from gui.canvas.badges import NO_BADGE
from gui.canvas.flow import Node
from gui.canvas.items import tooltip
from gui.canvas.scene import FAR_ZOOM, MARGIN, GraphScene
from gui.canvas.walk import neighbour

ZOOM_MOST = 4.0
ZOOM_LEAST = 0.01
STEP = 1.25
READABLE = 0.6
DOTS = 26.0
ROAM = 100_000.0
ANIMATION_MS = 180


class CanvasView(QGraphicsView):
    """Shows a `GraphScene`. Signals carry nodes, since a shared layer has several."""

    node_clicked = Signal(object)
    node_activated = Signal(object)
    fold_requested = Signal(object)
    context_requested = Signal(object, QPoint)
    moved = Signal()

    def __init__(self, scene: GraphScene, parent: QWidget | None = None) -> None:
        super().__init__(scene, parent)
        self.graph_scene = scene
        self.current: Node | None = None
        self.hovered: Node | None = None
        self.background = QColor("#ffffff")
        self.dots = QPen()
        self._press: QPoint | None = None
        self._last = QPoint()
        self._panning = False
        self._at_home = True
        self._slide = QVariantAnimation(self)
        self._slide.setDuration(ANIMATION_MS)
        self._slide.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._slide.valueChanged.connect(self._on_slide)
        self.setObjectName("canvas")
        self.setAccessibleName("Graph")
        self.setAccessibleDescription(
            "The model as a graph. Arrow keys follow connections, Enter opens a layer, plus and minus zoom. "
            "The layer list offers the same layers as text."
        )
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        self.setOptimizationFlags(QGraphicsView.OptimizationFlag.DontSavePainterState)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.AnchorViewCenter)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.viewport().grabGesture(Qt.GestureType.PinchGesture)
        self.setSceneRect(-ROAM, -ROAM, 2 * ROAM, 2 * ROAM)

    # where one looks

    @property
    def zoom(self) -> float:
        """Screen pixels per scene pixel."""
        return self.transform().m11()

    def visible_rect(self) -> QRectF:
        """The part of the scene in the window."""
        return self.mapToScene(self.viewport().rect()).boundingRect()

    def centre(self) -> QPointF:
        """The scene point in the middle of the window."""
        return self.mapToScene(self.viewport().rect().center())

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
        self.centerOn(x, y)
        self.moved.emit()

    def set_zoom(self, zoom: float, anchor: QPointF | None = None) -> None:
        """Zoom, with the scene under `anchor` (a viewport point; default: the middle) staying where it is."""
        zoom = max(self._least_zoom(), min(ZOOM_MOST, zoom))
        middle = QPointF(self.viewport().rect().center())
        place = middle if anchor is None else anchor
        fixed = self.mapToScene(place.toPoint())
        self.setTransform(QTransform.fromScale(zoom, zoom))
        self.graph_scene.set_far(far=zoom < FAR_ZOOM)
        self.look_at(fixed - (place - middle) / zoom)

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
        x = bounds.center().x()
        if first is not None and across < READABLE:
            x = first.x + first.width / 2
        self.look_at(QPointF(x, bounds.top() - MARGIN + size.height() / 2 / self.zoom))

    def glide_to(self, node: Node) -> None:
        """Bring a node into the middle, unless it is well in sight."""
        rect = QRectF(node.x, node.y, node.width, min(node.height, 200.0))
        visible = self.visible_rect()
        slack = min(visible.width(), visible.height()) * 0.12
        self._at_home = False
        if self.zoom < READABLE:
            self.set_zoom(0.9)
        elif visible.adjusted(slack, slack, -slack, -slack).contains(rect):
            return
        if not self.isVisible():
            self.look_at(rect.center())
            return
        self._slide.stop()
        self._slide.setStartValue(self.centre())
        self._slide.setEndValue(rect.center())
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

    def forget(self) -> None:
        """Drop what refers to nodes of the scene, before it is built anew."""
        self.current = self.hovered = None

    # what one does

    def _hover(self, node: Node | None) -> None:
        if node is self.hovered:
            return
        self.hovered = node
        self.graph_scene.mark_hovered(node)

    def _node_under(self, point: QPoint) -> Node | None:
        return self.graph_scene.node_at(self.mapToScene(point))

    def _go(self, key: int) -> None:
        node = neighbour(self.graph_scene, self.current, key)
        if node is not None:
            self.current = node
            self.node_clicked.emit(node)

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._slide.stop()
            self._press = self._last = event.position().toPoint()
            self._panning = False
            event.accept()

    @override
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = event.position().toPoint()
        if self._press is None:
            self._hover(self._node_under(point))
            return
        if not self._panning and (point - self._press).manhattanLength() >= QApplication.startDragDistance():
            self._panning = True
            self._hover(None)
            self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
        if self._panning:
            self._at_home = False
            step = QPointF(point - self._last) / self.zoom
            self._last = point
            self.look_at(self.centre() - step)

    @override
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        press, self._press = self._press, None
        if self._panning:
            self._panning = False
            self.viewport().unsetCursor()
            return
        if press is None or event.button() != Qt.MouseButton.LeftButton:
            return
        node = self._node_under(press)
        if node is None:
            return
        if node.inner is not None and self.graph_scene.on_header(node, self.mapToScene(press)):
            inside = self.mapToScene(press).x() - node.x
            if inside <= 32:
                self.fold_requested.emit(node)
                return
        self.current = node
        self.node_clicked.emit(node)

    @override
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        node = self._node_under(event.position().toPoint())
        if node is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._press = None
        if node.foldable:
            self.fold_requested.emit(node)
        else:
            self.node_activated.emit(node)

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        self._slide.stop()
        self._at_home = False
        turn = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            amount = turn.y() or turn.x()
            self.look_at(self.centre() - QPointF(amount, 0) / self.zoom)
        elif turn.y():
            self.set_zoom(self.zoom * STEP ** (turn.y() / 120.0), event.position())
        event.accept()

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right) and not control:
            self._go(key)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.current is not None:
            self.node_activated.emit(self.current)
        elif key == Qt.Key.Key_Space and self.current is not None and self.current.foldable:
            self.fold_requested.emit(self.current)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom_in()
        elif key in (Qt.Key.Key_Minus, Qt.Key.Key_Underscore):
            self.zoom_out()
        elif key == Qt.Key.Key_0 and control:
            self.fit()
        elif key in (Qt.Key.Key_PageDown, Qt.Key.Key_PageUp):
            step = self.visible_rect().height() * 0.8
            self._at_home = False
            self.look_at(self.centre() + QPointF(0, step if key == Qt.Key.Key_PageDown else -step))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End) and self.graph_scene.nodes:
            self.current = self.graph_scene.nodes[0 if key == Qt.Key.Key_Home else -1]
            self.node_clicked.emit(self.current)
        else:
            super().keyPressEvent(event)
            return
        event.accept()

    @override
    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Keyboard and self.current is not None:
            node: Node | None = self.current
            place = self.mapFromScene(node.x + 20, node.y + node.height / 2) if node is not None else QPoint()
            self.context_requested.emit(node, self.viewport().mapToGlobal(place))
            return
        node = self._node_under(event.pos())
        if node is not None:
            self.context_requested.emit(node, event.globalPos())

    @override
    def viewportEvent(self, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.ToolTip:
            help_event = cast("QHelpEvent", event)
            node = self._node_under(help_event.pos())
            if node is None:
                QToolTip.hideText()
            else:
                badge = self.graph_scene.badges.get(node.key, NO_BADGE)
                QToolTip.showText(help_event.globalPos(), tooltip(node, badge), self.viewport())
            return True
        if kind == QEvent.Type.Gesture:
            return self._pinch(cast("QGestureEvent", event))
        if kind == QEvent.Type.NativeGesture:
            native = cast("QNativeGestureEvent", event)
            if native.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
                self._at_home = False
                self.set_zoom(self.zoom * (1.0 + native.value()), native.position())
                return True
        if kind == QEvent.Type.Leave:
            self._hover(None)
        return super().viewportEvent(event)

    def _pinch(self, event: QGestureEvent) -> bool:
        gesture: QGesture | None = event.gesture(Qt.GestureType.PinchGesture)
        if not isinstance(gesture, QPinchGesture):
            return False
        self._at_home = False
        middle = self.viewport().mapFromGlobal(gesture.centerPoint().toPoint())
        self.set_zoom(self.zoom * gesture.scaleFactor(), QPointF(middle))
        event.accept()
        return True

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._at_home and self.graph_scene.nodes:
            self.go_home()
        self.moved.emit()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        self.settle()
        super().hideEvent(event)

    @override
    def leaveEvent(self, event: QEvent) -> None:
        self._hover(None)
        super().leaveEvent(event)

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
        painter.setPen(self.dots)
        painter.drawPoints(
            QPolygonF([QPointF((left + i) * step, (top + j) * step) for j in range(down) for i in range(across)])
        )

    @override
    def sizeHint(self) -> QSize:
        return QSize(640, 720)

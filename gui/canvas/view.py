"""The view on the scene: panning, zooming, picking, walking with the keyboard."""

from typing import cast

from PySide6.QtCore import (
    QEvent,
    QPoint,
    QPointF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QGesture,
    QGestureEvent,
    QPinchGesture,
    QToolTip,
    QWidget,
)
from typing_extensions import override

from gui.canvas.badges import NO_MARKS
from gui.canvas.camera import STEP, Camera
from gui.canvas.flow import Node
from gui.canvas.items import tooltip
from gui.canvas.scene import GraphScene
from gui.canvas.walk import neighbour
from gui.widgets.keyboard import asks_for_menu

BY_KEYBOARD = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class CanvasView(Camera):
    """Shows a `GraphScene`. Signals carry nodes, since a shared layer has several."""

    node_clicked = Signal(object)
    node_activated = Signal(object)
    fold_requested = Signal(object)
    context_requested = Signal(object, QPoint)
    keyboard_focus = Signal(bool)

    def __init__(self, scene: GraphScene, parent: QWidget | None = None) -> None:
        super().__init__(scene, parent)
        self.current: Node | None = None
        self.hovered: Node | None = None
        self._press: QPoint | None = None
        self._last = QPoint()
        self._panning = False
        self.setObjectName("canvas")
        self.setAccessibleName("Graph")
        self.setAccessibleDescription(
            "The model as a graph. Arrow keys follow connections, Enter opens a layer, plus and minus zoom. "
            "The layer list offers the same layers as text."
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.viewport().grabGesture(Qt.GestureType.PinchGesture)

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
        if asks_for_menu(event):
            self._ask_for_menu()
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right) and not control:
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
    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.keyboard_focus.emit(event.reason() in BY_KEYBOARD)

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.keyboard_focus.emit(False)

    def _ask_for_menu(self) -> None:
        """The menu of the current node, at the node."""
        node = self.current
        if node is not None:
            place = self.mapFromScene(node.x + 20, node.y + min(node.height, 40) / 2)
            seen = self.viewport().rect()
            place = QPoint(min(max(place.x(), 0), seen.right()), min(max(place.y(), 0), seen.bottom()))
            self.context_requested.emit(node, self.viewport().mapToGlobal(place))

    @override
    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        # the scene would take every drag and then refuse to let go; files are the window's to take
        if event.mimeData().hasUrls():
            event.ignore()
        else:
            super().dragEnterEvent(event)

    @override
    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self._ask_for_menu()
            return
        node = self._node_under(event.pos())
        if node is not None:
            self.context_requested.emit(node, event.globalPos())

    @override
    def viewportEvent(self, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            node = self._node_under(event.pos())
            if node is None:
                QToolTip.hideText()
            else:
                badge = self.graph_scene.badges.get(node.key, NO_MARKS)
                painted = self.graph_scene.painted
                also = (painted.title, painted.words(node)) if painted is not None else ("", "")
                QToolTip.showText(event.globalPos(), tooltip(node, badge, also), self.viewport())
            return True
        if kind == QEvent.Type.Gesture:
            return self._pinch(cast("QGestureEvent", event))
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._at_home = False
            self.set_zoom(self.zoom * (1.0 + event.value()), event.position())
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
    def leaveEvent(self, event: QEvent) -> None:
        self._hover(None)
        super().leaveEvent(event)

    @override
    def sizeHint(self) -> QSize:
        return QSize(640, 720)

"""Selecting several layers on the canvas: Ctrl or Shift and a click or a frame, Shift and arrows, Ctrl+A, Escape."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QRubberBand
from typing_extensions import override

from gui.canvas.flow import Node
from gui.canvas.walk import neighbour
from gui.widgets.parts import named

if TYPE_CHECKING:
    from gui.canvas.widget import GraphView

ARROWS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right)
TOGGLE = Qt.KeyboardModifier.ControlModifier
MORE = Qt.KeyboardModifier.ShiftModifier


class Chooser(QObject):
    """Watches the view of a canvas: what is meant for several layers ends here, all else goes on to the view."""

    def __init__(self, canvas: "GraphView") -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._view = canvas.view
        self._press: QPoint | None = None
        self.band = named(QRubberBand(QRubberBand.Shape.Rectangle, self._view.viewport()), "frame")
        self._view.installEventFilter(self)
        self._view.viewport().installEventFilter(self)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and watched is self._view:
            return self._on_key(event)
        if kind == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent):
            return self._on_press(event)
        if self._press is not None and isinstance(event, QMouseEvent):
            if kind == QEvent.Type.MouseMove:
                self._on_move(event)
                return True
            if kind == QEvent.Type.MouseButtonRelease:
                self._on_release(event)
                return True
        return False

    def _on_press(self, event: QMouseEvent) -> bool:
        if event.button() != Qt.MouseButton.LeftButton or not event.modifiers() & (TOGGLE | MORE):
            return False
        self._press = event.position().toPoint()
        return True

    def _on_move(self, event: QMouseEvent) -> None:
        assert self._press is not None
        point = event.position().toPoint()
        if self.band.isHidden() and (point - self._press).manhattanLength() < QApplication.startDragDistance():
            return
        self.band.setGeometry(QRect(self._press, point).normalized())
        self.band.show()

    def _on_release(self, event: QMouseEvent) -> None:
        press, self._press = self._press, None
        assert press is not None
        if self.band.isVisible():
            self.band.hide()
            self._add(self._inside(QRect(press, event.position().toPoint()).normalized()))
            return
        node = self._canvas.scene.node_at(self._view.mapToScene(press))
        if node is None:
            return
        chosen, paths = list(self._canvas.chosen), paths_of(node)
        if not set(paths) <= set(chosen):
            self._choose([*chosen, *paths], paths[0])
        elif event.modifiers() & TOGGLE:
            chosen = [path for path in chosen if path not in set(paths)]
            self._choose(chosen, chosen[-1] if chosen else "")
        else:
            self._choose(chosen, paths[0])

    def _inside(self, band: QRect) -> list[str]:
        """The layers that a frame on the screen touches; of an open model, those inside it."""
        first, last = self._view.mapToScene(band.topLeft()), self._view.mapToScene(band.bottomRight())
        area = QRectF(first, last).normalized()
        return [
            path
            for node in self._canvas.scene.nodes
            if node.inner is None
            and node.x < area.right()
            and node.x + node.width > area.left()
            and node.y < area.bottom()
            and node.y + node.height > area.top()
            for path in paths_of(node)
        ]

    def _on_key(self, event: QKeyEvent) -> bool:
        key, held = event.key(), event.modifiers()
        if key in ARROWS and held & MORE and not held & TOGGLE:
            self._extend(key)
        elif key == Qt.Key.Key_A and held == TOGGLE:
            self._add([path for node in self._canvas.scene.nodes if node.inner is None for path in paths_of(node)])
        elif key == Qt.Key.Key_Escape and self._press is not None:
            self._press = None
            self.band.hide()
        elif key == Qt.Key.Key_Escape and self._canvas.chosen:
            self._choose([], "")
        else:
            return False
        return True

    def _extend(self, key: int) -> None:
        """Walk on and take the next layer along; walking back over what is selected leaves the last one out."""
        node = neighbour(self._canvas.scene, self._view.current, key)
        if node is None:
            return
        before, paths = self._canvas.selected, paths_of(node)
        chosen = [path for path in self._canvas.chosen if path not in set(paths)]
        if len(chosen) < len(self._canvas.chosen) and before in chosen:
            chosen.remove(before)
        self._view.current = node
        self._choose([*chosen, *paths], paths[0])

    def _add(self, paths: list[str]) -> None:
        if paths:
            current = self._canvas.selected
            self._choose([*self._canvas.chosen, *paths], current if current in self._canvas.chosen else paths[0])

    def _choose(self, paths: list[str], current: str) -> None:
        self._canvas.layers_chosen.emit(tuple(dict.fromkeys(paths)), current)


def paths_of(node: Node) -> tuple[str, ...]:
    """The layers that a node stands for: several for a folded group."""
    return tuple(node.holds) if node.group is not None else (node.path,)

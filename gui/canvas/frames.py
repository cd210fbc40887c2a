"""Outlines around many nodes at once: what is selected, what was found."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget
from typing_extensions import override

from gui.canvas.flow import Node
from gui.canvas.look import RADIUS

PLAIN_ZOOM = 0.2
NO_BRUSH = QBrush(Qt.BrushStyle.NoBrush)


class Frames(QGraphicsItem):
    """One item for all outlines, because thousands of items would make everything slow; it paints those in sight."""

    def __init__(self, pen: QPen, gap: float = 1.5) -> None:
        super().__init__()
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)
        self.setZValue(3.5)
        self._pen, self._gap = pen, gap
        self._rects: list[QRectF] = []
        self._bounds = QRectF()

    @property
    def count(self) -> int:
        """How many outlines there are."""
        return len(self._rects)

    def show_around(self, nodes: list[Node]) -> None:
        """Outline these nodes and no others."""
        if not nodes and not self._rects:
            return
        self.prepareGeometryChange()
        gap = self._gap
        self._rects = [
            QRectF(node.x - gap, node.y - gap, node.width + 2 * gap, node.height + 2 * gap) for node in nodes
        ]
        self._bounds = QRectF()
        if nodes:
            left, top = min(node.x for node in nodes), min(node.y for node in nodes)
            right = max(node.x + node.width for node in nodes)
            bottom = max(node.y + node.height for node in nodes)
            self._bounds = QRectF(left, top, right - left, bottom - top).adjusted(-24, -24, 24, 24)
        self.update()

    @override
    def boundingRect(self) -> QRectF:
        return self._bounds

    @override
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        seen: QRectF = option.exposedRect
        seen = seen.adjusted(-8, -8, 8, 8)
        rects = [rect for rect in self._rects if rect.intersects(seen)]
        painter.setPen(self._pen)
        painter.setBrush(NO_BRUSH)
        if option.levelOfDetailFromTransform(painter.worldTransform()) < PLAIN_ZOOM:
            painter.drawRects(rects)
            return
        for rect in rects:
            painter.drawRoundedRect(rect, RADIUS, RADIUS)

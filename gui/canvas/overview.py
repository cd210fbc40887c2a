"""The whole graph as coloured rectangles: what is seen from far away, and in the minimap."""

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QPainter
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget
from typing_extensions import override

from gui.canvas.badges import NO_MARKS, Marks
from gui.canvas.flow import Node
from gui.canvas.look import Look, Paint

BADGE_WIDTH = 40.0


class Overview:
    """Rectangles by brush, so that thousands of cards take a handful of calls."""

    def __init__(
        self, nodes: Iterable[Node], badges: Mapping[str, Marks], look: Look, *, difference: bool,
        paints: Mapping[str, Paint] | None = None,
    ) -> None:  # fmt: skip
        paints = paints or {}
        by_brush: dict[str, tuple[QBrush, list[QRectF]]] = {}

        def add(name: str, brush: QBrush, rect: QRectF) -> None:
            by_brush.setdefault(name, (brush, []))[1].append(rect)

        marks: list[tuple[str, QRectF]] = []
        for node in nodes:
            rect = QRectF(node.x, node.y, node.width, node.height)
            badge = badges.get(node.key, NO_MARKS)
            if node.inner is not None:
                add("container", look.group_fills[0], rect)
                continue
            if badge.ghost:
                add("ghost", look.ghost_fill, rect)
            elif node.key in paints:
                brush = paints[node.key].far
                add(f"paint {id(brush)}", brush, rect)
            elif difference and not badge.changed:
                add("neutral", look.neutral.far, rect)
            else:
                add(node.family, look.families[node.family].far, rect)
            if not paints and badge.fate not in (None, "copied") and not badge.ghost:
                end = QRectF(node.x + node.width - BADGE_WIDTH, node.y, BADGE_WIDTH, node.height)
                marks.append((str(badge.fate), end))
        for fate, rect in marks:
            add(f"fate {fate}", look.chips[fate].edge.brush(), rect)
        self.groups = list(by_brush.values())

    def paint(self, painter: QPainter) -> None:
        """Draw all rectangles in scene coordinates."""
        painter.setPen(Qt.PenStyle.NoPen)
        for brush, rects in self.groups:
            painter.setBrush(brush)
            painter.drawRects(rects)


class OverviewItem(QGraphicsItem):
    """The overview as the one item that stands for all cards below a certain zoom."""

    def __init__(self, overview: Overview, bounds: QRectF) -> None:
        super().__init__()
        self.overview = overview
        self._bounds = bounds

    @override
    def boundingRect(self) -> QRectF:
        return self._bounds

    @override
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        self.overview.paint(painter)

"""The whole graph in a corner, with the visible part as a frame that can be dragged."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QWidget
from typing_extensions import override

from gui.canvas.look import Look, faded
from gui.canvas.overview import Overview

MOST = QSize(150, 300)
LEAST = QSize(60, 60)
PADDING = 8.0
STRETCH = 3.0
SCALE_MOST = 0.12
ASIDE = QSize(700, 380)
"""In less room than this the map would lie on what it is a map of."""


class Minimap(QWidget):
    """Painted once for each graph; afterwards only the frame moves. Emits the scene point to look at."""

    point_chosen = Signal(QPointF)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("minimap")
        self.setAccessibleName("Overview of the graph")
        self.setAccessibleDescription("Drag the frame to move through the graph.")
        self.setToolTip("Drag to move through the graph")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._overview: Overview | None = None
        self._look: Look | None = None
        self._bounds = QRectF()
        self._frame = QRectF()
        self._picture = QPixmap()
        self._scale = QPointF(1.0, 1.0)
        self._grab = QPointF()
        self._aside = False
        self.hide()

    def show_graph(self, overview: Overview | None, bounds: QRectF, look: Look, room: QSize) -> None:
        """Another graph, theme or space (`room`: the most it may take)."""
        self._overview, self._bounds, self._look = overview, bounds, look
        self._picture = QPixmap()
        self._aside = room.width() < ASIDE.width() or room.height() < ASIDE.height()
        if overview is None or bounds.isEmpty():
            return
        most = MOST.boundedTo(QSize(room.width() // 3, room.height() * 2 // 5))
        across, down = most.width() - 2 * PADDING, most.height() - 2 * PADDING
        scale = min(across / bounds.width(), down / bounds.height(), SCALE_MOST)
        if scale <= 0:
            return
        wide = max(LEAST.width() - 2 * PADDING, min(across, bounds.width() * scale * STRETCH))
        self._scale = QPointF(min(scale * STRETCH, wide / bounds.width()), scale)
        width = max(LEAST.width(), bounds.width() * self._scale.x() + 2 * PADDING)
        height = max(LEAST.height(), bounds.height() * scale + 2 * PADDING)
        self.resize(round(width), round(height))
        self.update()

    @property
    def needed(self) -> int:
        """The width that it takes where it is shown."""
        return 0 if self._aside or self._overview is None else self.width()

    def set_frame(self, frame: QRectF) -> None:
        """What part of the scene is visible. The map hides when that is everything, or would be in the way."""
        self._frame = frame
        useful = (
            not self._aside
            and self._overview is not None
            and not self._bounds.isEmpty()
            and not frame.contains(self._bounds)
        )
        self.setVisible(useful)
        if useful:
            self.update()

    def _origin(self) -> QPointF:
        return QPointF(
            (self.width() - self._bounds.width() * self._scale.x()) / 2 - self._bounds.left() * self._scale.x(),
            (self.height() - self._bounds.height() * self._scale.y()) / 2 - self._bounds.top() * self._scale.y(),
        )

    def frame_on_map(self) -> QRectF:
        """The frame in the widget's own coordinates, inside it."""
        origin, scale = self._origin(), self._scale
        rect = QRectF(
            origin.x() + self._frame.left() * scale.x(),
            origin.y() + self._frame.top() * scale.y(),
            self._frame.width() * scale.x(),
            self._frame.height() * scale.y(),
        )
        kept = rect.intersected(QRectF(self.rect()).adjusted(3, 3, -3, -3))
        if kept.height() < 6:
            kept = QRectF(kept.left(), min(kept.top(), self.height() - 9.0), kept.width(), 6)
        return kept

    def _render(self, overview: Overview) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(QSize(round(self.width() * ratio), round(self.height() * ratio)))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        origin = self._origin()
        painter.translate(origin)
        painter.scale(self._scale.x(), self._scale.y())
        overview.paint(painter)
        painter.end()
        return picture

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        if self._look is None or self._overview is None:
            return
        if self._picture.isNull():
            self._picture = self._render(self._overview)
        theme = self._look.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.border), 1.0))
        painter.setBrush(faded(theme.panel, 240))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        painter.drawPixmap(0, 0, self._picture)
        painter.setPen(QPen(QColor(theme.accent), 1.5))
        painter.setBrush(faded(QColor(theme.accent), 28))
        painter.drawRoundedRect(self.frame_on_map(), 3, 3)
        painter.end()

    def _choose(self, place: QPointF) -> None:
        origin, scale = self._origin(), self._scale
        self.point_chosen.emit(QPointF((place.x() - origin.x()) / scale.x(), (place.y() - origin.y()) / scale.y()))

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        frame = self.frame_on_map()
        inside = frame.contains(event.position())
        self._grab = event.position() - frame.center() if inside else QPointF()
        self._choose(event.position() - self._grab)
        event.accept()

    @override
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._choose(event.position() - self._grab)
            event.accept()

"""Small signs: a fate's letter, a lock, a finding, a chevron. Each has a shape beside its colour."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QPolygonF

from gui.canvas.look import Look

CHIP = 17.0
NO_PEN = QPen(Qt.PenStyle.NoPen)


def paint_chip(painter: QPainter, look: Look, fate: str, centre: QPointF) -> None:
    """A fate's letter on its colour."""
    chip = look.chips[fate]
    rect = QRectF(centre.x() - CHIP / 2, centre.y() - CHIP / 2 + 0.5, CHIP, CHIP - 1)
    painter.setPen(chip.border)
    painter.setBrush(chip.back)
    painter.drawRoundedRect(rect, 5, 5)
    painter.setFont(look.letter)
    painter.setPen(chip.pen)
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, chip.letter)


def paint_lock(painter: QPainter, look: Look, centre: QPointF) -> None:
    """A closed lock: frozen."""
    x, y = centre.x(), centre.y()
    painter.setPen(NO_PEN)
    painter.setBrush(look.lock_back)
    painter.drawEllipse(centre, CHIP / 2, CHIP / 2)
    painter.setPen(look.lock)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawArc(QRectF(x - 2.4, y - 5.4, 4.8, 6.4), 0, 180 * 16)
    for side in (-2.4, 2.4):
        painter.drawLine(QPointF(x + side, y - 2.2), QPointF(x + side, y - 0.6))
    painter.setPen(NO_PEN)
    painter.setBrush(look.lock.brush())
    painter.drawRoundedRect(QRectF(x - 4, y - 0.8, 8, 5.6), 1.4, 1.4)


def paint_marker(painter: QPainter, look: Look, severity: str, centre: QPointF) -> None:
    """A finding: a disc for an error, a triangle for a warning, an exclamation mark in both."""
    painter.setPen(NO_PEN)
    x, y = centre.x(), centre.y()
    if severity == "error":
        painter.setBrush(look.error)
        painter.drawEllipse(centre, 8.0, 8.0)
        lift = 0.0
    else:
        painter.setBrush(look.warning)
        painter.drawPolygon(QPolygonF([QPointF(x, y - 9), QPointF(x + 9.5, y + 7.5), QPointF(x - 9.5, y + 7.5)]))
        lift = 1.2
    painter.setPen(look.mark)
    painter.drawLine(QPointF(x, y - 3.8 + lift), QPointF(x, y + 0.9 + lift))
    painter.drawPoint(QPointF(x, y + 4.0 + lift))


def paint_chevron(painter: QPainter, centre: QPointF, *, opened: bool) -> None:
    """The sign that folds and unfolds, in the pen's colour."""
    x, y = centre.x(), centre.y()
    pen = QPen(painter.pen())
    own = QPen(pen)
    own.setWidthF(1.9)
    own.setCapStyle(Qt.PenCapStyle.RoundCap)
    own.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(own)
    if opened:
        points = [QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)]
    else:
        points = [QPointF(x - 2, y - 4), QPointF(x + 2, y), QPointF(x - 2, y + 4)]
    painter.drawPolyline(QPolygonF(points))
    painter.setPen(pen)

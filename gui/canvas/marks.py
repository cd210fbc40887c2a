"""Small signs: a fate's letter, a snowflake, a finding, a chevron. Each has a shape beside its colour."""

from math import cos, radians, sin

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


def _flake() -> list[tuple[QPointF, QPointF]]:
    """Three strokes through the middle, each with two small twigs at both ends."""
    strokes = []
    for degrees in (30, 90, 150):
        along = QPointF(cos(radians(degrees)), sin(radians(degrees)))
        across = QPointF(-along.y(), along.x())
        strokes.append((along * -5.2, along * 5.2))
        for end in (-1, 1):
            root, tip = along * (3.2 * end), along * (4.4 * end)
            strokes += [(root, tip + across * 1.5), (root, tip - across * 1.5)]
    return strokes


_FLAKE = _flake()


def paint_snow(painter: QPainter, look: Look, centre: QPointF) -> None:
    """A snowflake: frozen."""
    painter.setPen(NO_PEN)
    painter.setBrush(look.snow_back)
    painter.drawEllipse(centre, CHIP / 2, CHIP / 2)
    painter.setPen(look.snow)
    for start, end in _FLAKE:
        painter.drawLine(centre + start, centre + end)


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

"""A ranking as bars with numbers: rules by drift, layers by drift."""

from math import isfinite, log10

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from gui.widgets.parts import Look

FLOOR = 1e-8


def share(drift: float) -> float:
    """How long a bar is, 0 to 1: logarithmic from 1e-8 to 1, since drifts lie orders of magnitude apart."""
    if not isfinite(drift):
        return 1.0
    return 0.0 if drift <= FLOOR else min(1.0, (log10(drift) - log10(FLOOR)) / -log10(FLOOR))


def drift_number(drift: float) -> str:
    """A drift as a number: `0`, `3.1e-07`, `0.42 %`, `not finite`."""
    if not isfinite(drift):
        return "not finite"
    if drift == 0:
        return "0"
    return f"{drift:.1e}" if drift < 1e-4 else f"{drift:.2%}".replace("%", " %")


class Bar(QWidget):
    """One bar; green while the drift is rounding, then the colour of a warning, and of an error beyond the outputs."""

    def __init__(self, look: Look, drift: float) -> None:
        super().__init__()
        self._look, self.drift = look, drift
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"drift {drift_number(drift)}")
        look.changed.connect(self.update)

    @override
    def sizeHint(self) -> QSize:
        return QSize(80, 8)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._look.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        area = QRectF(0, 1, self.width(), 6)
        painter.setBrush(QColor(theme.pressed))
        painter.drawRoundedRect(area, 3, 3)
        tone = theme.success if self.drift < 1e-5 else theme.warning if self.drift < 0.5 else theme.error
        area.setWidth(max(6.0, self.width() * share(self.drift)))
        painter.setBrush(QColor(tone.ink))
        painter.drawRoundedRect(area, 3, 3)

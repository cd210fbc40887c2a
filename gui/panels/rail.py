"""What stays of a column that was put away: a slim button at the window's side that brings it back."""

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget
from typing_extensions import override

from gui.widgets import theme as themes
from gui.widgets.parts import Look

WIDTH = 34
ICON = 16
TOP = 14


class Rail(QAbstractButton):
    """An icon over a word that is read from top to bottom. Its name says what a click brings back."""

    def __init__(self, look: Look, icon: str, title: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look, self._icon, self._title = look, icon, title.upper()
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setFixedWidth(WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        look.changed.connect(self.update)

    @override
    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 120)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._look.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.focus if self.hasFocus() else theme.border), 1.0))
        painter.setBrush(QColor(theme.pressed if self.isDown() else theme.hover if self.underMouse() else theme.panel))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), theme.radius_l, theme.radius_l)
        place = QRect((self.width() - ICON) // 2, TOP, ICON, ICON)
        themes.icon(self._icon, theme, "muted").paint(painter, place)
        font = themes.font(theme, theme.size_small, bold=True)
        painter.setFont(font)
        painter.setPen(QColor(theme.muted))
        painter.translate(self.width() / 2, TOP + ICON + 12)
        painter.rotate(90)
        length = QFontMetrics(font).horizontalAdvance(self._title)
        height = QFontMetrics(font).height()
        painter.drawText(QRectF(0, -height / 2, length + 4, height), int(Qt.AlignmentFlag.AlignVCenter), self._title)

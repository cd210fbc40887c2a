"""What the colours of the graph mean, over its corner."""

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget
from typing_extensions import override

from gui.canvas.colouring import Painted, Swatch
from gui.widgets.parts import clear_layout, label
from gui.widgets.theme import LIGHT, Theme, icon

_WIDTH = 190


class Square(QWidget):
    """A colour of the legend."""

    def __init__(self, swatch: Swatch, theme: Theme) -> None:
        super().__init__()
        self._swatch, self._theme = swatch, theme
        self.setFixedSize(22, 15)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(QColor(self._theme.border_strong), 1.0))
        painter.setBrush(self._swatch.paint.fill)
        painter.drawRoundedRect(rect, 3, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._swatch.paint.stripe)
        painter.drawRoundedRect(QRectF(rect.left() + 1, rect.top() + 1, 5, rect.height() - 2), 2, 2)
        painter.end()


class Legend(QFrame):
    """Title, what is meant, and one line a colour. `closed` goes back to colours by class."""

    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("sheet")
        self.lines: list[str] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 8, 10)
        column.setSpacing(3)
        head = QHBoxLayout()
        self.title = label("", "cardTitle")
        self.close_button = QToolButton()
        self.close_button.setObjectName("icon")
        self.close_button.setAccessibleName("Close the legend and colour by class")
        self.close_button.setToolTip(self.close_button.accessibleName())
        self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.close_button.clicked.connect(self.closed)
        head.addWidget(self.title, 1)
        head.addWidget(self.close_button)
        column.addLayout(head)
        self.meaning = label("", "small", wrap=True)
        self.meaning.setFixedWidth(_WIDTH)
        column.addWidget(self.meaning)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(3)
        column.addLayout(self._rows)
        self._theme = LIGHT
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        """Draw in another theme."""
        self._theme = theme
        self.close_button.setIcon(icon("close", theme, "muted"))

    def explain(self, painted: Painted) -> None:
        """Show what some colours mean."""
        lines = [swatch.text for swatch in painted.swatches]
        self.title.setText(painted.title.upper())
        self.meaning.setText(f"{painted.meaning}.")
        self.meaning.setMinimumHeight(self.meaning.heightForWidth(_WIDTH))
        self.lines = lines
        clear_layout(self._rows)
        for swatch in painted.swatches:
            row = QHBoxLayout()
            row.setSpacing(8)
            square, words = Square(swatch, self._theme), label(swatch.text, "small")
            words.ensurePolished()
            room = _WIDTH - square.width() - row.spacing()
            shown = words.fontMetrics().elidedText(swatch.text, Qt.TextElideMode.ElideMiddle, room)
            if shown != swatch.text:  # a file's name may be long
                words.setText(shown)
                words.setToolTip(swatch.text)
            row.addWidget(square)
            row.addWidget(words, 1)
            self._rows.addLayout(row)
            # a visible legend shows them later otherwise, and is measured without them
            square.show()
            words.show()
        self.setAccessibleName(f"Legend: {painted.title}")
        self.setAccessibleDescription(f"{painted.meaning}: {'; '.join(lines)}")
        self.adjustSize()

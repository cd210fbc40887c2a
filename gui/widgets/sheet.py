"""A card that floats over the window: what other programs put into a dialog, without covering or blocking the work."""

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget
from typing_extensions import override

MARGIN = 14
TOP = 54


class Sheet(QFrame):
    """Lies over its parent, below the top bar at the right. Escape closes it and gives the focus back."""

    closed = Signal()

    def __init__(self, parent: QWidget, name: str, title: str, width: int) -> None:
        super().__init__(parent)
        self.setObjectName("sheet")
        self.setProperty("sheet", name)
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._width = width
        self._area = parent
        self._before: QWidget | None = None
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(22, 18, 22, 16)
        self.column.setSpacing(10)
        parent.installEventFilter(self)
        self.hide()

    def open(self, focus: QWidget | None = None) -> None:
        """Show the sheet above everything; `focus` gets the keyboard."""
        if not self.isVisible():
            window = self.window()
            self._before = window.focusWidget()
        self.show()
        self.settle()
        (focus or self).setFocus(Qt.FocusReason.PopupFocusReason)

    def settle(self) -> None:
        """Find size and place again after the content has changed."""
        area = self._area
        width = min(self._width, area.width() - 2 * MARGIN)
        self.column.activate()
        height = self.column.totalHeightForWidth(width) if self.column.hasHeightForWidth() else -1
        height = max(height, self.column.totalSizeHint().height() if height < 0 else height)
        self.resize(width, min(height, area.height() - TOP - MARGIN))
        self.move(area.width() - width - MARGIN, TOP)
        self.raise_()

    def leave(self) -> None:
        """Close the sheet."""
        if self.isVisible():
            self.hide()
            if self._before is not None and self._before.isVisible():
                self._before.setFocus()
            self._before = None
            self.closed.emit()

    @override
    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest and self.isVisible():
            self.settle()
        return handled

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            super().keyPressEvent(event)

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.settle()
        return False

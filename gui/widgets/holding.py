"""A sheet that asks holds what it lies over: until it is answered, no key, click or drop reaches anything behind it."""

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt
from PySide6.QtWidgets import QWidget
from typing_extensions import override

KEYS = (QEvent.Type.KeyPress, QEvent.Type.KeyRelease)
HELD = (
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseButtonRelease,
    QEvent.Type.MouseButtonDblClick,
    QEvent.Type.Wheel,
    QEvent.Type.ContextMenu,
    QEvent.Type.TabletPress,
    QEvent.Type.TouchBegin,
    QEvent.Type.NativeGesture,
    QEvent.Type.DragEnter,
    QEvent.Type.DragMove,
    QEvent.Type.Drop,
)


class Veil(QWidget):
    """What is held is seen as through a veil. It takes no events: the `Hold` does."""

    def __init__(self, area: QWidget) -> None:
        super().__init__(area)
        self.setObjectName("veil")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()


class Hold(QObject):
    """Watches the application's events while `sheet` is open over `area`; popups and file dialogs go on as ever."""

    def __init__(self, sheet: QWidget, area: QWidget) -> None:
        super().__init__(sheet)
        self._sheet, self._area = sheet, area
        self._veil = Veil(area)
        self.active = False
        self.also: set[QWidget] = set()
        """Sheets that came later, such as one that tells of our own fault: they are not held."""

    def begin(self) -> None:
        """The sheet asks."""
        if not self.active:
            self.active = True
            application().installEventFilter(self)
        self.cover()

    def end(self) -> None:
        """The sheet has its answer."""
        if self.active:
            self.active = False
            application().removeEventFilter(self)
        self.also.clear()
        self._veil.hide()

    def cover(self) -> None:
        """Lie over all of the area, below the sheet."""
        self._veil.setGeometry(self._area.rect())
        self._veil.show()
        self._veil.raise_()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind not in HELD and kind not in KEYS and kind != QEvent.Type.ShortcutOverride:
            return False
        if not isinstance(watched, QWidget) or not self._sheet.isVisible():
            return False
        if any(watched is one or one.isAncestorOf(watched) for one in (self._sheet, *self.also)):
            if kind == QEvent.Type.ShortcutOverride:
                event.accept()  # what is a command of the window is an ordinary key here
                return True
            return False
        if watched is not self._area and not self._area.isAncestorOf(watched):
            return False
        if kind in KEYS or kind == QEvent.Type.ShortcutOverride:
            self._take_back(event)
        elif kind in (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop):
            event.ignore()
        return True

    def _take_back(self, event: QEvent) -> None:
        """The keyboard went elsewhere, as when something behind was taken away: it comes back."""
        event.accept()
        at: QWidget | None = self._sheet.window().focusWidget()
        if at is None or not (at is self._sheet or self._sheet.isAncestorOf(at)):
            self._sheet.setFocus(Qt.FocusReason.OtherFocusReason)


def application() -> QCoreApplication:
    """The one application."""
    found = QCoreApplication.instance()
    assert found is not None
    return found

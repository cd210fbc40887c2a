"""The bar of open documents: a name, a mark for what is not saved, and a button that closes, for each."""

from collections.abc import Sequence

from msgspec import Struct
from PySide6.QtCore import QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QTabBar, QWidget
from typing_extensions import override

from gui.widgets.parts import IconButton, Look, named

MARK = "\u2022 "
WIDEST = 240
NARROWEST = 90


class Tab(Struct, frozen=True):
    """What a tab says."""

    name: str
    tip: str = ""
    unsaved: bool = False


class _Bar(QTabBar):
    """Tabs as wide as their names, within reason; the middle button closes one."""

    middle_clicked = Signal(int)

    @override
    def tabSizeHint(self, index: int) -> QSize:
        hint = super().tabSizeHint(index)
        return QSize(min(max(hint.width(), NARROWEST), WIDEST), hint.height())

    @override
    def minimumTabSizeHint(self, index: int) -> QSize:
        return QSize(NARROWEST, super().minimumTabSizeHint(index).height())

    @override
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        index = self.tabAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.MiddleButton and index >= 0:
            self.middle_clicked.emit(index)


class DocumentTabs(QWidget):
    """Hidden while there is but one document. All signals carry places, counted from the left.

    `menu_wanted` also carries where on the screen; `moved` says from where to where a tab was dragged.
    """

    chosen = Signal(int)
    close_wanted = Signal(int)
    menu_wanted = Signal(int, QPoint)
    moved = Signal(int, int)
    new_wanted = Signal()

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("documents")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._look = look
        self._shown: list[Tab] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 3, 10, 0)
        row.setSpacing(4)
        self.bar = named(_Bar(), "documentTabs")
        self.bar.setAccessibleName("Open models")
        self.bar.setMovable(True)
        self.bar.setExpanding(False)
        self.bar.setDocumentMode(True)
        self.bar.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.bar.setUsesScrollButtons(True)
        self.bar.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.bar.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.bar.customContextMenuRequested.connect(self._on_menu)
        self.bar.currentChanged.connect(self.chosen)
        self.bar.tabMoved.connect(self._on_moved)
        self.bar.middle_clicked.connect(self.close_wanted)
        row.addWidget(self.bar)
        self.add = IconButton(look, "plus", "New tab")
        self.add.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.add.clicked.connect(self.new_wanted)
        row.addWidget(self.add)
        row.addStretch(1)
        self.hide()

    def show_tabs(self, tabs: Sequence[Tab], current: int) -> None:
        """Show these tabs; nothing is emitted for it."""
        blocked = self.bar.blockSignals(True)
        while self.bar.count() > len(tabs):
            self.bar.removeTab(self.bar.count() - 1)
        while self.bar.count() < len(tabs):
            self._add()
        for index, tab in enumerate(tabs):
            if index >= len(self._shown) or self._shown[index] != tab:
                self.bar.setTabText(index, (MARK if tab.unsaved else "") + tab.name.replace("&", "&&"))
                self.bar.setTabToolTip(index, tab.tip)
                self.bar.setAccessibleTabName(index, f"{tab.name}, not saved" if tab.unsaved else tab.name)
                button = self.bar.tabButton(index, QTabBar.ButtonPosition.RightSide)
                button.setAccessibleName(f"Close {tab.name}")
        self._shown = list(tabs)
        self.bar.setCurrentIndex(current)
        self.bar.blockSignals(blocked)
        self.setVisible(len(tabs) > 1)

    def _add(self) -> None:
        index = self.bar.addTab("")
        button = IconButton(self._look, "close", "Close")
        button.setIconSize(QSize(12, 12))
        button.setFixedSize(20, 20)
        button.setToolTip("Close  (Ctrl+W)")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda: self._close(button))
        self.bar.setTabButton(index, QTabBar.ButtonPosition.RightSide, button)

    def _close(self, button: QWidget) -> None:
        for index in range(self.bar.count()):
            if self.bar.tabButton(index, QTabBar.ButtonPosition.RightSide) is button:
                self.close_wanted.emit(index)
                return

    @Slot(int, int)
    def _on_moved(self, origin: int, target: int) -> None:
        self._shown.insert(target, self._shown.pop(origin))
        self.moved.emit(origin, target)

    @Slot(QPoint)
    def _on_menu(self, place: QPoint) -> None:
        index = self.bar.tabAt(place)
        if index < 0:
            # asked for by a key, at the middle of the bar
            index = self.bar.currentIndex()
            place = self.bar.tabRect(index).bottomLeft()
        self.menu_wanted.emit(index, self.bar.mapToGlobal(place))

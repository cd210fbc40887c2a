"""The window: a frame around the pages of its documents."""

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QSize, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent
from PySide6.QtWidgets import QMainWindow, QWidget
from typing_extensions import override

from gui.controllers.drops import FileDrops, take_copy
from gui.controllers.exporting import ExportCommands
from gui.controllers.layer_menu import LayerMenu
from gui.controllers.opening import OpenCommands
from gui.controllers.sheets import Sheets
from gui.controllers.unsaved import Unsaved
from gui.document.session import Session
from gui.document.settings import Settings
from gui.document.work import Work
from gui.page import Page
from gui.panels.banner import Banner
from gui.panels.top_bar import TopBar
from gui.widgets.actions import Actions
from gui.widgets.keyboard import move_focus
from gui.widgets.parts import Look

if TYPE_CHECKING:
    from gui.workspace import Workspace

SIZE = (1440, 900)
SMALLEST = (880, 560)
FRAME = (8, 40)
"""What the desktop puts around a window: borders, and a title above."""


class MainWindow(QMainWindow):
    """What the current page has is known by the same name here: `work`, `session`, `workspace`, `actions_`, and so on.

    `first_painted` is emitted once, when there is something to see; the helper processes start then.
    """

    first_painted = Signal()
    theme_chosen = Signal(str)

    work: Work
    session: Session
    workspace: "Workspace"
    actions_: Actions
    banner: Banner
    top: TopBar
    unsaved: Unsaved
    opening: OpenCommands
    exporting: ExportCommands
    sheets: Sheets
    layers: LayerMenu

    def __init__(self, work: Work, settings: Settings, look: Look) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setAcceptDrops(True)
        room = self._room()
        self.setMinimumSize(QSize(*SMALLEST).boundedTo(room))
        self.settings, self.look = settings, look
        self._painted = False
        self.page = Page(work, settings, look)
        self.page.installEventFilter(self)
        self.page.windowTitleChanged.connect(self.setWindowTitle)
        self.page.theme_chosen.connect(self.theme_chosen)
        self.page.quit_wanted.connect(self.close)
        self.page.unsaved.close_wanted.connect(self.close)
        self.setWindowTitle(self.page.windowTitle())
        self.setCentralWidget(self.page)
        self.page.setFocus()
        self.resize(QSize(*SIZE).boundedTo(room))
        geometry = settings.bytes_of("geometry")
        if not geometry.isEmpty():
            self.restoreGeometry(geometry)
            if not self.isMaximized() and not self.isFullScreen():
                self.resize(self.size().boundedTo(self._room()))
        self.drops = FileDrops(self)
        self.drops.dropped.connect(self._on_dropped)
        self.drops.over.connect(self._on_over)

    def __getattr__(self, name: str) -> Any:
        """What the current page has."""
        if name == "page":
            raise AttributeError(name)
        return getattr(self.page, name)

    def open_path(self, path: str) -> None:
        """Open a file; the page's `plan_changed` follows, or its banner says why not."""
        self.page.open_path(path)

    @Slot(str, str)
    def show_crash(self, sentence: str, details: str) -> None:
        """Say that we made a mistake; the window goes on."""
        self.page.show_crash(sentence, details)

    def _room(self) -> QSize:
        """The most that a window may take of its screen, with its frame around it."""
        return self.screen().availableGeometry().size() - QSize(*FRAME)

    @Slot(list)
    def _on_dropped(self, paths: list[str]) -> None:
        self.page.take_files(paths)

    @Slot(bool)
    def _on_over(self, over: bool) -> None:
        self.page.welcome.target.show_over(over)

    # Qt

    @override
    def focusNextPrevChild(self, next: bool) -> bool:
        return move_focus(self, forward=next) or super().focusNextPrevChild(next)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ModifiedChange and isinstance(watched, QWidget):
            self.setWindowModified(watched.isWindowModified())
        return False

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self, self.first_painted.emit)

    @override
    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        take_copy(event)

    @override
    def dropEvent(self, event: QDropEvent) -> None:
        paths = take_copy(event)
        if paths:
            self._on_dropped(paths)

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.page.unsaved.may_close():
            event.ignore()
            return
        self.settings.save_bytes("geometry", self.saveGeometry())
        self.page.work.processes.helpers.stop()
        self.page.close_down()
        super().closeEvent(event)

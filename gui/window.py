"""The window: a frame around the pages of its documents."""

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent
from PySide6.QtWidgets import QMainWindow, QWidget
from typing_extensions import override

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
from gui.widgets.parts import Look

if TYPE_CHECKING:
    from gui.workspace import Workspace

SIZE = (1440, 900)
SMALLEST = (880, 560)


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
        self.setMinimumSize(*SMALLEST)
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
        self.resize(*SIZE)
        geometry = settings.bytes_of("geometry")
        if not geometry.isEmpty():
            self.restoreGeometry(geometry)

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

    # Qt

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
        self.page.dragEnterEvent(event)

    @override
    def dropEvent(self, event: QDropEvent) -> None:
        self.page.dropEvent(event)

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.page.unsaved.may_close():
            event.ignore()
            return
        self.settings.save_bytes("geometry", self.saveGeometry())
        self.page.work.processes.helpers.stop()
        self.page.close_down()
        super().closeEvent(event)

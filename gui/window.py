"""The window: a frame around the pages of its documents, with a tab for each where there are several."""

import contextlib
import ctypes
import gc
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent
from PySide6.QtWidgets import QMainWindow, QMenu, QStackedWidget, QVBoxLayout, QWidget
from typing_extensions import override

from core.caches import forget_all
from gui.controllers.drops import FileDrops, take_copy
from gui.controllers.exporting import ExportCommands
from gui.controllers.layer_menu import LayerMenu
from gui.controllers.opening import OpenCommands
from gui.controllers.sheets import Sheets
from gui.controllers.unsaved import Unsaved
from gui.document.session import Session
from gui.document.work import Work
from gui.page import Page
from gui.panels.banner import Banner
from gui.panels.top_bar import TopBar
from gui.widgets.actions import Actions
from gui.widgets.keyboard import move_focus
from gui.widgets.tabs import DocumentTabs

if TYPE_CHECKING:
    from gui.windows import Windows
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

    def __init__(self, windows: "Windows", page: Page) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setAcceptDrops(True)
        room = self._room()
        self.setMinimumSize(QSize(*SMALLEST).boundedTo(room))
        self.windows, self.settings, self.look = windows, windows.settings, windows.look
        self._painted = False
        self._closed = False
        self._resume: Callable[[], None] | None = None
        self.documents: list[Page] = []
        """The pages in the order of their tabs."""
        self.tabs = DocumentTabs(self.look)
        self.stack = QStackedWidget()
        whole = QWidget()
        whole.setObjectName("surface")
        whole.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.tabs)
        column.addWidget(self.stack, 1)
        self.setCentralWidget(whole)
        self.tabs.chosen.connect(self._on_tab)
        self.tabs.close_wanted.connect(lambda index: self.close_page(self.documents[index]))
        self.tabs.moved.connect(self._on_moved)
        self.tabs.menu_wanted.connect(self.show_tab_menu)
        self.tabs.new_wanted.connect(self.new_tab)
        self.resize(QSize(*SIZE).boundedTo(room))
        geometry = self.settings.bytes_of("geometry")
        if not geometry.isEmpty():
            self.restoreGeometry(geometry)
            if not self.isMaximized() and not self.isFullScreen():
                self.resize(self.size().boundedTo(self._room()))
        self.drops = FileDrops(self)
        self.drops.dropped.connect(self._on_dropped)
        self.drops.over.connect(self._on_over)
        self.show_page(self.add_page(page))
        page.setFocus()

    def __getattr__(self, name: str) -> Any:
        """What the current page has."""
        if name.startswith("_") or name in ("stack", "documents"):
            raise AttributeError(name)
        return getattr(self.page, name)

    @property
    def page(self) -> Page:
        """The document that is shown."""
        shown = self.stack.currentWidget()
        assert isinstance(shown, Page)
        return shown

    # pages

    def _links(self, page: Page) -> tuple[tuple[Any, Any], ...]:
        """Signals of a page and what hears them while it is in this window."""
        return (
            (page.windowTitleChanged, self._refresh),
            (page.theme_chosen, self.theme_chosen),
            (page.files_wanted, self.open_paths),
            (page.command, self._on_command),
            (page.unsaved.close_wanted, self._on_agreed),
            (page.unsaved.stayed, self._on_stayed),
        )

    def add_page(self, page: Page) -> Page:
        """Put a page behind the others, without showing it."""
        self.documents.append(page)
        for signal, slot in self._links(page):
            signal.connect(slot)
        page.installEventFilter(self)
        page.set_current(False)
        self.stack.addWidget(page)
        self._refresh()
        return page

    def take_page(self, page: Page) -> None:
        """Let a page go, open as it is; another one is shown."""
        place = self.documents.index(page)
        if page is self.page and len(self.documents) > 1:
            self.show_page(self.documents[place + 1 if place + 1 < len(self.documents) else place - 1])
        for signal, slot in self._links(page):
            signal.disconnect(slot)
        page.removeEventFilter(self)
        self.documents.remove(page)
        self.stack.removeWidget(page)
        if self.documents:
            self._refresh()

    def show_page(self, page: Page) -> None:
        """Bring a document to the front."""
        for other in self.documents:
            if other is not page:
                other.set_current(False)
        self.stack.setCurrentWidget(page)
        page.set_current(True)
        self._refresh()

    @Slot()
    def new_tab(self) -> None:
        """A tab to open a model in."""
        self.show_page(self.add_page(self.windows.new_page()))

    @Slot()
    def _refresh(self) -> None:
        """Title, tabs, and what can be done with them."""
        if self.stack.currentWidget() is None:
            return
        current = self.page
        self.setWindowTitle(current.windowTitle())
        self.setWindowModified(current.isWindowModified())
        tabs = [page.tab() for page in self.documents]
        self.tabs.show_tabs(tabs, self.documents.index(current))
        for place, page in enumerate(self.documents):
            page.note_tabs(tabs, place)

    @Slot(int)
    def _on_tab(self, index: int) -> None:
        self.show_page(self.documents[index])

    @Slot(int, int)
    def _on_moved(self, origin: int, target: int) -> None:
        self.documents.insert(target, self.documents.pop(origin))
        self._refresh()

    def _step(self, by: int) -> None:
        self.show_page(self.documents[(self.documents.index(self.page) + by) % len(self.documents)])

    def _shift(self, by: int) -> None:
        place = self.documents.index(self.page)
        target = place + by
        if 0 <= target < len(self.documents):
            self.documents.insert(target, self.documents.pop(place))
            self._refresh()

    @Slot(str)
    def _on_command(self, name: str) -> None:
        """What a page's action commands of its window."""
        if name[-1].isdigit():
            number = int(name[-1])
            # the ninth is the last, however many there are
            self.show_page(self.documents[-1 if number == 9 else min(number, len(self.documents)) - 1])
            return
        commands: dict[str, Callable[[], object]] = {
            "new_window": self.new_window,
            "new_tab": self.new_tab,
            "next_tab": partial(self._step, 1),
            "previous_tab": partial(self._step, -1),
            "tab_right": partial(self._shift, 1),
            "tab_left": partial(self._shift, -1),
            "detach_tab": lambda: self.detach(self.page),
            "close_others": lambda: self.close_others(self.page),
            "close": lambda: self.close_page(self.page),
            "quit": self.windows.quit,
        }
        commands[name]()

    @Slot(int, QPoint)
    def show_tab_menu(self, index: int, place: QPoint) -> QMenu:
        """What can be done with a tab."""
        page = self.documents[index]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName(f"Tab {page.tab().name}")
        menu.addAction("Close", lambda: self.close_page(page))
        menu.addAction("Close others", lambda: self.close_others(page))
        menu.addSeparator()
        menu.addAction("Move to new window", lambda: self.detach(page))
        menu.popup(place)
        return menu

    # windows

    @Slot()
    def new_window(self) -> None:
        """Another window, with nothing open."""
        self.windows.open_window(beside=self).show()

    def detach(self, page: Page) -> None:
        """Move a document into a window of its own."""
        if len(self.documents) > 1:
            self.take_page(page)
            self.windows.open_window(page, beside=self).show()

    # opening

    def open_path(self, path: str) -> None:
        """Open a file; `plan_changed` of its page follows, or a banner says why not."""
        self.page.open_path(path)

    @Slot(list)
    def open_paths(self, paths: Sequence[str]) -> None:
        """Open files, each in a tab of its own where it would take something away."""
        self.windows.open_paths(paths, self)

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

    # closing

    def close_page(self, page: Page) -> None:
        """Close a tab; the last one stays, empty."""
        if len(self.documents) == 1:
            page.opening.close()
        else:
            self._close_all([page], "Closing the tab")

    def close_others(self, page: Page) -> None:
        """Close every tab but one."""
        self._close_all([other for other in self.documents if other is not page], "Closing the tab")

    def _close_all(self, pages: list[Page], deed: str) -> None:
        """Close pages as soon as nobody has to be asked about any of them."""
        if self._may_close(pages, deed, lambda: self._close_all(pages, deed)):
            for page in pages:
                self._remove(page)

    def _may_close(self, pages: list[Page], deed: str, resume: Callable[[], None]) -> bool:
        """Whether these pages may close now; if not, the person is asked about one, and `resume` goes on."""
        for page in pages:
            if not page.unsaved.may_close(deed):
                self._resume = resume
                self.show_page(page)
                return False
        self._resume = None
        return True

    def _remove(self, page: Page) -> None:
        self.take_page(page)
        self.windows.page_closed(page)
        page.hide()
        page.deleteLater()
        # after the page is deleted
        QTimer.singleShot(0, self, lambda: QTimer.singleShot(0, self, let_go))

    @Slot()
    def _on_agreed(self) -> None:
        if self._resume is not None:
            self._resume()

    @Slot()
    def _on_stayed(self) -> None:
        if self._resume is not None:
            self._resume = None
            self.windows.stayed()
            for page in self.documents:
                page.unsaved.take_back()

    # Qt

    @override
    def focusNextPrevChild(self, next: bool) -> bool:
        return move_focus(self, forward=next) or super().focusNextPrevChild(next)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ModifiedChange:
            self._refresh()
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
        if self._closed:
            return
        if not self._may_close(self.documents, "Closing the window", lambda: QTimer.singleShot(0, self, self.close)):
            event.ignore()
            return
        self._closed = True
        self.settings.save_bytes("geometry", self.saveGeometry())
        for page in self.documents:
            self.windows.page_closed(page)
        self.windows.closed(self)
        super().closeEvent(event)


def let_go() -> None:
    """Give back what a closed document took: caches know its graph, and cycles of Python's would stay for long."""
    forget_all()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc alone keeps what was freed, and has this to ask it back
        ctypes.CDLL(None).malloc_trim(0)

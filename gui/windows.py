"""All windows of the program: who knows which documents there are, and where another one goes."""

import os
from collections.abc import Iterator, Sequence

from PySide6.QtCore import QObject, QPoint, QTimer, Signal, Slot

from core.recipes.recipe import Recipe
from gui.controllers.recovery import Left, Recovery
from gui.document.processes import Helpers
from gui.document.session import Session
from gui.document.settings import Settings
from gui.document.work import Work
from gui.page import Page
from gui.widgets.parts import Look
from gui.window import MainWindow

STEP = QPoint(32, 32)
"""How far a new window lies from the one it was asked for in."""


class Windows(QObject):
    """They share the helper processes, which end with the last window, the settings and the look."""

    theme_chosen = Signal(str)

    def __init__(self, helpers: Helpers, settings: Settings, look: Look) -> None:
        super().__init__()
        self.helpers, self.settings, self.look = helpers, settings, look
        helpers.setParent(self)
        self.all: list[MainWindow] = []
        self.recovery = Recovery(self.restore, self)
        self._quitting = False

    def open_window(self, page: Page | None = None, beside: MainWindow | None = None) -> MainWindow:
        """A window around a page, by default an empty one; it is not shown yet."""
        window = MainWindow(self, page or self.new_page())
        window.theme_chosen.connect(self.theme_chosen)
        if beside is not None:
            window.resize(beside.size())
            window.move(beside.pos() + STEP)
        self.all.append(window)
        return window

    def new_page(self, work: Work | None = None) -> Page:
        """The page of a document that begins."""
        work = work or Work(self.helpers)
        page = Page(work, self.settings, self.look)
        work.setParent(page)
        self.recovery.watch(work.session)
        return page

    def _pages(self) -> Iterator[tuple[MainWindow, Page]]:
        for window in self.all:
            yield from ((window, page) for page in window.documents)

    def open_paths(self, paths: Sequence[str], window: MainWindow) -> None:
        """Open files or folders: each where it is open already, else in this window; the first is shown."""
        places = [self._open(os.path.abspath(path), window) for path in paths]
        if places:
            place, page = places[0]
            place.show_page(page)
            if place is not window:
                place.raise_()
                place.activateWindow()

    def _open(self, path: str, window: MainWindow) -> tuple[MainWindow, Page]:
        for place, page in self._pages():
            if page.is_about(path):
                return place, page
        page = window.page if window.page.replaceable else window.add_page(self.new_page())
        page.opening.begin(path)
        return window, page

    def restore(self, left: Left) -> Session:
        """Open what a run before left, with its recipe; returns its document."""
        window = self.all[0]
        page = window.page if window.page.replaceable else window.add_page(self.new_page())
        page.opening.open_with(left.path, left.weights_path, left.recipe, Recipe())
        return page.session

    def open_first(self, paths: Sequence[str]) -> None:
        """Open the files that the program was started with."""
        self.open_paths(paths, self.all[0])

    @Slot(str, str)
    def show_crash(self, sentence: str, details: str) -> None:
        """Say that we made a mistake, in the window that is at work."""
        active = [window for window in self.all if window.isActiveWindow()] or self.all
        for window in active[:1]:
            window.show_crash(sentence, details)

    @Slot()
    def quit(self) -> None:
        """Close every window, unless somebody stays."""
        self._quitting = True
        for window in list(self.all):
            if not window.close():
                return

    def stayed(self) -> None:
        """The person wants to go on after all."""
        self._quitting = False

    def stop(self) -> None:
        """The end, whatever is still open."""
        self.recovery.close()
        self.helpers.stop()
        for _, page in self._pages():
            page.work.stop()

    def page_closed(self, page: Page) -> None:
        """A document is closed."""
        self.recovery.unwatch(page.session)
        page.close_down()

    def closed(self, window: MainWindow) -> None:
        """A window has closed. With the last one everything ends."""
        self.all.remove(window)
        if not self.all:
            self.recovery.close()
            self.helpers.stop()
            return
        # not within the event that closes it
        QTimer.singleShot(0, self, window.deleteLater)
        if self._quitting:
            QTimer.singleShot(0, self, self.quit)

"""From arguments to an open window: the one place where the window's parts are put together."""

import contextlib
import faulthandler
import gc
import sys
from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from core.collection import without_collection
from core.environment import open_log, state_folder
from gui.crash import CrashWatch
from gui.document.processes import Helpers
from gui.document.service import Service, WorkerLike
from gui.document.settings import Settings
from gui.widgets import theme as themes
from gui.widgets.parts import Look
from gui.window import MainWindow
from gui.windows import Windows


class Painter(QObject):
    """Keeps the application in the chosen theme: palette, style sheet, fonts."""

    def __init__(self, app: QApplication, settings: Settings) -> None:
        super().__init__(app)
        self._app, self._settings = app, settings
        if app.style().name().lower() != "fusion":
            app.setStyle("Fusion")
        self.look = Look(themes.resolve(settings.theme), self)
        self._apply()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_scheme)

    @Slot(str)
    def choose(self, choice: str) -> None:
        """Use the theme of a preference from now on."""
        scheme = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(choice, Qt.ColorScheme.Unknown)
        QGuiApplication.styleHints().setColorScheme(scheme)
        self.use(themes.resolve(self._settings.theme))

    @Slot(Qt.ColorScheme)
    def _on_scheme(self, scheme: Qt.ColorScheme) -> None:
        self.use(themes.resolve(self._settings.theme, scheme))

    def use(self, theme: themes.Theme) -> None:
        """Paint everything in a theme."""
        if theme is not self.look.theme:
            self.look.set_theme(theme)
            self._apply()

    def _apply(self) -> None:
        theme = self.look.theme
        sheet = themes.stylesheet(theme)
        # each of the three makes Qt look at every widget again, one after another from a list: the garbage collector
        # must not take one away meanwhile, which our event handlers may set off
        if self._app.styleSheet() != sheet:
            with without_collection():
                self._app.setPalette(themes.palette(theme))
                self._app.setFont(themes.font(theme))
                self._app.setStyleSheet(sheet)


def make_worker(kind: str) -> WorkerLike:
    """A helper process of the kind `reader` or `engine`."""
    from core.service.client import Worker

    return Worker("reader" if kind == "reader" else "engine")


def calm_collector() -> None:
    """Let Python's garbage collector run seldom.

    Plans are large trees without cycles; walking them all again and again cost most of the time of an update
    (measured on 1,031 layers: a plan unpickled in 157 ms, with this in 11 ms).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def build(settings: Settings, look: Look) -> MainWindow:
    """The first window with its document and the two helper processes, none of them started."""
    calm_collector()
    helpers = Helpers(Service("reader", make_worker("reader")), Service("engine", make_worker("engine")))
    return Windows(helpers, settings, look).open_window()


def run_window(paths: Sequence[str] = ()) -> int:
    """Show a window, with files if some are given, until the last one is closed. Returns the exit code."""
    faulthandler.enable(open_log("window"))
    QApplication.setApplicationName("suture")
    QApplication.setApplicationDisplayName("Suture")
    app = QApplication(sys.argv[:1])
    settings = Settings()
    painter = Painter(app, settings)
    window = build(settings, painter.look)
    windows = window.windows
    windows.theme_chosen.connect(painter.choose)
    with contextlib.suppress(OSError):
        windows.recovery.keep_safe(state_folder(), window.banner)
    watch = CrashWatch(app)
    watch.crashed.connect(windows.show_crash)
    watch.install()
    if paths:
        window.first_painted.connect(partial(windows.open_first, list(paths)))
    window.first_painted.connect(windows.helpers.start)
    window.show()
    del window  # it may be closed before others
    try:
        return app.exec()
    finally:
        watch.remove()
        windows.stop()

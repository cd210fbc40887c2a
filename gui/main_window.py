"""The one window: welcome or workspace below a bar, above a line of status. It turns commands into session calls."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent
from PySide6.QtWidgets import QMainWindow, QMenu, QStackedWidget, QToolButton, QVBoxLayout, QWidget
from typing_extensions import override

from gui.actions import Actions
from gui.controllers.desk import Desk
from gui.controllers.file_commands import FileCommands
from gui.controllers.surgery import Surgery
from gui.controllers.unsaved import Unsaved
from gui.dialogs.compare import CompareSheet
from gui.dialogs.crash import CrashSheet
from gui.dialogs.gallery import made_here
from gui.dialogs.preferences import Preferences
from gui.dialogs.step import StepSheet
from gui.panels.banner import Banner
from gui.panels.status_bar import StatusBar
from gui.panels.top_bar import TopBar
from gui.panels.welcome import Welcome, sample_title, samples
from gui.session import Session
from gui.settings import Settings
from gui.widgets.parts import Look

if TYPE_CHECKING:
    from gui.workspace import Workspace

SIZE = (1440, 900)
SMALLEST = (880, 560)


class MainWindow(QMainWindow):
    """`first_painted` is emitted once, when there is something to see; the helper processes start then."""

    first_painted = Signal()
    plan_changed = Signal()
    export_finished = Signal(object)
    theme_chosen = Signal(str)

    def __init__(self, session: Session, settings: Settings, look: Look) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setWindowTitle("Suture")
        self.setAcceptDrops(True)
        self.setMinimumSize(*SMALLEST)
        self.session, self.settings, self.look = session, settings, look
        self._painted = False
        self._refused = False
        self._workspace: Workspace | None = None
        self._crash: CrashSheet | None = None
        self._preferences: Preferences | None = None
        self._step: StepSheet | None = None
        self._compare: CompareSheet | None = None
        self.actions_ = Actions(self)
        self._adopt_undo()
        self.files = FileCommands(self, session, settings, look)
        self.banner = Banner(look)
        self.desk = Desk(self, session, settings, look, self.files, self.banner)
        self.unsaved = Unsaved(self, session, self.files, self.desk, self.banner)
        self.surgery = Surgery(self, session, look, self.files)
        self.surgery.layers.filled.connect(self.desk.extend_menu)
        self.desk.rebuild_wanted.connect(self.surgery.take_over)
        self.desk.compare_wanted.connect(lambda weight: self._comparison().begin(weight=weight))
        self._recent_menu = QMenu("Recent files", self)
        self._recent_menu.aboutToShow.connect(self._fill_recent)
        self.top = TopBar(self.actions_, look, self._open_menu(), self._main_menu())
        verify_menu = QMenu("Verify", self)
        self.actions_.fill(verify_menu, "verify verify_mine")
        self.top.verify.setMenu(verify_menu)
        self.top.verify.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.welcome = Welcome(settings, look)
        self.status = StatusBar(session, look)
        self.status.cancel.clicked.connect(session.cancel_opening)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self._lay_out()
        self._connect()
        self._refresh_actions()
        self.resize(*SIZE)
        geometry = settings.bytes_of("geometry")
        if not geometry.isEmpty():
            self.restoreGeometry(geometry)

    @property
    def workspace(self) -> "Workspace":
        """The panels around a model, made when first needed: the welcome page is up without them."""
        return self._workspace or self._make_workspace()

    def _make_workspace(self) -> "Workspace":
        # not at the top: with the canvas it is a third of all imports, and the first page needs none of it
        from gui.workspace import Workspace

        made = self._workspace = Workspace(self.session, self.settings, self.look)
        self.pages.addWidget(made)
        made.arrange(self.width() - 24, self.height() - 100)
        made.recipe.save_wanted.connect(self.files.save_recipe)
        made.recipe.load_wanted.connect(self.files.load_recipe)
        made.recipe.edit_wanted.connect(self._edit_step)
        made.input.compare_wanted.connect(lambda number: self._comparison().begin(number=number))
        self.desk.attach(made)
        self.surgery.attach(made)
        return made

    def open_path(self, path: str) -> None:
        """Open a file; `plan_changed` follows, or a banner says why not."""
        self.files.open_path(path)

    def export_to(self, path: str) -> None:
        """Write the result to a file; `export_finished` follows, or the sheet says why not."""
        self.files.export_to(path)

    # making

    def _adopt_undo(self) -> None:
        stack = self.session.undo_stack
        for name, action, keys in (
            ("undo", stack.createUndoAction(self, "Undo"), ("Ctrl+Z",)),
            ("redo", stack.createRedoAction(self, "Redo"), ("Ctrl+Shift+Z", "Ctrl+Y")),
        ):
            self.actions_.adopt(name, action, *keys)
            self.addAction(action)

    def _lay_out(self) -> None:
        surface = QWidget()
        surface.setObjectName("surface")
        surface.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(surface)
        column.setContentsMargins(10, 8, 10, 6)
        column.setSpacing(8)
        for widget in (self.top, self.banner):
            column.addWidget(widget)
        column.addWidget(self.pages, 1)
        column.addWidget(self.status)
        surface.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setCentralWidget(surface)
        surface.setFocus()

    def _open_menu(self) -> QMenu:
        menu = QMenu(self)
        self.actions_.fill(menu, "open open_folder open_weights open_architecture - new_application -")
        menu.addMenu(self._recent_menu)
        menu.addMenu(self._sample_menu())
        return menu

    def _sample_menu(self) -> QMenu:
        menu = QMenu("Samples", self)
        for path in samples():
            menu.addAction(sample_title(path), partial(self.open_path, str(path)))
        menu.setEnabled(not menu.isEmpty())
        return menu

    def _main_menu(self) -> QMenu:
        menu = QMenu(self)
        for title, names in (
            (
                "File",
                "new_application open open_folder open_weights open_architecture reload - load_recipe save_recipe "
                "- export verify verify_mine - close quit",
            ),
            ("Edit", "undo redo - clear_recipe - find - preferences"),
            ("Recipe", "presets transfer join - load_recipe save_recipe save_script clear_recipe"),
            ("Code", "define_class stored_code"),
            ("View", "before after difference - zoom_in zoom_out fit fold_all unfold_all"),
            ("Go", "go_layers go_graph go_edit go_findings go_recipe - next_finding previous_finding"),
        ):
            self.actions_.fill(menu.addMenu(title), names)
        menu.addMenu(self.surgery.menu)
        self.actions_.fill(menu, "rename_layer - help")
        return menu

    @Slot()
    def _fill_recent(self) -> None:
        self._recent_menu.clear()
        for path in self.settings.recent:
            self._recent_menu.addAction(Path(path).name, partial(self.open_path, path)).setToolTip(path)
        if self._recent_menu.isEmpty():
            self._recent_menu.addAction("None yet").setEnabled(False)

    def _connect(self) -> None:
        session, actions, files = self.session, self.actions_, self.files
        session.source_changed.connect(self._on_source)
        session.plan_changed.connect(self._on_plan)
        session.plan_changed.connect(self.plan_changed)
        session.view_changed.connect(self.top.views.set_current)
        session.engine_changed.connect(self._refresh_actions)
        session.problem.connect(self._on_problem)
        session.opening_changed.connect(self._on_opening)
        session.export_finished.connect(self.export_finished)
        session.work_changed.connect(self._refresh_actions)
        session.recipe_changed.connect(self._on_recipe)
        self.top.views.set_current(session.view)
        self.top.view_chosen.connect(session.set_view)
        self.top.layer_wanted.connect(self._on_layer_wanted)
        self.welcome.open_wanted.connect(files.open)
        self.welcome.new_wanted.connect(self.desk.show_gallery)
        self.welcome.chosen.connect(self.open_path)
        commands = {
            "open": files.open,
            "open_folder": files.open_folder,
            "open_weights": files.open_weights,
            "open_architecture": files.open_architecture,
            "new_application": self.desk.show_gallery,
            "reload": self.desk.reload,
            "define_class": self.desk.show_missing,
            "stored_code": self.desk.show_stored,
            "help": self.desk.show_help,
            "close": files.close,
            "export": files.export,
            "verify": files.verify,
            "verify_mine": self.surgery.verify_mine,
            "presets": self.surgery.show_presets,
            "transfer": self.surgery.show_transfer,
            "join": self.surgery.show_join,
            "rename_layer": self.surgery.rename_selected,
            "load_recipe": files.load_recipe,
            "save_recipe": files.save_recipe,
            "save_script": files.save_script,
            "clear_recipe": session.clear_recipe,
            "preferences": self._show_preferences,
            "quit": self.close,
            "find": self._go_find,
            "before": lambda: session.set_view("before"),
            "after": lambda: session.set_view("after"),
            "difference": lambda: session.set_view("difference"),
            "zoom_in": lambda: self.workspace.canvas.zoom_in(),
            "zoom_out": lambda: self.workspace.canvas.zoom_out(),
            "fit": lambda: self.workspace.canvas.fit(),
            "fold_all": lambda: self.workspace.canvas.fold_all(),
            "unfold_all": lambda: self.workspace.canvas.unfold_all(),
            "next_finding": lambda: self.workspace.findings.step(1),
            "previous_finding": lambda: self.workspace.findings.step(-1),
            "go_layers": lambda: self.workspace.layers.tree.setFocus(),
            "go_graph": lambda: self.workspace.canvas.setFocus(),
            "go_edit": lambda: self.workspace.tabs.tabBar().setFocus(),
            "go_findings": lambda: self.workspace.findings.view.setFocus(),
            "go_recipe": lambda: self.workspace.recipe.view.setFocus(),
        }
        for name, command in commands.items():
            actions[name].triggered.connect(command)

    # reacting

    @Slot(str)
    def _on_opening(self, path: str) -> None:
        if path:
            # the panels are made while the other process reads
            QTimer.singleShot(0, self, self._prepare)

    @Slot()
    def _prepare(self) -> None:
        if self._workspace is None:
            self._make_workspace()

    @Slot()
    def _on_source(self) -> None:
        source = self.session.source
        if source is None:
            self.welcome.refresh()
            self.pages.setCurrentWidget(self.welcome)
            self.setWindowTitle("Suture")
            self.banner.dismiss()
        else:
            self.pages.setCurrentWidget(self.workspace)
            self.setWindowTitle(f"{Path(source.path).name}[*] \u2013 Suture")
            self.settings.add_recent(source.path)
            if not made_here(source.path):
                self.settings.folder = str(Path(source.path).parent)
        self._refresh_actions()

    @Slot()
    def _on_plan(self) -> None:
        graph = self.session.shown_graph
        self.top.set_names([path for path, _ in graph.walk()] if graph is not None else [])
        refusal = self.session.refusal
        if refusal is not None:
            self.banner.say("error", refusal.message, "")
        elif self.banner.tone == "error" and self.session.source is not None and self._refused:
            self.banner.dismiss()
        self._refused = refusal is not None
        self._refresh_actions()

    @Slot()
    def _on_recipe(self) -> None:
        if self.session.recipe.edits and self.banner.tone in ("info", "success"):
            self.banner.dismiss()
        self._refresh_actions()

    @Slot(str, str)
    def _on_problem(self, sentence: str, details: str) -> None:
        self.banner.say("error", sentence, details)

    @Slot()
    def _refresh_actions(self) -> None:
        session, actions = self.session, self.actions_
        opened = session.source is not None
        free = opened and not session.exporting and not session.verifying and session.plan is not None
        model = session.source is not None and session.source.kind != "weights"
        names = (
            "close before after difference zoom_in zoom_out fit fold_all unfold_all load_recipe find "
            "go_layers go_graph go_edit go_findings go_recipe next_finding previous_finding"
        )
        for name in names.split():
            actions[name].setEnabled(opened)
        self.top.views.setEnabled(opened)
        self.top.finder.setEnabled(opened)
        actions["open_weights"].setEnabled(opened and model)
        actions["open_architecture"].setEnabled(opened and not model)
        actions["reload"].setEnabled(opened)
        actions["define_class"].setEnabled(bool(self.desk.foreign.missing()))
        actions["stored_code"].setEnabled(bool(self.desk.foreign.stored()))
        actions["save_recipe"].setEnabled(bool(session.recipe.edits))
        actions["clear_recipe"].setEnabled(bool(session.recipe.edits))
        actions["export"].setEnabled(free and model)
        actions["save_script"].setEnabled(free and model and session.plan is not None and session.plan.ok)
        for name in ("verify", "verify_mine", "presets", "transfer", "join", "rename_layer"):
            actions[name].setEnabled(free and model)

    @Slot(str)
    def _on_layer_wanted(self, path: str) -> None:
        self.session.select(path)
        self.workspace.layers.tree.setFocus()
        self.top.finder.clear()

    @Slot()
    def _go_find(self) -> None:
        self.top.finder.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.top.finder.selectAll()

    @Slot(int)
    def _edit_step(self, row: int) -> None:
        if self._step is None:
            self._step = StepSheet(self.session, self)
        self._step.edit(row)

    def _comparison(self) -> CompareSheet:
        if self._compare is None:
            self._compare = CompareSheet(self.session, self.look, self)
        return self._compare

    @Slot()
    def _show_preferences(self) -> None:
        if self._preferences is None:
            self._preferences = Preferences(self.settings, self)
            self._preferences.theme_chosen.connect(self.theme_chosen)
            self._preferences.trusted.revoke_wanted.connect(self.desk.foreign.revoke)
        self._preferences.refresh()
        self._preferences.open(self._preferences.theme)

    @Slot(str, str)
    def show_crash(self, sentence: str, details: str) -> None:
        """Say that we made a mistake; the window goes on."""
        if self._crash is None:
            self._crash = CrashSheet(self.look, self)
        self._crash.add(sentence, details)

    # Qt

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self, self.first_painted.emit)

    @override
    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if local_file(event.mimeData().urls()):
            event.acceptProposedAction()

    @override
    def dropEvent(self, event: QDropEvent) -> None:
        path = local_file(event.mimeData().urls())
        if path:
            event.acceptProposedAction()
            self.open_path(path)

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.unsaved.may_close():
            event.ignore()
            return
        self.settings.save_bytes("geometry", self.saveGeometry())
        if self._workspace is not None:
            self._workspace.save()
            self._workspace.canvas.close()
        self.settings.sync()
        self.unsaved.close()
        self.session.stop_processes()
        super().closeEvent(event)


def local_file(urls: Any) -> str:
    """The first of some addresses if it is a file of this machine, else `""`."""
    first: QUrl | None = next(iter(urls), None)
    return first.toLocalFile() if first is not None and first.isLocalFile() else ""

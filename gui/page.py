"""One document in a window: welcome or workspace below a bar, above a line of status.

A page is all of one document that can be seen: its actions turn commands into calls of its session, and their keys work
while it is the page that the window shows.
"""

import contextlib
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from core.findings import CompareFixes, EditStep, NameCode, OpenArchitecture, OpenWeights, RebuildModel, TrustCode
from gui.controllers.adding import AddCommands
from gui.controllers.choosing import Choosing
from gui.controllers.code import CodeCommands
from gui.controllers.colours import COLOURS, ColourCommands
from gui.controllers.drops import holds_recipe
from gui.controllers.exporting import ExportCommands
from gui.controllers.file_watch import FileWatch
from gui.controllers.finding import Finding
from gui.controllers.layer_menu import LayerMenu
from gui.controllers.opening import OpenCommands
from gui.controllers.palette import Palette
from gui.controllers.pictures import PictureCommands
from gui.controllers.rebuilding import Rebuilding
from gui.controllers.recipe_files import RecipeFiles
from gui.controllers.report_files import ReportFiles
from gui.controllers.sheet_care import SheetCare
from gui.controllers.sheets import Sheets
from gui.controllers.unsaved import Unsaved
from gui.controllers.weight_files import WeightFiles
from gui.dialogs.crash import CrashSheet
from gui.document.settings import Settings
from gui.document.work import Work
from gui.models.made_models import made_here, note_use
from gui.models.opened import Reload
from gui.models.recipe import left_out_words
from gui.panels.banner import Banner
from gui.panels.status_bar import StatusBar
from gui.panels.top_bar import TopBar
from gui.panels.welcome import Welcome, sample_title, samples
from gui.widgets.actions import Actions
from gui.widgets.parts import Look
from gui.widgets.tabs import Tab

if TYPE_CHECKING:
    from gui.workspace import Workspace

WINDOW_COMMANDS = (
    "new_window", "new_tab", "next_tab", "previous_tab", "tab_left", "tab_right", "detach_tab", "close_others", "close",
    "quit", *(f"tab_{number}" for number in range(1, 10)),
)  # fmt: skip
"""Actions of the page that are its window's business."""
PLACES = ("layers", "graph", "edit", "findings", "recipe", "log")


class Page(QWidget):
    """A document's bar, banner, panels and sheets; its window title is what the window says while it is shown."""

    plan_changed = Signal()
    export_finished = Signal(object)
    theme_chosen = Signal(str)
    files_wanted = Signal(list)
    """Files to be opened, wherever there is room for them."""
    command = Signal(str)
    """The name of an action that is the window's business."""

    def __init__(self, work: Work, settings: Settings, look: Look) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setWindowTitle("Suture")
        self.work, self.settings, self.look = work, settings, look
        self.session = session = work.session
        self._refused = ""
        self._several = False
        self._current = False
        self._workspace: Workspace | None = None
        self._crash: CrashSheet | None = None
        self.actions_ = Actions(self)
        self._adopt_undo()
        self.banner = Banner(look)
        self.watch = watch = FileWatch(session, self)
        self.unsaved = Unsaved(self, session)
        self.opening = OpenCommands(self, work, settings, self.unsaved, watch, self.banner)
        self.exporting = ExportCommands(self, work, settings, look, watch)
        self.recipes = RecipeFiles(self, work, settings)
        self.code = CodeCommands(self, work, settings, look, self.banner)
        self.sheets = Sheets(self, work, settings, look, self.actions_)
        self.rebuilding = Rebuilding(self, work, self.sheets, self.unsaved)
        self.layers = LayerMenu(work, self)
        self.colours = ColourCommands(work, settings, self.actions_, self)
        self.pictures = PictureCommands(session, settings, self.banner, self.actions_, self)
        SheetCare(self, work)
        self.weights = WeightFiles(self, work, settings, look)
        self.adding = AddCommands(self, work, look, self.layers, self.actions_)
        self.reports = ReportFiles(self, work, settings)
        self.palette_ = Palette(self, work, look, self.actions_, self.layers)
        self.choosing = Choosing(self, session, self.actions_)
        self._recent_menu = QMenu("Recent files", self)
        self._recent_menu.aboutToShow.connect(self._fill_recent)
        self.top = TopBar(self.actions_, look, self._open_menu(), self._main_menu())
        self.finding = Finding(self, session, self.actions_, self.top.finder)
        verify_menu = QMenu("Verify", self)
        self.actions_.fill(verify_menu, "verify verify_mine")
        self.top.verify.setMenu(verify_menu)
        self.top.verify.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.welcome = Welcome(settings, look)
        self.status = StatusBar(work, look)
        self.status.log.use(self.actions_["go_log"])
        self.status.cancel.clicked.connect(work.opening.cancel)
        self.status.running.wanted.connect(self.exporting.show_sheet)
        self.exporting.made.connect(self.status.running.follow)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self._lay_out()
        self._connect()
        self._refresh_actions()

    @property
    def workspace(self) -> "Workspace":
        """The panels around a model, made when first needed: the welcome page is up without them."""
        return self._workspace or self._make_workspace()

    def _make_workspace(self) -> "Workspace":
        # not at the top: with the canvas it is a third of all imports, and the first page needs none of it
        from gui.workspace import Workspace

        made = self._workspace = Workspace(self.work, self.settings, self.look)
        self.pages.addWidget(made)
        made.arrange(self.width() - 24, self.height() - 100)
        made.recipe.save_wanted.connect(self.recipes.save_recipe)
        made.recipe.load_wanted.connect(self.recipes.load_recipe)
        made.recipe.edit_wanted.connect(self.sheets.edit_step)
        made.recipe.presets_wanted.connect(self.sheets.show_presets)
        made.input.compare_wanted.connect(self.sheets.compare_step)
        made.input.layer_wanted.connect(self.layers.ask_front_layer)
        made.head.classes_wanted.connect(self.sheets.show_classes)
        made.tidy.formats.join_wanted.connect(self.sheets.show_join)
        made.findings.wanted.connect(self.act)
        made.inspector.code_wanted.connect(self.code.show_code)
        made.inspector.values_wanted.connect(self.weights.show_values)
        made.inspector.save_wanted.connect(self.weights.save_row)
        self.colours.attach(made.canvas, made.layers)
        self.pictures.attach(made.canvas)
        self.choosing.follow(made.canvas)
        self.finding.follow(made.layers, made.canvas, made.go)
        self.adding.attach(made.add, made.dropping, made.canvas.view, made.layers.tree)
        made.canvas.context_requested.connect(self.layers.popup)
        made.layers.context_requested.connect(self.layers.popup)
        return made

    def open_path(self, path: str) -> None:
        """Open a file; `plan_changed` follows, or a banner says why not."""
        self.opening.open_path(path)

    def take_files(self, paths: list[str]) -> None:
        """Open the models among files that were dropped here; a recipe alone becomes the model's."""
        recipes = [path for path in paths if holds_recipe(path)]
        models = [path for path in paths if path not in recipes]
        if models:
            self.files_wanted.emit(models)
        elif recipes and self.session.source is not None:
            self.recipes.load_recipe_from(recipes[0])
        elif recipes:
            name = Path(recipes[0]).name
            self.session.problem.emit(f"{name} is a recipe. Open a model first, then drop the recipe on it.", "")

    def export_to(self, path: str) -> None:
        """Write the result to a file; `export_finished` follows, or the sheet says why not."""
        self.exporting.export_to(path)

    # in the window

    def tab(self) -> Tab:
        """What its tab says."""
        source = self.session.source
        path = source.path if source is not None else self.work.opening.path
        return Tab(Path(path).name if path else "New tab", path, self.isWindowModified())

    def is_about(self, path: str) -> bool:
        """Whether this file is open here, or about to be."""
        source = self.session.source
        mine = self.work.opening.path or (source.path if source is not None else "")
        if not mine or mine == path:
            return bool(mine)
        with contextlib.suppress(OSError):
            return os.path.samefile(mine, path)
        return False

    @property
    def replaceable(self) -> bool:
        """Whether another file may take this one's place: nobody has done anything here."""
        idle = not (self.work.opening.running or self.work.busy)
        return idle and not self.session.recipe.edits and self.session.undo_stack.count() == 0

    def set_current(self, current: bool) -> None:
        """This is the page that the window shows, or is no longer; a page that nobody sees plans nothing."""
        newly, self._current = current and not self._current, current
        self.work.planning.rest(not current)
        if newly:
            self.watch.check()
            if self.session.source is None:
                self.welcome.refresh()

    def note_tabs(self, tabs: Sequence[Tab], place: int) -> None:
        """Which pages its window has, and which of them it is."""
        self._several = several = len(tabs) > 1
        for name in ("next_tab", "previous_tab", "detach_tab", "close_others", "tab_9"):
            self.actions_[name].setEnabled(several)
        self.actions_["tab_left"].setEnabled(place > 0)
        self.actions_["tab_right"].setEnabled(place + 1 < len(tabs))
        for number in range(1, 9):
            action = self.actions_[f"tab_{number}"]
            there = several and number <= len(tabs)
            action.setVisible(there)
            action.setEnabled(there)
            action.setText(tabs[number - 1].name if there else f"Tab {number}")
        self.actions_["close"].setEnabled(self.session.source is not None or several)

    # making

    def _adopt_undo(self) -> None:
        stack = self.session.undo_stack
        # not the stack's own actions: what C++ makes may get the Python object of a dead action at the same address,
        # and would go with the closed page whose it was
        undo, redo = QAction("Undo", self), QAction("Redo", self)
        stack.undoTextChanged.connect(self._on_undo_text)
        stack.redoTextChanged.connect(self._on_redo_text)
        stack.canUndoChanged.connect(undo.setEnabled)
        stack.canRedoChanged.connect(redo.setEnabled)
        undo.setEnabled(stack.canUndo())
        redo.setEnabled(stack.canRedo())
        undo.triggered.connect(stack.undo)
        redo.triggered.connect(stack.redo)
        for name, action, keys in (("undo", undo, ("Ctrl+Z",)), ("redo", redo, ("Ctrl+Shift+Z", "Ctrl+Y"))):
            self.actions_.adopt(name, action, *keys)
            self.addAction(action)
        self._on_undo_text(stack.undoText())
        self._on_redo_text(stack.redoText())

    @Slot(str)
    def _on_undo_text(self, text: str) -> None:
        self.actions_["undo"].setText(f"Undo {text}".rstrip())

    @Slot(str)
    def _on_redo_text(self, text: str) -> None:
        self.actions_["redo"].setText(f"Redo {text}".rstrip())

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
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(surface)
        self.setFocusProxy(surface)

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
                "new_window new_tab - new_application open open_folder open_weights open_architecture reload "
                "- load_recipe save_recipe - export verify verify_mine - save_weights save_report - close quit",
            ),
            (
                "Edit",
                "undo redo - add_layer remove_layers copy_layers paste_layers - clear_recipe "
                "- find find_next find_previous select_all select_none - freeze_these "
                "freeze_up_to freeze_from unfreeze_these unfreeze_up_to unfreeze_from - preferences",
            ),
            (
                "Recipe",
                "presets transfer join - load_recipe save_recipe save_script - copy_recipe copy_command - clear_recipe",
            ),
            ("Code", "define_class stored_code"),
            (
                "View",
                "before after difference - zoom_in zoom_out fit fold_all unfold_all "
                "- toggle_layers toggle_side toggle_strip reset_layout",
            ),
            (
                "Window",
                "next_tab previous_tab - tab_left tab_right - detach_tab close_others "
                "- tab_1 tab_2 tab_3 tab_4 tab_5 tab_6 tab_7 tab_8 tab_9",
            ),
            (
                "Go",
                "show_values - go_layers go_graph go_edit go_findings go_recipe go_log - next_finding previous_finding",
            ),
            ("Colour by", COLOURS),
        ):
            part = menu.addMenu(title)
            self.actions_.fill(part, names)
            if title == "Recipe":
                part.addMenu(self.recipes.recent)
        menu.addMenu(self.layers.menu)
        self.actions_.fill(menu, "rename_layer - palette keys help")
        return menu

    @Slot()
    def _fill_recent(self) -> None:
        self._recent_menu.clear()
        for path in self.settings.recent:
            self._recent_menu.addAction(Path(path).name, partial(self.open_path, path)).setToolTip(path)
        if self._recent_menu.isEmpty():
            self._recent_menu.addAction("None yet").setEnabled(False)

    def _connect(self) -> None:
        session, actions, opening = self.session, self.actions_, self.opening
        self.unsaved.save_wanted.connect(self.recipes.save_recipe_again)
        self.recipes.saved.connect(self.unsaved.go_on)
        opening.wanted.connect(lambda path: self.files_wanted.emit([path]))
        self.sheets.built.connect(opening.open_path)
        self.sheets.theme_chosen.connect(self.theme_chosen)
        self.layers.filled.connect(self.weights.extend_menu)
        self.layers.filled.connect(self.code.extend_menu)
        self.banner.wanted.connect(self.act)
        session.source_changed.connect(self._on_source)
        session.plan_changed.connect(self._on_plan)
        session.plan_changed.connect(self.plan_changed)
        session.view_changed.connect(self.top.views.set_current)
        self.work.processes.engine_changed.connect(self._refresh_actions)
        session.problem.connect(self._on_problem)
        self.work.opening.started.connect(self._on_opening)
        self.work.exporting.finished.connect(self.export_finished)
        self.work.changed.connect(self._refresh_actions)
        session.recipe_changed.connect(self._on_recipe)
        self.top.views.set_current(session.view)
        self.top.view_chosen.connect(session.set_view)
        self.welcome.open_wanted.connect(opening.open)
        self.welcome.new_wanted.connect(self.sheets.show_gallery)
        self.welcome.chosen.connect(self.open_path)
        commands = {
            "open": opening.open,
            "open_folder": opening.open_folder,
            "open_weights": opening.open_weights,
            "open_architecture": opening.open_architecture,
            "new_application": self.sheets.show_gallery,
            "reload": opening.reload,
            "define_class": self.code.show_missing,
            "stored_code": self.code.show_stored,
            "help": self.sheets.show_help,
            "keys": self.sheets.show_keys,
            "export": self.exporting.export,
            "verify": self.exporting.verify,
            "verify_mine": self.exporting.verify_mine,
            "add_layer": self._add_layer,
            "remove_layers": self.adding.remove,
            "copy_layers": self.adding.copy,
            "paste_layers": self.adding.paste,
            "save_report": self.reports.save,
            "save_weights": lambda: self.weights.save(session.selection),
            "show_values": lambda: self.weights.show_selected(self.workspace.inspector.weights.current()),
            "presets": self.sheets.show_presets,
            "transfer": self.sheets.show_transfer,
            "join": self.sheets.show_join,
            "rename_layer": self.layers.rename_selected,
            "load_recipe": self.recipes.load_recipe,
            "save_recipe": self.recipes.save_recipe,
            "save_script": self.recipes.save_script,
            "copy_recipe": self.recipes.copy_json,
            "copy_command": self.recipes.copy_command,
            "clear_recipe": session.clear_recipe,
            "preferences": self.sheets.show_preferences,
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
            "toggle_layers": lambda: self.workspace.toggle_layers(),
            "toggle_side": lambda: self.workspace.toggle_side(),
            "toggle_strip": lambda: self.workspace.toggle_strip(),
            "reset_layout": lambda: self.workspace.reset(),
        }
        for name, command in commands.items():
            actions[name].triggered.connect(command)
        for name in WINDOW_COMMANDS:
            actions[name].triggered.connect(partial(self.command.emit, name))
        for place in PLACES:
            actions[f"go_{place}"].triggered.connect(lambda _=False, place=place: self.workspace.go(place))

    # reacting

    @Slot()
    def _add_layer(self) -> None:
        self.workspace.show_tab("Add")
        self.workspace.add.search.setFocus()
        self.workspace.add.search.selectAll()

    @Slot()
    def _on_opening(self) -> None:
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
            note_use(source.path)
            if not made_here(source.path):
                self.settings.folder = str(Path(source.path).parent)
        self._refresh_actions()

    @Slot()
    def _on_plan(self) -> None:
        refusal = self.session.refusal
        sentence = refusal.message if refusal is not None else left_out_words(self.session.left_out)
        if sentence and (refusal is not None or sentence != self._refused):
            self.banner.say("error", sentence, "")
        elif not sentence and self.banner.tone == "error" and self.session.source is not None and self._refused:
            self.banner.dismiss()
        self._refused = sentence
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
        free = opened and not self.work.busy and session.plan is not None
        model = session.source is not None and session.source.kind != "weights"
        names = (
            "before after difference zoom_in zoom_out fit fold_all unfold_all load_recipe find select_all "
            "go_layers go_graph go_edit go_findings go_recipe go_log next_finding previous_finding "
            f"toggle_layers toggle_side toggle_strip reset_layout {COLOURS.replace('- ', '')}"
        )
        for name in names.split():
            actions[name].setEnabled(opened)
        actions["close"].setEnabled(opened or self._several)
        self.top.views.setEnabled(opened)
        self.top.finder.setEnabled(opened)
        actions["open_weights"].setEnabled(opened and model)
        actions["open_architecture"].setEnabled(opened and not model)
        actions["reload"].setEnabled(opened)
        actions["define_class"].setEnabled(bool(self.work.trust.missing()))
        actions["stored_code"].setEnabled(bool(self.work.trust.stored()))
        actions["save_recipe"].setEnabled(bool(session.recipe.edits))
        for name in ("clear_recipe", "copy_recipe", "copy_command"):
            actions[name].setEnabled(bool(session.recipe.edits))
        actions["export"].setEnabled(free and model)
        # while it is at work, the command brings its sheet back
        actions["save_weights"].setEnabled(free or self.work.saving_arrays.running)
        actions["save_report"].setEnabled(free)
        for name in ("add_layer", "remove_layers", "copy_layers", "paste_layers"):
            actions[name].setEnabled(opened and model)
        actions["show_values"].setEnabled(opened)
        actions["save_script"].setEnabled(free and model and session.plan is not None and session.plan.ok)
        for name in ("verify", "verify_mine", "presets", "transfer", "join", "rename_layer"):
            actions[name].setEnabled(free and model)

    @Slot(object)
    def act(self, action: object) -> None:
        """A button of a finding or a link of the banner was clicked."""
        match action:
            case EditStep(step=number):
                self.sheets.edit_step(number - 1)
            case CompareFixes(weight=weight):
                self.sheets.comparison.begin(weight=weight)
            case NameCode(layer=""):
                self.code.show_missing()
            case NameCode(layer=path):
                self.code.show_code(path)
            case TrustCode(layer=path):
                self.code.stored.show_layer(path)
            case RebuildModel():
                self.rebuilding.take_over()
            case OpenWeights():
                self.opening.open_weights()
            case OpenArchitecture():
                self.opening.open_architecture()
            case Reload():
                self.opening.reload()

    @Slot(str, str)
    def show_crash(self, sentence: str, details: str) -> None:
        """Say that we made a mistake; the window goes on."""
        if self._crash is None:
            self._crash = CrashSheet(self.look, self)
        self._crash.add(sentence, details)

    def close_down(self) -> None:
        """The document goes: its borders are remembered, what is done for it ends."""
        if self._workspace is not None:
            self._workspace.save()
            self._workspace.canvas.close()
        self.settings.sync()
        self.work.stop()

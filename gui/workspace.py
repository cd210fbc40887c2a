"""Everything around an open model: layers, graph, edit panels, findings, recipe, log; one selection for all."""

from PySide6.QtCore import QByteArray, QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSplitter, QTabWidget, QVBoxLayout, QWidget
from typing_extensions import override

from core.model.graph import Graph
from core.model.plan import Plan
from gui.canvas import GraphView
from gui.canvas.dropping import Dropping
from gui.canvas.folds import fold_key, read_folds
from gui.document.settings import Settings
from gui.document.work import Work
from gui.models.addable import MIME as LAYER
from gui.panels.adding import AddPanel
from gui.panels.findings import FindingsPanel
from gui.panels.freeze import FreezePanel
from gui.panels.head import HeadPanel
from gui.panels.input import InputPanel
from gui.panels.inspector import Inspector
from gui.panels.layers import LayersPanel
from gui.panels.log import LogPanel
from gui.panels.many import ManySelected
from gui.panels.rail import Rail
from gui.panels.recipe import RecipePanel
from gui.panels.stem import StemPanel
from gui.panels.strip import StripBar
from gui.panels.tidy import TidyPanel
from gui.widgets.parts import Card, IconButton, Look, named, scrolling

GAP = 8
EDIT_LEAST = 150
INSPECTOR_LEAST = 176
CALM_FINDINGS = 230
NO_LIMIT = 16_777_215


class Workspace(QWidget):
    """Layers and graph over a strip of findings and recipe; edit panels and the selected layer beside them.

    Every border can be moved and both sides put away. What a person arranged is remembered for each class of window
    sizes, so that a laptop's screen and a large one keep their own.
    """

    def __init__(self, work: Work, settings: Settings, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("workspace")
        session = work.session
        self._work, self._session, self._settings, self._look = work, session, settings, look
        self._laid_out: object = None
        self._shown: Graph | None = None
        self._class = ""
        self._strip_wish = ""
        self._edit_set = False
        self._calm: bool | None = None
        self.layers = LayersPanel(session, look)
        self.canvas = GraphView()
        self.inspector = Inspector()
        self.inspector.host(ManySelected(session))
        self.input = InputPanel(work, look)
        self.stem = StemPanel(session, look)
        self.head = HeadPanel(session, look)
        self.freeze = FreezePanel(session, look)
        self.add = AddPanel(work)
        self.tidy = TidyPanel(session, look)
        self.dropping = Dropping(self.canvas.view, self.canvas.scene, LAYER)
        self.findings = FindingsPanel(session, look)
        self.recipe = RecipePanel(session, look)
        self.tabs = named(QTabWidget(), "editTabs")
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("Edit")
        self.tabs.tabBar().setAccessibleName("Edit panels")
        self._fill_tabs()
        self.splitters = self._lay_out()
        self.log = LogPanel(session, look, self)
        self._connect()
        self.arrange(1416, 800)
        self.canvas.set_theme(look.theme)
        self.inspector.set_theme(look.theme)
        self.refresh()

    def _fill_tabs(self) -> None:
        panels: list[tuple[QWidget, str, str]] = [
            (self.input, "Input", "Size and channels of the model\u2019s inputs"),
            (self.stem, "Stem", "The first convolution"),
            (self.head, "Head", "Keep, remove or replace the end of the model"),
            (self.freeze, "Freeze", "Layers that are not trained"),
            (self.add, "Add", "Layers to put in: drag one onto an edge of the graph"),
        ]
        panels.append(
            (
                self.tidy,
                "Tidy",
                "Fold, drop and replace layers in the whole model; change batch size and data format; join another "
                "model",
            )
        )
        for panel, title, tip in panels:
            area = scrolling(panel)
            area.setAccessibleName(title)
            self.tabs.addTab(area, title)
            self.tabs.setTabToolTip(self.tabs.count() - 1, tip)

    def _lay_out(self) -> dict[str, QSplitter]:
        look = self._look
        canvas_card, edit_card, inspector_card = Card(), Card(), Card("Selected layer")
        canvas_card.body.addWidget(self.canvas, 1)
        edit_card.body.addWidget(self.tabs, 1)
        inspector_card.body.addWidget(self.inspector, 1)
        # below their content's own wishes: a small window scrolls instead of giving everything to one of them
        edit_card.setMinimumHeight(EDIT_LEAST)
        inspector_card.setMinimumHeight(INSPECTOR_LEAST)
        # of a window that gets narrower the list gives way before the graph does
        canvas_card.setMinimumWidth(220)
        away = IconButton(look, "panel-left", "Hide layers")
        away.clicked.connect(lambda: self.show_layers(False))
        self.layers.header.addWidget(away)
        aside = IconButton(look, "panel-right", "Hide edit panels")
        aside.clicked.connect(lambda: self.show_side(False))
        corner = QWidget()
        inside = QHBoxLayout(corner)
        inside.setContentsMargins(0, 2, 8, 0)
        inside.addWidget(aside)
        self.tabs.setCornerWidget(corner)
        down = IconButton(look, "panel-bottom", "Hide findings and recipe")
        down.clicked.connect(lambda: self.open_strip(False))
        self.recipe.header.addWidget(down)
        right = splitter(Qt.Orientation.Vertical, edit_card, inspector_card)
        right.setStretchFactor(0, 0)
        right.setStretchFactor(1, 1)
        top = splitter(Qt.Orientation.Horizontal, self.layers, canvas_card)
        self.strip = StripBar(self._session, look)
        bottom = splitter(Qt.Orientation.Horizontal, self.findings, self.recipe)
        whole = splitter(Qt.Orientation.Vertical, top, bottom)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(whole, 1)
        column.addWidget(self.strip)
        columns = splitter(Qt.Orientation.Horizontal, left, right)
        for each in (top, columns):
            growing = 1 if each is top else 0
            each.setStretchFactor(growing, 1)
            each.setStretchFactor(1 - growing, 0)
        whole.setStretchFactor(0, 1)
        whole.setStretchFactor(1, 0)
        self.layers_rail = Rail(look, "layers", "Layers", "Show layers")
        self.layers_rail.clicked.connect(lambda: self.show_layers(True))
        self.side_rail = Rail(look, "pencil", "Edit \u00b7 Selected layer", "Show edit panels")
        self.side_rail.clicked.connect(lambda: self.show_side(True))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        row.addWidget(self.layers_rail)
        row.addWidget(columns, 1)
        row.addWidget(self.side_rail)
        self._right, self._bottom, self._edit_card, self._inspector_card = right, bottom, edit_card, inspector_card
        return {"right": right, "top": top, "bottom": bottom, "whole": whole, "columns": columns}

    def _connect(self) -> None:
        session = self._session
        session.source_changed.connect(self.refresh)
        session.plan_changed.connect(self.refresh)
        session.view_changed.connect(self.refresh)
        session.selection_changed.connect(self._on_selection)
        session.chosen_changed.connect(self._show_inspected)
        for signal in (session.plan_changed, session.recipe_changed, session.source_changed):
            signal.connect(self._settle_strip)
        self.strip.findings_wanted.connect(lambda: self.go("findings"))
        self.strip.recipe_wanted.connect(lambda: self.go("recipe"))
        self.tabs.currentChanged.connect(self.fit_edit)
        for index in range(self.tabs.count()):
            area = self.tabs.widget(index)
            content = area.widget() if isinstance(area, QScrollArea) else None
            if content is not None:
                content.installEventFilter(self)
        self._right.splitterMoved.connect(self._on_border)
        self._look.changed.connect(self.canvas.set_theme)
        self._look.changed.connect(self.inspector.set_theme)
        self.canvas.layer_selected.connect(session.select)
        self.canvas.layer_activated.connect(session.select)
        self.inspector.layer_selected.connect(session.select)
        self.inspector.preview_requested.connect(self._work.previewing.begin)
        effects = self._work.effects
        self.recipe.effect_wanted.connect(effects.want)
        effects.known.connect(lambda row: self.recipe.show_effect(row, effects.lines(row)))
        self._work.previewing.ready.connect(self.inspector.show_preview)
        self._work.previewing.failed.connect(self.inspector.show_preview_failure)

    # room

    def default_sizes(self, width: int, height: int) -> dict[str, list[int]]:
        """Sizes for a window that nobody has arranged yet."""
        layers = 330 if width >= 1180 else 290
        edit = 324 if width >= 1100 else 304
        low = 166
        left = width - edit - GAP
        return {
            "columns": [left, edit],
            "top": [layers, max(left - layers - GAP, 220)],
            "right": [height * 6 // 10, height * 4 // 10],
            "bottom": [left * 6 // 10, left * 4 // 10],
            "whole": [height - low - GAP, low],
        }

    def arrange(self, width: int, height: int) -> None:
        """Arrange everything for a window of this size: as it was left at such a size, else as the size suggests."""
        self._class = size_class(width)
        settings = self._settings
        shown = {name: settings.word_of(f"{self._class}/{name}") for name in ("layers", "side", "strip", "edit")}
        small = self._class == "small"
        self._show(self.layers, self.layers_rail, shown["layers"] == "shown" or not (small or shown["layers"]))
        self._show(self._right, self.side_rail, shown["side"] != "hidden")
        self._strip_wish = shown["strip"]
        self._edit_set = shown["edit"] == "set"
        self._settle_strip()
        sizes = self.default_sizes(width, height)
        for name, each in self.splitters.items():
            state = settings.bytes_of(f"{self._class}/splitter_{name}")
            if state.isEmpty() or not each.restoreState(state):
                each.setSizes(sizes[name])
        self.fit_edit()

    def save(self) -> None:
        """Remember the borders for windows of this size."""
        for name, each in self.splitters.items():
            if name != "right" or self._edit_set:
                self._settings.save_bytes(f"{self._class}/splitter_{name}", QByteArray(each.saveState()))

    @Slot()
    def reset(self) -> None:
        """Forget what was arranged for windows of this size."""
        self._settings.forget(f"{self._class}/")
        self.arrange(self.width(), self.height())

    @Slot(bool)
    def show_layers(self, shown: bool) -> None:
        """Show the list of layers, or leave its place to the graph."""
        self._show(self.layers, self.layers_rail, shown)
        self._settings.save_word(f"{self._class}/layers", "shown" if shown else "hidden")
        (self.layers.tree if shown else self.layers_rail).setFocus()

    @Slot(bool)
    def show_side(self, shown: bool) -> None:
        """Show the edit panels and the selected layer, or leave their place to the graph."""
        self._show(self._right, self.side_rail, shown)
        self._settings.save_word(f"{self._class}/side", "shown" if shown else "hidden")
        (self.tabs.tabBar() if shown else self.side_rail).setFocus()

    @Slot(bool)
    def open_strip(self, opened: bool) -> None:
        """Open or close findings and recipe. What is other than they would do by themselves stays so."""
        self._strip_wish = "" if opened == self.strip.busy else "open" if opened else "closed"
        self._settings.save_word(f"{self._class}/strip", self._strip_wish)
        self._settle_strip()
        if not opened:
            self.strip.opener.setFocus()

    @Slot()
    def toggle_layers(self) -> None:
        """The list of layers comes or goes."""
        self.show_layers(self.layers.isHidden())

    @Slot()
    def toggle_side(self) -> None:
        """The edit panels come or go."""
        self.show_side(self._right.isHidden())

    @Slot()
    def toggle_strip(self) -> None:
        """Findings and recipe open or close."""
        self.open_strip(self._bottom.isHidden())

    def go(self, place: str) -> None:
        """Give the keyboard to `layers`, `graph`, `edit`, `findings`, `recipe` or `log`, and show it if it is not."""
        if place == "layers":
            self.show_layers(True)
        elif place == "graph":
            self.canvas.setFocus()
        elif place == "edit":
            self.show_side(True)
        elif place == "log":
            self.log.toggle()
        else:
            if self._bottom.isHidden():
                self.open_strip(True)
            panel: FindingsPanel | RecipePanel = self.findings if place == "findings" else self.recipe
            (panel.view if panel.view.isVisible() else panel).setFocus()

    def _show(self, column: QWidget, rail: QWidget, shown: bool) -> None:
        column.setVisible(shown)
        rail.setVisible(not shown)

    @Slot()
    def _settle_strip(self) -> None:
        opened = self._strip_wish == "open" or (self._strip_wish != "closed" and self.strip.busy)
        self._bottom.setVisible(opened)
        self.strip.setVisible(not opened)
        calm = not self._session.findings
        if calm != self._calm:
            # an empty list of findings leaves the room to the steps
            self._calm = calm
            self.findings.setMaximumWidth(CALM_FINDINGS if calm else NO_LIMIT)
            width = sum(self._bottom.sizes())
            if not calm and width:
                self._bottom.setSizes([width * 6 // 10, width * 4 // 10])

    @Slot()
    def fit_edit(self) -> None:
        """Give the edit panel in front the height that shows it whole, unless the border was moved by hand."""
        area = self.tabs.currentWidget()
        height = self._right.height() - GAP
        if self._edit_set or not isinstance(area, QScrollArea) or height <= EDIT_LEAST:
            return
        content = area.widget()
        layout = content.layout() if content is not None else None
        if content is None or layout is None:
            return
        width = area.viewport().width()
        wanted = layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else content.sizeHint().height()
        wanted += self._edit_card.height() - area.viewport().height()
        edit = max(min(wanted, height - INSPECTOR_LEAST), EDIT_LEAST)
        if self._right.sizes()[:1] != [edit]:
            self._right.setSizes([edit, height - edit])

    @Slot()
    def _on_border(self) -> None:
        self._edit_set = True
        self._settings.save_word(f"{self._class}/edit", "set")

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if size_class(self.width()) != self._class:
            self.save()
            self.arrange(self.width(), self.height())
        else:
            self.fit_edit()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # a panel that grew or shrank, such as by another way of adapting an input
        if event.type() == QEvent.Type.LayoutRequest:
            QTimer.singleShot(0, self, self.fit_edit)
        return False

    @Slot()
    def refresh(self) -> None:
        """Show the session's graph on the canvas and its layer in the inspector."""
        session = self._session
        self._show_inspected()
        if session.source is None:
            return
        before = session.before_graph
        assert before is not None
        plan = session.plan
        if session.view == "before" or plan is None:
            plan = plan or Plan(ok=True, graph=before)
        seen = (session.source.path, session.source.mtime_ns)
        if seen != self._laid_out:
            self._laid_out = seen
            self._shown = None
            folds = read_folds(self._settings.word_of(fold_key(session.source)))
            self.canvas.set_graph(before, {}, keep_view=False, folds=folds)
        self.canvas.set_plan(plan, before, session.view)
        if session.selection:
            self.canvas.select(session.selection)
        added = first_added(self._shown, plan.graph) if session.view != "before" else ""
        if session.view != "before" and session.plan is not None:
            self._shown = plan.graph
        if added:
            self.canvas.reveal(added)
            self.layers.reveal(added)

    @Slot(str)
    def _on_selection(self, path: str) -> None:
        if self.canvas.selected != path:
            self.canvas.select(path)
        self._show_inspected()

    @Slot()
    def _show_inspected(self) -> None:
        session = self._session
        plan = session.plan if session.view != "before" else None
        self.inspector.set_base(session.base)
        self.inspector.show_layer(session.selection, session.layer(session.selection), plan, session.source)

    def show_tab(self, title: str) -> None:
        """Bring an edit panel to the front by its title."""
        if self._right.isHidden():
            self._show(self._right, self.side_rail, True)
        for index in range(self.tabs.count()):
            if self.tabs.tabText(index) == title:
                self.tabs.setCurrentIndex(index)


def first_added(old: Graph | None, new: Graph) -> str:
    """The first layer that a graph has and the one before had not; `""` if there is none, or none before."""
    if old is None or old is new:
        return ""
    known = old.by_path()
    return next((path for path in new.by_path() if path not in known), "")


def size_class(width: int) -> str:
    """The class of windows of this width; each remembers an arrangement of its own."""
    return "small" if width < 1180 else "medium" if width < 1680 else "large"


def splitter(orientation: Qt.Orientation, *widgets: QWidget) -> QSplitter:
    """Widgets side by side with movable borders; none can vanish."""
    made = QSplitter(orientation)
    made.setHandleWidth(GAP)
    made.setChildrenCollapsible(False)
    for widget in widgets:
        made.addWidget(widget)
    return made

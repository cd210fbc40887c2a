"""Everything around an open model: layers, graph, edit panels, findings, recipe, log; one selection for all."""

from PySide6.QtCore import QByteArray, Qt, Slot
from PySide6.QtWidgets import QSplitter, QTabWidget, QVBoxLayout, QWidget

from core.model.plan import Plan
from gui.canvas import GraphView
from gui.document.settings import Settings
from gui.document.work import Work
from gui.panels.findings import FindingsPanel
from gui.panels.freeze import FreezePanel
from gui.panels.head import HeadPanel
from gui.panels.input import InputPanel
from gui.panels.inspector import Inspector
from gui.panels.layers import LayersPanel
from gui.panels.log import LogPanel
from gui.panels.recipe import RecipePanel
from gui.panels.stem import StemPanel
from gui.panels.tidy import TidyPanel
from gui.widgets.parts import Card, Look, named, scrolling

GAP = 8


class Workspace(QWidget):
    """Three columns over a row of lists, every border movable and remembered."""

    def __init__(self, work: Work, settings: Settings, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("workspace")
        session = work.session
        self._work, self._session, self._settings, self._look = work, session, settings, look
        self._laid_out: object = None
        self.layers = LayersPanel(session, look)
        self.canvas = GraphView()
        self.inspector = Inspector()
        self.input = InputPanel(work, look)
        self.stem = StemPanel(session, look)
        self.head = HeadPanel(session, look)
        self.freeze = FreezePanel(session, look)
        self.tidy = TidyPanel(session, look)
        self.findings = FindingsPanel(session, look)
        self.recipe = RecipePanel(session, look)
        self.log = LogPanel(session, look)
        self.tabs = named(QTabWidget(), "editTabs")
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("Edit")
        self._fill_tabs()
        self.splitters = self._lay_out()
        self._connect()
        self.restore()
        self.canvas.set_theme(look.theme)
        self.inspector.set_theme(look.theme)
        self.refresh()

    def _fill_tabs(self) -> None:
        panels: list[tuple[QWidget, str, str]] = [
            (self.input, "Input", "Size and channels of the model\u2019s inputs"),
            (self.stem, "Stem", "The first convolution"),
            (self.head, "Head", "Keep, remove or replace the end of the model"),
            (self.freeze, "Freeze", "Layers that are not trained"),
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
        canvas_card, edit_card, inspector_card = Card(), Card(), Card("Selected layer")
        canvas_card.body.addWidget(self.canvas, 1)
        edit_card.body.addWidget(self.tabs, 1)
        inspector_card.body.addWidget(self.inspector, 1)
        # below their content's own wishes: a small window scrolls instead of giving everything to one of them
        edit_card.setMinimumHeight(150)
        inspector_card.setMinimumHeight(164)
        # of a window that gets narrower the list gives way before the graph does
        canvas_card.setMinimumWidth(220)
        right = splitter(Qt.Orientation.Vertical, edit_card, inspector_card)
        top = splitter(Qt.Orientation.Horizontal, self.layers, canvas_card, right)
        bottom = splitter(Qt.Orientation.Horizontal, self.findings, self.recipe, self.log)
        whole = splitter(Qt.Orientation.Vertical, top, bottom)
        for stretch, index in ((0, 0), (1, 1), (0, 2)):
            top.setStretchFactor(index, stretch)
        whole.setStretchFactor(0, 1)
        whole.setStretchFactor(1, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(whole)
        return {"right": right, "top": top, "bottom": bottom, "whole": whole}

    def _connect(self) -> None:
        session = self._session
        session.source_changed.connect(self.refresh)
        session.plan_changed.connect(self.refresh)
        session.view_changed.connect(self.refresh)
        session.selection_changed.connect(self._on_selection)
        self._look.changed.connect(self.canvas.set_theme)
        self._look.changed.connect(self.inspector.set_theme)
        self.canvas.layer_selected.connect(session.select)
        self.canvas.layer_activated.connect(session.select)
        self.inspector.layer_selected.connect(session.select)
        self.inspector.preview_requested.connect(self._work.previewing.begin)
        self._work.previewing.ready.connect(self.inspector.show_preview)
        self._work.previewing.failed.connect(self.inspector.show_preview_failure)

    def default_sizes(self, width: int, height: int) -> dict[str, list[int]]:
        """Sizes for a window that nobody has arranged yet."""
        side = 484 if width >= 1400 else 436 if width >= 1280 else 316
        edit = 324 if width >= 1200 else 304
        low = 190 if height >= 800 else 150
        return {
            "top": [side, max(width - side - edit - 2 * GAP, 200), edit],
            "right": [400, 300] if height >= 800 else [260, 150],
            "bottom": [width * 50 // 100, width * 26 // 100, width * 24 // 100],
            "whole": [height - low - GAP, low],
        }

    def restore(self) -> None:
        """Borders as they were left, else as the window's size suggests."""
        sizes = self.default_sizes(max(self.width(), 1000), max(self.height(), 600))
        for name, each in self.splitters.items():
            state = self._settings.bytes_of(f"splitter_{name}")
            if state.isEmpty() or not each.restoreState(state):
                each.setSizes(sizes[name])

    def arrange(self, width: int, height: int) -> None:
        """Sizes for a window of this size, unless the person has moved the borders before."""
        for name, sizes in self.default_sizes(width, height).items():
            if self._settings.bytes_of(f"splitter_{name}").isEmpty():
                self.splitters[name].setSizes(sizes)

    def save(self) -> None:
        """Remember the borders."""
        for name, each in self.splitters.items():
            self._settings.save_bytes(f"splitter_{name}", QByteArray(each.saveState()))

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
            self.canvas.set_graph(before, {}, keep_view=False)
        self.canvas.set_plan(plan, before, session.view)
        if session.selection:
            self.canvas.select(session.selection)

    @Slot(str)
    def _on_selection(self, path: str) -> None:
        if self.canvas.selected != path:
            self.canvas.select(path)
        self._show_inspected()

    def _show_inspected(self) -> None:
        session = self._session
        plan = session.plan if session.view != "before" else None
        self.inspector.set_base(session.base)
        self.inspector.show_layer(session.selection, session.layer(session.selection), plan, session.source)

    def show_tab(self, title: str) -> None:
        """Bring an edit panel to the front by its title."""
        for index in range(self.tabs.count()):
            if self.tabs.tabText(index) == title:
                self.tabs.setCurrentIndex(index)


def splitter(orientation: Qt.Orientation, *widgets: QWidget) -> QSplitter:
    """Widgets side by side with movable borders; none can vanish."""
    made = QSplitter(orientation)
    made.setHandleWidth(GAP)
    made.setChildrenCollapsible(False)
    for widget in widgets:
        made.addWidget(widget)
    return made

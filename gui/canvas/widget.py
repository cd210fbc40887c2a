"""The canvas as the window uses it: the view, the minimap and the zoom buttons."""

from collections.abc import Mapping, Sequence
from typing import Literal

from PySide6.QtCore import QEvent, QPoint, QPointF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QFrame, QMenu, QVBoxLayout, QWidget
from typing_extensions import override

from core.analysis.blocks import Group, around, members
from core.collection import without_collection
from core.model.graph import Graph, Layer
from core.model.plan import Plan
from gui.canvas import flow
from gui.canvas.badges import Marks, badges_before
from gui.canvas.choosing import Chooser
from gui.canvas.colouring import Colouring
from gui.canvas.controls import Controls
from gui.canvas.flow import Level, Node
from gui.canvas.folds import Folds
from gui.canvas.layout import layout
from gui.canvas.legend import Legend
from gui.canvas.look import Look
from gui.canvas.minimap import Minimap
from gui.canvas.plan_digest import digest_of
from gui.canvas.scene import GraphScene
from gui.canvas.view import CanvasView
from gui.widgets.theme import LIGHT, Theme

Mode = Literal["before", "after", "difference"]

UNFOLD_MOST = 200
GROUP_FROM = 150
"""A level of more layers than these begins with its blocks folded."""
INSET = 12


class GraphView(QWidget):
    """A model as a graph. Paths are layer paths; of removed layers, those in the source."""

    layer_selected = Signal(str)
    layer_activated = Signal(str)
    context_requested = Signal(str, QPoint)
    folds_changed = Signal()
    class_wanted = Signal()
    layers_chosen = Signal(object, str)
    """Several layers were selected: their paths, and the one that is current."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.graph: Graph | None = None
        self.selected = ""
        self.chosen: tuple[str, ...] = ()
        self.hits: tuple[str, ...] = ()
        self._look = Look(LIGHT)
        self._badges: dict[str, Marks] = {}
        self._ghosts: dict[str, str] = {}
        self._difference = False
        self._folds: dict[str, bool] = {}
        self._grouping: bool | None = None
        self.explained = False
        """Whether there is a legend."""
        self._laid_out: tuple[tuple[Graph, object], Level] | None = None
        self.scene = GraphScene(self)
        self.view = CanvasView(self.scene, self)
        self.minimap = Minimap(self)
        self.controls = Controls(self)
        self.legend = Legend(self)
        self.legend.closed.connect(self.colour_by_class)
        self.focus_frame = QFrame(self)
        self.focus_frame.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.focus_frame.hide()
        self.chooser = Chooser(self)
        self.view.keyboard_focus.connect(self.focus_frame.setVisible)
        self.setFocusProxy(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view)
        self.view.node_clicked.connect(self._on_clicked)
        self.view.node_activated.connect(self._on_activated)
        self.view.fold_requested.connect(self._on_fold)
        self.view.context_requested.connect(self._on_context)
        self.view.moved.connect(self._on_moved)
        self.minimap.point_chosen.connect(self._on_chosen)
        self.controls.near.clicked.connect(self.zoom_in)
        self.controls.far.clicked.connect(self.zoom_out)
        self.controls.whole.clicked.connect(self.fit)
        self.controls.percent.clicked.connect(self._on_full_size)
        self.controls.folder.clicked.connect(self._on_fold_button)
        self.set_theme(LIGHT)

    # what is shown

    def set_graph(
        self, graph: Graph, badges: Mapping[str, Marks], *, keep_view: bool, folds: Folds | None = None
    ) -> None:
        """Show a graph with marks by layer path. `keep_view` keeps place and zoom, for edits of the same model.

        `folds` is what was open when the model was last seen.
        """
        if not keep_view:
            self._folds, self._grouping = ({}, None) if folds is None else (dict(folds.opened), folds.grouped)
        self._show(graph, dict(badges), {}, marked=False, keep_view=keep_view)

    def set_plan(self, plan: Plan, source_graph: Graph, mode: Mode) -> None:
        """Show the model before, after, or both in one. Keeps place and zoom."""
        keep = self.graph is not None and bool(self.scene.nodes)
        if mode == "before":
            self._show(source_graph, badges_before(plan, source_graph), {}, marked=False, keep_view=keep)
        elif mode == "after":
            self._show(plan.graph, digest_of(plan, source_graph).marks, {}, marked=False, keep_view=keep)
        else:
            digest = digest_of(plan, source_graph)
            both = digest.difference
            self._show(both.graph, digest.difference_marks, dict(both.ghosts), marked=True, keep_view=keep)

    def _show(
        self, graph: Graph, badges: dict[str, Marks], ghosts: dict[str, str], *, marked: bool, keep_view: bool
    ) -> None:
        self.graph, self._badges, self._ghosts, self._difference = graph, badges, ghosts, marked
        if not (keep_view and self._retake()):
            self._rebuild(keep_view=keep_view)

    def _retake(self) -> bool:
        """Change words and marks on the cards that are there, if the graph is drawn with the same ones.

        Most edits change shapes and fates but no connection; laying out and drawing anew takes ten times as long.
        """
        if self._laid_out is None or self.graph is None:
            return False
        (graph, drawn), level = self._laid_out
        if drawn != self._drawn():
            return False
        if not self.scene.shows(level, self._look, difference=self._difference):
            return False
        changed: set[str] = set()
        if graph is not self.graph:
            found = flow.retake(level, self.graph, self._is_unfolded, "", self._ghosts, self._members)
            if found is None:
                self._laid_out = None
                return False
            changed = found
            self._laid_out = ((self.graph, drawn), level)
        overview = self.scene.overview
        self.scene.retake(self._badges, changed)
        self.scene.mark_hovered(self.view.hovered)
        if self.scene.overview is not overview:
            self.minimap.show_graph(self.scene.overview, self.scene.bounds, self._look, self.size())
            self._place_overlays()
        self._explain()
        return True

    @property
    def look(self) -> Look:
        """Colours and fonts of now."""
        return self._look

    def set_theme(self, theme: Theme) -> None:
        """Paint in another theme."""
        ratio = self.devicePixelRatioF()
        self._look = Look(theme, ratio)
        self.view.background = self._look.canvas
        self.view.dots = QPen(self._look.grid, 2.0 * ratio)
        self.view.dots.setCosmetic(True)
        self.view.dots.setCapStyle(Qt.PenCapStyle.RoundCap)
        self.controls.set_theme(theme)
        self.legend.set_theme(theme)
        self.focus_frame.setStyleSheet(
            f"background: transparent; border: 2px solid {theme.focus}; border-radius: {theme.radius_l - 1}px;"
        )
        if self.graph is not None:
            self._rebuild(keep_view=True)
        self.view.viewport().update()

    def set_colouring(self, colouring: Colouring, *, explained: bool = True) -> None:
        """Colour the cards by something; `explained` with a legend."""
        self.explained = explained
        if colouring != self.scene.colouring:
            self.scene.recolour(colouring)
            self.minimap.show_graph(self.scene.overview, self.scene.bounds, self._look, self.size())
        self._explain()
        self._place_overlays()

    @Slot()
    def colour_by_class(self) -> None:
        """Colour by class again, without a legend."""
        self.set_colouring(Colouring(), explained=False)
        self.class_wanted.emit()

    def _explain(self) -> None:
        shown = self.explained and self.scene.painted is not None
        if shown and self.scene.painted is not None:
            self.legend.explain(self.scene.painted)
        self.legend.setVisible(shown)

    def _rebuild(self, *, keep_view: bool, anchor: Node | None = None) -> None:
        """Lay out and draw the graph; what was in the middle (or `anchor`) stays where it was on the screen."""
        if self.graph is None:
            return
        held = self._hold(anchor) if keep_view else None
        self.view.stop()
        self.view.forget()
        with without_collection():
            level = self._level_of(self.graph)
            self.scene.show_level(level, self._badges, self._look, difference=self._difference)
        self.view.extend_roaming()
        if held is None:
            self.view.go_home()
        else:
            self._release(*held)
        self.minimap.show_graph(self.scene.overview, self.scene.bounds, self._look, self.size())
        self._explain()
        self._place_overlays()
        self._mark()
        self.controls.show_fold(opened=self._is_open())
        self.controls.folder.setVisible(self._grouping is False or self._can_group() or self._has_foldable())
        self._on_moved()

    def _has_foldable(self) -> bool:
        return any(node.foldable for node in self.scene.nodes)

    def _can_group(self) -> bool:
        """Whether a graph that is shown layer by layer has blocks that can be folded."""
        if self.graph is None or self._grouping is not None or len(self.graph.layers) > GROUP_FROM:
            return False
        return any(isinstance(member, Group) for member in members(self.graph))

    def _is_open(self) -> bool:
        """Whether there is something to fold."""
        return any(node.inner is not None for node in self.scene.nodes) or not self._has_foldable()

    def _level_of(self, graph: Graph) -> Level:
        """The laid out graph; the last one again while only marks or colours change."""
        drawn = self._drawn()
        if self._laid_out is None or self._laid_out[0][0] is not graph or self._laid_out[0][1] != drawn:
            level = flow.build(graph, self._is_unfolded, self._ghosts, self._members)
            layout(level)
            self._laid_out = ((graph, drawn), level)
        return self._laid_out[1]

    def _drawn(self) -> object:
        """What decides, beside the graph, which cards there are."""
        return dict(self._folds), dict(self._ghosts), self._grouping

    def _members(self, graph: Graph) -> Sequence[str | Group] | None:
        """A level's layers and groups, if it is shown with groups."""
        if self._grouping is False or (self._grouping is None and len(graph.layers) <= GROUP_FROM):
            return None
        found = members(graph)
        return found if any(isinstance(member, Group) for member in found) else None

    def _hold(self, anchor: Node | None) -> tuple[list[str], QPointF]:
        """The keys to find the same place again by (the anchor's, then its containers'), and where it is on screen."""
        node = anchor
        if node is None:
            middle = self.view.centre()
            node = min(
                (node for node in self.scene.nodes if node.inner is None),
                key=lambda node: abs(node.y + node.height / 2 - middle.y()) + abs(node.x + node.width / 2 - middle.x()),
                default=None,
            )
        if node is None:
            return [], QPointF()
        place = self.view.on_screen(QPointF(node.x + node.width / 2, node.y))
        keys = [node.key]
        while flow.LEVEL in keys[-1]:
            keys.append(keys[-1].rpartition(flow.LEVEL)[0])
        return keys, place

    def _release(self, keys: list[str], place: QPointF) -> None:
        """Put what was held back to its place on the screen."""
        node = next((found for key in keys if (found := self.scene.node(key)) is not None), None)
        if node is None:
            self.view.go_home()
            return
        self.view.set_zoom(self.view.zoom)
        if self.view.fit_zoom() >= self.view.zoom:
            self.view.look_at(self.scene.bounds.center())
            return
        self.view.look_at(QPointF(node.x + node.width / 2, node.y) - (place - self.view.middle()) / self.view.zoom)

    # selection

    def select(self, path: str) -> None:
        """Show a layer as selected, unfolding what is around it; `""` for none. Emits nothing.

        The view moves, and groups unfold, when another layer is selected, not when the same one is again after an edit.
        """
        again = path == self.selected
        self.selected = path
        if path and not again:
            self._open_around(path, groups=True)
        elif path and self.scene.holder_of(path) is None:
            self._open_around(path, groups=False)
        self._mark()
        nodes = self._shown_of(path)
        if nodes:
            current = next((node for node in nodes if node is self.view.current), nodes[0])
            self.view.current = current
            if not again:
                self.view.glide_to(current)
        else:
            self.view.current = None

    def reveal(self, path: str) -> None:
        """Unfold the groups and models around a layer and bring it into sight; nothing is selected."""
        self._open_around(path, groups=True)
        nodes = self.scene.nodes_of(path)
        if nodes and not any(self.view.in_sight(node) for node in nodes):
            self.view.glide_to(nodes[0])

    def _open_around(self, path: str, *, groups: bool) -> None:
        if not path or self.graph is None or self.scene.nodes_of(path) or not self._has(path):
            return
        opened = dict(self._folds)
        level, prefix = self.graph, ""
        for name in self.graph.trail(path):
            inside = self._members(level) if groups else None
            opened.update((f"{prefix}{flow.GROUP}{key}", True) for key in around(inside or (), name))
            inner = level.layer(name).inner
            if inner is not None and prefix + name != path:
                opened[prefix + name] = True
                level, prefix = inner, f"{prefix}{name}/"
        if opened != self._folds:
            self._folds = opened
            self._rebuild(keep_view=True)
            self.folds_changed.emit()

    def _shown_of(self, path: str) -> list[Node]:
        """The nodes of a layer, else the folded group that it is in."""
        nodes = self.scene.nodes_of(path)
        holder = self.scene.holder_of(path) if path and not nodes else None
        return [holder] if holder is not None else nodes

    def show_chosen(self, paths: tuple[str, ...]) -> None:
        """Frame several selected layers; one alone has its ring. Emits nothing."""
        self.chosen = paths
        self._mark()

    def show_hits(self, paths: tuple[str, ...]) -> None:
        """Mark the layers that were found, where they can be seen; folded models show that something is inside."""
        self.hits = paths
        self._mark()

    def _nodes_of(self, paths: tuple[str, ...]) -> list[Node]:
        """The nodes of layers; of one inside a folded model, the node of the model."""
        found: dict[str, Node] = {}
        for path in paths:
            at, nodes = path, self._shown_of(path)
            while at and not nodes:
                at = at.rpartition("/")[0]
                nodes = self._shown_of(at)
            found.update((node.key, node) for node in nodes)
        return list(found.values())

    def _has(self, path: str) -> bool:
        return self.graph is not None and path in self.graph.by_path()

    def _mark(self) -> None:
        nodes = self._shown_of(self.selected)
        self.scene.mark_selected(nodes)
        self.scene.mark_many(self._nodes_of(self.chosen) if len(self.chosen) > 1 else [], self._nodes_of(self.hits))
        if nodes and all(node is not self.view.current for node in nodes):
            self.view.current = nodes[0]

    # zoom and folds

    @Slot()
    def fit(self) -> None:
        """Show the whole graph."""
        self.view.fit()

    @Slot()
    def zoom_in(self) -> None:
        """One step nearer."""
        self.view.zoom_in()

    @Slot()
    def zoom_out(self) -> None:
        """One step away."""
        self.view.zoom_out()

    @Slot()
    def fold_all(self) -> None:
        """Show each nested model and each block as one card."""
        self._fold_everything(opened=False)

    @Slot()
    def unfold_all(self) -> None:
        """Show every layer, those inside of all nested models and blocks too."""
        self._fold_everything(opened=True)

    def _fold_everything(self, *, opened: bool) -> None:
        if self.graph is not None:
            self._folds = {path: opened for path, layer in self.graph.walk() if layer.inner is not None}
            self._grouping = not opened
            self._rebuild(keep_view=True)
            self.folds_changed.emit()

    @property
    def folds(self) -> Folds:
        """What is open now, to be handed to `set_graph` when the model is seen again."""
        return Folds(dict(self._folds), self._grouping)

    def _is_unfolded(self, path: str, layer: Layer) -> bool:
        """As the person said; else small nested models are open, wrappers and large models closed."""
        known = self._folds.get(self._ghosts.get(path, path))
        if known is not None or flow.GROUP in path:
            return bool(known)
        return layer.is_model and layer.inner is not None and sum(1 for _ in layer.inner.walk()) <= UNFOLD_MOST

    # slots

    @Slot(object)
    def _on_clicked(self, node: Node) -> None:
        self.view.glide_to(node)
        if node.group is not None:
            self.scene.mark_selected([node])
            return
        self.selected = node.path
        self._mark()
        self.layer_selected.emit(node.path)

    @Slot(object)
    def _on_activated(self, node: Node) -> None:
        if node.group is not None:
            self._on_fold(node)
        else:
            self.layer_activated.emit(node.path)

    @Slot(object)
    def _on_fold(self, node: Node) -> None:
        self._set_folds({node.path: node.inner is None}, node)

    def _set_folds(self, opened: Mapping[str, bool], node: Node) -> None:
        self._folds.update(opened)
        self._rebuild(keep_view=True, anchor=node)
        self.view.current = self.scene.node(node.key)
        if self.view.current is not None and node.group is not None:
            self.scene.mark_selected([self.view.current])
        self.folds_changed.emit()

    @Slot(object, QPoint)
    def _on_context(self, node: Node, place: QPoint) -> None:
        if node.group is None:
            self.context_requested.emit(node.path, place)
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        below = [f"{node.path.rpartition(flow.GROUP)[0]}{flow.GROUP}{one.key}" for one in node.group.walk()]
        opened = node.inner is not None
        menu.addAction("Fold" if opened else "Unfold", lambda: self._set_folds({node.path: not opened}, node))
        menu.addAction("Unfold all of it", lambda: self._set_folds(dict.fromkeys(below, True), node))
        menu.addSeparator()
        menu.addAction("Fold everything", self.fold_all)
        menu.addAction("Unfold everything", self.unfold_all)
        menu.popup(place)

    @Slot()
    def _on_full_size(self) -> None:
        self.view.set_zoom(1.0)

    @Slot()
    def _on_fold_button(self) -> None:
        if self._is_open():
            self.fold_all()
        else:
            self.unfold_all()

    @Slot()
    def _on_moved(self) -> None:
        self.minimap.set_frame(self.view.visible_rect())
        self.controls.percent.setText(f"{self.view.zoom * 100:.0f} %")

    @Slot(QPointF)
    def _on_chosen(self, point: QPointF) -> None:
        self.view.stop()
        self.view.look_at(point)

    # layout of the overlays

    def _place_overlays(self) -> None:
        size = self.size()
        self.view.set_aside(self.minimap.needed + 2 * INSET if self.minimap.needed else 0)
        self.minimap.move(size.width() - self.minimap.width() - INSET, size.height() - self.minimap.height() - INSET)
        self.controls.adjustSize()
        self.controls.move(INSET, size.height() - self.controls.height() - INSET)
        self.focus_frame.setGeometry(self.rect())
        self.legend.move(INSET, INSET)
        self.minimap.raise_()
        self.controls.raise_()
        self.legend.raise_()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.minimap.show_graph(self.scene.overview, self.scene.bounds, self._look, self.size())
        self._place_overlays()
        self._on_moved()

    @override
    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.set_theme(self._look.theme)
        return super().event(event)

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        self.view.stop()
        super().closeEvent(event)

    @override
    def sizeHint(self) -> QSize:
        return QSize(760, 720)

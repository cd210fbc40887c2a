"""The layer tree: every layer with shapes, parameters, a checkbox for freezing and a badge for its weights' fate."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace
from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)
from typing_extensions import override

from core.layers.table import tracks_batches
from core.model.graph import Graph, Layer
from core.model.plan import AS_STORED, Plan
from core.phrases import sample_words
from core.recipes import gestures
from gui.canvas.badges import source_paths
from gui.canvas.difference import difference
from gui.canvas.plan_digest import digest_of
from gui.document import freezing
from gui.document.session import Session
from gui.models.digest import (
    Badge,
    above,
    count_words,
    fate_label,
    fate_totals,
    fate_words,
    frozen_layers,
    gone_fates,
    output_shape,
    worst_findings,
)
from gui.models.layer_tree import (
    BadgeRole,
    BarRole,
    ChangedRole,
    Column,
    Extras,
    LayerRole,
    LayerTreeModel,
    RemovedRole,
    SeverityRole,
)
from gui.models.measures import Measure
from gui.panels.tree_selection import TreeSelection
from gui.widgets import theme as themes
from gui.widgets.keyboard import asks_for_menu
from gui.widgets.parts import Card, IconButton, Look, clear_layout, label, named
from gui.widgets.theme import FATE_LETTERS, Theme

Index = QModelIndex | QPersistentModelIndex

WIDE, NARROW = 390, 330


class LayerDelegate(QStyledItemDelegate):
    """Paints the family's colour beside the name, quiet numbers, and the fate's letter on its colour."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look = look

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(super().sizeHint(option, index).width(), 26)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._look.theme
        column = index.column()
        if column == Column.FROZEN:
            super().paint(painter, option, index)
            return
        self._ground(painter, option)
        rect: QRect = option.rect
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if column == Column.NAME:
            self._paint_name(painter, rect, index, selected, theme)
        elif column == Column.FATE:
            badge = index.data(BadgeRole)
            if isinstance(badge, Badge):
                paint_badge(painter, rect, badge.fate, theme)
        else:
            painter.setFont(themes.font(theme, theme.size_small))
            changed = column == Column.OUTPUT and index.data(ChangedRole)
            quiet = theme.selection_text if selected else theme.muted
            painter.setPen(QColor(theme.adapted.ink if changed else quiet))
            align = Qt.AlignmentFlag.AlignRight if column == Column.PARAMS else Qt.AlignmentFlag.AlignLeft
            inner = rect.adjusted(6, 0, -6, 0)
            text = QFontMetrics(painter.font()).elidedText(
                str(index.data() or ""), Qt.TextElideMode.ElideRight, inner.width()
            )
            bar = index.data(BarRole) if column == Column.PARAMS else None
            if bar is not None:
                most = rect.width() - 12
                length = max(2.0, most * bar)
                painter.fillRect(QRectF(rect.right() - 6 - most, rect.bottom() - 5, most, 3), QColor(theme.hover))
                painter.fillRect(QRectF(rect.right() - 6 - length, rect.bottom() - 5, length, 3), QColor(theme.accent))
                inner = inner.adjusted(0, 0, 0, -5)
            painter.drawText(inner, int(align | Qt.AlignmentFlag.AlignVCenter), text)

    def _ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        view: QWidget = option.widget
        view.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, view)

    def _paint_name(self, painter: QPainter, rect: QRect, index: Index, selected: bool, theme: Theme) -> None:
        layer = index.data(LayerRole)
        assert isinstance(layer, Layer)
        tone = theme.family(layer.class_name, nested=layer.inner is not None, opaque=layer.opaque)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tone.ink))
        painter.drawRoundedRect(QRectF(rect.left() + 2, rect.center().y() - 5, 3, 12), 1.5, 1.5)
        painter.restore()
        right = rect.right() - 4
        severity = index.data(SeverityRole)
        if severity in ("error", "warning"):
            icon = themes.icon(themes.SEVERITY_ICONS[severity], theme, severity)
            icon.paint(painter, QRect(right - 14, rect.center().y() - 6, 14, 14))
            right -= 18
        gone = bool(index.data(RemovedRole))
        font = themes.font(theme, bold=layer.inner is not None)
        font.setStrikeOut(gone)
        painter.setFont(font)
        painter.setPen(QColor(theme.selection_text if selected else theme.muted if gone else theme.text))
        inner = QRect(rect.left() + 12, rect.top(), right - rect.left() - 12, rect.height())
        text = QFontMetrics(painter.font()).elidedText(layer.name, Qt.TextElideMode.ElideMiddle, inner.width())
        painter.drawText(inner, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)


def paint_badge(painter: QPainter, rect: QRect, fate: str, theme: Theme) -> None:
    """A fate's letter on its colour, centred."""
    tone = theme.fate(fate)
    box = QRectF(rect.center().x() - 8, rect.center().y() - 7.5, 18, 17)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(tone.fill))
    painter.drawRoundedRect(box, 5, 5)
    painter.setPen(QColor(tone.ink))
    painter.setFont(themes.font(theme, theme.size_tiny, bold=True))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), FATE_LETTERS[fate])
    painter.restore()


class BadgeLabel(QWidget):
    """A fate's badge with a number beside it, for legends."""

    def __init__(self, look: Look, fate: str, text: str, files: Iterable[str] = ()) -> None:
        super().__init__()
        self._look, self._fate = look, fate
        row = QHBoxLayout(self)
        row.setContentsMargins(22, 0, 0, 0)
        row.addWidget(label(text, "small"))
        files = tuple(files) if fate == "transferred" else ()
        self.setToolTip(f"{text} weights: {fate_words(fate, files)}")
        self.setAccessibleName(f"{text} {fate_label(fate, files)}")
        look.changed.connect(self.update)

    @override
    def paintEvent(self, event: object) -> None:
        painter = QPainter(self)
        paint_badge(painter, QRect(0, 0, 18, self.height()), self._fate, self._look.theme)


class LayerTree(QTreeView):
    """The view; Space toggles freezing of the current layer. A narrow tree keeps names and leaves out numbers."""

    numbers_first = False

    menu_wanted = Signal(QPoint)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.choose_columns()

    def choose_columns(self) -> None:
        """Leave out what there is no room for; numbers that the graph is coloured by stay before shapes."""
        width = self.viewport().width()
        self.setColumnHidden(Column.WEIGHTS, width < WIDE)
        self.setColumnHidden(Column.PARAMS, width < NARROW and not self.numbers_first)
        self.setColumnHidden(Column.OUTPUT, width < NARROW and self.numbers_first)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if asks_for_menu(event):
            if index.isValid():
                self.scrollTo(index)
                self.menu_wanted.emit(self.visualRect(index).center())
            return
        if event.key() == Qt.Key.Key_Escape and self.selectionModel().hasSelection():
            self.selectionModel().clear()
            return
        if event.key() == Qt.Key.Key_Space and index.isValid():
            cell = index.siblingAtColumn(Column.FROZEN)
            state = cell.data(Qt.ItemDataRole.CheckStateRole)
            if state is not None:
                frozen = state == Qt.CheckState.Checked
                wanted = Qt.CheckState.Unchecked if frozen else Qt.CheckState.Checked
                self.model().setData(cell, wanted, Qt.ItemDataRole.CheckStateRole)
            return
        super().keyPressEvent(event)


class LayersPanel(Card):
    """The left side of the window: the tree of the shown graph, in step with the session's selection."""

    context_requested = Signal(str, QPoint)

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__("Layers", parent)
        self._session = session
        self._look = look
        self._expanded: set[str] = set()
        self._opened = ""
        self._filter: frozenset[str] | None = None
        self._ghosts: dict[str, str] = {}
        self._measure: Measure = "params"
        self._values: Mapping[str, float] = {}
        self._bars = False
        self._ghost_of: dict[str, str] = {}
        self.model = LayerTreeModel(self)
        self.model.frozen_toggled.connect(self._on_frozen_toggled)
        self.tree = named(LayerTree(), "layerTree")
        self._set_up_tree()
        self.selection = TreeSelection(
            session, self.tree, self.model, self._shown_at, lambda path: self._ghosts.get(path, path)
        )
        self.body.addWidget(self.tree, 1)
        self._legend = QHBoxLayout()
        self._legend.setContentsMargins(14, 6, 14, 8)
        self._legend.setSpacing(12)
        self.body.addLayout(self._legend)
        fold = IconButton(look, "fold", "Fold all groups")
        fold.clicked.connect(self.tree.collapseAll)
        unfold = IconButton(look, "unfold", "Unfold all groups")
        unfold.clicked.connect(self.tree.expandAll)
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.customContextMenuRequested.connect(self._on_context)
        self.tree.menu_wanted.connect(self._on_context)
        self.header.addWidget(unfold)
        self.header.addWidget(fold)
        session.source_changed.connect(self._on_source)
        session.plan_changed.connect(self.refresh)
        session.view_changed.connect(self.refresh)
        look.changed.connect(self.tree.viewport().update)
        look.changed.connect(self._tint)
        self._tint()
        self._on_source()

    @Slot(QPoint)
    def _on_context(self, place: QPoint) -> None:
        self.context_requested.emit(self._session.selection, self.tree.viewport().mapToGlobal(place))

    def _set_up_tree(self) -> None:
        tree = self.tree
        tree.setModel(self.model)
        tree.setItemDelegate(LayerDelegate(self._look, tree))
        tree.setAccessibleName("Layers")
        tree.setUniformRowHeights(True)
        tree.setIndentation(16)
        tree.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        tree.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = tree.header()
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        tree.setSortingEnabled(True)
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(28)
        header.setSectionsMovable(False)
        header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in ((Column.OUTPUT, 80), (Column.WEIGHTS, 90), (Column.PARAMS, 50)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            tree.setColumnWidth(column, width)
        for column, width in ((Column.FROZEN, 28), (Column.FATE, 38)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            tree.setColumnWidth(column, width)
        tree.expanded.connect(lambda index: self._expanded.add(self.model.path_of(index)))
        tree.collapsed.connect(lambda index: self._expanded.discard(self.model.path_of(index)))

    @Slot()
    def _tint(self) -> None:
        self.model.set_frozen_icon(themes.icon("lock", self._look.theme, "muted"))

    @Slot()
    def _on_source(self) -> None:
        self._expanded = set()
        self.refresh()
        for path in self.model.groups():
            if "/" not in path:
                self.tree.expand(self.model.index_of(path))
        opened = self._session.source.path if self._session.source is not None else ""
        if opened != self._opened:
            self._opened = opened
            self.tree.scrollToTop()

    def reveal(self, path: str) -> None:
        """Scroll to a layer, such as one that was just added; nothing is selected."""
        index = self.model.index_of(path)
        if index.isValid():
            self.tree.scrollTo(index)

    @Slot()
    def refresh(self) -> None:
        """Show what the session says."""
        session = self._session
        graph, plan, before = session.shown_graph, session.plan, session.before_graph
        only: set[str] | None = set(self._filter) if self._filter is not None else None
        after = session.view != "before"
        self._ghosts = {}
        extras = self._extras(graph, plan if after else None)
        if session.view == "difference" and graph is not None and before is not None:
            both = digest_of(plan, before).difference if plan is not None else difference(before, graph)
            self._ghosts = dict(both.ghosts)
            only = {*both.added, *both.changed, *both.ghosts, *extras.before}
            only |= {path for path, badge in extras.badges.items() if badge.fate not in AS_STORED}
            gone = gone_fates(plan) if plan is not None else {}
            if self._filter is not None:
                only = {path for path in both.graph.by_path() if both.ghosts.get(path, path) in self._filter}
            ghosts = {path: Badge(gone.get(origin, "dropped")) for path, origin in both.ghosts.items()}
            extras = replace(extras, badges={**extras.badges, **ghosts}, removed=frozenset(both.ghosts))
            graph = both.graph
        self._ghost_of = {source: ghost for ghost, source in self._ghosts.items()}
        expanded = set(self._expanded)
        reset = self.model.set_graph(graph, extras, only)
        if reset:
            self._expanded = expanded
            for path in sorted(expanded):
                index = self.model.index_of(path)
                if index.isValid():
                    self.tree.expand(index)
            if session.view == "difference" or self._filter is not None:
                self.tree.expandAll()
                self._expanded = expanded
            self.selection.show()
        self.set_count(str(len(self.model.paths())) if graph is not None else "")
        self._refresh_legend(plan if after else None)

    def show_measure(self, measure: Measure, values: Mapping[str, float], *, bars: bool) -> None:
        """Show numbers of another measure in the column of parameters, with `bars` below them."""
        if (measure, values, bars) != (self._measure, self._values, self._bars):
            self._measure, self._values, self._bars = measure, values, bars
            self.tree.numbers_first = bars
            self.tree.setColumnWidth(Column.PARAMS, 72 if bars else 50)
            self.tree.choose_columns()
            self.refresh()

    def sort_by(self, column: Column | None) -> None:
        """Sort by a column, numbers from large to small; `None` is the model's own order."""
        order = Qt.SortOrder.DescendingOrder if column == Column.PARAMS else Qt.SortOrder.AscendingOrder
        self.tree.sortByColumn(-1 if column is None else column, order)

    def filter_to(self, paths: frozenset[str] | None) -> None:
        """Show these layers (of removed ones, their paths in the source) and the models around them; `None`: all."""
        if paths != self._filter:
            self._filter = paths
            self.refresh()

    def _extras(self, graph: Graph | None, plan: Plan | None) -> Extras:
        found = self._known(graph, plan)
        return replace(found, measure=self._measure, values=self._values, bars=self._bars)

    def _known(self, graph: Graph | None, plan: Plan | None) -> Extras:
        if graph is None:
            return Extras()
        frozen, findings = frozen_layers(graph), self._session.findings
        if plan is None:
            return Extras(frozen=frozen, severities=worst_findings(findings, above(graph)))
        before = self._session.before_graph
        digest = digest_of(plan, graph if before is None else before)
        return Extras(
            badges=digest.badges,
            frozen=frozen,
            severities=worst_findings(findings, digest.above),
            params={path: cost.params for path, cost in plan.costs.items()},
            weights=digest.main_shapes,
            before=changed_shapes(before, graph) if before is not None and before is not graph else {},
        )

    def _refresh_legend(self, plan: Plan | None) -> None:
        clear_layout(self._legend)
        fates = plan.fates if plan is not None else ()
        files = dict.fromkeys(fate.file for fate in fates if fate.fate == "transferred")
        for fate, number in (fate_totals(plan) if plan is not None else {}).items():
            self._legend.addWidget(BadgeLabel(self._look, fate, count_words(number), files))
        self._legend.addStretch(1)

    def _shown_at(self, path: str) -> str:
        """Where the tree shows a layer: removed ones have another path in the Difference view."""
        return self._ghost_of.get(path, path)

    @Slot(str, bool)
    def _on_frozen_toggled(self, path: str, frozen: bool) -> None:
        if path in self._session.chosen and len(self._session.chosen) > 1:
            freezing.freeze(self._session, "these", frozen)
            return
        layer = self._session.layer(path)
        alone = layer is not None and tracks_batches(layer)
        verb = "Freeze" if frozen else "Unfreeze"
        self._session.gesture(
            lambda recipe: gestures.toggle_frozen(recipe, path, frozen, is_batch_norm=alone), f"{verb} {path}"
        )


def changed_shapes(before: Graph, after: Graph) -> dict[str, str]:
    """Layers whose output shape is another than before, with the shape before in words."""
    old = {path: output_shape(layer) for path, layer in before.walk()}
    was = source_paths(before, after)
    return {
        path: sample_words(old[was[path]])
        for path, layer in after.walk()
        if path in was and old[was[path]] != output_shape(layer)
    }

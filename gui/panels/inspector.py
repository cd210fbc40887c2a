"""Everything about the selected layer: what it is, what happens to its weights, its arguments, its neighbours."""

from operator import is_

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QStackedLayout, QTabWidget, QVBoxLayout, QWidget
from typing_extensions import override

from core.analysis.preview import WeightPreview
from core.layers.costs import total
from core.model.graph import Graph, Layer
from core.model.plan import Cost, Plan
from core.phrases import sample_words
from core.readers.source import Source
from gui.canvas.badges import dominant, source_paths
from gui.models.digest import count_words, fate_label, fate_words, frozen_layers, gone_fates, output_shape
from gui.models.fates import below
from gui.panels.config_table import ConfigTable
from gui.panels.connections import Connections, level_of
from gui.panels.many import ManySelected
from gui.panels.status_bar import change, memory_change
from gui.panels.weights import WeightsPanel, rows_of
from gui.widgets.parts import ElidedLabel, label, named, scrolling
from gui.widgets.theme import FATE_LETTERS, LIGHT, Theme, Tone, font

LONGEST = 200
"""The widest a file's name gets in a chip."""
_AROUND, _GAP = 16, 6
"""Room around the words of a chip, and between two chips."""


class Inspector(QWidget):
    """Shows one layer. Emits `layer_selected(path)` from its links and `preview_requested(key, weight)`,
    and `code_wanted(path)` for a layer whose code is missing or stored; those for a weight carry its row.
    """

    layer_selected = Signal(str)
    preview_requested = Signal(str, str)
    code_wanted = Signal(str)
    values_wanted = Signal(object)
    save_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Selected layer")
        self._theme: Theme = LIGHT
        self._source: Source | None = None
        self._path = ""
        self._base: Plan | None = None
        self._shown: tuple[object, ...] = (None, None, None, None, None, None)
        self.class_name = label("", "heading")
        self.path = named(ElidedLabel(), "muted")
        self.facts = label("", "small", wrap=True)
        self.code = named(QPushButton("Where is it defined?\u2026"), "link")
        self.code.clicked.connect(lambda _=False: self.code_wanted.emit(self._path))
        self.chips = _Chips()
        self._stripe = _Stripe()
        self.weights = WeightsPanel()
        self.config = ConfigTable()
        self.connections = Connections()
        self.tabs = named(QTabWidget(), "inspectorTabs")
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("Details of the layer")
        self.tabs.tabBar().setAccessibleName("Details of the layer")
        self.tabs.addTab(scrolling(self.weights), "Weights")
        self.tabs.addTab(self.config, "Arguments")
        self.tabs.addTab(scrolling(self.connections), "Connections")
        self.nothing = label("Select a layer in the graph or in the list to see its details.", "small", wrap=True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedLayout(self)
        empty = QWidget()
        inside = QVBoxLayout(empty)
        inside.setContentsMargins(24, 12, 24, 12)
        inside.addWidget(self.nothing)
        self._stack.addWidget(empty)
        self._stack.addWidget(self._page())
        self._many: ManySelected | None = None
        self.weights.preview_requested.connect(self.preview_requested)
        self.weights.values_wanted.connect(self.values_wanted)
        self.weights.save_wanted.connect(self.save_wanted)
        self.connections.layer_selected.connect(self.layer_selected)

    def _page(self) -> QWidget:
        page = QWidget()
        words = QVBoxLayout()
        words.setSpacing(1)
        first = QHBoxLayout()
        first.setSpacing(8)
        first.addWidget(self.class_name)
        first.addWidget(self.chips, 1)
        words.addLayout(first)
        words.addWidget(self.path)
        words.addWidget(self.facts)
        words.addWidget(self.code, 0, Qt.AlignmentFlag.AlignLeft)
        head = QHBoxLayout()
        head.setContentsMargins(14, 2, 12, 6)
        head.setSpacing(10)
        head.addWidget(self._stripe)
        head.addLayout(words, 1)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.tabs, 1)
        return page

    def host(self, many: ManySelected) -> None:
        """Take in what is shown while several layers are selected."""
        self._many = many
        self._stack.addWidget(many)

    def set_base(self, base: Plan | None) -> None:
        """The plan of the empty recipe, which costs are compared with."""
        self._base = base

    @Slot(object)
    def set_theme(self, theme: Theme) -> None:
        """Draw in another theme."""
        self._theme = theme
        self.chips.theme = theme
        self.chips.update()
        self._stripe.retint(theme)
        self.weights.set_theme(theme)
        self.config.set_theme(theme)

    def show_layer(self, path: str, layer: Layer | None, plan: Plan | None, source: Source | None) -> None:
        """Show the layer at `path`, as planned if there is a plan; `None` for no selection."""
        if source is None or self._source is None or source.path != self._source.path:
            self.weights.forget()
        several = self._many is not None and self._many.several
        # a selection is heard of twice: as the current layer and as all that are chosen
        shown = (path, layer, plan, source, self._base, several)
        if path == self._shown[0] and all(map(is_, shown[1:], self._shown[1:])):
            return
        self._shown = shown
        self._source = source
        self._path = path
        self._stack.setCurrentIndex(2 if several else 0 if layer is None else 1)
        if layer is None or several:
            return
        self._show_header(path, layer, plan, source)
        rows = rows_of(path, layer, plan)
        self.weights.show_rows(rows)
        if not rows:
            inner = layer.inner
            said = "This layer has no weights."
            if inner is not None:
                total = sum(len(one.weights) for _, one in inner.walk())
                said = f"{total:,} weights in the {sum(1 for _ in inner.walk()):,} layers inside."
            self.weights.preview.say(said)
        self.config.show_config(layer.config, self._config_before(path, plan, source))
        self.connections.show_layer(path, layer, self._graph_with(path, plan, source))

    def _show_header(self, path: str, layer: Layer, plan: Plan | None, source: Source | None) -> None:
        self.class_name.setText(layer.class_name)
        self.path.setText(path)
        self._stripe.show_family(layer.class_name, nested=layer.inner is not None, opaque=layer.opaque)
        shape = sample_words(output_shape(layer), "")
        params = layer.num_params()
        if plan is not None and path in plan.costs:
            params = max(params if layer.inner is not None else 0, plan.costs[path].params)
        facts = [f"output {shape}"] if shape else []
        facts.append(f"{count_words(params)} parameters" if params else "no parameters")
        if len(layer.calls) > 1:
            facts.append(f"shared by {len(layer.calls)} calls")
        if layer.opaque:
            facts.append("code missing, kept unchanged")
        self.code.setText(
            "View the stored code\u2026" if layer.class_name == "Lambda" else "Where is it defined?\u2026"
        )
        # the groups of arrays of a model class of its own are no layers that code could make live
        whole = source is not None and source.graph.opaque
        self.code.setVisible(layer.opaque and layer.inner is None and not whole)
        facts += cost_words(path, plan, self._base)
        self.facts.setText("  \u00b7  ".join(facts))
        self.facts.setToolTip(f"{params:,} parameters")
        chips: list[str] = []
        files: dict[str, None] = {}
        if plan is not None:
            own = below(plan, path).weights
            fate = dominant(one.fate for one in own) or gone_fates(plan).get(path)
            if fate is not None:
                chips.append(fate)
                files = dict.fromkeys(one.file for one in own if one.file)
        graph = self._graph_with(path, plan, source)
        if graph is not None and path in frozen_layers(graph):
            chips.append("frozen")
        self.chips.show_chips(chips, tuple(files))

    def _graph_with(self, path: str, plan: Plan | None, source: Source | None) -> Graph | None:
        """The graph that has a layer at `path`: the planned one, else the source's."""
        graphs = [plan.graph if plan is not None else None, source.graph if source is not None else None]
        return next((graph for graph in graphs if graph is not None and level_of(graph, path) is not None), None)

    def _config_before(self, path: str, plan: Plan | None, source: Source | None) -> dict[str, object] | None:
        """The arguments that the layer had in the source, if it was there."""
        if plan is None or source is None or level_of(plan.graph, path) is None:
            return None
        was = source_paths(source.graph, plan.graph).get(path)
        return source.graph.find(was).config if was is not None else None

    def show_preview(self, preview: WeightPreview) -> None:
        """The answer to `preview_requested`."""
        self.weights.show_preview(preview)

    def show_preview_failure(self, weight: str, message: str) -> None:
        """The answer to `preview_requested` when the values could not be read."""
        self.weights.show_failure(weight, message)


def cost_words(path: str, plan: Plan | None, base: Plan | None) -> list[str]:
    """Multiply-accumulates and activation memory of a layer (or of what is inside it), before and after."""
    if plan is None:
        return []
    now = sum_below(plan, path)
    before = now
    if base is not None and base is not plan:
        if path in plan.graph.by_path():
            was = source_paths(base.graph, plan.graph).get(path)
            before = sum_below(base, was) if was is not None else Cost(macs=0, activations=0)
        else:  # a layer that is gone, shown as it was
            before, now = sum_below(base, path), Cost(macs=0, activations=0)
    words = []
    for name, old, new in (
        ("MACs", before.macs, now.macs),
        ("activations", before.activations, now.activations),
    ):
        if new or old:
            shown = change(old, new) if name == "MACs" else memory_change(old, new)
            words.append(f"{shown} {name}")
    return words


def sum_below(plan: Plan, path: str) -> Cost:
    """The cost of a layer, or of everything inside it."""
    if path in plan.costs:
        return plan.costs[path]
    return total(cost for at, cost in plan.costs.items() if at.startswith(path + "/"))


class _Stripe(QWidget):
    """A bar in the colour of the layer's family."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedWidth(5)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self._theme: Theme = LIGHT
        self._what: tuple[str, bool, bool] = ("", False, False)

    def retint(self, theme: Theme) -> None:
        """Another theme."""
        self._theme = theme
        self.update()

    def show_family(self, class_name: str, *, nested: bool, opaque: bool) -> None:
        """Another layer."""
        self._what = (class_name, nested, opaque)
        self.update()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        name, nested, opaque = self._what
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.family(name, nested=nested, opaque=opaque).ink))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0, 2, 0, -2), 2.5, 2.5)


class _Chips(QWidget):
    """Fate and freezing in colour, letter and word."""

    HEIGHT = 22

    def __init__(self) -> None:
        super().__init__()
        self.theme: Theme = LIGHT
        self.names: list[str] = []
        self.files: tuple[str, ...] = ()
        self.setFixedHeight(self.HEIGHT)

    def show_chips(self, names: list[str], files: tuple[str, ...] = ()) -> None:
        """Show these fates; `files` are those beside the source that arrays come from."""
        self.names, self.files = names, files
        self.setAccessibleName(", ".join(self._label(name) for name in names))
        self.setToolTip("\n".join(f"{self._label(name)}: {fate_words(name, self._files(name))}" for name in names))
        self.setVisible(bool(names))
        self.update()

    def _files(self, name: str) -> tuple[str, ...]:
        return () if name == "frozen" else self.files

    def _label(self, name: str) -> str:
        return fate_label(name, self._files(name))

    def _texts(self, metrics: QFontMetrics) -> list[str]:
        """What stands in the chips; the first, which may name a file, gives way where there is no room."""
        words = [metrics.elidedText(self._label(name), Qt.TextElideMode.ElideMiddle, LONGEST) for name in self.names]
        texts = [f"{FATE_LETTERS[name]}  {said}" for name, said in zip(self.names, words, strict=True)]
        over = sum(metrics.horizontalAdvance(text) + _AROUND + _GAP for text in texts) - _GAP - self.width()
        if texts and over > 0:
            room = max(0, metrics.horizontalAdvance(texts[0]) - over)
            texts[0] = metrics.elidedText(texts[0], Qt.TextElideMode.ElideMiddle, room) or FATE_LETTERS[self.names[0]]
        return texts

    @override
    def sizeHint(self) -> QSize:
        return QSize(60, self.HEIGHT)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font(self.theme, self.theme.size_small, bold=True))
        x = 0.0
        metrics = painter.fontMetrics()
        texts = self._texts(metrics)
        for name, text in zip(self.names, texts, strict=True):
            tone: Tone = self.theme.fate(name)
            width = metrics.horizontalAdvance(text) + _AROUND
            rect = QRectF(x, 3, width, self.HEIGHT - 4)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tone.fill))
            painter.drawRoundedRect(rect, 9, 9)
            painter.setPen(QPen(QColor(tone.ink)))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
            x += width + _GAP

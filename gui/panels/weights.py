"""The weights of one layer: a list with what happens to each, and a look into the chosen one."""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from core.analysis.preview import WeightPreview
from core.model.graph import Layer, Weight
from core.model.plan import Fate, FateName, Plan, file_name
from core.phrases import shape_words
from core.rules.words import rule_words
from gui.models.digest import fate_label, fate_words, layer_of
from gui.models.fates import below
from gui.panels.preview import PreviewPanel
from gui.widgets.parts import named
from gui.widgets.theme import FATE_LETTERS, LIGHT, Theme, font

ROW = 44
ROWS_SHOWN = 6


class WeightRow(Struct, frozen=True):
    """One weight as the list shows it. `key` is where the source has its values, `None` if they cannot be looked at."""

    name: str
    path: str
    shape: tuple[int, ...]
    source_shape: tuple[int, ...] | None = None
    dtype: str = "float32"
    fate: FateName | None = None
    rule: str = ""
    note: str = ""
    key: str | None = None
    files: tuple[str, ...] = ()

    @property
    def shapes(self) -> str:
        """The shape, or the source's and the new one."""
        now = shape_words(self.shape)
        was = shape_words(self.source_shape)
        return f"{was} \u2192 {now}" if self.source_shape not in (None, self.shape) else now

    @property
    def below(self) -> str:
        """The second line: shapes, number type, rule."""
        rule = f" \u00b7 {rule_words(self.rule)}" if self.rule else ""
        return f"{self.shapes} \u00b7 {self.dtype}{rule}"

    def words(self) -> str:
        """Everything in a sentence, for the tip and for screen readers."""
        fate = f"; {fate_words(self.fate, self.files)}" if self.fate else ""
        rule = f": {rule_words(self.rule)}" if self.rule else ""
        note = f". {self.note}" if self.note else ""
        return f"{self.name}: {self.shapes}, {self.dtype}{fate}{rule}{note}"


def rows_of(path: str, layer: Layer, plan: Plan | None) -> list[WeightRow]:
    """The rows of a layer's own weights: as planned, then those merged or dropped, else as they are in the file."""
    held = {weight.name: weight for weight in layer.weights}
    rows: dict[str, WeightRow] = {}
    if plan is not None:
        here = below(plan, path)
        inside = dict(layer.inner.walk(path + "/")) if layer.inner is not None else {}
        for fate in here.weights:
            name = _own_name(fate.weight, path, inside)
            if name is not None:
                rows[name] = _planned(name, fate, held.get(name))
        if not rows:
            for fate in here.sources:
                name = _own_name(fate.source, path, inside) if fate.source and not fate.further else None
                if name is not None:
                    rows[name] = _planned(name, fate, held.get(name))
        merged = [(array, "merged", f"It goes into {into}.") for array, into in here.merged]
        for array, gone, note in [*merged, *((array, "dropped", "") for array in here.dropped)]:
            name = _own_name(array, path, inside)
            if name is not None and name not in rows:
                row = _plain(path, held[name]) if name in held else WeightRow(name, array, ())
                rows[name] = replace(row, fate=gone if name in held else None, note=note)
    for name, weight in held.items():
        if name not in rows:
            rows[name] = _plain(path, weight)
    return list(rows.values())


def _own_name(weight: str, path: str, inside: Mapping[str, Layer]) -> str | None:
    """The name in its layer of a weight below a path, `None` if it belongs to one of the layers inside."""
    return None if inside and layer_of(weight, inside) else weight[len(path) + 1 :]


def _planned(name: str, fate: Fate, weight: Weight | None) -> WeightRow:
    return WeightRow(
        name=name,
        path=fate.weight,
        shape=fate.shape,
        source_shape=fate.source_shape,
        dtype=fate.dtype,
        fate=fate.fate,
        rule=fate.rule or "",
        note=fate.note,
        key=_key(weight),
        files=(fate.file,) if fate.file else (),
    )


def _plain(path: str, weight: Weight, fate: FateName | None = None) -> WeightRow:
    return WeightRow(weight.name, f"{path}/{weight.name}", weight.shape, None, weight.dtype, fate, "", "", _key(weight))


def _key(weight: Weight | None) -> str | None:
    """Where the opened file has the values."""
    if weight is None or weight.source is None or weight.source.file != 0:
        return None
    return weight.source.key


class WeightsPanel(QWidget):
    """List and preview. Emits `preview_requested(key, weight)` when values are wanted that it does not have yet.

    `values_wanted` and `save_wanted` carry the chosen row, for a table of its values and to be saved as a file.
    """

    preview_requested = Signal(str, str)
    values_wanted = Signal(object)
    save_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._seen: dict[str, WeightPreview] = {}
        self.rows: list[WeightRow] = []
        self.list = QListWidget()
        self.list.setObjectName("weights")
        self.list.setAccessibleName("Weights of the layer")
        self.list.setMouseTracking(True)
        self.list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.hide()  # until there are rows: a layer without any says so at the top
        self._delegate = _RowDelegate(self.list)
        self.list.setItemDelegate(self._delegate)
        self.list.currentRowChanged.connect(self._on_row)
        self.values = named(QPushButton("Table of values\u2026"), "link")
        self.values.setToolTip("See and copy the values themselves (Ctrl+Alt+T)")
        self.values.clicked.connect(lambda _=False: self.values_wanted.emit(self.current()))
        self.save = named(QPushButton("Save\u2026"), "link")
        self.save.setAccessibleName("Save the weight as a file")
        self.save.setToolTip("Save as .npy, .npz, .csv or .safetensors (Ctrl+Shift+S)")
        self.save.clicked.connect(lambda _=False: self.save_wanted.emit(self.current()))
        self.offers = QWidget()
        offers = QHBoxLayout(self.offers)
        offers.setContentsMargins(10, 0, 10, 0)
        offers.setSpacing(8)
        offers.addWidget(self.values)
        offers.addWidget(self.save)
        offers.addStretch(1)
        self.offers.hide()
        self.preview = PreviewPanel()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 8)
        column.setSpacing(8)
        column.addWidget(self.list)
        column.addWidget(self.offers)
        column.addWidget(self.preview)
        column.addStretch(1)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another theme."""
        self._delegate.theme = theme
        self.list.viewport().update()
        self.preview.set_theme(theme)

    def show_rows(self, rows: Iterable[WeightRow]) -> None:
        """Show these weights; the chosen one stays chosen if it is among them."""
        rows = list(rows)
        if rows == self.rows:
            return
        current = self.current()
        chosen = current.path if current is not None else None
        self.rows = rows
        self.list.blockSignals(True)
        self.list.clear()
        for row in rows:
            item = QListWidgetItem(row.words())
            item.setData(Qt.ItemDataRole.UserRole, row)
            item.setToolTip(row.words())
            item.setSizeHint(QSize(60, ROW))
            self.list.addItem(item)
        index = next((number for number, row in enumerate(rows) if row.path == chosen), -1)
        self.list.setCurrentRow(index)
        self.list.blockSignals(False)
        self.list.setFixedHeight(max(1, min(len(rows), ROWS_SHOWN)) * ROW + 4)
        self.list.setVisible(bool(rows))
        self._on_row(index)

    def forget(self) -> None:
        """Drop the previews: another file."""
        self._seen = {}

    def current(self) -> WeightRow | None:
        """The chosen weight."""
        index = self.list.currentRow()
        return self.rows[index] if 0 <= index < len(self.rows) else None

    def choose(self, name: str) -> None:
        """Choose a weight by its name."""
        for index, row in enumerate(self.rows):
            if row.name == name:
                self.list.setCurrentRow(index)

    @Slot(int)
    def _on_row(self, index: int) -> None:
        row = self.rows[index] if 0 <= index < len(self.rows) else None
        self.offers.setVisible(row is not None and (row.key is not None or row.fate not in (None, "mismatched")))
        if row is None:
            self.preview.say("Choose a weight to see its values." if self.rows else "")
        elif row.key is None and row.files:
            self.preview.say(f"Its values are in {file_name(row.files[0])}; open that file to look at them.")
        elif row.key is None:
            self.preview.say("New: its first values are set when the model is exported; the table shows them.")
        elif row.key in self._seen:
            self.preview.show_preview(self._seen[row.key])
        else:
            self.preview.say("Reading\u2026")
            self.preview_requested.emit(row.key, row.path)

    def show_preview(self, preview: WeightPreview) -> None:
        """The answer to `preview_requested`; shown if its weight is still the chosen one."""
        row = next((row for row in self.rows if row.path == preview.weight), None)
        if row is None or row.key is None:
            return
        self._seen[row.key] = preview
        if self.current() is row:
            self.preview.show_preview(preview)

    def show_failure(self, weight: str, message: str) -> None:
        """The values could not be read: one sentence."""
        current = self.current()
        if current is not None and current.path == weight:
            self.preview.say(message)


class _RowDelegate(QStyledItemDelegate):
    """Two lines a weight, with its fate's letter on the right."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.theme = LIGHT

    @override
    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: WeightRow = index.data(Qt.ItemDataRole.UserRole)
        theme = self.theme
        state = option.state
        rect = QRectF(option.rect).adjusted(6, 1, -6, -1)
        selected = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.selection if selected else theme.hover))
            painter.drawRoundedRect(rect, 6, 6)
        inner = rect.adjusted(8, 4, -8, -4)
        room = inner.width()
        if row.fate is not None:
            room -= self._paint_fate(painter, row, inner) + 8
        title, small = font(theme, bold=True), font(theme, theme.size_small)
        painter.setFont(title)
        painter.setPen(QPen(QColor(theme.text)))
        top, middle = Qt.AlignmentFlag.AlignTop, Qt.TextElideMode.ElideMiddle
        painter.drawText(inner, top, QFontMetricsF(title).elidedText(row.name, middle, room))
        painter.setFont(small)
        painter.setPen(QPen(QColor(theme.muted)))
        below = QFontMetricsF(small).elidedText(row.below, Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(inner, Qt.AlignmentFlag.AlignBottom, below)
        painter.restore()

    def _paint_fate(self, painter: QPainter, row: WeightRow, inner: QRectF) -> float:
        """The fate in its colour, with letter and word; returns the width."""
        fate = str(row.fate)
        tone = self.theme.fate(fate)
        small = font(self.theme, self.theme.size_tiny, bold=True)
        metrics = QFontMetricsF(small)
        label = metrics.elidedText(fate_label(fate, row.files), Qt.TextElideMode.ElideMiddle, inner.width() * 0.5)
        text = f"{FATE_LETTERS[fate]}  {label}"
        width = metrics.horizontalAdvance(text) + 14
        chip = QRectF(inner.right() - width, inner.top() - 1, width, 17)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tone.fill))
        painter.drawRoundedRect(chip, 8.5, 8.5)
        painter.setFont(small)
        painter.setPen(QPen(QColor(tone.ink)))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, text)
        return width

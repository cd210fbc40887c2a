"""The command palette: every command with its keys, and every layer, found by a few letters."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import QLineEdit, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget
from typing_extensions import override

from gui.models.fuzzy import MISS, score
from gui.widgets import theme as themes
from gui.widgets.parts import Look, label, named
from gui.widgets.sheet import MARGIN, TOP, Sheet

Index = QModelIndex | QPersistentModelIndex
WIDTH = 640
ROW = 34
ROWS = 11
MOST = 80
EntryRole = Qt.ItemDataRole.UserRole + 1


class Entry(Struct, frozen=True):
    """One line: what it does, what is said beside it, its keys; `why` says why it cannot be done now."""

    text: str
    note: str
    keys: str
    why: str
    enabled: bool
    run: Callable[[], object]


class Entries(QAbstractListModel):
    """The lines that fit."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []

    def show(self, entries: list[Entry]) -> None:
        """Show these lines instead."""
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.entries)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry = self.entries[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            said = (entry.text, entry.keys, entry.why or ("" if entry.enabled else "not available now"))
            return ", ".join(one for one in said if one)
        if role == Qt.ItemDataRole.ToolTipRole:
            return entry.why or entry.note or None
        if role == EntryRole:
            return entry
        return None


class EntryDelegate(QStyledItemDelegate):
    """Paints what it does at the left, quietly what is said of it, and its keys at the right."""

    def __init__(self, look: Look, parent: QWidget) -> None:
        super().__init__(parent)
        self._look = look

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(200, ROW)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry = index.data(EntryRole)
        assert isinstance(entry, Entry)
        theme = self._look.theme
        view: QWidget = option.widget
        view.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, view)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        rect: QRect = option.rect
        inner = rect.adjusted(12, 0, -12, 0)
        small = themes.font(theme, theme.size_small)
        painter.setFont(small)
        keys = QFontMetrics(small).horizontalAdvance(entry.keys)
        quiet = QColor(theme.selection_text if selected else theme.muted)
        painter.setPen(quiet)
        painter.drawText(inner, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), entry.keys)
        inner.setRight(inner.right() - keys - (16 if keys else 0))
        font = themes.font(theme)
        painter.setFont(font)
        ink = theme.selection_text if selected else theme.text
        painter.setPen(QColor(ink if entry.enabled else theme.muted))
        metrics = QFontMetrics(font)
        text = metrics.elidedText(entry.text, Qt.TextElideMode.ElideMiddle, inner.width())
        painter.drawText(inner, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), text)
        inner.setLeft(inner.left() + metrics.horizontalAdvance(text) + 14)
        note = entry.note if entry.enabled else entry.why or "Not available now"
        if inner.width() > 60:
            painter.setFont(small)
            painter.setPen(quiet)
            note = QFontMetrics(small).elidedText(note, Qt.TextElideMode.ElideRight, inner.width())
            painter.drawText(inner, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), note)


class Lines(QListView):
    """As tall as a few lines need."""

    @override
    def sizeHint(self) -> QSize:
        return QSize(400, ROW * max(1, min(ROWS, self.model().rowCount())) + 4)

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(200, 3 * ROW)


class PaletteSheet(Sheet):
    """Type, choose with the arrows, Return does it. `commands` are asked for when it opens, `layers` at each letter."""

    of_model = False

    def __init__(
        self,
        look: Look,
        parent: QWidget,
        commands: Callable[[], Sequence[Entry]],
        layers: Callable[[str, int], Sequence[Entry]],
    ) -> None:
        super().__init__(parent, "palette", "All commands", WIDTH)
        self._commands, self._layers = commands, layers
        self._known: Sequence[Entry] = ()
        self.column.setContentsMargins(12, 12, 12, 10)
        self.column.setSpacing(8)
        self.box = named(QLineEdit(), "paletteBox")
        self.box.setAccessibleName("Command or layer")
        self.box.setPlaceholderText("Type a command or the name of a layer\u2026")
        self.box.textChanged.connect(self._on_text)
        self.box.installEventFilter(self)
        self.model = Entries(self)
        self.list = named(Lines(), "paletteList")
        self.list.setAccessibleName("Commands and layers")
        self.list.setModel(self.model)
        self.list.setItemDelegate(EntryDelegate(look, self.list))
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.clicked.connect(self._on_clicked)
        self.none = label("Nothing fits. A command is found by any letters of its words.", "small", wrap=True)
        self.hint = label("", "small", wrap=True)
        self.column.addWidget(self.box)
        self.column.addWidget(self.list, 1)
        self.column.addWidget(self.none)
        self.column.addWidget(self.hint)
        look.changed.connect(self.list.viewport().update)

    @Slot()
    def begin(self) -> None:
        """Show everything that can be done now."""
        self._known = self._commands()
        self.box.clear()
        self._show("")
        self.open(self.box)

    @override
    def settle(self) -> None:
        super().settle()
        area = self._area
        width = min(WIDTH, area.width() - 2 * MARGIN)
        wanted = self.column.totalSizeHint().height()
        self.setGeometry((area.width() - width) // 2, TOP, width, min(wanted, area.height() - TOP - MARGIN))

    @Slot(str)
    def _on_text(self, text: str) -> None:
        self._show(text.strip())

    def _show(self, query: str) -> None:
        fitting = [(score(query, entry.text), entry) for entry in self._known]
        found = [(fit, entry) for fit, entry in fitting if fit != MISS]
        if query:
            found.sort(key=lambda pair: (-pair[0], not pair[1].enabled))
        else:
            found.sort(key=lambda pair: not pair[1].enabled)
        entries = [entry for _, entry in found]
        if query:
            entries += self._layers(query, MOST)
        self.model.show(entries)
        self.list.setVisible(bool(entries))
        self.none.setVisible(not entries)
        if entries:
            self.list.setCurrentIndex(self.model.index(0))
            self.list.scrollToTop()
        self._say()
        self.list.updateGeometry()
        self.settle()

    def _say(self) -> None:
        index = self.list.currentIndex()
        entry = self.model.entries[index.row()] if index.isValid() else None
        self.hint.setText("" if entry is None else entry.note if entry.enabled else entry.why or "Not available now.")
        self.hint.setVisible(bool(self.hint.text()))

    def _move(self, by: int) -> None:
        count = self.model.rowCount()
        if count:
            row = self.list.currentIndex().row() + by
            row = row % count if abs(by) == 1 else max(0, min(count - 1, row))
            self.list.setCurrentIndex(self.model.index(row))
            self._say()
            self.settle()

    @Slot(QModelIndex)
    def _on_clicked(self, index: QModelIndex) -> None:
        self.list.setCurrentIndex(index)
        self.take()

    def take(self) -> None:
        """Do what the current line says and close; what cannot be done says why and stays."""
        index = self.list.currentIndex()
        if not index.isValid():
            return
        entry = self.model.entries[index.row()]
        if not entry.enabled:
            self._say()
            return
        self.leave()
        entry.run()

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: ROWS - 1, Qt.Key.Key_PageUp: 1 - ROWS}
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.take()
        elif key in steps:
            self._move(steps[Qt.Key(key)])
        else:
            super().keyPressEvent(event)

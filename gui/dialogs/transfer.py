"""Weights from another file: both sides aligned in a table before it happens."""

from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Slot
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)
from typing_extensions import override

from core.errors import Cancelled, SutureError
from core.layers.descriptions import Matching
from core.recipes import gestures
from gui.dialogs.presets import plain
from gui.document.work import Work
from gui.models.matching import MatchingModel, MatchRole
from gui.widgets import theme as themes
from gui.widgets.file_dialog import ask_file
from gui.widgets.parts import ElidedLabel, Look, Segments, Sentence, label, named
from gui.widgets.sheet import Sheet

FILES = "Models and weights (*.keras *.h5 *.hdf5 *.weights.h5);;All files (*)"
WAYS = (
    ("name", "By name", "Layers with the same path, or else the same last name"),
    ("order", "By order", "Equal layers in the same order; an extra layer on one side does not shift the rest"),
    ("shape", "By shape", "Layers with equal shapes, if both sides have the same number of them"),
    ("pairs", "By hand", "Only the pairs you set"),
)


class FateDelegate(QStyledItemDelegate):
    """The last column in the colour of its fate."""

    def __init__(self, look: Look, parent: QWidget) -> None:
        super().__init__(parent)
        self._look = look

    @override
    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row = index.data(MatchRole)
        theme = self._look.theme
        option.widget.style().drawPrimitive(
            QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget
        )
        ink = theme.fate(row.fate).ink if row.source else theme.muted
        if index.column() != 4:
            selected = option.state & QStyle.StateFlag.State_Selected
            quiet = index.column() in (1, 3) or not row.source
            ink = theme.selection_text if selected else theme.muted if quiet else theme.text
        painter.setFont(themes.font(theme, theme.size_small, bold=index.column() == 4 and bool(row.source)))
        painter.setPen(QColor(ink))
        area = option.rect.adjusted(6, 0, -6, 0)
        text = painter.fontMetrics().elidedText(str(index.data()), Qt.TextElideMode.ElideMiddle, area.width())
        painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter), text)


class TransferSheet(Sheet):
    """Adds `transfer_weights` when the person has seen what it does."""

    def __init__(self, work: Work, look: Look, parent: QWidget) -> None:
        super().__init__(parent, "transfer", "Transfer weights", 780)
        self._inquiries, self._session = work.inquiries, work.session
        self.path = ""
        self.way = "name"
        self.pairs: dict[str, str] = {}
        self.column.addWidget(label("Weights from another file", "heading"))
        line = QHBoxLayout()
        self.file = ElidedLabel()
        self.choose = named(QPushButton("Choose file\u2026"), "transferFile")
        self.choose.clicked.connect(self.ask)
        line.addWidget(self.choose)
        line.addWidget(self.file, 1)
        self.ways = Segments(WAYS)
        self.ways.setProperty("tight", True)
        for key, text, _tip in WAYS:
            self.ways.button(key).setMinimumWidth(self.ways.fontMetrics().horizontalAdvance(text) + 24)
        self.ways.set_current("name")
        self.ways.chosen.connect(self.set_way)
        line.addWidget(self.ways)
        self.column.addLayout(line)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setAccessibleName("Reading")
        self.bar.hide()
        self.column.addWidget(self.bar)
        self.words = Sentence("small")
        self.column.addWidget(self.words)
        self.problem = Sentence()
        self.column.addWidget(self.problem)
        self.model = MatchingModel(self)
        self.table = named(QTableView(), "transferTable")
        self._set_up_table(look)
        self.column.addWidget(self.table, 1)
        self.column.addLayout(self._pair_row())
        _, self.apply = self.add_buttons("Transfer", self._on_apply)
        self._inquiries.matching_known.connect(self.on_matching)
        self._inquiries.matching_failed.connect(self.on_failed)

    def _set_up_table(self, look: Look) -> None:
        table = self.table
        table.setModel(self.model)
        table.setItemDelegate(FateDelegate(look, table))
        table.setAccessibleName("Both sides, weight by weight")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setMinimumHeight(330)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(24)
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 104), (3, 104), (4, 140)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            table.setColumnWidth(column, width)
        table.selectionModel().currentRowChanged.connect(self._on_row)

    def _pair_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.theirs = named(QComboBox(), "pairTheirs")
        self.theirs.setAccessibleName("Layer of the file")
        self.ours = named(QComboBox(), "pairOurs")
        self.ours.setAccessibleName("Layer of this model")
        for box in (self.theirs, self.ours):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.pair = named(QPushButton("Pair"), "pairAdd")
        self.pair.clicked.connect(self._on_pair)
        self.unpair = named(QPushButton("Clear pairs"), "link")
        self.unpair.clicked.connect(self._on_unpair)
        row.addWidget(label("Pair by hand", "fieldLabel"))
        row.addWidget(self.theirs, 1)
        row.addWidget(label("\u2192", "muted"))
        row.addWidget(self.ours, 1)
        row.addWidget(self.pair)
        row.addWidget(self.unpair)
        return row

    @Slot()
    def begin(self, path: str = "") -> None:
        """Show the sheet with a file, else with the last one; ask for one if there is none yet."""
        self.open(self.choose)
        self._show_buttons(Matching(()))
        if path:
            # what was set for another file says nothing of this one; names are what every file has
            self.pairs, self.way = {}, "name"
            self.ways.set_current(self.way)
        if path or self.path:
            self.look_at(path or self.path)
        else:
            self.ask()

    @Slot()
    def ask(self) -> None:
        """Choose another file."""
        ask_file(self, "Weights from another file", FILES, self.look_at)

    @Slot(str)
    def look_at(self, path: str) -> None:
        """Lay a file's weights beside the model's."""
        if path != self.path:
            self.pairs = {}
        self.path = path
        self.file.setText(Path(path).name)
        self._ask_engine()

    @Slot(str)
    def set_way(self, way: str) -> None:
        """Match in another way."""
        self.way = way
        self.ways.set_current(way)
        if self.path:
            self._ask_engine()

    def _ask_engine(self) -> None:
        self.problem.say("")
        self.bar.show()
        self.apply.setEnabled(False)
        self._inquiries.match(self.path, self.way, tuple(self.pairs.items()))

    @Slot(object)
    def on_matching(self, matching: Matching) -> None:
        """Show both sides."""
        self.bar.hide()
        self.model.set_matching(matching)
        if self.way == "pairs" and not self.pairs:
            self.problem.say("")
        else:
            self.problem.say(plain(matching.problem))
        bad = matching.unfit
        layers = "1 layer takes" if matching.paired == 1 else f"{matching.paired} layers take"
        parts = [f"{layers} {matching.given} of {matching.weights} weights from the file"]
        left = len(matching.left_over)
        unfit = (
            "1 does not fit yet; choose a rule for it" if bad == 1 else f"{bad} do not fit yet; choose rules for them"
        )
        parts += [f"{unfit} afterwards"] if bad else []
        parts += ["1 layer of the file is unused" if left == 1 else f"{left} layers of the file are unused"][:left]
        self.words.say(" \u00b7 ".join(parts))
        for box, names in ((self.ours, matching.ours), (self.theirs, matching.theirs)):
            if [box.itemText(number) for number in range(box.count())] != list(names):
                box.clear()
                box.addItems(list(names))
        self._show_buttons(matching)

    def _show_buttons(self, matching: Matching) -> None:
        self.apply.setEnabled(bool(matching.paired) and not matching.problem)
        self.pair.setEnabled(bool(matching.ours and matching.theirs))
        self.unpair.setVisible(bool(self.pairs))

    @Slot(object)
    def on_failed(self, error: SutureError) -> None:
        """Why the file could not be laid beside the model."""
        self.bar.hide()
        if not isinstance(error, Cancelled):
            self.problem.say(error.message)
            self.words.say("")

    @Slot(QModelIndex, QModelIndex)
    def _on_row(self, current: QModelIndex, _previous: QModelIndex) -> None:
        row = current.data(MatchRole) if current.isValid() else None
        if row is not None:
            self.ours.setCurrentText(row.layer)
            self._session.select(row.layer)

    @Slot()
    def _on_pair(self) -> None:
        mine, other = self.ours.currentText(), self.theirs.currentText()
        if mine and other:
            self.pairs = {left: right for left, right in self.pairs.items() if right != other}
            self.pairs[mine] = other
            self._ask_engine()

    @Slot()
    def _on_unpair(self) -> None:
        self.pairs = {}
        self._ask_engine()

    @Slot()
    def _on_apply(self) -> None:
        edit = gestures.make_edit(
            "transfer_weights", file=self.path, match=self.way, pairs=[list(pair) for pair in self.pairs.items()]
        )
        self._session.end_burst()
        self._session.gesture(lambda recipe: recipe.plus(edit), f"Weights from {Path(self.path).name}")
        self.leave()

"""Both sides of a transfer of weights as a table: our weight, the file's array, what happens."""

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from typing_extensions import override

from core.layers.descriptions import Matching, WeightMatch
from core.model.plan import AS_STORED
from core.phrases import shape_words
from core.rules.words import rule_words

Index = QModelIndex | QPersistentModelIndex
HEADINGS = ("In the file", "Shape", "In this model", "Shape", "What happens")
MatchRole = Qt.ItemDataRole.UserRole + 1


class MatchingModel(QAbstractTableModel):
    """Rows are `WeightMatch` values: first what does not fit, what gets an array, then what keeps its own."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[WeightMatch, ...] = ()

    def set_matching(self, matching: Matching) -> None:
        """Show another matching."""
        self.beginResetModel()
        self.rows = tuple(
            sorted(matching.rows, key=lambda row: 0 if row.fate == "mismatched" else 1 if row.source else 2)
        )
        self.endResetModel()

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    @override
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(HEADINGS)

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADINGS[section]
        return None

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        if role == MatchRole:
            return row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._text(row, index.column())
        return None

    @staticmethod
    def _text(row: WeightMatch, column: int) -> str:
        if column == 0:
            return row.source or "\u2013"
        if column == 1:
            return shape_words(row.source_shape, "")
        if column == 2:
            return f"{row.layer}/{row.weight}"
        return shape_words(row.shape) if column == 3 else fate_words(row)


def fate_words(row: WeightMatch) -> str:
    """What happens to a weight, in words."""
    if row.fate == "mismatched":
        return "does not fit"
    if not row.source:
        return "starts anew" if row.fate == "initialized" else "keeps its own"
    if row.fate == "adapted":
        return f"adapted: {rule_words(row.rule)}" if row.rule else "adapted"
    return "taken" if row.fate in AS_STORED else row.fate

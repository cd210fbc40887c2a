"""The recipe's steps as a list: checkboxes switch steps on and off, dragging reorders them.

The model changes nothing by itself: what a view does to it comes out as a signal and becomes a gesture.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QIcon
from typing_extensions import override

from core.recipes.gestures import tag
from core.recipes.recipe import Recipe
from core.recipes.words import explained, title

Index = QModelIndex | QPersistentModelIndex
MIME = "application/x-suture-step"


class RecipeModel(QAbstractListModel):
    """Rows are the recipe's edits, in order."""

    toggled = Signal(int, bool)
    moved = Signal(int, int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.recipe = Recipe()
        self.left_out: dict[int, str] = {}
        self.effects: dict[int, tuple[str, ...]] = {}
        self.mark = QIcon()
        """What stands before a step that is left out."""

    def set_left_out(self, rows: dict[int, str]) -> None:
        """Mark the steps that the plan leaves out; each row with why."""
        if rows != self.left_out:
            self.left_out = rows
            if self.recipe.edits:
                self.dataChanged.emit(self.index(0), self.index(len(self.recipe.edits) - 1))

    def set_mark(self, mark: QIcon) -> None:
        """Another icon for the steps that are left out, such as that of another theme."""
        self.mark = mark
        if self.left_out:
            self.dataChanged.emit(self.index(0), self.index(len(self.recipe.edits) - 1))

    def set_recipe(self, recipe: Recipe) -> None:
        """Show a recipe; a step that changed in place keeps its row."""
        old, self.recipe = self.recipe, recipe
        self.effects = {}
        if len(old.edits) == len(recipe.edits):
            if recipe.edits:
                self.dataChanged.emit(self.index(0), self.index(len(recipe.edits) - 1))
            return
        self.recipe = old
        self.beginResetModel()
        self.recipe = recipe
        self.endResetModel()

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.recipe.edits)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        edit = self.recipe.edits[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return step_words(edit)
        if role == Qt.ItemDataRole.CheckStateRole:
            return Qt.CheckState.Checked if edit.enabled else Qt.CheckState.Unchecked
        why = self.left_out.get(index.row(), "")
        if role == Qt.ItemDataRole.DecorationRole and why:
            return self.mark
        if role == Qt.ItemDataRole.AccessibleTextRole and why:
            return f"{step_words(edit)}, left out: {why}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(index.row(), why)
        return None

    def set_effect(self, row: int, lines: tuple[str, ...]) -> None:
        """What would change if a step were switched the other way."""
        self.effects[row] = lines

    def _tip(self, row: int, why: str) -> str:
        """What a step is, why it is left out, and what it is good for, as far as that is known."""
        edit = self.recipe.edits[row]
        parts = [f"Step {row + 1}: {title(edit)}", why or explained(edit)]
        lines = self.effects.get(row)
        if lines is not None:
            head = "If you switch it off:" if edit.enabled else "If you switch it on:"
            parts.append("\n".join((head, *(f"\u2022 {line}" for line in lines))))
        # as rich text it is wrapped; what files and recipes bring stays text
        return "".join(f"<p style='white-space: pre-wrap'>{escape(part)}</p>" for part in parts)

    @override
    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return False
        self.toggled.emit(index.row(), Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    @override
    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        return (
            Qt.ItemFlag.ItemIsEnabled
            | Qt.ItemFlag.ItemIsSelectable
            | Qt.ItemFlag.ItemIsUserCheckable
            | Qt.ItemFlag.ItemIsDragEnabled
        )

    @override
    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    @override
    def mimeTypes(self) -> list[str]:
        return [MIME]

    @override
    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        data.setData(MIME, str(indexes[0].row()).encode())
        return data

    @override
    def dropMimeData(self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index) -> bool:
        if not data.hasFormat(MIME):
            return False
        start = int(bytes(data.data(MIME).data()))
        to = row if row >= 0 else (parent.row() if parent.isValid() else len(self.recipe.edits))
        to -= to > start
        if to != start:
            self.moved.emit(start, to)
        # false: the gesture has moved the step, the view must not take the row out again
        return False


def step_words(edit: Any) -> str:
    """One line for a step; an edit that cannot say it is shown by its name."""
    try:
        # what stands on either side of an arrow stays on its line
        return str(edit.summary()).replace(" <- ", "\u00a0\u2190\u00a0")
    except NotImplementedError:
        return tag(edit).replace("_", " ").capitalize()


def left_out_words(rows: Mapping[int, str]) -> str:
    """What is shown while steps are left out of the plan, in a sentence; `""` when none is."""
    numbers = [str(row + 1) for row in rows]
    if not numbers:
        return ""
    if len(numbers) == 1:
        return f"{next(iter(rows.values()))} Nothing can be exported until that is settled."
    which = f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    return (
        f"Steps {which} cannot be applied. Graph and counts show the model without them; Findings say why, and nothing "
        "can be exported until that is settled."
    )

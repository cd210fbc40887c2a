"""The tree's selection and the session's, kept the same in both directions."""

from collections.abc import Callable, Iterable, Mapping

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QObject, Slot
from PySide6.QtWidgets import QAbstractItemView, QTreeView

from gui.document.session import Session
from gui.models.layer_tree import LayerTreeModel

Flag = QItemSelectionModel.SelectionFlag


class TreeSelection(QObject):
    """`shown(path)` is the path that the tree shows a layer at, `meant(path)` the other way round.

    They differ for removed layers, which the Difference view shows beside those there are.
    """

    def __init__(
        self,
        session: Session,
        tree: QTreeView,
        model: LayerTreeModel,
        shown: Callable[[str], str],
        meant: Callable[[str], str],
    ) -> None:
        super().__init__(tree)
        self._session, self._tree, self._model = session, tree, model
        self._shown, self._meant = shown, meant
        self._follow = True
        tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        # the header would ask of every row whether it is selected, each time that it is painted
        tree.header().setSelectionModel(QItemSelectionModel(model, tree.header()))
        tree.selectionModel().selectionChanged.connect(self._on_selected)
        tree.selectionModel().currentChanged.connect(self._on_current)
        session.chosen_changed.connect(self.show)
        session.selection_changed.connect(self.show)

    @Slot()
    def show(self) -> None:
        """Select in the tree what the session has selected, and scroll to the current layer."""
        if not self._follow:
            return
        session, selection = self._session, self._tree.selectionModel()
        self._follow = False
        try:
            rows = self._model.rows_of(map(self._shown, session.chosen))
            if rows != self._rows_here():
                selection.select(self._ranges(rows), Flag.ClearAndSelect | Flag.Rows)
            index = self._index(session.selection)
            if index.isValid():
                if self._tree.currentIndex() != index:
                    selection.setCurrentIndex(index, Flag.NoUpdate)
                self._tree.scrollTo(index)
            elif not session.selection:
                selection.clearCurrentIndex()
        finally:
            self._follow = True

    def _index(self, path: str) -> QModelIndex:
        return self._model.index_of(self._shown(path))

    def _ranges(self, places: Mapping[str, list[int]]) -> QItemSelection:
        """Rows that follow each other as one range: ten thousand ranges would take seconds."""
        found = QItemSelection()
        for path, rows in places.items():
            parent = self._model.index_of(path)
            first = last = rows[0]
            for row in [*rows[1:], -1]:
                if row != last + 1:
                    found.select(self._model.index(first, 0, parent), self._model.index(last, 0, parent))
                    first = row
                last = row
        return found

    def _rows_here(self) -> dict[str, list[int]]:
        """The rows that are selected in the tree, sorted, by the path that they are in."""
        found: dict[str, set[int]] = {}
        spans = self._tree.selectionModel().selection()
        for span in (spans.at(number) for number in range(spans.count())):
            found.setdefault(self._model.path_of(span.parent()), set()).update(range(span.top(), span.bottom() + 1))
        return {path: sorted(rows) for path, rows in found.items()}

    def _chosen_here(self) -> list[str]:
        """The layers whose rows are selected in the tree."""
        spans = self._tree.selectionModel().selection()
        return [
            self._meant(self._model.path_of(self._model.index(row, 0, span.parent())))
            for span in (spans.at(number) for number in range(spans.count()))
            for row in range(span.top(), span.bottom() + 1)
        ]

    @Slot(QItemSelection, QItemSelection)
    def _on_selected(self, new: QItemSelection, _old: QItemSelection) -> None:
        if not self._follow:
            return
        latest = new.indexes()[-1] if new.count() == 1 and new.at(0).height() == 1 else self._tree.currentIndex()
        self._take(self._chosen_here(), latest)

    @Slot(QModelIndex, QModelIndex)
    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if self._follow and current.isValid() and self._tree.selectionModel().isSelected(current):
            self._take(self._session.chosen, current)

    def _take(self, paths: Iterable[str], current: QModelIndex) -> None:
        self._follow = False
        try:
            self._session.choose(paths, self._meant(self._model.path_of(current)))
        finally:
            self._follow = True

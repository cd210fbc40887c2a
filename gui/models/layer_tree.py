"""The layers of a graph as a tree, with shapes, parameters, freezing and fates.

Nodes are numbers into lists that the model owns; an index carries the number, never a Python object.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from math import prod
from typing import Any

from msgspec import Struct
from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QIcon
from typing_extensions import override

from core.model.graph import Graph, Layer
from core.phrases import sample_words, shape_words
from gui.models.digest import Badge, can_freeze, output_shape
from gui.models.measures import MEASURES, Measure, value_words
from gui.widgets.theme import FATE_ORDER

Index = QModelIndex | QPersistentModelIndex


class Column(IntEnum):
    """Columns of the layer tree."""

    NAME = 0
    OUTPUT = 1
    WEIGHTS = 2
    PARAMS = 3
    FROZEN = 4
    FATE = 5


HEADERS = ("Layer", "Output", "Weights", "Params", "", "Fate")
HINTS = (
    "The layer's name; its class in the tip",
    "Shape of the output, without the batch",
    "Shape of the layer's main weight",
    "Number of parameters",
    "Frozen: not changed by training",
    "What happens to the layer's weights",
)

PathRole = Qt.ItemDataRole.UserRole + 1
BadgeRole = Qt.ItemDataRole.UserRole + 2
LayerRole = Qt.ItemDataRole.UserRole + 3
SeverityRole = Qt.ItemDataRole.UserRole + 4
ChangedRole = Qt.ItemDataRole.UserRole + 5
RemovedRole = Qt.ItemDataRole.UserRole + 6
BarRole = Qt.ItemDataRole.UserRole + 20
"""How long the bar below a number is, from 0 to 1; `None` for no bar."""


class Extras(Struct, frozen=True):
    """What is known beside the graph: badges, frozen paths, findings' severities, parameters, shapes before, and which
    layers are only shown because they are gone. `values` are numbers of the `measure` that the graph is coloured by.
    """

    badges: dict[str, Badge] = {}
    frozen: frozenset[str] = frozenset()
    severities: Mapping[str, str] = {}
    params: dict[str, int] = {}
    weights: dict[str, tuple[int, ...]] = {}
    before: dict[str, str] = {}
    removed: frozenset[str] = frozenset()
    measure: Measure = "params"
    values: Mapping[str, float] = {}
    bars: bool = False


class LayerTreeModel(QAbstractItemModel):
    """A tree over `Graph`. `frozen_toggled(path, frozen)` asks for a gesture; the model itself changes nothing."""

    frozen_toggled = Signal(str, bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._paths: list[str] = []
        self._layers: list[Layer] = []
        self._parents: list[int] = []
        self._rows: list[int] = []
        self._children: list[list[int]] = []
        self._freezable: list[bool] = []
        self._roots: list[int] = []
        self._numbers: dict[str, int] = {}
        self._extras = Extras()
        self._most = 0.0
        self._sorted: tuple[int, Qt.SortOrder] = (-1, Qt.SortOrder.AscendingOrder)
        self._frozen_icon: QIcon | None = None

    def set_frozen_icon(self, icon: QIcon) -> None:
        """The picture above the checkboxes."""
        self._frozen_icon = icon
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, Column.FROZEN, Column.FROZEN)

    def set_graph(self, graph: Graph | None, extras: Extras | None = None, only: set[str] | None = None) -> bool:
        """Show a graph. `only` keeps these paths and the groups above them.

        The same layers as before are updated in place; otherwise the model is reset. Returns whether it was reset.
        """
        walked = list(graph.walk()) if graph is not None else []
        if only is not None:
            kept = {path[:end] for path in only for end in _ends(path)}
            walked = [pair for pair in walked if pair[0] in kept]
        extras = extras or Extras()
        if [path for path, _ in walked] == self._paths:
            self._layers = [layer for _, layer in walked]
            self._take(extras)
            self._mark_freezable()
            self._announce()
            if self._sorted[0] >= 0:
                self.sort(*self._sorted)
            return False
        with self._resetting():
            self._take(extras)
            self._build(walked)
            self._arrange()
        return True

    def _take(self, extras: Extras) -> None:
        renamed = extras.measure != self._extras.measure
        self._extras = extras
        shown = {path for path, layer in zip(self._paths, self._layers, strict=False) if layer.inner is None}
        self._most = max((value for path, value in extras.values.items() if path in shown), default=0.0)
        if renamed:
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, Column.PARAMS, Column.PARAMS)

    @override
    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort layers inside of the model that they are in; column -1 is the model's own order."""
        self._sorted = (column, order)
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        numbers = [(index.internalId(), index.column()) for index in before]
        self._arrange()
        after = [self.createIndex(self._rows[number], at, number) for number, at in numbers]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _arrange(self) -> None:
        """Put children into the order that is wanted."""
        column, order = self._sorted
        keys = [self._sort_key(number, column) for number in range(len(self._paths))] if column >= 0 else []
        for children in (self._roots, *self._children):
            children.sort()
            if column >= 0:
                children.sort(key=keys.__getitem__, reverse=order == Qt.SortOrder.DescendingOrder)
            for row, number in enumerate(children):
                self._rows[number] = row

    def _sort_key(self, number: int, column: int) -> Any:
        layer, path = self._layers[number], self._paths[number]
        if column == Column.PARAMS:
            return self._number(number) or 0.0
        if column == Column.OUTPUT:
            shape = output_shape(layer) or ()
            return prod(size or 1 for size in shape), len(shape)
        if column == Column.WEIGHTS:
            return prod(self._extras.weights.get(path) or _main_shape(layer) or (0,))
        if column == Column.FROZEN:
            return {None: 2, Qt.CheckState.Checked: 0}.get(self._check_state(number), 1)
        if column == Column.FATE:
            badge = self._extras.badges.get(path)
            return FATE_ORDER.index(badge.fate) if badge is not None else len(FATE_ORDER)
        return [int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", layer.name)]

    def _number(self, number: int) -> float | None:
        """The number of a layer in the column of numbers."""
        path = self._paths[number]
        if self._extras.values:
            return self._extras.values.get(path)
        params = self._extras.params.get(path)
        return self._layers[number].num_params() if params is None else params

    def index_of(self, path: str, column: int = 0) -> QModelIndex:
        """The index of a path; invalid if it is not shown."""
        number = self._numbers.get(path)
        return QModelIndex() if number is None else self.createIndex(self._rows[number], column, number)

    def rows_of(self, paths: Iterable[str]) -> dict[str, list[int]]:
        """The rows of the paths that are shown, sorted, by the path that they are in; `""` for the top."""
        found: dict[int, list[int]] = {}
        for path in paths:
            number = self._numbers.get(path)
            if number is not None:
                found.setdefault(self._parents[number], []).append(self._rows[number])
        return {self._paths[at] if at >= 0 else "": sorted(rows) for at, rows in found.items()}

    def path_of(self, index: Index) -> str:
        """The path at an index, `""` for none."""
        return self._paths[index.internalId()] if index.isValid() else ""

    def paths(self) -> list[str]:
        """Every shown path, in the order of the graph."""
        return list(self._paths)

    def groups(self) -> list[str]:
        """The paths that have children."""
        return [self._paths[number] for number, children in enumerate(self._children) if children]

    def leaves_below(self, path: str) -> list[str]:
        """The layers with weights at or below a path."""
        number = self._numbers.get(path)
        if number is None:
            return []
        found = [path] if can_freeze(self._layers[number]) else []
        for child in self._children[number]:
            found += self.leaves_below(self._paths[child])
        return found

    @contextmanager
    def _resetting(self) -> Iterator[None]:
        self.beginResetModel()
        try:
            yield
        finally:
            self.endResetModel()

    def _build(self, walked: list[tuple[str, Layer]]) -> None:
        self._paths = [path for path, _ in walked]
        self._layers = [layer for _, layer in walked]
        self._numbers = {path: number for number, path in enumerate(self._paths)}
        self._parents, self._rows, self._roots = [], [], []
        self._children = [[] for _ in walked]
        above: list[tuple[str, int]] = []
        for number, path in enumerate(self._paths):
            while above and not path.startswith(above[-1][0]):
                above.pop()
            parent = above[-1][1] if above else -1
            siblings = self._children[parent] if parent >= 0 else self._roots
            self._parents.append(parent)
            self._rows.append(len(siblings))
            siblings.append(number)
            if self._layers[number].inner is not None:
                above.append((path + "/", number))
        self._mark_freezable()

    def _mark_freezable(self) -> None:
        """Parents come before children, so one pass from the end carries it upwards."""
        removed = self._extras.removed
        self._freezable = [
            can_freeze(layer) and path not in removed for path, layer in zip(self._paths, self._layers, strict=True)
        ]
        for number in range(len(self._layers) - 1, -1, -1):
            if self._freezable[number] and self._parents[number] >= 0:
                self._freezable[self._parents[number]] = True

    def _announce(self) -> None:
        for children in (self._roots, *self._children):
            if children:
                last = children[-1]
                self.dataChanged.emit(
                    self.createIndex(0, 0, children[0]), self.createIndex(self._rows[last], len(Column) - 1, last)
                )

    def _check_state(self, number: int) -> Qt.CheckState | None:
        if not self._freezable[number]:
            return None
        path = self._paths[number]
        if path in self._extras.frozen:
            return Qt.CheckState.Checked
        if any(self._check_state(child) not in (None, Qt.CheckState.Unchecked) for child in self._children[number]):
            return Qt.CheckState.PartiallyChecked
        return Qt.CheckState.Unchecked

    def _text(self, number: int, column: int) -> str:
        layer, path = self._layers[number], self._paths[number]
        if column == Column.NAME:
            return layer.name
        if column == Column.OUTPUT:
            return sample_words(output_shape(layer), "")
        if column == Column.WEIGHTS:
            shape = self._extras.weights.get(path) or _main_shape(layer)
            return shape_words(shape) if shape else ""
        if column == Column.PARAMS:
            value = self._number(number)
            return value_words(self._extras.measure, value) if value else ""
        return ""

    def _tip(self, number: int, column: int) -> str:
        layer, path = self._layers[number], self._paths[number]
        badge = self._extras.badges.get(path)
        if column == Column.FATE:
            return badge.words() if badge else ""
        if column == Column.FROZEN:
            state = self._check_state(number)
            if state is None:
                return ""
            return {Qt.CheckState.Checked: "Frozen", Qt.CheckState.Unchecked: "Trained"}.get(state, "Partly frozen")
        if column == Column.OUTPUT and path in self._extras.before:
            return f"{self._text(number, column)}, before: {self._extras.before[path]}"
        if column == Column.WEIGHTS:
            return "\n".join(f"{weight.name}  {shape_words(weight.shape)}" for weight in layer.weights)
        return f"{path}\n{layer.class_name}"

    # Qt

    @override
    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008
        siblings = self._children[parent.internalId()] if parent.isValid() else self._roots
        if parent.isValid() and parent.column() != 0:
            return QModelIndex()
        if not 0 <= row < len(siblings) or not 0 <= column < len(Column):
            return QModelIndex()
        return self.createIndex(row, column, siblings[row])

    @override
    def parent(self, index: Index = QModelIndex()) -> QModelIndex:  # type: ignore[override]  # noqa: B008
        if not index.isValid():
            return QModelIndex()
        number = self._parents[index.internalId()]
        return QModelIndex() if number < 0 else self.createIndex(self._rows[number], 0, number)

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        if not parent.isValid():
            return len(self._roots)
        return len(self._children[parent.internalId()]) if parent.column() == 0 else 0

    @override
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return len(Column)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        number, column = index.internalId(), index.column()
        path = self._paths[number]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(number, column)
        if role == Qt.ItemDataRole.CheckStateRole:
            return self._check_state(number) if column == Column.FROZEN else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(number, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._text(number, column) or self._tip(number, column)
        if role == Qt.ItemDataRole.TextAlignmentRole and column == Column.PARAMS:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == PathRole:
            return path
        if role == BarRole:
            value = self._extras.values.get(path) if self._extras.bars and column == Column.PARAMS else None
            alone = self._layers[number].inner is None
            return value / self._most if value and self._most and alone else None
        if role == BadgeRole:
            return self._extras.badges.get(path)
        if role == LayerRole:
            return self._layers[number]
        if role == SeverityRole:
            return self._extras.severities.get(path)
        if role == RemovedRole:
            return path in self._extras.removed
        if role == ChangedRole:
            return path in self._extras.before
        return None

    @override
    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != Column.FROZEN:
            return False
        self.frozen_toggled.emit(self.path_of(index), Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    @override
    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return _NOTHING
        return _BOX if index.column() == Column.FROZEN and self._freezable[index.internalId()] else _ROW

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(Column):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return MEASURES[self._extras.measure].column if section == Column.PARAMS else HEADERS[section]
        if role == Qt.ItemDataRole.DecorationRole and section == Column.FROZEN:
            return self._frozen_icon
        if role == Qt.ItemDataRole.ToolTipRole:
            return MEASURES[self._extras.measure].meaning if section == Column.PARAMS else HINTS[section]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            name = Column(section).name.title()
            return MEASURES[self._extras.measure].title if section == Column.PARAMS else name
        return None


# asked for each selected row: flags put together in Python each time take seconds of ten thousand layers
_NOTHING = Qt.ItemFlag.NoItemFlags
_ROW = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
_BOX = _ROW | Qt.ItemFlag.ItemIsUserCheckable


def _main_shape(layer: Layer) -> tuple[int, ...]:
    """The shape of the weight that people look for: the largest."""
    shown = [weight for weight in layer.weights if not weight.state]
    return max(shown, key=lambda weight: (weight.size, len(weight.shape))).shape if shown else ()


def _ends(path: str) -> Iterator[int]:
    """Where each prefix of a path ends, the whole path included."""
    for position, letter in enumerate(path):
        if letter == "/":
            yield position
    yield len(path)

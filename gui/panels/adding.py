"""The palette: layer classes, grouped and searched, dragged onto the graph or put in with Enter."""

from PySide6.QtCore import QByteArray, QMimeData, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget
from typing_extensions import override

from core.layers.descriptions import LayerClass
from gui.document.work import Work
from gui.models.addable import MIME, grouped
from gui.widgets.parts import Sentence, label, named

CLASS = Qt.ItemDataRole.UserRole


class Classes(QTreeWidget):
    """A tree of families and classes that can be dragged. `taken(class, before)`: Enter, or Shift+Enter, on a class."""

    taken = Signal(str, bool)

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderHidden(True)
        self.setAccessibleName("Layers to add")
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setIndentation(14)
        self.setUniformRowHeights(True)
        self.itemDoubleClicked.connect(self._on_double)

    @property
    def chosen(self) -> str:
        """The class that is chosen, `""` for none."""
        item = self.currentItem()
        return str(item.data(0, CLASS) or "") if item is not None else ""

    @override
    def mimeTypes(self) -> list[str]:
        return [MIME]

    @override
    def mimeData(self, items: "list[QTreeWidgetItem]") -> QMimeData:  # type: ignore[override]
        data = QMimeData()
        names = [str(one.data(0, CLASS)) for one in items if one.data(0, CLASS)]
        if names:
            data.setData(MIME, QByteArray(names[0].encode()))
        return data

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.chosen:
            self.taken.emit(self.chosen, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        else:
            super().keyPressEvent(event)

    @Slot(QTreeWidgetItem)
    def _on_double(self, item: QTreeWidgetItem) -> None:
        name = str(item.data(0, CLASS) or "")
        if name:
            self.taken.emit(name, False)


class AddPanel(QWidget):
    """`taken(class, before)`: a class is to be put in at the selected layer; `chosen`: another class is chosen."""

    taken = Signal(str, bool)
    chosen = Signal(str)

    def __init__(self, work: Work, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._inquiries = work.inquiries
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        column.setSpacing(8)
        self.search = named(QLineEdit(), "paletteSearch")
        self.search.setAccessibleName("Search layers to add")
        self.search.setPlaceholderText("Search layers to add")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self.fill)
        self.search.returnPressed.connect(self._on_return)
        column.addWidget(self.search)
        self.tree = named(Classes(), "palette")
        self.tree.setMinimumHeight(210)
        self.tree.taken.connect(self.taken)
        self.tree.currentItemChanged.connect(lambda *_: self.chosen.emit(self.tree.chosen))
        column.addWidget(self.tree, 1)
        self.empty = Sentence("small")
        column.addWidget(self.empty)
        self.about = label("", "small", wrap=True)
        column.addWidget(self.about)
        self.where = label("", "small", wrap=True)
        self.where.setAccessibleName("Where the layer goes")
        column.addWidget(self.where)
        self.problem = Sentence()
        column.addWidget(self.problem)
        self._inquiries.classes_known.connect(self.fill)
        self.fill()

    def layer_class(self, name: str) -> LayerClass | None:
        """A class by its name."""
        return self._inquiries.classes.get(name)

    @Slot()
    def fill(self) -> None:
        """List the classes that match the search; all of them are folded by family while there is none."""
        chosen, search = self.tree.chosen, self.search.text().strip()
        groups = grouped(self._inquiries.classes.values(), search)
        self.tree.blockSignals(True)
        self.tree.clear()
        keep: QTreeWidgetItem | None = None
        first: QTreeWidgetItem | None = None
        for title, classes in groups:
            family = QTreeWidgetItem([f"{title}  \u00b7  {len(classes)}"])
            family.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            self.tree.addTopLevelItem(family)
            for one in classes:
                item = QTreeWidgetItem([one.name])
                item.setData(0, CLASS, one.name)
                item.setToolTip(0, one.text)
                family.addChild(item)
                first = first or item
                keep = item if one.name == chosen else keep
            family.setExpanded(bool(search) or any(one.name == chosen for one in classes))
        at = keep or (first if search else None)
        if at is not None:
            self.tree.setCurrentItem(at)
        self.tree.blockSignals(False)
        loading = not self._inquiries.classes
        self.empty.say("Loading the list of layers\u2026" if loading else "" if groups else "No layer matches.")
        self.chosen.emit(self.tree.chosen)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._inquiries.want_classes()
        self.chosen.emit(self.tree.chosen)

    @Slot()
    def _on_return(self) -> None:
        if self.tree.chosen:
            self.taken.emit(self.tree.chosen, False)

    def say(self, about: str, where: str, problem: str) -> None:
        """What the chosen class is for, where it would go, and why it cannot."""
        self.about.setText(about)
        self.about.setVisible(bool(about))
        self.where.setText(where)
        self.where.setVisible(bool(where))
        self.problem.say(problem)

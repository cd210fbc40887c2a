"""The model's outputs at inner layers: a list of names, more by typing or from the selection."""

from PySide6.QtCore import QStringListModel, Qt, Slot
from PySide6.QtWidgets import QCompleter, QHBoxLayout, QLineEdit, QListWidget, QPushButton, QVBoxLayout, QWidget

from gui import steps
from gui.panels.parts import IconButton, Look, Sentence, label, named
from gui.session import Session


class OutputsForm(QWidget):
    """`cut_at`: each named layer becomes an output, also inside nested models."""

    def __init__(self, session: Session, look: Look) -> None:
        super().__init__()
        self._session = session
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(label("Outputs at inner layers", "fieldLabel"))
        self.list = named(QListWidget(), "outputLayers")
        self.list.setAccessibleName("Layers that are outputs")
        self.list.currentTextChanged.connect(session.select)
        column.addWidget(self.list)
        row = QHBoxLayout()
        row.setSpacing(4)
        self.name = named(QLineEdit(), "outputName")
        self.name.setAccessibleName("Layer to add as an output")
        self.name.setPlaceholderText("Layer\u2026")
        self._names = QStringListModel(self)
        completer = QCompleter(self._names, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.name.setCompleter(completer)
        self.name.returnPressed.connect(self.add_typed)
        row.addWidget(self.name, 1)
        self.add = IconButton(look, "plus", "Add this layer as an output")
        self.add.clicked.connect(self.add_typed)
        row.addWidget(self.add)
        self.trash = IconButton(look, "trash", "Take this output out")
        self.trash.clicked.connect(self._on_trash)
        row.addWidget(self.trash)
        column.addLayout(row)
        self.selected = named(QPushButton("Add the selected layer"), "outputSelected")
        self.selected.clicked.connect(self._on_selected)
        column.addWidget(self.selected)
        self.problem = Sentence()
        column.addWidget(self.problem)
        session.recipe_changed.connect(self.refresh)
        session.plan_changed.connect(self.refresh)
        session.selection_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the recipe's outputs."""
        chosen = list(steps.outputs(self._session.recipe))
        if [self.list.item(row).text() for row in range(self.list.count())] != chosen:
            self.list.blockSignals(True)
            self.list.clear()
            self.list.addItems(chosen)
            self.list.blockSignals(False)
        self.list.setVisible(bool(chosen))
        self.list.setFixedHeight(min(4, max(1, len(chosen))) * 22 + 6)
        graph = self._session.before_graph
        names = [path for path, layer in graph.walk() if not layer.is_input] if graph is not None else []
        if names != self._names.stringList():
            self._names.setStringList(names)
        selection = self._session.selection
        self.selected.setEnabled(selection in names and selection not in chosen)
        self.trash.setEnabled(bool(chosen))
        self.setEnabled(graph is not None)

    @Slot()
    def add_typed(self) -> None:
        """Add the layer whose name is typed."""
        name = self.name.text().strip()
        known = self._names.stringList()
        if not name:
            return
        if name not in known:
            self.problem.say(f"There is no layer \u201c{name}\u201d; nested ones are named like model/layer.")
            return
        self.problem.say("")
        self.name.clear()
        self._set([*steps.outputs(self._session.recipe), name])

    @Slot()
    def _on_selected(self) -> None:
        self._set([*steps.outputs(self._session.recipe), self._session.selection])

    @Slot()
    def _on_trash(self) -> None:
        row = max(self.list.currentRow(), 0)
        chosen = list(steps.outputs(self._session.recipe))
        if row < len(chosen):
            del chosen[row]
            self._set(chosen)

    def _set(self, paths: list[str]) -> None:
        text = f"Outputs at {', '.join(paths)}" if paths else "Outputs as they were"
        self._session.gesture(lambda recipe: steps.set_outputs(recipe, paths), text)

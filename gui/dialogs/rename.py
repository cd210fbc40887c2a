"""The sheet that asks for a layer's new name."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QWidget

from core.model.graph import Graph
from core.recipes import gestures
from gui.session import Session
from gui.widgets.parts import Sentence, label, named
from gui.widgets.sheet import Sheet


class RenameSheet(Sheet):
    """A name that is empty, holds a slash or is taken is answered by a sentence."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent, "rename", "Rename layer", 360)
        self._session = session
        self._path = ""
        self.title = label("", "heading", wrap=True)
        self.column.addWidget(self.title)
        self.name = named(QLineEdit(), "renameName")
        self.name.setAccessibleName("New name")
        self.name.textChanged.connect(self._check)
        self.name.returnPressed.connect(self._on_apply)
        self.column.addWidget(self.name)
        self.problem = Sentence()
        self.column.addWidget(self.problem)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.leave)
        buttons.addWidget(cancel)
        self.apply = named(QPushButton("Rename"), "primary")
        self.apply.clicked.connect(self._on_apply)
        buttons.addWidget(self.apply)
        self.column.addLayout(buttons)

    def begin(self, path: str) -> None:
        """Ask for the new name of the layer at `path`."""
        self._path = path
        self.title.setText(f"Rename {path}")
        self.name.setText(path.rpartition("/")[2])
        self.open(self.name)
        self.name.selectAll()

    def _problem(self) -> str:
        name = self.name.text().strip()
        if not name:
            return "Enter a name for the layer."
        if "/" in name:
            return "A name cannot contain a slash; slashes separate a model from its layers."
        graph = self._session.after_graph
        if name != self._path.rpartition("/")[2] and graph is not None and name in siblings(graph, self._path):
            return f"A layer named {name} already exists."
        return ""

    @Slot()
    def _check(self) -> None:
        problem = self._problem()
        self.problem.say(problem)
        self.apply.setEnabled(not problem and self.name.text().strip() != self._path.rpartition("/")[2])

    @Slot()
    def _on_apply(self) -> None:
        name = self.name.text().strip()
        if not self.apply.isEnabled() or self._problem():
            return
        edit = gestures.make_edit("rename_layer", layer=self._path, name=name)
        self._session.gesture(lambda recipe: recipe.plus(edit), f"Rename {self._path} to {name}")
        self.leave()


def siblings(graph: Graph, path: str) -> set[str]:
    """The names of the layers at the level of the one at `path`."""
    prefix = path.rpartition("/")[0]
    try:
        inner = graph.find(prefix).inner if prefix else graph
    except KeyError:
        return set()
    return {layer.name for layer in inner.layers} if inner is not None else set()

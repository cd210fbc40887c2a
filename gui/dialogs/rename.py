"""The sheet that asks for a layer's new name."""

from PySide6.QtWidgets import QWidget
from typing_extensions import override

from core.model.graph import Graph
from core.recipes import gestures
from gui.document.session import Session
from gui.widgets.cells import Field
from gui.widgets.sheet import FormSheet


class RenameSheet(FormSheet):
    """A name that is empty, holds a slash or is taken is answered by a sentence."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        fields = [Field("name", "", "text", spoken="New name", key="renameName")]
        super().__init__(parent, "rename", "Rename layer", 360, "Rename", fields)
        self._session = session
        self._path = ""
        self.name = self.form.line("name")
        self.name.textChanged.connect(self.check)

    def begin(self, path: str) -> None:
        """Ask for the new name of the layer at `path`."""
        self._path = self.about_layer = path
        self.title.setText(f"Rename {path}")
        self.name.setText(path.rpartition("/")[2])
        self.open(self.name)
        self.name.selectAll()

    @override
    def trouble(self) -> str:
        name = self.form.says()["name"]
        if not name:
            return "Enter a name for the layer."
        if "/" in name:
            return "A name cannot contain a slash; slashes separate a model from its layers."
        graph = self._session.after_graph
        if self.ready() and graph is not None and name in siblings(graph, self._path):
            return f"A layer named {name} already exists."
        return ""

    @override
    def ready(self) -> bool:
        return bool(self.form.says()["name"] != self._path.rpartition("/")[2])

    @override
    def finish(self) -> bool:
        edit = gestures.make_edit("rename_layer", layer=self._path, **self.form.values())
        self._session.gesture(lambda recipe: recipe.plus(edit), f"Rename {self._path} to {edit.name}")
        return True


def siblings(graph: Graph, path: str) -> set[str]:
    """The names of the layers at the level of the one at `path`."""
    try:
        return set(graph.around(path).by_name())
    except KeyError:
        return set()

"""Inner layers where the model ends, or after which it begins: lists of names, more by typing or from the selection."""

from collections.abc import Iterable
from typing import ClassVar

from PySide6.QtCore import QStringListModel, Qt, Slot
from PySide6.QtWidgets import QCompleter, QHBoxLayout, QListWidget, QPushButton, QVBoxLayout, QWidget
from typing_extensions import override

from core.findings import Finding
from core.model.graph import Graph
from core.recipes import gestures, steps
from gui.document.session import Session
from gui.widgets.fields import PlainLine
from gui.widgets.parts import IconButton, Look, Segments, Sentence, label, named

WAYS = (
    ("instead", "Instead of the head", "The model ends at these layers; what comes after is removed"),
    ("beside", "As well as the head", "The model keeps its own outputs and gives these too"),
)


class LayersForm(QWidget):
    """A list of layers that one step names. What the step is, subclasses say."""

    kind: ClassVar[str]
    title: ClassVar[str]
    spoken: ClassVar[str]
    tip: ClassVar[str]

    def __init__(self, session: Session, look: Look) -> None:
        super().__init__()
        self._session = session
        self._graph: Graph | None = None
        self._known: frozenset[str] = frozenset()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        heading = label(self.title, "fieldLabel")
        heading.setToolTip(self.tip)
        column.addWidget(heading)
        self.top = QVBoxLayout()
        column.addLayout(self.top)
        self.list = named(QListWidget(), f"{self.kind}Layers")
        self.list.setAccessibleName(f"Layers that are {self.spoken}s")
        self.list.currentTextChanged.connect(session.select)
        column.addWidget(self.list)
        row = QHBoxLayout()
        row.setSpacing(4)
        self.name = named(PlainLine(), f"{self.kind}Name")
        self.name.setAccessibleName(f"Layer to add as a new {self.spoken}")
        self.name.setPlaceholderText("Layer\u2026")
        self.name.setToolTip(self.tip)
        self._names = QStringListModel(self)
        completer = QCompleter(self._names, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.name.setCompleter(completer)
        self.name.returnPressed.connect(self.add_typed)
        row.addWidget(self.name, 1)
        self.add = IconButton(look, "plus", f"Add this layer as a new {self.spoken}")
        self.add.clicked.connect(self.add_typed)
        row.addWidget(self.add)
        self.trash = IconButton(look, "trash", f"Remove this {self.spoken}")
        self.trash.clicked.connect(self._on_trash)
        row.addWidget(self.trash)
        column.addLayout(row)
        self.selected = named(QPushButton("Add the selected layer"), f"{self.kind}Selected")
        self.selected.setAccessibleName(f"Add the selected layer as a new {self.spoken}")
        self.selected.clicked.connect(self._on_selected)
        column.addWidget(self.selected)
        self.problem = Sentence()
        column.addWidget(self.problem)
        session.recipe_changed.connect(self.refresh)
        session.plan_changed.connect(self.refresh)
        session.selection_changed.connect(self._show_selected)
        self.refresh()

    def chosen(self) -> tuple[str, ...]:
        """The layers that the recipe names."""
        raise NotImplementedError

    def choose(self, paths: Iterable[str]) -> None:
        """Let the recipe name these layers; none takes the step out."""
        raise NotImplementedError

    def candidates(self, graph: Graph) -> list[str]:
        """The layers that can be named."""
        raise NotImplementedError

    def unknown(self, name: str) -> str:
        """What to say of a name that is no candidate."""
        raise NotImplementedError

    @Slot()
    def refresh(self) -> None:
        """Show the layers that the recipe names."""
        chosen = list(self.chosen())
        if [self.list.item(row).text() for row in range(self.list.count())] != chosen:
            self.list.blockSignals(True)
            self.list.clear()
            self.list.addItems(chosen)
            self.list.blockSignals(False)
        self.list.setVisible(bool(chosen))
        self.list.setFixedHeight(min(4, max(1, len(chosen))) * 22 + 6)
        graph = self._session.before_graph
        if graph is not self._graph:
            self._graph = graph
            names = self.candidates(graph) if graph is not None and not graph.opaque else []
            self._known = frozenset(names)
            self._names.setStringList(names)
        self._show_selected()
        self.trash.setEnabled(bool(chosen))
        self.setEnabled(bool(self._known))

    @Slot()
    def _show_selected(self) -> None:
        selection = self._session.selection
        self.selected.setEnabled(selection in self._known and selection not in self.chosen())

    @Slot()
    def add_typed(self) -> None:
        """Add the layer whose name is typed."""
        name = self.name.text().strip()
        if not name:
            return
        if name not in self._known:
            self.problem.say(self.unknown(name))
            return
        self.problem.say("")
        # not cleared, which the line itself could undo: Ctrl+Z now means the step
        self.name.setText("")
        self.choose([*self.chosen(), name])

    @Slot()
    def _on_selected(self) -> None:
        self.choose([*self.chosen(), self._session.selection])

    @Slot()
    def _on_trash(self) -> None:
        row = max(self.list.currentRow(), 0)
        chosen = list(self.chosen())
        if row < len(chosen):
            del chosen[row]
            self.choose(chosen)


class OutputsForm(LayersForm):
    """`cut_at`: each named layer becomes an output, also inside nested models."""

    kind = "output"
    title = "Outputs at inner layers"
    spoken = "output"
    tip = "The outputs of these layers become outputs of the model"

    def __init__(self, session: Session, look: Look) -> None:
        self.ways = Segments(WAYS)
        self._beside = False
        super().__init__(session, look)
        self.ways.chosen.connect(self._on_way)
        self.top.addWidget(self.ways)

    def chosen(self) -> tuple[str, ...]:
        """The recipe's outputs."""
        return steps.outputs(self._session.recipe)

    def choose(self, paths: Iterable[str]) -> None:
        """Other outputs."""
        wanted = list(paths)
        graph = self._session.after_graph
        if self._beside and wanted and not self.chosen() and graph is not None:
            wanted = [*(ref.layer for ref in graph.output_refs()), *wanted]
        text = f"Outputs at {', '.join(wanted)}" if wanted else "Original outputs"
        self._session.gesture(lambda recipe: steps.set_outputs(recipe, wanted), text)

    @property
    def replacing(self) -> Finding | None:
        """What is said of a head that these outputs replace; `None` where it stays."""
        if not self.chosen():
            return None
        return next((one for one in self._session.findings if one.code == "outputs.replaced"), None)

    def keep_head(self) -> None:
        """The model's own outputs as well as these."""
        found = self.replacing
        if found is not None and self._session.planned:
            fix = found.fixes[0]
            self._session.gesture(lambda recipe: gestures.apply_fix(recipe, fix.edits), fix.title)

    @Slot(str)
    def _on_way(self, way: str) -> None:
        self._beside = way == "beside"
        graph, chosen = self._session.before_graph, self.chosen()
        if self._beside:
            self.keep_head()
        elif chosen and graph is not None:
            own = {ref.layer for ref in graph.output_refs()}
            inner = [name for name in chosen if name not in own and name in graph.by_path()]
            if inner:
                self.choose(inner)
        self.refresh()

    @Slot()
    @override
    def refresh(self) -> None:
        super().refresh()
        if self.chosen() and self._session.planned:
            self._beside = self.replacing is None
        self.ways.set_current("beside" if self._beside else "instead")
        self.ways.setEnabled(self.isEnabled())

    def candidates(self, graph: Graph) -> list[str]:
        """Every layer but the inputs."""
        return [path for path, layer in graph.walk() if not layer.is_input]

    def unknown(self, name: str) -> str:
        """Where nested layers are found."""
        return f"There is no layer \u201c{name}\u201d; nested layers are named like model/layer."


class StartsForm(LayersForm):
    """`start_at`: what each named layer gives becomes an input, and what lies before it is left out."""

    kind = "start"
    title = "Start after inner layers"
    spoken = "input"
    tip = "The outputs of these layers become the model\u2019s inputs; what comes before is removed"

    def chosen(self) -> tuple[str, ...]:
        """The layers after which the recipe begins."""
        return steps.starts(self._session.recipe)

    def choose(self, paths: Iterable[str]) -> None:
        """Begin elsewhere."""
        wanted = list(paths)
        text = f"Start after {', '.join(wanted)}" if wanted else "Start at the inputs again"
        self._session.gesture(lambda recipe: steps.set_starts(recipe, wanted), text)

    def candidates(self, graph: Graph) -> list[str]:
        """The layers at the top level whose outputs another layer takes."""
        taken = {ref.layer for layer in graph.layers for call in layer.calls for ref in call.inputs()}
        return [layer.name for layer in graph.layers if not layer.is_input and layer.name in taken]

    def unknown(self, name: str) -> str:
        """Why not every layer is one to begin after."""
        return f"There is no layer \u201c{name}\u201d at the top level that another layer follows."

"""Another file's model behind this one or beside it: which tensors meet, and under which names."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from core.errors import SutureError
from core.model.graph import Graph
from core.recipes import gestures
from gui.document.session import Session
from gui.widgets.cells import Field, Values
from gui.widgets.file_dialog import ask_file
from gui.widgets.form import Form
from gui.widgets.parts import ElidedLabel, Segments, label, named
from gui.widgets.sheet import Sheet

FILES = "Models (*.keras *.h5 *.hdf5 *.json);;All files (*)"
WEIGHTS = "Weights (*.weights.h5 *.h5 *.hdf5);;All files (*)"
WAYS = (
    ("series", "After this one", "It takes this model's output"),
    ("parallel", "In parallel", "Both give outputs, separately or merged"),
)


def in_series(said: Values) -> bool:
    """Whether the other model takes what this one gives."""
    return bool(said.get("how") == "series")


def in_parallel(said: Values) -> bool:
    """Whether both give outputs."""
    return bool(said.get("how") == "parallel")


FIELDS = (
    Field("output", "Continue from", "choice",
          spoken="Output of this model to continue from", key="joinOutput", shown=in_series),
    Field("input", "into its input", "text", spoken="Input of the other model", hint="its only one",
          read=lambda text: text or None, key="joinInput", shown=in_series),
    Field("shared", "Both take the same input", "flag", default=False, key="joinShared", above=True, shown=in_parallel),
    Field("merge", "Outputs", "choice", spoken="What to do with the outputs", key="joinMerge", shown=in_parallel,
          options=(("", "keep both outputs", "Outputs of this model first"),
                   ("concatenate", "concatenate them", "Joined along the last axis"),
                   ("average", "average them", "As in an ensemble"),
                   ("add", "add them", ""))),
    Field("nested", "Keep it as one layer", "flag", default=False, key="joinNested", above=True,
          help="As a nested model; otherwise its layers are added to this model\u2019s layers"),
    Field("prefix", "Prefix for its names", "text", spoken="Prefix of its layers' names",
          hint="only where a name is taken", read=lambda text: text or None, key="joinPrefix"),
)  # fmt: skip


class JoinSheet(Sheet):
    """Adds `join_models`. What does not fit is told by findings, with ways to make it fit."""

    asks = True

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent, "join", "Join another model", 460)
        self._session = session
        self.path, self.weights = "", ""
        self.column.addWidget(label("Join another model", "heading"))
        grid = QGridLayout()
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        self.choose, self.file = self._row(grid, 0, "Choose file\u2026", "joinFile", self.ask)
        self.add_weights, self.beside = self._row(grid, 1, "Choose weights\u2026", "joinWeights", self.ask_weights)
        self.add_weights.setToolTip("For an architecture (.json) whose weights are in a separate file")
        self.column.addLayout(grid)
        self.ways = Segments(WAYS)
        self.ways.set_current("series")
        self.ways.chosen.connect(self.set_way)
        self.column.addWidget(self.ways)
        self.form = Form(FIELDS)
        self.output, self.merge = self.form.choice("output"), self.form.choice("merge")
        self.input, self.prefix = self.form.line("input"), self.form.line("prefix")
        self.shared, self.nested = self.form.box("shared"), self.form.box("nested")
        self.form.entered.connect(self._on_apply)
        self.column.addWidget(self.form)
        self.problem = self.form.problem
        _, self.apply = self.add_buttons("Join", self._on_apply)
        self.take_weights("")
        self.set_way("series")

    def _row(self, grid: QGridLayout, row: int, text: str, name: str, action: Any) -> tuple[QPushButton, ElidedLabel]:
        button, said = named(QPushButton(text), name), ElidedLabel()
        button.clicked.connect(action)
        grid.addWidget(button, row, 0)
        grid.addWidget(said, row, 1)
        return button, said

    @Slot()
    def begin(self, path: str = "") -> None:
        """Show the sheet; ask for a file if there is none yet."""
        self._offer(self._session.after_graph)
        self.problem.say("")
        self.open(self.choose)
        if path:
            self.take(path)
        elif not self.path:
            self.ask()
        self.apply.setEnabled(bool(self.path))

    def _offer(self, graph: Graph | None) -> None:
        """The layers that it can go on from: outputs first, then the others from the end."""
        outputs = [ref.layer for ref in graph.output_refs()] if graph is not None else []
        only = len(outputs) == 1
        layers = [layer.name for layer in reversed(graph.layers) if layer.calls] if graph is not None else []
        rest = [name for name in layers if name not in outputs]
        first = [("", f"its output ({outputs[0]})" if only else "its outputs, in order", "")]
        known, more = self.output.key, [] if only else outputs
        names = list(dict.fromkeys([*more, *rest]))
        self.output.clear()  # a layer of another model would be kept
        self.output.set_options([*first, *((name, name, "") for name in names)])
        self.output.show_key(known if known in names else "")

    @Slot()
    def ask(self) -> None:
        """Choose the file."""
        ask_file(self, "Model to join", FILES, self.take)

    @Slot()
    def ask_weights(self) -> None:
        """Choose the file of its weights."""
        ask_file(self, "Weights of the model to join", WEIGHTS, self.take_weights)

    @Slot(str)
    def take(self, path: str) -> None:
        """This file."""
        if path != self.path:
            self.take_weights("")
        self.path = path
        self.file.setText(Path(path).name)
        self.apply.setEnabled(bool(path))

    @Slot(str)
    def take_weights(self, path: str) -> None:
        """These weights for it."""
        self.weights = path
        self.beside.setText(Path(path).name if path else "in the file itself")

    @Slot(str)
    def set_way(self, way: str) -> None:
        """Behind or beside."""
        self.ways.set_current(way)
        self.form.set_context(how=way)
        self.settle()

    def fields(self) -> dict[str, Any]:
        """The step's fields as the sheet says them."""
        found = {"file": self.path, "how": self.form.says()["how"], "weights": self.weights or None}
        return {**found, **self.form.values()}

    @Slot()
    def _on_apply(self) -> None:
        if not self.path:
            return
        edit = gestures.make_edit("join_models", **self.fields())
        try:
            edit.check()
        except SutureError as error:
            self.problem.say(error.message)
            return
        self._session.end_burst()
        self._session.gesture(lambda recipe: recipe.plus(edit), edit.summary())
        self.leave()

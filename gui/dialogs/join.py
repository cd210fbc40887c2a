"""Another file's model behind this one or beside it: which tensors meet, and under which names."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox, QFileDialog, QGridLayout, QHBoxLayout, QLineEdit, QPushButton, QWidget

from core.errors import SutureError
from core.model.graph import Graph
from core.recipes import gestures
from gui.session import Session
from gui.widgets.fields import Choice
from gui.widgets.parts import ElidedLabel, Segments, Sentence, label, named
from gui.widgets.sheet import Sheet

FILES = "Models (*.keras *.h5 *.hdf5 *.json);;All files (*)"
WEIGHTS = "Weights (*.weights.h5 *.h5 *.hdf5 *.npz);;All files (*)"
WAYS = (
    ("series", "After this one", "It takes this model's output"),
    ("parallel", "In parallel", "Both give outputs, separately or merged"),
)
MERGES = (
    ("", "keep both outputs", "Outputs of this model first"),
    ("concatenate", "concatenate them", "Joined along the last axis"),
    ("average", "average them", "As in an ensemble"),
    ("add", "add them", ""),
)


class JoinSheet(Sheet):
    """Adds `join_models`. What does not fit is told by findings, with ways to make it fit."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent, "join", "Join another model", 460)
        self._session = session
        self._dialog: QFileDialog | None = None
        self.path, self.weights, self._way = "", "", "series"
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
        self.series, self.parallel = QWidget(), QWidget()
        form = QGridLayout(self.series)
        form.setContentsMargins(0, 0, 0, 0)
        form.setColumnStretch(1, 1)
        self.output = named(Choice("Output of this model to continue from", ()), "joinOutput")
        form.addWidget(label("Continue from", "fieldLabel"), 0, 0)
        form.addWidget(self.output, 0, 1)
        self.input = named(QLineEdit(), "joinInput")
        self.input.setAccessibleName("Input of the other model")
        self.input.setPlaceholderText("its only one")
        form.addWidget(label("into its input", "fieldLabel"), 1, 0)
        form.addWidget(self.input, 1, 1)
        self.column.addWidget(self.series)
        side = QGridLayout(self.parallel)
        side.setContentsMargins(0, 0, 0, 0)
        side.setColumnStretch(1, 1)
        self.shared = named(QCheckBox("Both take the same input"), "joinShared")
        side.addWidget(self.shared, 0, 0, 1, 2)
        self.merge = named(Choice("What to do with the outputs", MERGES), "joinMerge")
        side.addWidget(label("Outputs", "fieldLabel"), 1, 0)
        side.addWidget(self.merge, 1, 1)
        self.column.addWidget(self.parallel)
        self.nested = named(QCheckBox("Keep it as one layer"), "joinNested")
        self.nested.setToolTip(
            "As a nested model; otherwise its layers are added to this model\N{RIGHT SINGLE QUOTATION MARK}s layers"
        )
        self.column.addWidget(self.nested)
        names = QHBoxLayout()
        names.addWidget(label("Put before its names", "fieldLabel"))
        self.prefix = named(QLineEdit(), "joinPrefix")
        self.prefix.setAccessibleName("Prefix of its layers' names")
        self.prefix.setPlaceholderText("only where a name is taken")
        names.addWidget(self.prefix, 1)
        self.column.addLayout(names)
        self.problem = Sentence()
        self.column.addWidget(self.problem)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.leave)
        buttons.addWidget(cancel)
        self.apply = named(QPushButton("Join"), "primary")
        self.apply.clicked.connect(self._on_apply)
        buttons.addWidget(self.apply)
        self.column.addLayout(buttons)
        for field in (self.input, self.prefix):
            field.returnPressed.connect(self._on_apply)
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
        self._ask("Model to join", FILES, self.take)

    @Slot()
    def ask_weights(self) -> None:
        """Choose the file of its weights."""
        self._ask("Weights of the model to join", WEIGHTS, self.take_weights)

    def _ask(self, title: str, kinds: str, taken: Any) -> None:
        self._dialog = QFileDialog(self.window(), title, "", kinds)
        self._dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._dialog.fileSelected.connect(taken)
        self._dialog.open()

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
        self.series.setVisible(way == "series")
        self.parallel.setVisible(way == "parallel")
        self._way = way
        self.settle()

    def fields(self) -> dict[str, Any]:
        """The step's fields as the sheet says them."""
        found: dict[str, Any] = {"file": self.path, "how": self._way, "weights": self.weights or None}
        if self._way == "series":
            found |= {"output": self.output.key or None, "input": self.input.text().strip() or None}
        else:
            found |= {"shared": self.shared.isChecked(), "merge": self.merge.key or None}
        return {**found, "nested": self.nested.isChecked(), "prefix": self.prefix.text().strip() or None}

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

"""Rules side by side: how far each moves the outputs from the old model's, and a button to take one."""

import os
from collections.abc import Sequence
from math import isfinite

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.errors import Cancelled, SutureError
from core.model.plan import RuleDrift
from core.recipes import gestures
from core.surgery.contracts import batch_shape
from core.surgery.inputs import old_input_words
from gui.dialogs.export import EXACT, drift_words
from gui.dialogs.own_files import SAMPLES, file_names
from gui.dialogs.ranking import Bar
from gui.document.work import Work
from gui.widgets.file_dialog import ask_file
from gui.widgets.parts import Look, Segments, Sentence, clear_layout, label, named
from gui.widgets.sheet import Sheet

DATA = (
    ("random", "Random inputs", "Random inputs with a fixed seed and large structures, like photographs"),
    ("own", "My files\u2026", "Your own images or .npy files"),
    ("folder", "A folder\u2026", "All images and .npy files of a folder"),
)


class CompareSheet(Sheet):
    """Shows a comparison as it comes."""

    tells = True

    def __init__(self, work: Work, look: Look, parent: QWidget) -> None:
        super().__init__(parent, "compare", "Compare rules", 460)
        self._comparing, self._session, self._look = work.comparing, work.session, look
        self._looking = work.looking
        self._asked: tuple[int | None, str | None] = (None, None)
        self.inputs: tuple[str, ...] = ()
        self.column.addWidget(label("Compare rules", "heading"))
        text = (
            "How far the outputs are from those of the old model, measured by running both. Shorter is better; the "
            "scale is logarithmic: an eighth of a bar is a factor of 10, a full bar is 100 % or more."
        )
        self.column.addWidget(label(text, "small", wrap=True))
        self.given = Sentence("small")
        self.column.addWidget(self.given)
        line = QHBoxLayout()
        self.data = Segments(DATA)
        self.data.chosen.connect(self._on_data)
        line.addWidget(self.data)
        line.addStretch(1)
        self.column.addLayout(line)
        self.files = Sentence("small")
        self.column.addWidget(self.files)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setAccessibleName("Measuring")
        self.column.addWidget(self.bar)
        self.problem = Sentence()
        self.column.addWidget(self.problem)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(12)
        self.column.addLayout(self._rows)
        self.buttons: list[QPushButton] = []
        self.close_button, _ = self.add_buttons(leave="Close")
        work.comparing.finished.connect(self.on_compared)
        work.comparing.failed.connect(self.on_failed)
        work.looking.finished.connect(self._on_looked)

    def begin(self, *, number: int | None = None, weight: str | None = None) -> None:
        """Measure the rules for a step (counted from 1) or for a weight that does not fit."""
        self._asked = (number, weight)
        self.open(self.close_button)
        self._measure()

    def use(self, paths: Sequence[str]) -> None:
        """Measure on the person's own files; none means random inputs."""
        self.inputs = tuple(paths)
        self._measure()

    def _measure(self) -> None:
        clear_layout(self._rows)
        self.buttons = []
        self.problem.say("")
        self._show_data()
        self.files.say(file_names(self.inputs))
        if self.inputs:
            self._looking.begin(self.inputs)
        self.given.say(self._given())
        self.bar.show()
        number, weight = self._asked
        self._comparing.begin(number=number, weight=weight, inputs=self.inputs)

    def _given(self) -> str:
        """What the old model gets where the planned one has inputs of another size or other channels."""
        source, plan = self._session.source, self._session.plan
        if source is None or plan is None:
            return ""
        olds = {layer.name: batch_shape(layer) for layer in source.graph.input_layers()}
        said = (old_input_words(port.name, olds.get(port.name), port.shape) for port in plan.inputs)
        return " ".join(words for words in said if words)

    @Slot(str)
    def _on_data(self, key: str) -> None:
        if key == "random":
            self.use(())
            return
        self._show_data()
        if key == "folder":
            ask_file(self, "Compare on a folder", "", lambda path: self.use([path]), mode="folder")
        else:
            ask_file(self, "Compare on your own inputs", SAMPLES, self.use, mode="many")

    def _show_data(self) -> None:
        one = len(self.inputs) == 1 and os.path.isdir(self.inputs[0])
        self.data.set_current("folder" if one else "own" if self.inputs else "random")

    @Slot(object)
    def _on_looked(self, notes: Sequence[str]) -> None:
        """What was done to the person's files so that they fit."""
        if self.inputs and self._looking.paths == self.inputs:
            self.files.say(f"{file_names(self.inputs)}: {' '.join(notes)}")

    @Slot(object)
    def on_compared(self, drifts: Sequence[RuleDrift]) -> None:
        """The ranking, smallest drift first."""
        self.bar.hide()
        clear_layout(self._rows)
        self.buttons = []
        if not drifts:
            self.problem.say("No rule fits.")
        for one in drifts:
            self._rows.addLayout(self._row(one))

    def _row(self, one: RuleDrift) -> QGridLayout:
        row = QGridLayout()
        row.setVerticalSpacing(2)
        row.setHorizontalSpacing(12)
        row.setColumnStretch(0, 1)
        row.addWidget(label(one.title, wrap=True), 0, 0)
        row.addWidget(Bar(self._look, one.drift), 1, 0)
        finite = isfinite(one.drift)
        words = drift_words(one.drift, exact=one.drift < EXACT) if finite else "does not give finite outputs"
        if not one.alike:
            words = "its outputs have other shapes than the old model\u2019s, so they cannot be compared"
        row.addWidget(label(words, "small", wrap=True), 2, 0)
        take = named(QPushButton("Use"), "fix")
        take.setAccessibleName(f"Use {one.title}")
        take.clicked.connect(lambda _=False: self._take(one))
        row.addWidget(take, 0, 1, 3, 1, Qt.AlignmentFlag.AlignVCenter)
        self.buttons.append(take)
        return row

    def _take(self, one: RuleDrift) -> None:
        self._session.gesture(lambda recipe: gestures.apply_fix(recipe, one.edits), f"Use {one.title}")
        self.leave()

    @Slot(object)
    def on_failed(self, error: SutureError) -> None:
        """Why it could not be measured."""
        self.bar.hide()
        if not isinstance(error, Cancelled):
            self.problem.say(error.message)

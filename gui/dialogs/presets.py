"""Presets by name: what each does, whether it fits this model, and one click to add its steps."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QPushButton, QVBoxLayout, QWidget

from core.edits import ChangeInput, CutAt, TransferWeights
from core.layers.descriptions import RecipeCheck
from core.model.graph import Graph
from core.recipes import gestures
from core.recipes.presets import Preset, presets
from gui.document.work import Work
from gui.panels.input import axis_of, input_shapes
from gui.widgets.parts import IconLabel, Look, Sentence, clear_layout, label, named, scrolling
from gui.widgets.sheet import Sheet


class PresetSheet(Sheet):
    """`transfer_wanted`: the preset needs a file of weights, so that the sheet for them takes over."""

    transfer_wanted = Signal()
    applied = Signal(str)

    def __init__(self, work: Work, look: Look, parent: QWidget) -> None:
        super().__init__(parent, "presets", "Presets", 470)
        self._inquiries, self._session, self._look = work.inquiries, work.session, look
        self.column.addWidget(label("Presets", "heading"))
        text = "Each preset adds its steps to the recipe; one undo removes them. Sizes and layers come from this model."
        self.column.addWidget(label(text, "small", wrap=True))
        inside = QWidget()
        self._rows = QVBoxLayout(inside)
        self._rows.setContentsMargins(0, 0, 6, 0)
        self._rows.setSpacing(12)
        area = scrolling(inside)
        area.setMinimumHeight(420)
        self.column.addWidget(area, 1)
        self.problem = Sentence()
        self.column.addWidget(self.problem)
        self.close_button, _ = self.add_buttons(leave="Close")
        self.presets = presets()
        self.steps: list[tuple[Any, ...]] = []
        self.buttons: list[QPushButton] = []
        self.reasons: list[Sentence] = []
        self._marks: list[IconLabel] = []
        self._inquiries.checks_known.connect(self.on_checks)

    @Slot()
    def begin(self) -> None:
        """Show the presets and ask which fit."""
        session = self._session
        graph = session.after_graph
        self.steps = [fitted(preset, graph, session.selection) for preset in self.presets]
        clear_layout(self._rows)
        self.buttons, self.reasons, self._marks = [], [], []
        for preset, steps in zip(self.presets, self.steps, strict=True):
            self._rows.addLayout(self._row(preset, steps))
        self._rows.addStretch(1)
        self.open(self.close_button)
        self._inquiries.check([gestures.apply_fix(session.applicable, steps) for steps in self.steps])

    def _row(self, preset: Preset, steps: tuple[Any, ...]) -> QGridLayout:
        row = QGridLayout()
        row.setHorizontalSpacing(10)
        row.setVerticalSpacing(1)
        row.setColumnStretch(1, 1)
        mark = IconLabel(self._look, "clock", "faint")
        row.addWidget(mark, 0, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(label(preset.title), 0, 1)
        row.addWidget(label(preset.text, "small", wrap=True), 1, 1)
        reason = Sentence("small")
        row.addWidget(reason, 2, 1)
        needs_file = any(isinstance(edit, TransferWeights) for edit in steps)
        use = named(QPushButton("Choose file\u2026" if needs_file else "Use"), "fix")
        use.setAccessibleName(f"Use {preset.title}")
        use.clicked.connect(lambda _=False: self.take(preset, steps))
        use.setEnabled(needs_file)
        if needs_file:
            mark.set_icon("file", "muted")
        row.addWidget(use, 0, 2, 3, 1, Qt.AlignmentFlag.AlignTop)
        self.buttons.append(use)
        self.reasons.append(reason)
        self._marks.append(mark)
        return row

    @Slot(object)
    def on_checks(self, checks: Sequence[RecipeCheck]) -> None:
        """Mark what fits; what does not says why."""
        for preset, steps, check, use, reason, mark in zip(
            self.presets, self.steps, checks, self.buttons, self.reasons, self._marks, strict=False
        ):
            if any(isinstance(edit, TransferWeights) for edit in steps):
                continue
            use.setEnabled(check.ok)
            mark.set_icon("check" if check.ok else "info", "success" if check.ok else "faint")
            reason.say(preset.hint if check.ok else f"Does not fit here: {plain(check.reason)}")

    def take(self, preset: Preset, steps: tuple[Any, ...]) -> None:
        """Add a preset's steps."""
        if any(isinstance(edit, TransferWeights) for edit in steps):
            self.leave()
            self.transfer_wanted.emit()
            return
        self._session.end_burst()
        self._session.gesture(lambda recipe: gestures.apply_fix(recipe, steps), preset.title)
        self.leave()
        self.applied.emit(preset.title)


def plain(reason: str) -> str:
    """A refusal without the number of the edit, which means nothing to who did not write it."""
    head, colon, rest = reason.partition(": ")
    return rest if colon and head.lower().startswith("edit ") else reason


def fitted(preset: Preset, graph: Graph | None, selection: str) -> tuple[Any, ...]:
    """A preset's steps with this model's own sizes (where `own_sizes`), and the selected layer for one it lacks."""
    found: list[Any] = []
    shapes = input_shapes(graph) if graph is not None else []
    paths = {path for path, _ in graph.walk()} if graph is not None else set()
    for edit in preset.steps():
        if isinstance(edit, ChangeInput) and preset.own_sizes and graph is not None and len(shapes) == 1:
            layer, shape = shapes[0]
            axis = axis_of(graph, layer.name, shape)
            if axis is not None and len(shape) == len(edit.shape) + 1:
                channels = edit.shape[-1]
                own = [channels if place == axis else size for place, size in enumerate(shape) if place]
                edit = replace(edit, shape=tuple(own))
        if isinstance(edit, CutAt) and selection in paths and not set(edit.layers) <= paths:
            edit = replace(edit, layers=(selection,))
        found.append(edit)
    return tuple(found)

"""One step of the recipe as text, for everything that no panel has a field for."""

import json

import msgspec
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QWidget

from core.errors import SutureError
from core.recipes import gestures
from core.recipes.recipe import Recipe
from gui.models.recipe import step_words
from gui.session import Session
from gui.widgets.parts import Sentence, label, named
from gui.widgets.sheet import Sheet


class StepSheet(Sheet):
    """Shows a step's JSON; what makes sense can be applied, what does not is answered by a sentence."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent, "step", "Edit step", 440)
        self._session = session
        self._row = 0
        self.title = label("", "heading", wrap=True)
        self.column.addWidget(self.title)
        self.text = named(QPlainTextEdit(), "field")
        self.text.setAccessibleName("The step as JSON")
        self.text.setMinimumHeight(170)
        self.text.setTabChangesFocus(True)
        self.text.textChanged.connect(self._check)
        self.column.addWidget(self.text)
        self.problem = Sentence()
        self.column.addWidget(self.problem)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.leave)
        buttons.addWidget(cancel)
        self.apply = named(QPushButton("Apply"), "primary")
        self.apply.clicked.connect(self._on_apply)
        buttons.addWidget(self.apply)
        self.column.addLayout(buttons)

    def edit(self, row: int) -> None:
        """Show step number `row`, counted from 0."""
        step = self._session.recipe.edits[row]
        self._row = row
        self.title.setText(f"Step {row + 1}")
        self.text.setPlainText(json.dumps(msgspec.to_builtins(step), indent=2))
        self.open(self.text)

    def _parsed(self) -> tuple[Recipe | None, str]:
        """The recipe with the text in the step's place, or what is wrong."""
        try:
            raw = json.loads(self.text.toPlainText())
            edited = msgspec.convert({"edits": [raw]}, Recipe).edits[0]
            edited.check()
        except ValueError as error:
            return None, f"This is not a valid step: {str(error).partition(' - at')[0]}."
        except SutureError as error:
            return None, error.message
        steps = list(self._session.recipe.edits)
        if self._row >= len(steps):
            return None, "The step no longer exists; close this and choose another."
        steps[self._row] = edited
        return gestures.with_steps(self._session.recipe, steps), ""

    @Slot()
    def _check(self) -> None:
        recipe, problem = self._parsed()
        self.problem.say(problem)
        self.apply.setEnabled(recipe is not None)

    @Slot()
    def _on_apply(self) -> None:
        recipe, _ = self._parsed()
        if recipe is not None:
            self._session.change_recipe(recipe, f"Edit: {step_words(recipe.edits[self._row])}")
            self.leave()

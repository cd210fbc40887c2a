"""One step of the recipe as text, for everything that no panel has a field for."""

import json

import msgspec
from PySide6.QtWidgets import QWidget
from typing_extensions import override

from core.errors import SutureError
from core.recipes import gestures
from core.recipes.recipe import Recipe
from gui.document.session import Session
from gui.models.recipe import step_words
from gui.widgets.cells import Field
from gui.widgets.sheet import FormSheet


class StepSheet(FormSheet):
    """Shows a step's JSON; what makes sense can be applied, what does not is answered by a sentence."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        fields = [Field("step", "", "lines", spoken="The step as JSON", low=170, key="field")]
        super().__init__(parent, "step", "Edit step", 440, "Apply", fields)
        self._session = session
        self._row = 0
        self.text = self.form.text("step")

    def edit(self, row: int) -> None:
        """Show step number `row`, counted from 0."""
        self._row = row
        self.title.setText(f"Step {row + 1}")
        step = self._session.recipe.edits[row]
        self.form.show_values({"step": json.dumps(msgspec.to_builtins(step), indent=2)})
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

    @override
    def trouble(self) -> str:
        return self._parsed()[1]

    @override
    def finish(self) -> bool:
        recipe, _ = self._parsed()
        if recipe is not None:
            self._session.change_recipe(recipe, f"Edit: {step_words(recipe.edits[self._row])}")
        return recipe is not None

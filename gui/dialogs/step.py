"""One step of the recipe: explained in words, edited in a form or as JSON, copied for a file or for a terminal."""

import json

import msgspec
from PySide6.QtCore import Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget
from typing_extensions import override

from core.errors import SutureError
from core.recipes import gestures
from core.recipes.recipe import Recipe, to_json
from core.recipes.words import explained, title
from gui.document.work import Work
from gui.models.command import command_line
from gui.models.recipe import step_words
from gui.models.step_form import fields_of, said_step, shown_values
from gui.widgets.cells import Field
from gui.widgets.form import Form
from gui.widgets.parts import Segments, Sentence, clear_layout, named, scrolling
from gui.widgets.sheet import FormSheet

PAGES = (
    ("form", "Form", "A field for each setting"),
    ("json", "JSON", "The step as it stands in a recipe file"),
)
LOWEST = 220


class StepSheet(FormSheet):
    """Shows a step; what makes sense can be applied, what does not is answered by a sentence.

    The step\u2019s JSON is what counts: a field that is changed writes it, and JSON that makes sense fills the fields.
    """

    def __init__(self, work: Work, parent: QWidget) -> None:
        fields = [
            Field("step", "", "lines", spoken="The step as JSON", low=LOWEST, key="field",
                  shown=lambda said: said.get("page") == "json")
        ]  # fmt: skip
        super().__init__(parent, "step", "Edit step", 460, "Apply", fields)
        self._session, self._trust = work.session, work.trust
        self._row = 0
        self._of: type | None = None
        self._quiet = False
        self.text = self.form.text("step")
        self.words = Sentence("small")
        self.words.setAccessibleName("What the step does")
        self.effect = Sentence("small")
        self.effect.setAccessibleName("What would change if it were switched the other way")
        self._effects = work.effects
        self._effects.known.connect(self._on_effect)
        self.pages = Segments(PAGES)
        self.pages.chosen.connect(self.show_page)
        holder = QWidget()
        self._place = QVBoxLayout(holder)
        self._place.setContentsMargins(0, 0, 6, 0)
        self.fields = Form(())
        self._place.addWidget(self.fields)
        self.area = scrolling(holder)
        self.area.setAccessibleName("The step\u2019s settings")
        self.area.setMinimumHeight(LOWEST)
        for place, widget in enumerate((self.words, self.effect, self.pages, self.area), 1):
            self.column.insertWidget(place, widget)
        self.copy_json = named(QPushButton("Copy as JSON"), "link")
        self.copy_json.setToolTip("Copy the step as it stands in a recipe file")
        self.copy_json.clicked.connect(self._on_copy_json)
        self.copy_command = named(QPushButton("Copy as command line"), "link")
        self.copy_command.setToolTip("Copy a command that applies the recipe with this step in a terminal")
        self.copy_command.clicked.connect(self._on_copy_command)
        row = QHBoxLayout()
        row.addWidget(self.copy_json)
        row.addWidget(self.copy_command)
        row.addStretch(1)
        self.column.insertLayout(self.column.count() - 1, row)

    def edit(self, row: int) -> None:
        """Show step number `row`, counted from 0."""
        self._row = row
        step = self._session.recipe.edits[row]
        self.title.setText(f"Step {row + 1}: {title(step)}")
        self._of = None
        self._quiet = True
        self.form.show_values({"step": json.dumps(msgspec.to_builtins(step), indent=2)})
        self._quiet = False
        self._fill(step)
        self.effect.say("")
        self.show_page("form")
        self.check()
        self._effects.want(row)
        first = next((line for cell in self.fields.cells.values() for line in cell.lines()), None)
        self.open(first or self.pages.button("form"))

    @Slot(int)
    def _on_effect(self, row: int) -> None:
        lines, steps = self._effects.lines(row), self._session.recipe.edits
        if row == self._row and lines and row < len(steps):
            way = "off" if steps[row].enabled else "on"
            self.effect.say(f"If you switch it {way}: {'; '.join(line.rstrip('.') for line in lines)}.")
            self.settle()

    @Slot(str)
    def show_page(self, page: str) -> None:
        """The form, or the step as JSON."""
        self.pages.set_current(page)
        self.area.setVisible(page == "form")
        self.form.set_context(page=page)
        self.settle()

    def _fill(self, step: object) -> None:
        """Show a step in the fields."""
        if type(step) is not self._of:
            self._of = type(step)
            clear_layout(self._place)
            self.fields = Form(fields_of(step))
            self.fields.edited.connect(self._on_field)
            self._place.addWidget(self.fields)
            self._place.addStretch(1)
        self._quiet = True
        self.fields.show_values(shown_values(step))
        self._quiet = False
        self.words.say(explained(step))

    @Slot()
    def _on_field(self) -> None:
        """A field was changed: the JSON follows."""
        if self._quiet:
            return
        if not self.fields.wrong():
            step = said_step(self._session.recipe.edits[self._row], self.fields.says())
            self._quiet = True
            self.text.setPlainText(json.dumps(step, indent=2))
            self._quiet = False
        self.check()
        recipe, _ = self._parsed()
        if recipe is not None:
            self.words.say(explained(recipe.edits[self._row]))

    def _parsed(self) -> tuple[Recipe | None, str]:
        """The recipe with the text in the step\u2019s place, or what is wrong."""
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
    @override
    def check(self) -> None:
        recipe, _ = self._parsed()
        if recipe is not None and not self._quiet and not self.fields.wrong():
            self._fill(recipe.edits[self._row])
        super().check()
        for button in (self.copy_json, self.copy_command):
            button.setEnabled(self.apply.isEnabled())

    @override
    def trouble(self) -> str:
        return self.fields.wrong() or self._parsed()[1]

    @override
    def finish(self) -> bool:
        recipe, _ = self._parsed()
        if recipe is not None:
            self._session.change_recipe(recipe, f"Edit: {step_words(recipe.edits[self._row])}")
        return recipe is not None

    @Slot()
    def _on_copy_json(self) -> None:
        recipe, _ = self._parsed()
        if recipe is not None:
            step = msgspec.to_builtins(recipe.edits[self._row])
            QGuiApplication.clipboard().setText(json.dumps(step, indent=2, ensure_ascii=False))

    @Slot()
    def _on_copy_command(self) -> None:
        recipe, _ = self._parsed()
        source = self._session.source
        if recipe is not None and source is not None:
            QGuiApplication.clipboard().setText(
                command_line(source, to_json(recipe), self._trust.code, trust=self._trust.trusted)
            )

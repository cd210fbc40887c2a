"""Whether a step would work, asked of the engine before it is made."""

from typing import Any

import msgspec
from PySide6.QtCore import QObject, Signal

from core.errors import SutureError
from core.layers.descriptions import RecipeCheck
from core.recipes.recipe import Recipe
from core.service.messages import CheckRecipes
from gui.document.processes import Processes
from gui.document.session import Session


class Trials(QObject):
    """`known` says that an answer has come. Answers hold until the recipe or the model is another."""

    known = Signal()

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._engine = session, processes.engine
        self._answers: dict[bytes, RecipeCheck | None] = {}
        session.recipe_changed.connect(self._answers.clear)
        session.source_changed.connect(self._answers.clear)

    def check(self, edit: Any) -> RecipeCheck | None:
        """Whether the plan with one more step has no error that it has not now; `None` until the engine has said so."""
        key = msgspec.json.encode(edit)
        if key not in self._answers:
            self._answers[key] = None
            recipe = self._session.recipe
            body = CheckRecipes(recipes=(recipe, recipe.plus(edit)))
            self._engine.ask(
                body,
                lambda checks: self._take(key, recipe, checks),
                lambda error: self._refused(key, recipe, error),
            )
        return self._answers[key]

    def _take(self, key: bytes, recipe: Recipe, checks: tuple[RecipeCheck, RecipeCheck]) -> None:
        now, then = checks
        # an error that is there already is no fault of this step's
        same = not now.ok and then.reason == now.reason
        self._settle(key, recipe, RecipeCheck(True) if same else then)

    def _refused(self, key: bytes, recipe: Recipe, error: SutureError) -> None:
        self._settle(key, recipe, RecipeCheck(False, error.message))

    def _settle(self, key: bytes, recipe: Recipe, check: RecipeCheck) -> None:
        if recipe is self._session.recipe and key in self._answers:
            self._answers[key] = check
            self.known.emit()

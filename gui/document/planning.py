"""The plan keeps up with the recipe: every recipe is asked for at once, which ends the planning of the one before, and
an answer for an older recipe is thrown away.
"""

from PySide6.QtCore import QObject, Slot

from core.errors import Cancelled, SutureError
from core.model.plan import Plan
from core.recipes.recipe import Recipe
from core.service.messages import MakePlan, SetSource
from gui.document.processes import Processes, details
from gui.document.session import Session


class Planning(QObject):
    """Answers the session's wishes for a base and for plans."""

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._processes = session, processes
        self._engine = processes.engine
        self._asked: int | None = None
        self._recipe = Recipe()
        self._basing = False
        """Whether what is asked for is the base of a new source."""
        self._held = False
        self._resting = False
        self._base_due = False
        session.base_wanted.connect(self._ask_base)
        session.plan_wanted.connect(self.ask)

    def hold(self, held: bool) -> None:
        """Plans wait while the engine is at a long job, and are caught up with afterwards."""
        self._held = held
        if not held and self._asked is None and not self._session.planned:
            self.ask()

    def rest(self, resting: bool) -> None:
        """Nobody sees the document: what it wants is caught up with when somebody does."""
        if resting == self._resting:
            return
        self._resting = resting
        if resting or self._session.source is None:
            return
        if self._base_due and self._session.base is None:
            self._ask_base()
        elif self._asked is None and not self._session.planned:
            self.ask()

    @Slot()
    def _ask_base(self) -> None:
        self._forget()
        source = self._session.source
        self._base_due = self._resting and source is not None
        if self._base_due:
            self._session.planning_changed.emit(True)
        elif source is None:
            self._session.planning_changed.emit(False)
        else:
            self._basing = True
            self._set(self._engine.ask(SetSource(source=source), self._on_base, self._on_base_failed))

    def _on_base(self, plan: Plan) -> None:
        self._set(None)
        self._session.take_base(plan)
        self.ask()

    def _on_base_failed(self, error: SutureError) -> None:
        self._set(None)
        self._session.take_refusal(error, self._session.recipe)
        if not isinstance(error, Cancelled):
            self._session.problem.emit(error.message, details(error))

    def _forget(self) -> None:
        """Nobody waits for what is asked any more; if the engine is at it, the next recipe ends it there."""
        if self._asked is not None:
            self._engine.drop(self._asked)
            self._set(None)

    @Slot()
    def ask(self) -> None:
        """Ask for the plan of the recipe as it is now, unless the base or a long job has to come first."""
        session = self._session
        if session.source is None:
            return
        recipe = session.recipe
        if self._held or self._resting or (self._asked is not None and (self._basing or self._recipe == recipe)):
            session.planning_changed.emit(True)
            return
        self._forget()
        if session.base is not None and recipe.active() == ():
            self._processes.survived()
            session.take_plan(session.base, recipe)
            return
        self._recipe, self._basing = recipe, False
        self._set(self._engine.ask(MakePlan(recipe=recipe), self._on_plan, self._on_plan_failed))

    def _on_plan(self, plan: Plan) -> None:
        self._set(None)
        if self._recipe != self._session.recipe:
            self.ask()
            return
        self._processes.survived()
        self._session.take_plan(plan, self._recipe)

    def _on_plan_failed(self, error: SutureError) -> None:
        self._set(None)
        if self._recipe != self._session.recipe:
            self.ask()
            return
        self._session.take_refusal(error, self._recipe)
        if not isinstance(error, Cancelled):
            self._session.note.emit(error.message)

    def _set(self, asked: int | None) -> None:
        self._asked = asked
        self._session.await_plan(asked is not None)

"""Writing the result, and checking it right afterwards."""

from typing import Any

from PySide6.QtCore import QObject
from typing_extensions import override

from core.errors import SutureError
from core.recipes.recipe import Recipe
from core.service.messages import Apply
from gui.document.job import Job
from gui.document.processes import Processes
from gui.document.session import Session


class Exporting(Job):
    """A recipe whose result was written and passed its check counts as saved."""

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(processes.engine, processes.cancel_engine, parent)
        self._session = session
        self._asked = Recipe()

    def begin(self, out: str, *, verify: bool) -> None:
        """Write the result of the current recipe to a path."""
        self._asked = self._session.recipe
        self._begin(out, Apply(recipe=self._asked, out=out, verify=verify))

    @override
    def settle(self, answer: Any) -> None:
        if answer.verification is None or answer.verification.ok:
            self._session.note.emit(f"wrote {answer.written}")
            self._session.mark_saved(self._asked)
        else:
            self._session.note.emit(f"kept {answer.written}, which failed verification")

    @override
    def refuse(self, error: SutureError) -> None:
        self._session.note.emit(error.message)

"""Writing the result, and checking it right afterwards."""

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from typing_extensions import override

from core.errors import NotChecked, SutureError
from core.recipes.recipe import Recipe
from core.service.messages import Apply, CheckAgain
from gui.document.job import Job
from gui.document.processes import Processes
from gui.document.session import Session

if TYPE_CHECKING:
    from core.readers.source import Source


class Exporting(Job):
    """A recipe whose result was written and passed its check counts as saved."""

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(processes.engine, processes.cancel_engine, parent)
        self._session = session
        self._asked = Recipe()
        self._source: Source | None = None

    def begin(self, out: str, *, verify: bool) -> None:
        """Write the result of the current recipe to a path."""
        self._asked, self._source = self._session.recipe, self._session.source
        self._begin(out, Apply(recipe=self._asked, out=out, verify=verify))

    def check_again(self, out: str, inputs: tuple[str, ...] = (), *, current: bool = False) -> None:
        """Check the result that is kept unverified for a path, by the recipe that it was written from.

        `current` says that this is not known, so it is the current one.
        """
        if current:
            self._asked, self._source = self._session.recipe, self._session.source
        self._begin(out, CheckAgain(recipe=self._asked, out=out, inputs=inputs))

    @override
    def settle(self, answer: Any) -> None:
        if answer.verification is None or answer.verification.ok:
            self._session.note.emit(f"wrote {answer.written}")
            self.named()
        else:
            self._session.note.emit(f"kept {answer.written}, which failed verification")

    def named(self) -> None:
        """The result has the name that it was meant for, so the recipe is somewhere else too."""
        if self._session.source is self._source:
            self._session.mark_saved(self._asked)

    @override
    def refuse(self, error: SutureError) -> None:
        self._session.note.emit(error.message)
        if isinstance(error, NotChecked) and error.fields["passed"]:
            self.named()

"""Checking a written file again, against source and recipe."""

from PySide6.QtCore import QObject

from core.service.messages import Verify
from gui.document.job import Job
from gui.document.processes import Processes
from gui.document.session import Session


class Verifying(Job):
    """On random inputs, or on the person's own files."""

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(processes.engine, processes.cancel_engine, parent)
        self._session = session

    def begin(self, out: str, inputs: tuple[str, ...] = ()) -> None:
        """Check the file at a path."""
        self._begin(out, Verify(recipe=self._session.recipe, out=out, inputs=inputs))

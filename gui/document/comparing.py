"""Measuring every rule that fits a step or a weight."""

from PySide6.QtCore import QObject

from core.service.messages import CompareRules
from gui.document.job import Job
from gui.document.processes import Processes
from gui.document.session import Session


class Comparing(Job):
    """The answer is a ranking, the smallest drift first."""

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(processes.engine, processes.cancel_engine, parent)
        self._session = session

    def begin(self, *, number: int | None = None, weight: str | None = None, inputs: tuple[str, ...] = ()) -> None:
        """Measure the rules for a step (counted from 1) or for a weight."""
        body = CompareRules(recipe=self._session.applicable, number=number, weight=weight, inputs=inputs)
        self._begin(weight or f"step {number}", body)

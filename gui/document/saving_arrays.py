"""Saving arrays in a file of their own."""

from typing import Any

from PySide6.QtCore import QObject
from typing_extensions import override

from core.errors import SutureError
from core.service.messages import SaveArrays
from gui.document.job import Job
from gui.document.processes import Processes
from gui.document.session import Session


class SavingArrays(Job):
    """Of the result, or of the source as its file holds them."""

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(processes.engine, processes.cancel_engine, parent)
        self._session = session

    def begin(self, out: str, patterns: tuple[str, ...], *, result: bool) -> None:
        """Save what these paths of arrays or layers mean; none means all."""
        recipe = self._session.recipe if result else None
        self._begin(out, SaveArrays(out=out, recipe=recipe, patterns=patterns))

    @override
    def settle(self, answer: Any) -> None:
        self._session.note.emit(f"saved {answer.arrays:,} arrays as {answer.written}")

    @override
    def refuse(self, error: SutureError) -> None:
        self._session.note.emit(error.message)

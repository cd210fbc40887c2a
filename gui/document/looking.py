"""What the person's own files are to the model, before anything is run on them."""

from collections.abc import Sequence

from PySide6.QtCore import QObject

from core.service.messages import LookAtInputs
from gui.document.job import Job
from gui.document.processes import Processes
from gui.document.session import Session


class Looking(Job):
    """`finished` carries sentences: what there is, and what is done to it so that it fits."""

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(processes.engine, processes.cancel_engine, parent)
        self._session = session
        self.paths: tuple[str, ...] = ()
        """What was asked about last."""

    def begin(self, paths: Sequence[str]) -> None:
        """Look at files and folders."""
        self.paths = tuple(paths)
        self._begin(self.paths[0], LookAtInputs(recipe=self._session.recipe, inputs=self.paths))

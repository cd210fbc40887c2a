"""How far an export or a check is: one fraction and a few words, for whoever shows them.

Loading and running a model say nothing while they last, so the fraction creeps on towards the next stage: it never
stands still, never goes back and is never full before the end.
"""

from typing import NamedTuple

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from gui.document.job import Job

STEP_MS = 100
CREEP = 0.02
"""The part of what is left of a stage that goes by in one step without word from the engine."""


class Stage(NamedTuple):
    """Where a stage begins and ends, of all that there is to do, and what is said of it."""

    begin: float
    end: float
    words: str


WRITING = {
    "planning": Stage(0.0, 0.04, "planning"),
    "writing": Stage(0.04, 0.5, "writing the weights"),
    "building": Stage(0.04, 0.2, "building the model"),
    "exporting": Stage(0.2, 0.5, "exporting"),
    "reloading": Stage(0.5, 0.65, "reloading in Keras"),
    "comparing weights": Stage(0.65, 0.78, "comparing the weights"),
    "running": Stage(0.78, 0.86, "running the new model"),
    "comparing outputs": Stage(0.86, 1.0, "comparing the outputs of both models"),
}
"""An export with its check."""
UNCHECKED = 0.5
"""How much of it there is where nothing is checked."""
ALONE = {
    "planning": Stage(0.0, 0.04, "planning"),
    "reloading": Stage(0.04, 0.35, "reloading in Keras"),
    "comparing weights": Stage(0.35, 0.6, "comparing the weights"),
    "running": Stage(0.6, 0.75, "running the new model"),
    "comparing outputs": Stage(0.75, 1.0, "comparing the outputs of both models"),
}
"""A check of a file that is there."""


class Advance(QObject):
    """`moved` whenever words or fraction are others; both are empty while nothing is under way."""

    moved = Signal()

    def __init__(self, jobs: tuple[Job, ...], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stages = WRITING
        self._scale = 1.0
        self._stage = Stage(0.0, 0.0, "")
        self.fraction = 0.0
        self.words = ""
        self._timer = QTimer(self)
        self._timer.setInterval(STEP_MS)
        self._timer.timeout.connect(self._creep)
        for job in jobs:
            job.progress.connect(self._on_progress)
            job.finished.connect(self.rest)
            job.failed.connect(self.rest)

    def begin(self, *, writes: bool, checks: bool = True) -> None:
        """A job begins that writes a file, checks it, or both."""
        self._stages = WRITING if writes else ALONE
        self._scale = 1.0 if checks else 1 / UNCHECKED
        self._stage = self._stages["planning"]
        self.fraction, self.words = 0.0, "waiting for the engine"
        self._timer.start()
        self.moved.emit()

    @Slot(str, float)
    def _on_progress(self, stage: str, fraction: float) -> None:
        now = self._stages.get(stage)
        if now is None:
            # said by words of the engine's own, it lasts as long as the stage before
            now = Stage(self._stage.begin, self._stage.end, stage)
        self._stage, self.words = now, now.words
        self._reach(now.begin + fraction * (now.end - now.begin))

    @Slot()
    def _creep(self) -> None:
        at = self.fraction / self._scale
        self._reach(at + CREEP * max(self._stage.end - at, 0.0))

    def _reach(self, at: float) -> None:
        self.fraction = max(self.fraction, min(at * self._scale, 0.999))
        self.moved.emit()

    @Slot()
    def rest(self) -> None:
        """It has come to its end, whichever."""
        self._timer.stop()
        self.fraction, self.words = 0.0, ""
        self.moved.emit()

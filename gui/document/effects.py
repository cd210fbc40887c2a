"""What would change if a step were switched the other way: asked when the engine has nothing else to do."""

from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.errors import Cancelled, OwnFault, SutureError
from core.recipes.recipe import Recipe
from core.service.messages import AskEffect
from gui.document.processes import Processes
from gui.document.session import Session

IDLE_MS = 60


class Effects(QObject):
    """`known` carries a row. An answer is for one recipe; another recipe ends the question in the engine."""

    known = Signal(int)

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._processes = session, processes
        self._engine = processes.engine
        self._recipe = Recipe()
        self._lines: dict[int, tuple[str, ...]] = {}
        self._wanted: int | None = None
        self._asked: int | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(IDLE_MS)
        self._timer.timeout.connect(self._ask)
        session.recipe_changed.connect(self.forget)
        session.source_changed.connect(self.forget)

    def lines(self, row: int) -> tuple[str, ...]:
        """What is known of a row of the recipe as it is; nothing until it was wanted."""
        return self._lines.get(row, ()) if self._recipe == self._session.recipe else ()

    @Slot(int)
    def want(self, row: int) -> None:
        """`known` follows for this row, unless the recipe changes or another row is wanted first."""
        if not 0 <= row < len(self._session.recipe.edits):
            return
        if self.lines(row):
            self.known.emit(row)
            return
        if self._wanted != row:
            self._wanted = row
            self._timer.start()

    @Slot()
    def forget(self) -> None:
        """Nobody waits any more."""
        self._timer.stop()
        self._lines.clear()
        self._wanted = None
        if self._asked is not None:
            self._engine.drop(self._asked)
            self._asked = None

    @Slot()
    def _ask(self) -> None:
        session, row = self._session, self._wanted
        if row is None or session.source is None or not self._engine.alive:
            return
        if session.planning or self._engine.busy or self._processes.engine_state != "ready":
            self._timer.start()
            return
        recipe = session.recipe

        def answered(lines: Any) -> None:
            self._asked = None
            if recipe != session.recipe:
                return
            self._recipe = recipe
            self._lines[row] = tuple(lines or ())
            if self._wanted == row:
                self._wanted = None
            self.known.emit(row)

        def failed(error: SutureError) -> None:
            self._asked = None
            self._wanted = None
            if isinstance(error, OwnFault) and not isinstance(error, Cancelled):
                session.note.emit(error.message)

        self._asked = self._engine.ask(AskEffect(recipe=recipe, row=row), answered, failed)

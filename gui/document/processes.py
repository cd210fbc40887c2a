"""The two helper processes, which all documents of all windows share: started, warmed up, mourned and started again."""

from typing import Any, Literal

from PySide6.QtCore import QObject, Signal, Slot

from core.errors import Cancelled, SutureError
from core.service.messages import Apply, BuildApplication, CheckAgain, CompareRules, SaveArrays, Verify, Warm
from gui.document.service import Line, Service

EngineState = Literal["off", "warming", "ready", "failed"]

MOST_DEATHS = 3
LONG = (Apply, BuildApplication, CheckAgain, CompareRules, SaveArrays, Verify)
"""What is worth ending the engine for when nobody waits for it any more."""


class Helpers(QObject):
    """Reader and engine. `problem` carries a sentence for the person and its details, `note` a line for the log."""

    engine_changed = Signal(str)
    problem = Signal(str, str)
    note = Signal(str)

    def __init__(self, reader: Service, engine: Service, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.reader = reader
        self.engine = engine
        self.engine_state: EngineState = "off"
        for each in (reader, engine):
            each.setParent(self)
        self._deaths = 0
        self._want_engine = False
        self._documents = 0
        engine.died.connect(self._on_engine_died)

    def new_document(self) -> int:
        """A number for a document that begins."""
        self._documents += 1
        return self._documents

    def survived(self) -> None:
        """The engine has answered, so whatever killed it before is over."""
        self._deaths = 0

    def start(self) -> None:
        """Start both helpers; the engine begins to import Keras."""
        self.reader.start()
        self._want_engine = True
        if not self.reader.busy:
            self.start_engine()

    def start_engine(self) -> None:
        """Only after the first file is read: importing Keras keeps every core busy, and reading should not wait."""
        if self._want_engine:
            self._want_engine = False
            self.engine.start()
            self._warm()

    def stop(self) -> None:
        """End both helpers for good."""
        self.reader.stop()
        self.engine.stop()

    def cancel_engine(self, document: int) -> None:
        """End what is asked for a document. If the engine is at it, its process ends and a new one warms up."""
        if self.engine.cancel(document):
            self._set_engine("off")
            self._warm()

    def _warm(self) -> None:
        self._set_engine("warming")
        self.engine.ask(Warm(), self._on_warm, self._on_warm_failed)

    @Slot(object)
    def _on_warm(self, versions: Any) -> None:
        self._deaths = 0
        self._set_engine("ready")
        words = ", ".join(f"{key} {value}" for key, value in (versions or {}).items())
        self.note.emit(f"engine ready{': ' + words if words else ''}")

    @Slot(object)
    def _on_warm_failed(self, error: SutureError) -> None:
        if not isinstance(error, Cancelled):
            self._set_engine("failed")
            self.problem.emit(error.message, details(error))

    @Slot(str)
    def _on_engine_died(self, _kind: str) -> None:
        self._deaths += 1
        if self._deaths < MOST_DEATHS:
            self._warm()
        else:
            self._set_engine("failed")

    def _set_engine(self, state: EngineState) -> None:
        if state != self.engine_state:
            self.engine_state = state
            self.engine_changed.emit(state)


class Processes(QObject):
    """The helpers as one document sees them: what is asked, dropped and cancelled here is its own."""

    engine_changed = Signal(str)
    problem = Signal(str, str)
    note = Signal(str)

    def __init__(self, helpers: Helpers, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.helpers = helpers
        self._document = helpers.new_document()
        self.reader = Line(helpers.reader, self._document)
        self.engine = Line(helpers.engine, self._document)
        for theirs, ours in (
            (helpers.engine_changed, self.engine_changed),
            (helpers.problem, self.problem),
            (helpers.note, self.note),
        ):
            theirs.connect(ours)

    @property
    def engine_state(self) -> EngineState:
        """How the engine is."""
        return self.helpers.engine_state

    def survived(self) -> None:
        """The engine has answered, so whatever killed it before is over."""
        self.helpers.survived()

    def start(self) -> None:
        """Start both helpers."""
        self.helpers.start()

    def start_engine(self) -> None:
        """Start the engine if it waited for a file to be read."""
        self.helpers.start_engine()

    def cancel_engine(self) -> None:
        """End what the engine does for this document."""
        self.helpers.cancel_engine(self._document)

    def leave(self) -> None:
        """The document is closed: nobody waits for anything, and the helpers keep nothing of it."""
        if isinstance(self.engine.in_hand, LONG):
            self.cancel_engine()
        self.reader.forget()
        self.engine.forget()


def details(error: SutureError) -> str:
    """What "copy details" copies for an error."""
    fields = "\n".join(f"{key}: {value}" for key, value in error.fields.items())
    return f"{type(error).__name__}: {error.message}" + (f"\n{fields}" if fields else "")

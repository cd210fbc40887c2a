"""A document and all that is done for it: what a page of the window is put together around."""

from PySide6.QtCore import QObject, Signal, Slot

from gui.document.advance import Advance
from gui.document.comparing import Comparing
from gui.document.effects import Effects
from gui.document.exporting import Exporting
from gui.document.inquiries import Inquiries
from gui.document.looking import Looking
from gui.document.open_files import watch
from gui.document.opening import Opening
from gui.document.paging import Paging
from gui.document.planning import Planning
from gui.document.previewing import Previewing
from gui.document.processes import Helpers, Processes
from gui.document.saving_arrays import SavingArrays
from gui.document.session import Session
from gui.document.trust import Trust
from gui.document.verifying import Verifying


class Work(QObject):
    """`changed` when the engine begins or ends a long job; plans wait for it."""

    changed = Signal()

    def __init__(self, helpers: Helpers, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session = Session(self)
        watch(session)
        self.processes = processes = Processes(helpers, self)
        processes.problem.connect(session.problem)
        processes.note.connect(session.note)
        self.planning = Planning(session, processes, self)
        self.opening = Opening(session, processes, self)
        self.exporting = Exporting(session, processes, self)
        self.verifying = Verifying(session, processes, self)
        self.looking = Looking(session, processes, self)
        self.comparing = Comparing(session, processes, self)
        self.previewing = Previewing(session, processes, self)
        self.paging = Paging(session, processes, self)
        self.saving_arrays = SavingArrays(session, processes, self)
        self.inquiries = Inquiries(session, processes, self)
        self.effects = Effects(session, processes, self)
        self.trust = Trust(session, processes, self)
        self.advance = Advance((self.exporting, self.verifying), self)
        for job in (self.exporting, self.verifying, self.saving_arrays):
            for signal in (job.started, job.finished, job.failed):
                signal.connect(self._on_work)

    @property
    def busy(self) -> bool:
        """Whether a file is being written or checked."""
        return self.exporting.running or self.verifying.running or self.saving_arrays.running

    @Slot()
    def _on_work(self) -> None:
        self.planning.hold(self.busy)
        self.changed.emit()

    def start(self) -> None:
        """Start both helper processes."""
        self.processes.start()

    def stop(self) -> None:
        """The document is closed: what is done for it ends, and other documents do not notice.

        The undo commands go: a stack that the garbage collector takes apart dies.
        """
        self.processes.leave()
        self.session.undo_stack.clear()

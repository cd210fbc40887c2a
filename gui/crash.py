"""Our own mistakes: written to a report, shown once, without stopping the window."""

import sys
import traceback
from types import TracebackType

from PySide6.QtCore import QObject, Signal, Slot

from core.reports import own_fault


class CrashWatch(QObject):
    """Takes over `sys.excepthook`. `crashed(sentence, details)` arrives on the GUI thread, whichever thread failed."""

    crashed = Signal(str, str)
    _caught = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._before = sys.excepthook
        self._caught.connect(self._on_caught)

    def install(self) -> None:
        """Begin to watch."""
        sys.excepthook = self.hook

    def remove(self) -> None:
        """Put back what was there before."""
        sys.excepthook = self._before

    def hook(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """What Python calls for an exception that nobody caught: slots, paint events, timers."""
        if issubclass(kind, KeyboardInterrupt):
            self._before(kind, error, trace)
            return
        text = "".join(traceback.format_exception(kind, error, trace))
        fault = own_fault(error, "the window was open")
        self._caught.emit(fault.message, text)

    @Slot(str, str)
    def _on_caught(self, sentence: str, details: str) -> None:
        self.crashed.emit(sentence, details)

"""Notices that an opened file is not what it was: when the window comes to the front, and before an export."""

import os

from PySide6.QtCore import QEvent, QObject, Signal, Slot
from PySide6.QtWidgets import QWidget
from typing_extensions import override

from gui.document.session import Session

State = tuple[int, int] | None
"""Size and time of the last change, `None` for a file that is not there."""


class FileWatch(QObject):
    """`changed` carries the path of a file that changed and whether it is still there, once for every change."""

    changed = Signal(str, bool)

    def __init__(self, session: Session, window: QWidget) -> None:
        super().__init__(window)
        self._session = session
        self._known: dict[str, State] = {}
        self._said: dict[str, State] = {}
        session.source_changed.connect(self._on_source)
        window.installEventFilter(self)

    @Slot()
    def _on_source(self) -> None:
        source = self._session.source
        self._known, self._said = {}, {}
        if source is None:
            return
        if source.mtime_ns:
            self._known[source.path] = (source.size, source.mtime_ns)
        if source.weights_path:
            self._known[source.weights_path] = state_of(source.weights_path)

    def differing(self) -> dict[str, State]:
        """Every opened file that is not what it was, with what it is now."""
        now = {path: state_of(path) for path in self._known}
        return {path: state for path, state in now.items() if state != self._known[path]}

    def check(self) -> bool:
        """Whether everything is as it was; `changed` is emitted for what is not, unless it was before."""
        found = self.differing()
        for path, state in found.items():
            if path not in self._said or self._said[path] != state:
                self._said[path] = state
                self.changed.emit(path, state is not None)
        return not found

    def remind(self) -> None:
        """Say what differs again, also what was said before."""
        self._said = {}
        self.check()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WindowActivate and self._known:
            self.check()
        return False


def state_of(path: str) -> State:
    """Size and time of the last change of a file, `None` if it cannot be seen."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns

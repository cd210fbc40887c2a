"""Notices that an opened file is not what it was: at once, when the window comes to the front, and before an export.

Some network folders tell of no change; for those the other two remain.
"""

import os
from pathlib import Path

from PySide6.QtCore import QEvent, QFileSystemWatcher, QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget
from typing_extensions import override

from gui.document.session import Session

SETTLED_MS = 300
"""A file that is being written changes many times; it is looked at when it has not for so long."""

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
        self._watcher = QFileSystemWatcher(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLED_MS)
        self._timer.timeout.connect(self._look)
        self._watcher.fileChanged.connect(self._on_told)
        self._watcher.directoryChanged.connect(self._on_told)
        session.source_changed.connect(self._on_source)
        window.installEventFilter(self)

    @Slot()
    def _on_source(self) -> None:
        source = self._session.source
        self._known, self._said = {}, {}
        self._timer.stop()
        if source is not None and source.mtime_ns:
            self._known[source.path] = (source.size, source.mtime_ns)
        if source is not None and source.weights_path:
            self._known[source.weights_path] = state_of(source.weights_path)
        self._follow()

    def _follow(self) -> None:
        """Be told of the files, and of their folders, where a file that is replaced appears again."""
        wanted = {*self._known, *(str(Path(path).parent) for path in self._known)}
        watched = {*self._watcher.files(), *self._watcher.directories()}
        if watched - wanted:
            self._watcher.removePaths(sorted(watched - wanted))
        if new := [path for path in sorted(wanted - watched) if os.path.exists(path)]:
            self._watcher.addPaths(new)

    @Slot(str)
    def _on_told(self, _path: str) -> None:
        self._timer.start()

    @Slot()
    def _look(self) -> None:
        self._follow()
        self.check()

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

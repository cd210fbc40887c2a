"""Files dropped on the window: taken everywhere in it, always as a copy, so that nothing is moved from its place."""

import json
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QWindow
from PySide6.QtWidgets import QWidget
from typing_extensions import override

LARGEST_RECIPE = 16_000_000


class FileDrops(QObject):
    """Owned by a window. `dropped` carries the paths; `over` says whether files hang over the window.

    It stands before the widgets: a field would take a file for text, and a list for one of its own rows.
    """

    dropped = Signal(list)
    over = Signal(bool)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._handle: QWindow | None = None
        window.installEventFilter(self)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if watched is self._window:
            if kind in (QEvent.Type.Show, QEvent.Type.WinIdChange):
                self._watch()
            return False
        if isinstance(event, QDragMoveEvent):  # entering is a kind of moving
            taken = take_copy(event)
            if taken and kind == QEvent.Type.DragEnter:
                self.over.emit(True)
            return bool(taken)
        if kind == QEvent.Type.DragLeave:
            self.over.emit(False)
        elif isinstance(event, QDropEvent):
            self.over.emit(False)
            paths = take_copy(event)
            if paths:
                self.dropped.emit(paths)
            return bool(paths)
        return False

    def _watch(self) -> None:
        handle: QWindow | None = self._window.windowHandle()
        if handle is not None and handle is not self._handle:
            self._handle = handle
            handle.installEventFilter(self)


def take_copy(event: QDropEvent | QDragEnterEvent | QDragMoveEvent) -> list[str]:
    """Accept a drag of files as a copy, whatever was proposed; the files, none if this is no such drag.

    Only a source that lets nothing but a move happen is refused.
    """
    paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
    allowed = event.possibleActions()
    action = next((one for one in (Qt.DropAction.CopyAction, Qt.DropAction.LinkAction) if one & allowed), None)
    if not paths or action is None:
        return []
    event.setDropAction(action)
    event.accept()
    return paths


def holds_recipe(path: str) -> bool:
    """Whether a file is a recipe rather than the JSON of a model."""
    file = Path(path)
    try:
        if file.suffix.lower() != ".json" or file.stat().st_size > LARGEST_RECIPE:
            return False
        read = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(read, dict) and "edits" in read

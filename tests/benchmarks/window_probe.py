"""The real window in a process of its own: when it is up, when a file is drawn, how fast an edit is answered."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULT = Callable[[dict[str, Any]], None]


def start(tell: RESULT) -> None:
    """From the process's start to the first painted frame, on the path that `main.py` takes. Does not return."""
    import main
    from gui import app

    original = app.build

    def build(settings: Any, look: Any) -> Any:
        window = original(settings, look)

        def ready() -> None:
            tell({"ready": time.monotonic()})
            os._exit(0)

        window.first_painted.connect(ready)
        return window

    app.build = build
    main.main([])


def window(path: str, edits: int) -> dict[str, Any]:
    """Open a file in a warm window and edit it: seconds until drawn, seconds per edit, memory in bytes."""
    import tempfile

    from PySide6.QtCore import QEventLoop
    from PySide6.QtWidgets import QApplication

    from core.recipes import gestures
    from gui.app import Painter, build
    from gui.document.settings import Settings

    app = QApplication(["suture"])
    settings = Settings(Path(tempfile.mkdtemp(), "settings.ini"))
    shown = build(settings, Painter(app, settings).look)
    shown.show()
    session = shown.session

    def until(signal: Any, holds: Callable[[], bool]) -> None:
        while not holds():
            loop = QEventLoop()
            signal.connect(loop.quit)
            if not holds():
                loop.exec()
            signal.disconnect(loop.quit)

    work = shown.work
    work.start()
    until(work.processes.engine_changed, lambda: work.processes.engine_state == "ready")
    app.processEvents()
    began = time.monotonic()
    shown.open_path(path)
    until(session.source_changed, lambda: session.source is not None)
    shown.repaint()
    shown.workspace.canvas.view.viewport().repaint()
    drawn = time.monotonic() - began
    until(session.plan_changed, lambda: session.plan is not None and not session.planning)
    app.processEvents()
    memory = resident()
    shape: list[int | None] = list(shown.workspace.input.rows[0].original)
    seconds = []
    for number in range(edits):
        sizes = shape[:-1] if len(shape) < 3 else [(size or 64) + 32 * (1 + number % 5) for size in shape[:-1]]
        wanted = [*sizes, 1 + number % 4] if len(shape) == 3 else shape
        after = gestures.put(session.recipe, gestures.make_edit("change_input", shape=wanted))
        began = time.monotonic()
        session.change_recipe(after, "edit")
        until(session.plan_changed, lambda: not session.planning)
        shown.repaint()
        seconds.append(time.monotonic() - began)
    answer = {"drawn": drawn, "edits": seconds, "memory": memory, "memory_after": resident()}
    shown.windows.stop()
    return answer


def resident() -> int:
    """The memory of this process that is its own or in use: resident set size, in bytes; 0 where unknown."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


if sys.platform == "linux" and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

"""The bottom line: the engine's state, numbers before and after, the file."""

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget
from typing_extensions import override

from gui.document.session import Session
from gui.document.work import Work
from gui.models.digest import count_words, size_words
from gui.panels.running import RunningLine
from gui.widgets.parts import ElidedLabel, IconButton, Look, label, named

ARROW = "\u2192"
PATIENCE_MS = 300
"""So long a plan may take before it is said that one is being made."""
ENGINE_WORDS = {
    "off": "engine not started",
    "warming": "engine warming up\u2026",
    "ready": "engine ready",
    "failed": "engine stopped",
}


class Lamp(QWidget):
    """A small dot: hollow while the engine warms up, full when it is ready, a ring with a bar when it stopped."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self.state = "off"
        self.setFixedSize(10, 10)
        look.changed.connect(self.update)

    @override
    def paintEvent(self, event: object) -> None:
        theme = self._look.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inks = {"ready": theme.success.ink, "failed": theme.error.ink, "warming": theme.warning.ink}
        ink = QColor(inks.get(self.state, theme.faint))
        painter.setPen(ink)
        painter.setBrush(ink if self.state == "ready" else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(1, 1, 7, 7)
        if self.state == "failed":
            painter.drawLine(3, 5, 6, 5)


class StatusBar(QWidget):
    """Reads the session; while a file is read, it can be cancelled here."""

    def __init__(self, work: Work, look: Look) -> None:
        super().__init__()
        self.setObjectName("status")
        self._work, self._session = work, work.session
        session = work.session
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 0, 6, 0)
        row.setSpacing(6)
        self.lamp = Lamp(look)
        self.engine = label("")
        self.planning = label("")
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._say_planning)
        self.numbers = label("")
        self.file = ElidedLabel()
        self.file.setAlignment(Qt.AlignmentFlag.AlignRight)
        for widget in (self.lamp, self.engine, self.planning):
            row.addWidget(widget)
        row.addSpacing(14)
        row.addWidget(self.numbers)
        row.addWidget(self.file, 1)
        self.running = RunningLine(work)
        row.addWidget(self.running)
        self.cancel = named(QPushButton("Cancel"), "link")
        self.cancel.setAccessibleName("Cancel reading")
        self.cancel.hide()
        row.addWidget(self.cancel)
        self.log = IconButton(look, "log", "Log")
        self.log.setFixedSize(24, 20)
        row.addWidget(self.log)
        work.processes.engine_changed.connect(self.refresh)
        session.plan_changed.connect(self.refresh)
        session.source_changed.connect(self.refresh)
        session.planning_changed.connect(self.refresh)
        for signal in (work.opening.started, work.opening.finished, work.opening.failed):
            signal.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Say how things are."""
        session = self._session
        engine, opening = self._work.processes.engine_state, self._work.opening.path
        self.lamp.state = engine
        self.lamp.update()
        self.engine.setText(ENGINE_WORDS[engine])
        if not (session.planning and engine == "ready"):
            self._patience.stop()
            self.planning.setText("")
        elif not self.planning.text() and not self._patience.isActive():
            self._patience.start()
        self.numbers.setText(numbers(session))
        self.cancel.setVisible(bool(opening))
        if opening:
            self.file.setText(f"Reading {Path(opening).name}\u2026")
        else:
            self.file.setText(Path(session.source.path).name if session.source else "")
            self.file.setToolTip(session.source.path if session.source else "")

    def waiting(self) -> bool:
        """Whether a plan is being made that has not been spoken of yet."""
        return self._patience.isActive()

    @Slot()
    def _say_planning(self) -> None:
        """Most plans are there before anybody could read that they are being made."""
        self.planning.setText("\u00b7  planning\u2026")


def numbers(session: Session) -> str:
    """Parameters, MACs, activation memory and trained parameters, before and after where they differ."""
    plan = session.plan
    if plan is None:
        return f"params {count_words(session.source.graph.num_params())}" if session.source else ""
    parts = [f"params {change(plan.before.params, plan.after.params)}"]
    if plan.before.macs is not None or plan.after.macs is not None:
        parts.append(f"MACs {change(plan.before.macs, plan.after.macs)}")
    if plan.before.activations is not None or plan.after.activations is not None:
        parts.append(f"activations {memory_change(plan.before.activations, plan.after.activations)}")
    parts.append(f"trainable {count_words(plan.after.trainable_params)}")
    return "   \u00b7   ".join(parts)


def memory_change(before: int | None, after: int | None) -> str:
    """Activation memory of one sample in float32, before and after."""
    words = [size_words(4 * count) if count is not None else "\u2013" for count in (before, after)]
    return words[0] if before == after else f"{words[0]} {ARROW} {words[1]}"


def change(before: int | None, after: int | None) -> str:
    """`23.6M → 23.5M`, or one number where the two read the same."""
    one, other = count_words(before), count_words(after)
    return one if before == after else f"{one} {ARROW} {other}"

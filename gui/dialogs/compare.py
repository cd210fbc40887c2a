"""Rules side by side: how far each moves the outputs from the old model's, and a button to take one."""

from collections.abc import Sequence
from math import isfinite

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.errors import Cancelled, SutureError
from core.plan import RuleDrift
from gui import gestures
from gui.dialogs.export import EXACT, drift_words
from gui.dialogs.sheet import Sheet
from gui.panels.parts import Sentence, clear_layout, label, named
from gui.session import Session


class CompareSheet(Sheet):
    """Listens to the session's comparison."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent, "compare", "Compare rules", 440)
        self._session = session
        self.column.addWidget(label("Compare rules", "heading"))
        text = "How far the outputs are from the old model\u2019s, measured by running both on random inputs."
        self.column.addWidget(label(text, "small", wrap=True))
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setAccessibleName("Measuring")
        self.column.addWidget(self.bar)
        self.problem = Sentence()
        self.column.addWidget(self.problem)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(8)
        self.column.addLayout(self._rows)
        self.buttons: list[QPushButton] = []
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        self.close_button = QPushButton("Close")
        self.close_button.clicked.connect(self.leave)
        buttons.addWidget(self.close_button)
        self.column.addLayout(buttons)
        session.rules_compared.connect(self.on_compared)
        session.compare_failed.connect(self.on_failed)

    def begin(self, *, number: int | None = None, weight: str | None = None) -> None:
        """Measure the rules for a step (counted from 1) or for a weight that does not fit."""
        clear_layout(self._rows)
        self.buttons = []
        self.problem.say("")
        self.bar.show()
        self.open(self.close_button)
        self._session.compare_rules(number=number, weight=weight)

    @Slot(object)
    def on_compared(self, drifts: Sequence[RuleDrift]) -> None:
        """The ranking, smallest drift first."""
        self.bar.hide()
        if not drifts:
            self.problem.say("No rule fits here.")
        for one in drifts:
            self._rows.addLayout(self._row(one))

    def _row(self, one: RuleDrift) -> QGridLayout:
        row = QGridLayout()
        row.setVerticalSpacing(0)
        row.setColumnStretch(0, 1)
        row.addWidget(label(one.title, wrap=True), 0, 0)
        finite = isfinite(one.drift)
        words = drift_words(one.drift, exact=one.drift < EXACT) if finite else "does not give finite outputs"
        row.addWidget(label(words, "small", wrap=True), 1, 0)
        take = named(QPushButton("Use"), "fix")
        take.setAccessibleName(f"Use {one.title}")
        take.clicked.connect(lambda _=False: self._take(one))
        row.addWidget(take, 0, 1, 2, 1)
        self.buttons.append(take)
        return row

    def _take(self, one: RuleDrift) -> None:
        self._session.gesture(lambda recipe: gestures.apply_fix(recipe, one.edits), f"Use {one.title}")
        self.leave()

    @Slot(object)
    def on_failed(self, error: SutureError) -> None:
        """Why it could not be measured."""
        self.bar.hide()
        if not isinstance(error, Cancelled):
            self.problem.say(error.message)

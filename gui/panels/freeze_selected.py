"""Freezing around what is selected: these layers, up to here, from here."""

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from gui.document import freezing
from gui.document.session import Session
from gui.widgets.parts import ElidedLabel, label, named

SHORT = {"these": "These", "up_to": "Up to here", "from": "From here"}


class FreezeSelected(QWidget):
    """A row of buttons to freeze and one to unfreeze, below what they would mean for the selection."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        first = QHBoxLayout()
        first.setSpacing(8)
        first.addWidget(label("Selected layers", "fieldLabel"))
        self.words = named(ElidedLabel(), "small")
        first.addWidget(self.words, 1)
        column.addLayout(first)
        grid = QGridLayout()
        grid.setSpacing(4)
        self.buttons: dict[tuple[freezing.Scope, bool], QPushButton] = {}
        for row, frozen in enumerate((True, False)):
            verb = "Freeze" if frozen else "Unfreeze"
            grid.addWidget(label(verb, "small"), row, 0)
            for place, (scope, words, tip) in enumerate(freezing.SCOPES):
                button = QPushButton(SHORT[scope])
                button.setProperty("slim", True)
                button.setAccessibleName(f"{verb} {words}")
                button.setToolTip(tip)
                button.clicked.connect(
                    lambda _=False, scope=scope, frozen=frozen: freezing.freeze(session, scope, frozen)
                )
                grid.addWidget(button, row, place + 1)
                grid.setColumnStretch(place + 1, 1)
                self.buttons[scope, frozen] = button
        column.addLayout(grid)
        # what a range means is a walk over the model: once for all that changes together, and only while it is seen
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.refresh)
        for signal in (session.chosen_changed, session.plan_changed, session.source_changed):
            signal.connect(self._soon.start)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Say what is selected, and in each button's tip what it would freeze."""
        session, paths = self._session, freezing.chosen(self._session)
        for button in self.buttons.values():
            button.setEnabled(bool(paths))
        if not paths:
            self.words.setText("none yet")
            return
        name = paths[0] if len(paths) == 1 else f"{len(paths):,} layers"
        self.words.setText(name)
        if not self.isVisible():
            return
        for scope, _, tip in freezing.SCOPES:
            said = freezing.explained(session, scope)
            for frozen in (True, False):
                button = self.buttons[scope, frozen]
                button.setToolTip(f"{said}\n{tip}.")
                button.setAccessibleDescription(said)
                button.setEnabled(bool(freezing.look(session, scope).paths))

    def showEvent(self, event: object) -> None:
        """What a range means is found out when it is seen."""
        self._soon.start()

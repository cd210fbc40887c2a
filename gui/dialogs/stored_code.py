"""Code that a file stores in its Lambda layers: shown as text, with three ways to deal with it."""

from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from core.errors import Cancelled, SutureError
from gui.dialogs.code import notice
from gui.document.session import Session
from gui.document.trust import Stored, Trust
from gui.widgets.fields import Choice
from gui.widgets.parts import Look, Sentence, clear_layout, label, named
from gui.widgets.sheet import Sheet

CONSENT = (
    "If you trust this file, the code stored in it runs in the engine process with your permissions, now and whenever "
    "you open the same file. Suture identifies it by its content, so a changed file is not trusted. You can revoke "
    "the trust in Preferences."
)


class StoredCodeSheet(Sheet):
    """One layer at a time: replace it, keep it as it is, or trust the file."""

    def __init__(self, foreign: Trust, session: Session, look: Look, parent: QWidget) -> None:
        super().__init__(parent, "stored", "Code stored in the file", 560)
        self._foreign, self._session, self._look = foreign, session, look
        self._shown: tuple[Stored, ...] = ()
        column = self.column
        self.title = label("", "heading", wrap=True)
        column.addWidget(self.title)
        self.layer: Choice | None = None
        self._chooser = QVBoxLayout()
        column.addLayout(self._chooser)
        self.message = label("", "small", wrap=True)
        column.addWidget(self.message)
        self.listing = named(QPlainTextEdit(), "field")
        self.listing.setReadOnly(True)
        self.listing.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.listing.setAccessibleName("The stored code as text")
        self.listing.setTabChangesFocus(True)
        self.listing.setMinimumHeight(100)
        column.addWidget(self.listing, 1)
        self._fixes = QVBoxLayout()
        self._fixes.setSpacing(6)
        column.addLayout(self._fixes)
        self.fixes: list[QPushButton] = []
        self.consent = notice(look, CONSENT)
        column.addWidget(self.consent)
        self.problem = Sentence()
        column.addWidget(self.problem)
        self.state = Sentence("small")
        column.addWidget(self.state)
        self._add_buttons()
        foreign.settled.connect(self._on_settled)
        foreign.refused.connect(self._on_refused)
        foreign.busy_changed.connect(self._on_busy)

    def _add_buttons(self) -> None:
        buttons = QHBoxLayout()
        self.trust = QPushButton("Trust this file\u2026")
        self.trust.clicked.connect(self._on_trust)
        buttons.addWidget(self.trust)
        self.sure = QPushButton("Trust it and run its code")
        self.sure.clicked.connect(self._on_sure)
        buttons.addWidget(self.sure)
        buttons.addStretch(1)
        self.keep = QPushButton("Keep it as it is")
        self.keep.setToolTip("The layer is kept unchanged and never run")
        self.keep.clicked.connect(self._on_keep)
        buttons.addWidget(self.keep)
        self.column.addLayout(buttons)

    def show_layer(self, path: str) -> None:
        """Show the stored code of a layer, or of the first one that has some."""
        self._shown = self._foreign.stored()
        if not self._shown:
            return
        clear_layout(self._chooser)
        self.layer = None
        names = [one.layer for one in self._shown]
        if len(names) > 1:
            self.layer = Choice("Layer with stored code", [(name, name, "") for name in names])
            self.layer.picked.connect(self._show)
            self._chooser.addWidget(self.layer)
        self._ask_again()
        self._show(path if path in names else names[0])
        self.open(self.fixes[0] if self.fixes else self.keep)

    @Slot(str)
    def _show(self, path: str) -> None:
        one = next(one for one in self._shown if one.layer == path)
        if self.layer is not None:
            self.layer.show_key(path)
        self.title.setText(f"Code stored in {path}" if len(self._shown) == 1 else "Code stored in this file")
        self.message.setText(one.message)
        self.listing.setPlainText(one.listing)
        clear_layout(self._fixes)
        self.fixes = []
        for fix in one.fixes:
            button = named(QPushButton(fix.title), "primary")
            button.setToolTip("Adds a step to the recipe, which you can undo")
            button.clicked.connect(lambda _=False, fix=fix: self._on_fix(fix))
            self._fixes.addWidget(button)
            self.fixes.append(button)
        self.settle()

    def _ask_again(self) -> None:
        trusted = self._foreign.trusted
        self.consent.hide()
        self.sure.hide()
        self.trust.setVisible(not trusted)
        self.problem.say("")
        self.state.say(
            "This file is trusted: its code runs in the engine. You can revoke this in Preferences." if trusted else ""
        )
        self.keep.setText("Close" if trusted else "Keep it as it is")

    def _on_fix(self, fix: object) -> None:
        self._foreign.replace(fix)  # type: ignore[arg-type]
        self.leave()

    @Slot()
    def _on_trust(self) -> None:
        self.trust.hide()
        self.consent.show()
        self.sure.show()
        self.sure.setFocus()
        self.settle()

    @Slot()
    def _on_sure(self) -> None:
        self._foreign.trust()

    @Slot()
    def _on_keep(self) -> None:
        if self._foreign.busy:
            self._foreign.stop()
        else:
            self.leave()

    @Slot(bool)
    def _on_busy(self, busy: bool) -> None:
        source = self._session.source
        name = Path(source.path).name if source is not None else "the file"
        self.state.say(f"Rebuilding {name} with its stored code\u2026" if busy else "")
        self.sure.setEnabled(not busy)
        self.keep.setText("Stop" if busy else "Keep it as it is")

    @Slot()
    def _on_settled(self) -> None:
        if self.isVisible():
            self.leave()

    @Slot(object)
    def _on_refused(self, error: SutureError) -> None:
        if self.isVisible():
            self.problem.say("Stopped; nothing was changed." if isinstance(error, Cancelled) else error.message)

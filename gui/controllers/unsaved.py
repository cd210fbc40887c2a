"""Nothing that a person made is lost without being asked."""

from collections.abc import Callable
from functools import cached_property

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from gui.dialogs.unsaved import UnsavedSheet
from gui.document.session import Session


class Unsaved(QObject):
    """Owned by the window. `ask` runs what would lose the recipe, at once where nothing is lost.

    `save_wanted` asks for the recipe to be saved; whoever has done it says so by `go_on`. `close_wanted` is emitted
    when the person has agreed to what `may_close` asked, `stayed` when they want to go on with the recipe.
    """

    save_wanted = Signal()
    close_wanted = Signal()
    stayed = Signal()

    def __init__(self, window: QWidget, session: Session) -> None:
        super().__init__(window)
        self._window, self._session = window, session
        self._closing = False
        self._agreed = False
        self._then: Callable[[], None] | None = None
        for changed in (session.source_changed, session.recipe_changed, session.saved_changed):
            changed.connect(self._show_state)

    @cached_property
    def sheet(self) -> UnsavedSheet:
        """The question, made when first needed."""
        made = UnsavedSheet(self._window)
        made.save_wanted.connect(self.save_wanted)
        made.discard_wanted.connect(self._on_discard)
        made.closed.connect(self._on_closed)
        return made

    def ask(self, then: Callable[[], None], deed: str) -> None:
        """Do `then`, which loses the recipe; where it holds something unsaved, ask first. `deed` says what is done."""
        self._closing = False
        if not self._session.unsaved:
            then()
            return
        self._then = then
        self.sheet.begin(len(self._session.recipe.edits), deed)

    def forget(self) -> None:
        """The recipe may go: nobody is asked about it."""
        self._session.mark_saved()

    @Slot()
    def _show_state(self) -> None:
        """The title says it in the way of the platform."""
        self._agreed = False
        self._window.setWindowModified(self._session.unsaved)

    # closing

    def may_close(self, deed: str) -> bool:
        """Whether the document may go now; if not, the person is asked, and `close_wanted` or `stayed` follows."""
        if self._agreed or not self._session.unsaved:
            return True
        self.ask(self._agree, deed)
        self._closing = True
        return False

    def take_back(self) -> None:
        """It does not go after all, so what was agreed to is asked again the next time."""
        self._agreed = False

    def _agree(self) -> None:
        self._agreed = True
        # not within the click that said so: closing takes the clicked button away
        QTimer.singleShot(0, self, self.close_wanted.emit)

    # the sheet

    @Slot()
    def _on_discard(self) -> None:
        if not self._closing:
            # a window that closes asks about others too, and may stay
            self.forget()
        self.go_on()

    @Slot()
    def go_on(self) -> None:
        """Do what was asked about, if anything was."""
        then, self._then = self._then, None
        if then is not None:
            self.sheet.leave()
            then()

    @Slot()
    def _on_closed(self) -> None:
        pending, self._then = self._then, None
        if pending is not None:
            self.stayed.emit()

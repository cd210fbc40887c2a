"""Code that is not Keras's: the sheets that ask for it or show it, and what the banner says when it is settled."""

from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QMenu, QWidget

from core.errors import Cancelled, SutureError
from core.findings import NameCode
from gui.dialogs.code import CodeSheet
from gui.dialogs.stored_code import StoredCodeSheet
from gui.document.settings import Settings
from gui.document.work import Work
from gui.models.opened import Link
from gui.panels.banner import Banner
from gui.widgets.parts import Look


class CodeCommands(QObject):
    """Owned by the window; its sheets are made when first needed."""

    def __init__(self, window: QWidget, work: Work, settings: Settings, look: Look, banner: Banner) -> None:
        super().__init__(window)
        self._window, self._settings, self._look, self._banner = window, settings, look, banner
        self._session, self._trust = work.session, work.trust
        self._code: CodeSheet | None = None
        self._stored: StoredCodeSheet | None = None
        work.trust.settled.connect(self._on_settled)
        work.trust.refused.connect(self._on_refused)

    @property
    def code(self) -> CodeSheet:
        """Where is this class defined?"""
        if self._code is None:
            self._code = CodeSheet(self._trust, self._settings, self._look, self._window)
        return self._code

    @property
    def stored(self) -> StoredCodeSheet:
        """Code stored in the file."""
        if self._stored is None:
            self._stored = StoredCodeSheet(self._trust, self._session, self._look, self._window)
        return self._stored

    @Slot(str)
    def show_code(self, path: str = "") -> None:
        """The sheet for a layer's code: its stored code, or where its class is defined."""
        kind = self._trust.kind_of(path)
        missing = dict(self._trust.missing())
        if kind == "lambda":
            self.stored.show_layer(path)
            return
        layer = self._session.layer(path) if path else None
        name = layer.class_name if layer is not None and kind else next(iter(missing.values()), "")
        if name:
            self.code.ask(name, self._trust.layers_of(name))
        elif self._trust.stored():
            self.stored.show_layer("")

    @Slot()
    def show_missing(self) -> None:
        """The sheet for the first class whose code is still missing."""
        still = self._trust.still_missing() or [name for _, name in self._trust.missing()]
        if still:
            self.code.ask(still[0], self._trust.layers_of(still[0]))

    @Slot()
    def show_stored(self) -> None:
        """The sheet for code stored in the file."""
        self.stored.show_layer(self._session.selection)

    @Slot(object, str)
    def extend_menu(self, menu: QMenu, path: str) -> None:
        """Add to the menu of a layer what can be done about its code."""
        kind = self._trust.kind_of(path)
        if kind:
            text = "View the stored code\u2026" if kind == "lambda" else "Where is this class defined?\u2026"
            menu.addSeparator()
            menu.addAction(text, lambda: self.show_code(path))

    @Slot()
    def _on_settled(self) -> None:
        trust = self._trust
        source = self._session.source
        if source is None:
            return
        name = Path(source.path).name
        still = trust.still_missing()
        if trust.trusted:
            text = f"{name} is trusted: its stored code runs in the engine, and its layers are checked like all others."
        elif trust.code:
            names = ", ".join(Path(one).name for one in trust.code)
            text = f"{names} ran in the engine: its layers are now checked like all others."
        else:
            text = f"{name} is no longer trusted: its stored code is not run."
        more = f" Still without code: {', '.join(still)}." if still and trust.code else ""
        links = [Link(NameCode(""), "Where is it defined?")] if more else []
        self._banner.say("info" if more or not (trust.code or trust.trusted) else "success", text + more, links=links)

    @Slot(object)
    def _on_refused(self, error: SutureError) -> None:
        asking = [sheet for sheet in (self._code, self._stored) if sheet is not None and sheet.isVisible()]
        if not asking and not isinstance(error, Cancelled):
            self._banner.say("warning", error.message)

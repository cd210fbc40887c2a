"""What belongs to opening besides the file dialogs: code and trust, the gallery, help, and files that change.

The sheets are made when first needed. The banner's and the panels' requests arrive here.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QMenu, QWidget

from core.errors import Cancelled, SutureError
from core.findings import CompareFixes, NameCode, OpenArchitecture, OpenWeights, RebuildModel, TrustCode
from gui.controllers.file_commands import FileCommands
from gui.controllers.file_watch import FileWatch
from gui.controllers.foreign import ForeignCode
from gui.controllers.opened import Link, Reload, opened
from gui.dialogs.code import CodeSheet
from gui.dialogs.gallery import GallerySheet
from gui.dialogs.help import HelpSheet
from gui.dialogs.stored_code import StoredCodeSheet
from gui.panels.banner import Banner
from gui.session import Session
from gui.settings import Settings
from gui.widgets.parts import Look

if TYPE_CHECKING:
    from core.recipes.recipe import Recipe
    from gui.workspace import Workspace


class Desk(QObject):
    """Owned by the window. `rebuild_wanted` asks for another model that takes the weights, `compare_wanted` for how
    far answers move with each fix for a weight.
    """

    rebuild_wanted = Signal()
    compare_wanted = Signal(str)

    def __init__(
        self, window: QWidget, session: Session, settings: Settings, look: Look, files: FileCommands, banner: Banner
    ) -> None:
        super().__init__(window)
        self._window, self._session, self._settings, self._look = window, session, settings, look
        self._files, self._banner = files, banner
        self.foreign = ForeignCode(session, self)
        self.watch = FileWatch(session, window)
        self._code: CodeSheet | None = None
        self._stored: StoredCodeSheet | None = None
        self._gallery: GallerySheet | None = None
        self._help: HelpSheet | None = None
        self._kept: tuple[str, Recipe, Recipe] | None = None
        files.unchanged = self._unchanged
        files.code = lambda: (self.foreign.code, self.foreign.trusted)
        banner.wanted.connect(self.act)
        session.opening_changed.connect(self._on_opening)
        session.source_changed.connect(self._on_source)
        self.foreign.settled.connect(self._on_settled)
        self.foreign.refused.connect(self._on_refused)
        self.watch.changed.connect(self._on_changed)

    def attach(self, workspace: "Workspace") -> None:
        """Listen to the panels around a model."""
        workspace.findings.wanted.connect(self.act)
        workspace.inspector.code_wanted.connect(self.show_code)

    # sheets

    @property
    def code(self) -> CodeSheet:
        """Where is this class defined?"""
        if self._code is None:
            self._code = CodeSheet(self.foreign, self._settings, self._look, self._window)
        return self._code

    @property
    def stored(self) -> StoredCodeSheet:
        """Code stored in the file."""
        if self._stored is None:
            self._stored = StoredCodeSheet(self.foreign, self._session, self._look, self._window)
        return self._stored

    @property
    def gallery(self) -> GallerySheet:
        """New from Keras Applications."""
        if self._gallery is None:
            self._gallery = GallerySheet(self._session, self._look, self._window)
            self._gallery.built.connect(self._files.open_path)
        return self._gallery

    @property
    def help(self) -> HelpSheet:
        """Help pages."""
        if self._help is None:
            self._help = HelpSheet(self._look, self._window)
        return self._help

    @Slot()
    def show_gallery(self) -> None:
        """Choose an architecture of Keras Applications."""
        self.gallery.begin()

    @Slot()
    def show_help(self) -> None:
        """Read the help pages."""
        self.help.begin()

    @Slot(str)
    def show_code(self, path: str = "") -> None:
        """The sheet for a layer's code: its stored code, or where its class is defined."""
        kind = self.foreign.kind_of(path)
        missing = dict(self.foreign.missing())
        if kind == "lambda":
            self.stored.show_layer(path)
            return
        layer = self._session.layer(path) if path else None
        name = layer.class_name if layer is not None and kind else next(iter(missing.values()), "")
        if name:
            self.code.ask(name, self.foreign.layers_of(name))
        elif self.foreign.stored():
            self.stored.show_layer("")

    @Slot()
    def show_missing(self) -> None:
        """The sheet for the first class whose code is still missing."""
        still = self.foreign.still_missing() or [name for _, name in self.foreign.missing()]
        if still:
            self.code.ask(still[0], self.foreign.layers_of(still[0]))

    @Slot()
    def show_stored(self) -> None:
        """The sheet for code stored in the file."""
        self.stored.show_layer(self._session.selection)

    @Slot(object, str)
    def extend_menu(self, menu: QMenu, path: str) -> None:
        """Add to the menu of a layer what can be done about its code."""
        kind = self.foreign.kind_of(path)
        if kind:
            text = "Look at the stored code\u2026" if kind == "lambda" else "Where is this class defined?\u2026"
            menu.addSeparator()
            menu.addAction(text, lambda: self.show_code(path))

    # what findings and the banner offer

    @Slot(object)
    def act(self, action: object) -> None:
        """A button of a finding or a link of the banner was clicked."""
        match action:
            case CompareFixes(weight=weight):
                self.compare_wanted.emit(weight)
            case NameCode(layer=""):
                self.show_missing()
            case NameCode(layer=path):
                self.show_code(path)
            case TrustCode(layer=path):
                self.stored.show_layer(path)
            case RebuildModel():
                self.rebuild_wanted.emit()
            case OpenWeights():
                self._files.open_weights()
            case OpenArchitecture():
                self._files.open_architecture()
            case Reload():
                self.reload()

    @Slot(str)
    def _on_opening(self, path: str) -> None:
        if path and self._banner.tone == "error":
            # what was wrong with the file before says nothing of this one
            self._banner.dismiss()

    @Slot()
    def _on_source(self) -> None:
        source = self._session.source
        if source is None:
            return
        said = opened(source)
        self._banner.say(said.tone, said.sentence, "", said.groups, said.links)
        kept, self._kept = self._kept, None
        if kept is not None and kept[0] == source.path and kept[1].edits:
            # after the engine has been told of the source
            QTimer.singleShot(0, self, lambda: self._take_up(kept[1], kept[2]))

    def _take_up(self, recipe: "Recipe", saved: "Recipe") -> None:
        self._session.change_recipe(recipe, "Recipe from before")
        self._session.mark_saved(saved)

    @Slot()
    def _on_settled(self) -> None:
        foreign = self.foreign
        source = self._session.source
        if source is None:
            return
        name = Path(source.path).name
        still = foreign.still_missing()
        if foreign.trusted:
            text = (
                f"{name} is trusted: the code stored in it runs in the engine, and its layers are checked like others."
            )
        elif foreign.code:
            names = ", ".join(Path(one).name for one in foreign.code)
            text = f"{names} ran in the engine: its layers are checked like others."
        else:
            text = f"{name} is not trusted any more: the code stored in it does not run."
        more = f" Still without code: {', '.join(still)}." if still and foreign.code else ""
        links = [Link(NameCode(""), "Where is it defined?")] if more else []
        self._banner.say(
            "info" if more or not (foreign.code or foreign.trusted) else "success", text + more, links=links
        )

    @Slot(object)
    def _on_refused(self, error: SutureError) -> None:
        asking = [sheet for sheet in (self._code, self._stored) if sheet is not None and sheet.isVisible()]
        if not asking and not isinstance(error, Cancelled):
            self._banner.say("warning", error.message)

    # files that change

    def _unchanged(self) -> bool:
        """Whether the opened files are what they were; if not, the banner says so."""
        if self.watch.differing():
            self.watch.remind()
            return False
        return True

    @Slot(str, bool)
    def _on_changed(self, path: str, there: bool) -> None:
        name = Path(path).name
        if there:
            text = f"{name} has changed on disk since it was opened; what you see is how it was."
            self._banner.say("warning", text, links=[Link(Reload(), "Reload")])
        else:
            self._banner.say("warning", f"{name} is no longer where it was opened; an export needs it there.")

    @Slot()
    def reload(self) -> None:
        """Open the same files again and keep the recipe."""
        source = self._session.source
        if source is not None:
            self.open_with(source.path, source.weights_path, self._session.recipe, self._session.saved)

    def open_with(self, path: str, weights_path: str | None, recipe: "Recipe", saved: "Recipe") -> None:
        """Open files and make a recipe the current one when they are there; `saved` is what of it was saved before."""
        self._kept = (path, recipe, saved)
        self._session.open_path(path, weights_path)

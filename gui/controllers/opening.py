"""Opening, reloading and closing files: the dialogs, what the banner says of a file, and files that change on disk."""

import os
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from core.recipes.recipe import Recipe
from gui.controllers.file_watch import FileWatch
from gui.controllers.unsaved import Unsaved
from gui.document.settings import Settings
from gui.document.work import Work
from gui.models.opened import Link, Reload, opened
from gui.panels.banner import Banner
from gui.widgets.file_dialog import Mode, ask_file

MODELS = "Keras models (*.keras *.h5 *.hdf5 *.json *.weights.h5);;All files (*)"
WEIGHTS = "Weights (*.h5 *.hdf5 *.keras *.weights.h5);;All files (*)"
ARCHITECTURES = "Architectures (*.json *.keras *.h5 *.hdf5);;All files (*)"
OPENING = "Opening another file"


class OpenCommands(QObject):
    """Owned by the page. `wanted` carries another file to open; what would take an unsaved recipe away asks first."""

    wanted = Signal(str)

    def __init__(
        self, window: QWidget, work: Work, settings: Settings, unsaved: Unsaved, watch: FileWatch, banner: Banner
    ) -> None:
        super().__init__(window)
        self._window, self._settings, self._unsaved, self._banner = window, settings, unsaved, banner
        self._session, self._opening = work.session, work.opening
        self._kept: tuple[str, Recipe, Recipe] | None = None
        work.opening.started.connect(self._on_started)
        work.session.source_changed.connect(self._on_source)
        watch.changed.connect(self._on_changed)

    def _ask(self, title: str, kinds: str, taken: Callable[[str], object], mode: Mode = "open") -> None:
        ask_file(self._window, title, kinds, taken, mode=mode, start=self._settings.folder)

    @Slot()
    def open(self) -> None:
        """Ask for a model file."""
        self._ask("Open a model", MODELS, self.open_path)

    @Slot()
    def open_folder(self) -> None:
        """Ask for a SavedModel folder."""
        self._ask("Open a SavedModel folder", "", self.open_path, "folder")

    @Slot()
    def open_weights(self) -> None:
        """Ask for the weights of the opened architecture."""
        self._ask("Open weights with this architecture", WEIGHTS, self.open_weights_path)

    @Slot()
    def open_architecture(self) -> None:
        """Ask for the architecture of the opened weights."""
        self._ask("Open the architecture of these weights", ARCHITECTURES, self.open_architecture_path)

    @Slot(str)
    def open_path(self, path: str) -> None:
        """Open a file or folder, here or elsewhere."""
        path = os.path.abspath(path)
        if not os.path.exists(path):
            self._session.problem.emit(f"The file {path} does not exist; choose another.", "")
            return
        self.wanted.emit(path)

    @Slot(str)
    def begin(self, path: str) -> None:
        """Open a file or folder here; `open_path` asks where there is room for it."""
        self._opening.begin(path)

    @Slot(str)
    def open_weights_path(self, path: str) -> None:
        """Open the current file again, with its arrays from another."""
        source = self._session.source
        if source is not None:
            self._unsaved.ask(lambda: self._opening.begin(source.path, path), OPENING)

    @Slot(str)
    def open_architecture_path(self, path: str) -> None:
        """Open a file with the arrays of the one that is open."""
        source = self._session.source
        if source is not None:
            arrays = source.weights_path or source.path
            self._unsaved.ask(lambda: self._opening.begin(path, arrays), OPENING)

    @Slot()
    def close(self) -> None:
        """Close the model; the recipe goes with it."""
        self._unsaved.ask(self._session.close_source, "Closing the model")

    @Slot()
    def reload(self) -> None:
        """Open the same files again and keep the recipe."""
        source = self._session.source
        if source is not None:
            self.open_with(source.path, source.weights_path, self._session.recipe, self._session.saved)

    def open_with(self, path: str, weights_path: str | None, recipe: Recipe, saved: Recipe) -> None:
        """Open files and make a recipe the current one when they are there; `saved` is what of it was saved before."""
        self._kept = (path, recipe, saved)
        self._opening.begin(path, weights_path)

    # what follows

    @Slot()
    def _on_started(self) -> None:
        if self._banner.tone == "error":
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

    def _take_up(self, recipe: Recipe, saved: Recipe) -> None:
        self._session.change_recipe(recipe, "Recipe from before")
        self._session.mark_saved(saved)

    @Slot(str, bool)
    def _on_changed(self, path: str, there: bool) -> None:
        name = Path(path).name
        if there:
            text = f"{name} has changed on disk since it was opened; you see the old version."
            self._banner.say("warning", text, links=[Link(Reload(), "Reload")])
        else:
            self._banner.say("warning", f"{name} was moved or deleted since it was opened; exporting needs it.")

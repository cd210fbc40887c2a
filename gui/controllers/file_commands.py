"""Commands that meet the file system: open, export, verify, recipes. Dialogs never block; the session does the work."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from core.errors import RecipeError
from core.readers.source import Source
from core.recipes.recipe import from_json, to_json
from core.writers.scripts import python_script
from gui.dialogs.export import ExportSheet
from gui.session import Session
from gui.settings import Settings
from gui.widgets.parts import Look

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = "Keras models (*.keras *.h5 *.hdf5 *.json *.weights.h5 *.npz);;All files (*)"
WEIGHTS = "Weights (*.h5 *.hdf5 *.keras *.weights.h5 *.npz);;All files (*)"
ARCHITECTURES = "Architectures (*.json *.keras *.h5 *.hdf5);;All files (*)"
RESULTS = (
    "Keras 3 (*.keras);;HDF5 (*.h5);;Weights only (*.weights.h5);;SavedModel folder (*.savedmodel);;ONNX (*.onnx);;"
    "LiteRT (*.tflite)"
)
ENDINGS = (".keras", ".h5", ".hdf5", ".savedmodel", ".onnx", ".tflite")
SCRIPTS = "Python (*.py);;All files (*)"
OPENING = "Opening another file"
RECIPES = "Recipes (*.json);;All files (*)"


class FileCommands(QObject):
    """Owned by the window."""

    recipe_saved = Signal()

    def __init__(self, window: QWidget, session: Session, settings: Settings, look: Look) -> None:
        super().__init__(window)
        self._window, self._session, self._settings, self._look = window, session, settings, look
        self._sheet: ExportSheet | None = None
        self._last_out = ""
        self._recipe_file = ""
        session.source_changed.connect(self._forget_recipe_file)
        self._filter = ""
        self.inputs: tuple[str, ...] = ()
        """The person's own data for the next verification; empty means random inputs."""
        self.unchanged: Callable[[], bool] = lambda: True
        """Asked before an export: are the opened files still what they were? Whoever says no tells the person why."""

        self.guard: Callable[[Callable[[], None], str], None] = lambda then, deed: then()
        """Does what would lose the recipe, having asked the person where there is something to lose."""

        self.code: Callable[[], tuple[tuple[str, ...], bool]] = lambda: ((), False)
        """The files of code that the person named for this model, and whether its stored code is trusted."""

    @property
    def sheet(self) -> ExportSheet:
        """The export sheet, made when first needed."""
        if self._sheet is None:
            self._sheet = ExportSheet(self._session, self._look, self._window)
        return self._sheet

    def _ask(self, title: str, filters: str, slot: str, *, mode: QFileDialog.FileMode, start: str = "") -> None:
        dialog = QFileDialog(self._window, title, start or self._settings.folder, filters)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(mode)
        if mode == QFileDialog.FileMode.AnyFile:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.selectFile(start)
        if mode == QFileDialog.FileMode.Directory:
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.filterSelected.connect(self._on_filter)
        dialog.fileSelected.connect(getattr(self, slot))
        dialog.open()

    @Slot()
    def open(self) -> None:
        """Ask for a model file."""
        self._ask("Open a model", MODELS, "open_path", mode=QFileDialog.FileMode.ExistingFile)

    @Slot()
    def open_folder(self) -> None:
        """Ask for a SavedModel folder."""
        self._ask("Open a SavedModel folder", "", "open_path", mode=QFileDialog.FileMode.Directory)

    @Slot()
    def open_weights(self) -> None:
        """Ask for the weights of the opened architecture."""
        self._ask(
            "Open weights with this architecture", WEIGHTS, "open_weights_path", mode=QFileDialog.FileMode.ExistingFile
        )

    @Slot()
    def open_architecture(self) -> None:
        """Ask for the architecture of the opened weights."""
        self._ask(
            "Open the architecture of these weights",
            ARCHITECTURES,
            "open_architecture_path",
            mode=QFileDialog.FileMode.ExistingFile,
        )

    @Slot(str)
    def open_architecture_path(self, path: str) -> None:
        """Open a file with the arrays of the one that is open."""
        source = self._session.source
        if source is not None:
            arrays = source.weights_path or source.path
            self.guard(lambda: self._session.open_path(path, arrays), OPENING)

    @Slot(str)
    def open_path(self, path: str) -> None:
        """Open a file or folder."""
        path = os.path.abspath(path)
        if not os.path.exists(path):
            self._session.problem.emit(f"There is no file {path}; choose another.", "")
            return
        self.guard(lambda: self._session.open_path(path), OPENING)

    @Slot(str)
    def open_weights_path(self, path: str) -> None:
        """Open the current file again, with its arrays from another."""
        source = self._session.source
        if source is not None:
            self.guard(lambda: self._session.open_path(source.path, path), OPENING)

    @Slot()
    def close(self) -> None:
        """Close the model; the recipe goes with it."""
        self.guard(self._session.close_source, "Closing the model")

    @Slot()
    def export(self) -> None:
        """Ask where to write the result."""
        source = self._session.source
        if source is not None and self.unchanged():
            self._ask(
                "Export the adapted model",
                RESULTS,
                "export_to",
                mode=QFileDialog.FileMode.AnyFile,
                start=str(Path(self._settings.folder) / suggested_name(source)),
            )

    @Slot(str)
    def export_to(self, path: str) -> None:
        """Write the result to a path; one without a known ending gets `.keras`."""
        if not self.unchanged():
            return
        if Path(path).suffix.lower() not in ENDINGS:
            path += chosen_ending(self._filter)
        self._settings.folder = str(Path(path).parent)
        self._last_out = path
        self.sheet.begin(path, "Writing")
        self._session.export(path, verify=self._settings.verify_after_export)

    @Slot(str)
    def _on_filter(self, words: str) -> None:
        self._filter = words

    @Slot()
    def verify_again(self) -> None:
        """Check the file that was written last, else ask for one; on `inputs`, if there are any."""
        if self._last_out and os.path.exists(self._last_out):
            self.verify_path(self._last_out)
        else:
            self._ask_written()

    @Slot()
    def verify(self) -> None:
        """Ask for the written file to check on random inputs."""
        self.inputs = ()
        self._ask_written()

    def _ask_written(self) -> None:
        self._ask(
            "Verify a written file",
            RESULTS,
            "verify_path",
            mode=QFileDialog.FileMode.ExistingFile,
            start=self._last_out,
        )

    @Slot(str)
    def verify_path(self, path: str) -> None:
        """Check a written file against source and recipe."""
        self.sheet.begin(path, "Verifying", self.inputs)
        self._session.verify(path, self.inputs)
        self.inputs = ()

    @Slot()
    def save_recipe(self) -> None:
        """Ask where to save the recipe."""
        start = str(Path(self._settings.folder) / "recipe.json")
        self._ask("Save the recipe", RECIPES, "save_recipe_to", mode=QFileDialog.FileMode.AnyFile, start=start)

    @Slot()
    def save_recipe_again(self) -> None:
        """Save the recipe to the file of the last save, which was this model's; ask where if there is none."""
        if self._recipe_file:
            self.save_recipe_to(self._recipe_file)
        else:
            self.save_recipe()

    @Slot()
    def _forget_recipe_file(self) -> None:
        self._recipe_file = ""

    @Slot(str)
    def save_recipe_to(self, path: str) -> None:
        """Write the recipe as JSON."""
        if not Path(path).suffix:
            path += ".json"
        try:
            Path(path).write_text(to_json(self._session.recipe), encoding="utf-8")
        except OSError as error:
            self._session.problem.emit(f"{path} cannot be written: {error.strerror}; choose another place.", "")
            self._recipe_file = ""
            return
        self._recipe_file = path
        self._session.mark_saved()
        self._session.note.emit(f"saved the recipe as {path}")
        self.recipe_saved.emit()

    @Slot()
    def save_script(self) -> None:
        """Ask where to save the Python program."""
        start = str(Path(self._settings.folder) / "adapt.py")
        self._ask("Save as Python", SCRIPTS, "save_script_to", mode=QFileDialog.FileMode.AnyFile, start=start)

    @Slot(str)
    def save_script_to(self, path: str) -> None:
        """Write a program that does what the recipe does."""
        session = self._session
        if session.source is None or session.plan is None:
            return
        if not Path(path).suffix:
            path += ".py"
        out = str(Path(path).with_name(suggested_name(session.source)))
        text = python_script(session.source, session.recipe, session.plan, out, *self.code())
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            session.problem.emit(f"{path} cannot be written: {error.strerror}; choose another place.", "")
            return
        session.note.emit(f"saved a Python program as {path}")

    @Slot()
    def load_recipe(self) -> None:
        """Ask for a recipe."""
        self._ask("Load a recipe", RECIPES, "load_recipe_from", mode=QFileDialog.FileMode.ExistingFile)

    @Slot(str)
    def load_recipe_from(self, path: str) -> None:
        """Make a saved recipe the current one."""
        try:
            recipe = from_json(Path(path).read_bytes())
        except OSError as error:
            self._session.problem.emit(f"{path} cannot be read: {error.strerror}.", "")
        except RecipeError as error:
            self._session.problem.emit(f"{Path(path).name} is not a recipe. {error.message}", error.message)
        else:
            self._session.change_recipe(recipe, f"Load {Path(path).name}")
            self._session.mark_saved()


def chosen_ending(words: str) -> str:
    """The ending that a file dialog's filter stands for."""
    inside = words.partition("(*")[2].partition(")")[0].split(" ")[0]
    return inside or ".keras"


def suggested_name(source: Source) -> str:
    """A name beside the source's that is not the source's."""
    stem = Path(source.path).name
    for ending in (".keras", ".hdf5", ".h5", ".json"):
        stem = stem.removesuffix(ending)
    return f"{stem}-adapted.keras"

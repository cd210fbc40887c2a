"""The recipe as a file: saved, loaded, and as a Python program."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from core.errors import RecipeError
from core.recipes.recipe import from_json, to_json
from core.writers.scripts import python_script
from gui.document.settings import Settings
from gui.document.work import Work
from gui.models.command import command_line
from gui.models.opened import suggested_name
from gui.widgets.file_dialog import ask_file

SCRIPTS = "Python (*.py);;All files (*)"
RECIPES = "Recipes (*.json);;All files (*)"


class RecipeFiles(QObject):
    """Owned by the window."""

    saved = Signal()

    def __init__(self, window: QWidget, work: Work, settings: Settings) -> None:
        super().__init__(window)
        self._window, self._settings = window, settings
        self._session, self._trust = work.session, work.trust
        self._file = ""
        self.recent = QMenu("Recent recipes", window)
        self.recent.aboutToShow.connect(self._fill_recent)
        work.session.source_changed.connect(self._forget_file)

    @Slot()
    def save_recipe(self) -> None:
        """Ask where to save the recipe."""
        start = str(Path(self._settings.folder) / "recipe.json")
        ask_file(self._window, "Save the recipe", RECIPES, self.save_recipe_to, mode="save", start=start)

    @Slot()
    def save_recipe_again(self) -> None:
        """Save the recipe to the file of the last save, which was this model's; ask where if there is none."""
        if self._file:
            self.save_recipe_to(self._file)
        else:
            self.save_recipe()

    @Slot()
    def _forget_file(self) -> None:
        self._file = ""

    @Slot(str)
    def save_recipe_to(self, path: str) -> None:
        """Write the recipe as JSON."""
        if not Path(path).suffix:
            path += ".json"
        try:
            Path(path).write_text(to_json(self._session.recipe), encoding="utf-8")
        except OSError as error:
            self._session.problem.emit(f"{path} cannot be written: {error.strerror}; choose another place.", "")
            self._file = ""
            return
        self._file = path
        self._settings.add_recent_recipe(path)
        self._session.mark_saved()
        self._session.note.emit(f"saved the recipe as {path}")
        self.saved.emit()

    @Slot()
    def save_script(self) -> None:
        """Ask where to save the Python program."""
        start = str(Path(self._settings.folder) / "adapt.py")
        ask_file(self._window, "Save as Python", SCRIPTS, self.save_script_to, mode="save", start=start)

    @Slot(str)
    def save_script_to(self, path: str) -> None:
        """Write a program that does what the recipe does."""
        session = self._session
        if session.source is None or session.plan is None:
            return
        if not Path(path).suffix:
            path += ".py"
        out = str(Path(path).with_name(suggested_name(session.source)))
        text = python_script(session.source, session.recipe, session.plan, out, self._trust.code, self._trust.trusted)
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            session.problem.emit(f"{path} cannot be written: {error.strerror}; choose another place.", "")
            return
        session.note.emit(f"saved a Python program as {path}")

    @Slot()
    def load_recipe(self) -> None:
        """Ask for a recipe."""
        ask_file(self._window, "Load a recipe", RECIPES, self.load_recipe_from, start=self._settings.folder)

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
            self._settings.add_recent_recipe(path)
            self._session.change_recipe(recipe, f"Load {Path(path).name}")
            self._session.mark_saved()

    @Slot()
    def copy_json(self) -> None:
        """The recipe as a file would have it, in the clipboard."""
        QGuiApplication.clipboard().setText(to_json(self._session.recipe))
        self._session.note.emit("copied the recipe as JSON")

    @Slot()
    def copy_command(self) -> None:
        """A command that applies the recipe, in the clipboard."""
        source = self._session.source
        if source is not None:
            text = command_line(source, to_json(self._session.recipe), self._trust.code, trust=self._trust.trusted)
            QGuiApplication.clipboard().setText(text)
            self._session.note.emit("copied the recipe as a command line")

    @Slot()
    def _fill_recent(self) -> None:
        """The recipes that were loaded or saved lately, newest first."""
        menu = self.recent
        menu.clear()
        menu.setToolTipsVisible(True)
        for path in self._settings.recent_recipes:
            # not a lambda over the loop's variable, which would be the last one's
            menu.addAction(Path(path).name, partial(self.load_recipe_from, path)).setToolTip(path)
        if menu.isEmpty():
            menu.addAction("None yet").setEnabled(False)
        elif self._session.source is None:
            for action in menu.actions():
                action.setEnabled(False)

"""The sheets that a command opens, each made when it is first needed."""

from functools import cached_property

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from gui.dialogs import keys
from gui.dialogs.classes import ClassesSheet
from gui.dialogs.compare import CompareSheet
from gui.dialogs.gallery import GallerySheet
from gui.dialogs.help import HelpSheet
from gui.dialogs.join import JoinSheet
from gui.dialogs.preferences import Preferences
from gui.dialogs.presets import PresetSheet
from gui.dialogs.step import StepSheet
from gui.dialogs.transfer import TransferSheet
from gui.document.open_files import open_paths
from gui.document.settings import Settings
from gui.document.work import Work
from gui.models.made_models import trim
from gui.panels.made_models import limit_bytes
from gui.widgets.actions import Actions
from gui.widgets.parts import Look


class Sheets(QObject):
    """Owned by the window. `built` carries the file of a new model, `theme_chosen` a preference."""

    built = Signal(str)
    theme_chosen = Signal(str)

    def __init__(self, window: QWidget, work: Work, settings: Settings, look: Look, actions: Actions) -> None:
        super().__init__(window)
        self._actions = actions
        self._window, self._work, self._settings, self._look = window, work, settings, look

    @cached_property
    def gallery(self) -> GallerySheet:
        """New from Keras Applications."""
        made = GallerySheet(self._work, self._look, self._window)
        made.built.connect(self._on_built)
        return made

    @cached_property
    def help(self) -> HelpSheet:
        """Help pages."""
        return HelpSheet(self._look, self._window, lambda: keys.page(self._actions.all()))

    @cached_property
    def presets(self) -> PresetSheet:
        """The presets."""
        made = PresetSheet(self._work, self._look, self._window)
        made.transfer_wanted.connect(self.show_transfer)
        return made

    @cached_property
    def transfer(self) -> TransferSheet:
        """Weights from another file."""
        return TransferSheet(self._work, self._look, self._window)

    @cached_property
    def join(self) -> JoinSheet:
        """Another model, joined to this one."""
        return JoinSheet(self._work.session, self._window)

    @cached_property
    def classes(self) -> ClassesSheet:
        """The classes of every head."""
        return ClassesSheet(self._work.session, self._window)

    @cached_property
    def comparison(self) -> CompareSheet:
        """Rules side by side."""
        return CompareSheet(self._work, self._look, self._window)

    @cached_property
    def step(self) -> StepSheet:
        """One step of the recipe, in a form or as JSON."""
        return StepSheet(self._work, self._window)

    @cached_property
    def preferences(self) -> Preferences:
        """The preferences."""
        made = Preferences(self._settings, self._window)
        made.theme_chosen.connect(self.theme_chosen)
        made.trusted.revoke_wanted.connect(self._work.trust.revoke)
        return made

    @Slot(str)
    def _on_built(self, path: str) -> None:
        """A new model: those not used for longest make room for it."""
        trim(limit_bytes(self._settings), {path, *open_paths()})
        self.built.emit(path)

    @Slot()
    def show_gallery(self) -> None:
        """Choose an architecture of Keras Applications."""
        self.gallery.begin()

    @Slot()
    def show_help(self) -> None:
        """Read the help pages."""
        self.help.begin()

    @Slot()
    def show_keys(self) -> None:
        """Read what the keys do."""
        self.help.show_keys()

    @Slot()
    def show_presets(self) -> None:
        """Choose a preset."""
        self.presets.begin()

    @Slot()
    def show_transfer(self) -> None:
        """Choose a file and see both sides."""
        self.transfer.begin()

    @Slot()
    def show_join(self) -> None:
        """Choose a file whose model is joined."""
        if self._work.session.after_graph is not None:
            self.join.begin()

    @Slot()
    def show_classes(self) -> None:
        """Change the number of classes of every head."""
        self.classes.begin()

    @Slot()
    def show_preferences(self) -> None:
        """Change a preference."""
        self.preferences.begin()

    @Slot(int)
    def edit_step(self, row: int) -> None:
        """Edit a step of the recipe, counted from 0."""
        self.step.edit(row)

    @Slot(int)
    def compare_step(self, number: int) -> None:
        """Measure the rules for a step, counted from 1."""
        self.comparison.begin(number=number)

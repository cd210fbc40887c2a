"""What the surgery catalogue adds to the window: the layer menu, presets, transfer of weights, one's own test data."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Slot
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from gui.controllers.file_commands import MODELS, OPENING, FileCommands
from gui.controllers.layer_menu import LayerMenu
from gui.dialogs.compare import SAMPLES
from gui.dialogs.join import JoinSheet
from gui.dialogs.presets import PresetSheet
from gui.dialogs.transfer import TransferSheet
from gui.session import Session
from gui.widgets.parts import Look

if TYPE_CHECKING:
    from gui.panels.front import FrontForm
    from gui.workspace import Workspace


class Surgery(QObject):
    """Owned by the window; its sheets are made when first needed."""

    def __init__(self, window: QWidget, session: Session, look: Look, files: FileCommands) -> None:
        super().__init__(window)
        self._window, self._session, self._look, self._files = window, session, look, files
        self.layers = LayerMenu(session, window)
        self._presets: PresetSheet | None = None
        self._transfer: TransferSheet | None = None
        self._join: JoinSheet | None = None
        self._dialog: QFileDialog | None = None
        self._taken: tuple[str, str] | None = None
        session.source_changed.connect(self._on_source)
        session.opening_changed.connect(self._on_opening)
        self.menu = QMenu("Layer", window)
        self.menu.aboutToShow.connect(self._fill_menu)

    def attach(self, workspace: "Workspace") -> None:
        """Listen to the panels around a model."""
        workspace.input.layer_wanted.connect(self.ask_front_layer)
        workspace.tidy.formats.join_wanted.connect(self.show_join)
        workspace.recipe.presets_wanted.connect(self.show_presets)
        workspace.canvas.context_requested.connect(self.layers.popup)
        tree = workspace.layers.tree
        tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        tree.customContextMenuRequested.connect(
            lambda place: self.layers.popup(self._session.selection, tree.viewport().mapToGlobal(place))
        )

    @property
    def presets(self) -> PresetSheet:
        """The presets."""
        if self._presets is None:
            self._presets = PresetSheet(self._session, self._look, self._window)
            self._presets.transfer_wanted.connect(self.show_transfer)
        return self._presets

    @property
    def transfer(self) -> TransferSheet:
        """Weights from another file."""
        if self._transfer is None:
            self._transfer = TransferSheet(self._session, self._look, self._window)
        return self._transfer

    @property
    def join(self) -> JoinSheet:
        """Another model, joined to this one."""
        if self._join is None:
            self._join = JoinSheet(self._session, self._window)
        return self._join

    @Slot()
    def show_join(self) -> None:
        """Choose a file whose model is joined."""
        if self._session.after_graph is not None:
            self.join.begin()

    @Slot()
    def show_presets(self) -> None:
        """Choose a preset."""
        self.presets.begin()

    @Slot()
    def show_transfer(self) -> None:
        """Choose a file and see both sides."""
        self.transfer.begin()

    # a model that takes the weights of the opened one

    @Slot()
    def take_over(self) -> None:
        """Ask for the rebuilt model that takes the weights of the opened file, whose connections are unknown."""
        source = self._session.source
        if source is None:
            return
        folder = str(Path(source.path).parent)
        self._dialog = QFileDialog(self._window, "Open the rebuilt model", folder, MODELS)
        self._dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._dialog.fileSelected.connect(self.take_over_into)
        self._dialog.open()

    @Slot(str)
    def take_over_into(self, path: str) -> None:
        """Open a model, and lay the weights of the one that was open beside its own."""
        source = self._session.source
        if source is None:
            return
        given = source.weights_path or source.path

        def go_on() -> None:
            self._taken = (os.path.abspath(path), given)
            self._files.open_path(path)

        self._files.guard(go_on, OPENING)

    @Slot()
    def _on_source(self) -> None:
        source, taken = self._session.source, self._taken
        self._taken = None
        if source is not None and taken is not None and source.path == taken[0]:
            # after the engine has been told of the source
            QTimer.singleShot(0, self, lambda: self.transfer.begin(taken[1]))

    @Slot(str)
    def _on_opening(self, path: str) -> None:
        if not path:
            # what was opened is told at once; if nothing was, nothing is taken over later either
            QTimer.singleShot(0, self, self._forget_taken)

    @Slot()
    def _forget_taken(self) -> None:
        self._taken = None

    @Slot()
    def _fill_menu(self) -> None:
        self.menu.clear()
        self.layers.fill(self.menu, self._session.selection)

    @Slot()
    def rename_selected(self) -> None:
        """Ask for another name of the selected layer."""
        if self._session.selection and self._session.after_graph is not None:
            self.layers.rename(self._session.selection)

    @Slot(object, int)
    def ask_front_layer(self, front: "FrontForm", number: int) -> None:
        """The form for one layer of a new front."""
        entry: dict[str, Any] = front.entries[number] if number >= 0 else {}
        self.layers.form.begin(
            "Edit a layer of the front" if entry else "Add a layer to the front",
            "Change" if entry else "Add",
            lambda made: front.put(number, made),
            class_name=str(entry.get("class_name", "")),
            config=entry.get("config"),
        )

    @Slot()
    def verify_mine(self) -> None:
        """Ask for the person's own inputs, then for the written file, and verify on them."""
        self._dialog = QFileDialog(self._window, "Verify on your own inputs", "", SAMPLES)
        self._dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        self._dialog.filesSelected.connect(self.verify_on)
        self._dialog.open()

    @Slot(list)
    def verify_on(self, paths: list[str]) -> None:
        """Verify the file that was written last, else one that is asked for, on these inputs."""
        self._files.inputs = tuple(paths)
        self._files.verify_again()

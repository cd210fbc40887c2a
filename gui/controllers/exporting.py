"""Writing the result and checking it: on random inputs, or on the person's own."""

import os
from functools import cached_property
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from gui.controllers.file_watch import FileWatch
from gui.dialogs.compare import SAMPLES
from gui.dialogs.export import ExportSheet
from gui.document.settings import Settings
from gui.document.work import Work
from gui.models.opened import suggested_name
from gui.widgets.file_dialog import ask_file
from gui.widgets.parts import Look

RESULTS = (
    "Keras 3 (*.keras);;HDF5 (*.h5);;Weights only (*.weights.h5);;SavedModel folder (*.savedmodel);;ONNX (*.onnx);;"
    "LiteRT (*.tflite)"
)
ENDINGS = (".keras", ".h5", ".hdf5", ".savedmodel", ".onnx", ".tflite")


class ExportCommands(QObject):
    """Owned by the window. Nothing is written from files that are not what they were when they were opened."""

    def __init__(self, window: QWidget, work: Work, settings: Settings, look: Look, watch: FileWatch) -> None:
        super().__init__(window)
        self._window, self._work, self._settings, self._look = window, work, settings, look
        self._watch = watch
        self._last_out = ""
        self._filter = ""
        self.inputs: tuple[str, ...] = ()
        """The person's own data for the next verification; empty means random inputs."""

    @cached_property
    def sheet(self) -> ExportSheet:
        """The export sheet, made when first needed."""
        return ExportSheet(self._work, self._look, self._window)

    def _unchanged(self) -> bool:
        """Whether the opened files are what they were; if not, the banner says so."""
        if self._watch.differing():
            self._watch.remind()
            return False
        return True

    @Slot()
    def export(self) -> None:
        """Ask where to write the result."""
        source = self._work.session.source
        if source is not None and self._unchanged():
            start = str(Path(self._settings.folder) / suggested_name(source))
            ask_file(
                self._window, "Export the adapted model", RESULTS, self.export_to,
                mode="save", start=start, filtered=self._on_filter,
            )  # fmt: skip

    @Slot(str)
    def export_to(self, path: str) -> None:
        """Write the result to a path; one without a known ending gets `.keras`."""
        if not self._unchanged():
            return
        if Path(path).suffix.lower() not in ENDINGS:
            path += chosen_ending(self._filter)
        self._settings.folder = str(Path(path).parent)
        self._last_out = path
        self.sheet.begin(path, "Writing")
        self._work.exporting.begin(path, verify=self._settings.verify_after_export)

    @Slot(str)
    def _on_filter(self, words: str) -> None:
        self._filter = words

    @Slot()
    def verify(self) -> None:
        """Ask for the written file to check on random inputs."""
        self.inputs = ()
        self._ask_written()

    @Slot()
    def verify_mine(self) -> None:
        """Ask for the person's own inputs, then for the written file, and verify on them."""
        ask_file(self._window, "Verify on your own inputs", SAMPLES, self.verify_on, mode="many")

    @Slot(list)
    def verify_on(self, paths: list[str]) -> None:
        """Verify the file that was written last, else one that is asked for, on these inputs."""
        self.inputs = tuple(paths)
        if self._last_out and os.path.exists(self._last_out):
            self.verify_path(self._last_out)
        else:
            self._ask_written()

    def _ask_written(self) -> None:
        start = self._last_out or self._settings.folder
        ask_file(self._window, "Verify a written file", RESULTS, self.verify_path, start=start)

    @Slot(str)
    def verify_path(self, path: str) -> None:
        """Check an exported file against source and recipe."""
        self.sheet.begin(path, "Verifying", self.inputs)
        self._work.verifying.begin(path, self.inputs)
        self.inputs = ()


def chosen_ending(words: str) -> str:
    """The ending that a file dialog's filter stands for."""
    inside = words.partition("(*")[2].partition(")")[0].split(" ")[0]
    return inside or ".keras"

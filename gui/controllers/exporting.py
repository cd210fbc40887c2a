"""Writing the result and checking it: on random inputs, or on the person's own."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from core.errors import NotChecked, SutureError
from core.writers.partials import UNVERIFIED, meant_path, unverified_path
from gui.controllers.file_watch import FileWatch
from gui.dialogs.export import ExportSheet
from gui.dialogs.own_files import OwnFilesSheet
from gui.document.settings import Settings
from gui.document.work import Work
from gui.models.opened import suggested_name
from gui.widgets.file_dialog import ask_file
from gui.widgets.parts import Look

RESULTS = (
    "Keras 3 (*.keras);;HDF5 (*.h5);;Weights only (*.weights.h5);;SavedModel folder (*.savedmodel);;ONNX (*.onnx);;"
    "LiteRT (*.tflite)"
)
WRITTEN = f"{RESULTS};;Not verified (*{UNVERIFIED});;All files (*)"
ENDINGS = (".keras", ".h5", ".hdf5", ".savedmodel", ".onnx", ".tflite")


class ExportCommands(QObject):
    """Owned by the page. Nothing is written from files that are not what they were when they were opened.

    `made` carries the sheet, once.
    """

    made = Signal(object)

    def __init__(self, window: QWidget, work: Work, settings: Settings, look: Look, watch: FileWatch) -> None:
        super().__init__(window)
        self._window, self._work, self._settings, self._look = window, work, settings, look
        self._watch = watch
        self._last_out = ""
        work.exporting.finished.connect(self._on_written)
        work.exporting.failed.connect(self._on_failed)
        self._filter = ""
        self.inputs: tuple[str, ...] = ()
        """The person's own data for the next verification; empty means random inputs."""

    @cached_property
    def sheet(self) -> ExportSheet:
        """The export sheet, made when first needed."""
        sheet = ExportSheet(self._work, self._look, self._window)
        self.made.emit(sheet)
        return sheet

    @cached_property
    def own_files(self) -> OwnFilesSheet:
        """The sheet that asks for the person's own data, made when first needed."""
        made = OwnFilesSheet(self._work, self._settings, WRITTEN, self._window)
        made.wanted.connect(self.verify_both)
        return made

    @Slot()
    def show_sheet(self) -> None:
        """Show what is under way, or how it ended."""
        self.sheet.open(self.sheet.cancel)

    def _unchanged(self) -> bool:
        """Whether the opened files are what they were; if not, the banner says so."""
        if self._watch.differing():
            self._watch.remind()
            return False
        return True

    @Slot()
    def export(self) -> None:
        """Ask where to write the result; say why not if the plan has errors."""
        source = self._work.session.source
        if self._work.session.hindrance:
            self._work.session.problem.emit(self._work.session.hindrance, "")
            return
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
        check = self._settings.verify_after_export
        self._work.advance.begin(writes=True, checks=check)
        self.sheet.begin(path, "Writing")
        self._work.exporting.begin(path, verify=check)

    @Slot(object)
    def _on_written(self, written: Any) -> None:
        self._last_out = written.written

    @Slot(object)
    def _on_failed(self, error: SutureError) -> None:
        if isinstance(error, NotChecked):
            self._last_out = error.fields["kept"]

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
        """Ask for the written file and the person's own inputs, and verify on them."""
        self.own_files.begin(self.last_out)

    @Slot(list)
    def verify_on(self, paths: list[str]) -> None:
        """Verify the file that was written last, else one that is asked for, on these inputs."""
        if self.last_out:
            self.verify_both(self.last_out, paths)
        else:
            self.own_files.begin("", paths)

    @Slot(str, list)
    def verify_both(self, path: str, inputs: list[str]) -> None:
        """Verify an exported file on these inputs."""
        self.inputs = tuple(inputs)
        self.verify_path(path)

    @property
    def last_out(self) -> str:
        """The result that was written last, by the name that it has now; `""` where there is none any more."""
        meant = meant_path(self._last_out) if self._last_out else None
        names = (self._last_out, meant, unverified_path(meant)) if meant is not None else ()
        return next((str(name) for name in names if name and os.path.exists(name)), "")

    def _ask_written(self) -> None:
        start = self.last_out or self._settings.folder
        ask_file(self._window, "Verify a written file", WRITTEN, self.verify_path, start=start)

    @Slot(str)
    def verify_path(self, path: str) -> None:
        """Check an exported file against source and recipe. One that is kept unverified gets its name if it passes."""
        inputs, self.inputs = self.inputs, ()
        self._work.advance.begin(writes=False)
        if path.endswith(UNVERIFIED):
            out = str(meant_path(path))
            self.sheet.begin(out, "Checking", inputs)
            self._work.exporting.check_again(out, inputs, current=True)
        else:
            self.sheet.begin(path, "Verifying", inputs)
            self._work.verifying.begin(path, inputs)


def chosen_ending(words: str) -> str:
    """The ending that a file dialog's filter stands for."""
    inside = words.partition("(*")[2].partition(")")[0].split(" ")[0]
    return inside or ".keras"

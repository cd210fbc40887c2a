"""The sheet that saves arrays as a file: which ones, from where, in which format; then how far it is, and what came."""

import re
from pathlib import Path
from typing import Any

from msgspec import Struct
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QProgressBar, QPushButton, QWidget

from core.errors import Cancelled, SutureError
from gui.document.work import Work
from gui.models.digest import size_words
from gui.widgets.fields import Choice
from gui.widgets.file_dialog import ask_file
from gui.widgets.parts import Sentence, label, named
from gui.widgets.sheet import Sheet

FORMATS = (
    (".safetensors", "safetensors (*.safetensors)", "Any number of arrays; every number type as it is"),
    (".npz", "NumPy archive (*.npz)", "Any number of arrays for numpy.load"),
    (".npy", "NumPy array (*.npy)", "One array for numpy.load"),
    (".csv", "Text (*.csv)", "One array as text: a row for each line along the last axis"),
)
ONE = (".npy", ".csv")
PLACES = (
    ("result", "The result", "As the recipe makes them"),
    ("file", "The opened file", "As they are stored, before the recipe"),
)


class Wish(Struct, frozen=True):
    """One thing to be saved: how it is called, and its path in the result and in the source (`None`: not there)."""

    key: str
    text: str
    result: str | None
    file: str | None

    def there(self, place: str) -> bool:
        """Whether it is in the result, or in the file."""
        return (self.result if place == "result" else self.file) is not None


class SaveArraysSheet(Sheet):
    """Non-modal; the work goes on behind it when it is closed with Escape, and it can be opened again."""

    def __init__(self, work: Work, parent: QWidget) -> None:
        super().__init__(parent, "saveArrays", "Save weights", 420)
        self._work = work
        self._wishes: tuple[Wish, ...] = ()
        self._out = ""
        self.folder = ""
        self.title = label("Save weights", "heading", wrap=True)
        self.column.addWidget(self.title)
        self.what = named(Choice("What to save", ()), "saveWhat")
        self.place = named(Choice("From", ()), "saveFrom")
        self.format = named(Choice("Format", ()), "saveFormat")
        self.fields = QWidget()
        grid = QGridLayout(self.fields)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for row, (text, box) in enumerate((("Save", self.what), ("From", self.place), ("Format", self.format))):
            grid.addWidget(label(text, "fieldLabel"), row, 0)
            grid.addWidget(box, row, 1)
        self.about = label("", "small", wrap=True)
        grid.addWidget(self.about, 3, 1)
        self.column.addWidget(self.fields)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("Progress")
        self.column.addWidget(self.bar)
        self.words = label("", "small", wrap=True)
        self.column.addWidget(self.words)
        self.problem = Sentence()
        self.column.addWidget(self.problem)
        self.column.addLayout(self._buttons())
        self.what.picked.connect(self._settle)
        self.place.picked.connect(self._settle)
        self.format.picked.connect(self._settle)
        job = work.saving_arrays
        job.progress.connect(self._on_progress)
        job.finished.connect(self._on_finished)
        job.failed.connect(self._on_failed)
        work.session.source_changed.connect(self._on_source)

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        self.cancel = named(QPushButton("Cancel"), "saveCancel")
        self.cancel.clicked.connect(self._on_cancel)
        self.save = named(QPushButton("Save\u2026"), "primary")
        self.save.clicked.connect(self._on_save)
        row.addWidget(self.cancel)
        row.addWidget(self.save)
        return row

    def begin(self, wishes: tuple[Wish, ...], *, result: bool, free: bool, folder: str) -> None:
        """Ask what of these to save, the first suggested. `result`: from the result; `free`: there is one."""
        if self._work.saving_arrays.running:
            self.open(self.cancel)
            return
        self._wishes, self._free, self.folder = wishes, free, folder
        self.title.setText("Save weights")
        self.what.set_options([(one.key, one.text, one.result or one.file or "") for one in wishes])
        self.what.show_key(wishes[0].key)
        self.place.set_options(PLACES)
        self.place.show_key("result" if result else "file")
        self.problem.say("")
        self._show(asking=True)
        self._settle()
        self.open(self.what)

    def _show(self, *, asking: bool, running: bool = False) -> None:
        self.fields.setVisible(asking)
        self.bar.setVisible(running)
        self.words.setVisible(not asking)
        self.save.setVisible(asking)
        self.cancel.setText("Cancel" if asking or running else "Close")

    def _wish(self) -> Wish:
        return next(one for one in self._wishes if one.key == self.what.key)

    @Slot()
    def _settle(self) -> None:
        """Offer the formats that hold what is chosen, and say what is not there."""
        wish = self._wish()
        one = wish.key == "array"
        keys = [each for each in FORMATS if one or each[0] not in ONE]
        self.format.set_options([(ending, text.partition(" (")[0], tip) for ending, text, tip in keys])
        self.about.setText(self.format.tip)
        missing = ""
        if not wish.there(self.place.key):
            name = wish.text.partition(" \u00b7 ")[0]
            where = (
                "the result, which has no such weights" if self.place.key == "result" else "the opened file: it is new"
            )
            missing = f"{name} cannot be saved from {where}."
        elif self.place.key == "result" and not self._free:
            missing = "The plan has errors, so there is no result yet; settle them, or save from the opened file."
        self.problem.say(missing)
        self.save.setEnabled(not missing)
        self.settle()

    def suggestion(self) -> str:
        """A file name made of the path of what is saved."""
        wish = self._wish()
        path = (wish.result if self.place.key == "result" else wish.file) or Path(self._source_name()).stem
        return re.sub(r"[^\w.-]+", "_", path).strip("._") or "weights"

    def _source_name(self) -> str:
        source = self._work.session.source
        return source.path if source is not None else "weights"

    @Slot()
    def _on_save(self) -> None:
        words = next(text for ending, text, _ in FORMATS if ending == self.format.key)
        start = str(Path(self.folder) / f"{self.suggestion()}{self.format.key}")
        ask_file(self, "Save weights", words, self.save_to, mode="save", start=start)

    @Slot(str)
    def save_to(self, path: str) -> None:
        """Save what is chosen; a path without an ending that can hold it gets that of the format."""
        wish = self._wish()
        able = [ending for ending, _, _ in FORMATS if wish.key == "array" or ending not in ONE]
        if not path.lower().endswith(tuple(able)):
            path += self.format.key
        result = self.place.key == "result"
        meant = wish.result if result else wish.file
        self._out, self.folder = path, str(Path(path).parent)
        self.title.setText(f"Writing {Path(path).name}")
        self.words.setText("Waiting for the engine")
        self.bar.setValue(0)
        self._show(asking=False, running=True)
        self.open(self.cancel)
        self._work.saving_arrays.begin(path, (meant,) if meant else (), result=result)

    @Slot(str, float)
    def _on_progress(self, stage: str, fraction: float) -> None:
        self.words.setText(stage.capitalize())
        self.bar.setValue(round(fraction * 1000))

    @Slot(object)
    def _on_finished(self, saved: Any) -> None:
        name = Path(saved.written).name
        self.title.setText(f"{name} was written")
        count = f"{saved.arrays:,} array{'s' * (saved.arrays != 1)}"
        lines = [f"{count}, {size_words(saved.bytes)}, in {Path(saved.written).parent}", *saved.notes]
        self.words.setText("\n".join(lines))
        self._done()

    @Slot(object)
    def _on_failed(self, error: SutureError) -> None:
        self.title.setText("Nothing was written")
        self.words.setText("Saving was cancelled." if isinstance(error, Cancelled) else error.message)
        self._done()

    def _done(self) -> None:
        self._show(asking=False)
        # what was written is told even if the sheet was closed meanwhile
        self.open(self.cancel)

    @Slot()
    def _on_cancel(self) -> None:
        if self._work.saving_arrays.running:
            self._work.saving_arrays.cancel()
        else:
            self.leave()

    @Slot()
    def _on_source(self) -> None:
        """Another file: what was asked about is gone."""
        if not self._work.saving_arrays.running:
            self.leave()

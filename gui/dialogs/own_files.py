"""Verify on my files: the result and the person's own data in one sheet, and what is made of the data beforehand."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QWidget
from typing_extensions import override

from core.errors import Cancelled, SutureError
from gui.document.settings import Settings
from gui.document.work import Work
from gui.widgets.file_dialog import ask_file
from gui.widgets.parts import ElidedLabel, Sentence, label, named
from gui.widgets.sheet import Sheet

SAMPLES = "Images and arrays (*.png *.jpg *.jpeg *.bmp *.gif *.npy *.npz);;All files (*)"


class OwnFilesSheet(Sheet):
    """`wanted` carries the result's path and those of the data."""

    asks = True
    wanted = Signal(str, list)

    def __init__(self, work: Work, settings: Settings, kinds: str, parent: QWidget) -> None:
        super().__init__(parent, "ownFiles", "Verify on my files", 460)
        self.setAcceptDrops(True)
        self._looking, self._settings, self._kinds = work.looking, settings, kinds
        self.out, self.paths = "", tuple[str, ...]()
        self._good = False
        self.column.addWidget(label("Verify on my files", "heading"))
        text = "The exported file and the model that it was made from both run on your images or arrays."
        self.column.addWidget(label(text, "small", wrap=True))
        grid = QGridLayout()
        grid.setVerticalSpacing(8)
        grid.setHorizontalSpacing(10)
        grid.setColumnStretch(1, 1)
        self.result, self.data = ElidedLabel(), ElidedLabel()
        self.choose = self._button("Choose\u2026", "chooseResult", "Choose the result", self.ask_result)
        self.files = self._button("Files\u2026", "chooseFiles", "Choose files of data", self.ask_files)
        self.folder = self._button("Folder\u2026", "chooseFolder", "Choose a folder of data", self.ask_folder)
        for row, (words, said, buttons) in enumerate(
            (("Result", self.result, (self.choose,)), ("Your data", self.data, (self.files, self.folder)))
        ):
            line = QHBoxLayout()
            line.setSpacing(6)
            line.addStretch(1)
            for button in buttons:
                line.addWidget(button)
            grid.addWidget(label(words, "fieldLabel"), row, 0)
            grid.addWidget(said, row, 1)
            grid.addLayout(line, row, 2)
        self.column.addLayout(grid)
        self.said = Sentence("small")
        self.column.addWidget(self.said)
        self.problem = Sentence()
        self.column.addWidget(self.problem)
        _, self.apply = self.add_buttons("Verify", self._on_apply)
        self._looking.finished.connect(self._on_looked)
        self._looking.failed.connect(self._on_refused)

    def _button(self, text: str, name: str, spoken: str, action: object) -> QPushButton:
        made = named(QPushButton(text), name)
        made.setAccessibleName(spoken)
        made.clicked.connect(action)
        return made

    def begin(self, out: str, paths: Sequence[str] = ()) -> None:
        """Ask; a result and data that are known already are filled in."""
        self.take_result(out)
        self.take(paths)
        self.open(self.files if out else self.choose)

    @Slot()
    def ask_result(self) -> None:
        """Choose the exported file."""
        start = self.out or self._settings.folder
        ask_file(self, "Verify a written file", self._kinds, self.take_result, start=start)

    @Slot()
    def ask_files(self) -> None:
        """Choose files of data."""
        ask_file(self, "Your images or arrays", SAMPLES, self.take, mode="many", start=self._settings.folder)

    @Slot()
    def ask_folder(self) -> None:
        """Choose a folder of data."""
        ask_file(self, "A folder of your images", "", self.take_folder, mode="folder", start=self._settings.folder)

    @Slot(str)
    def take_result(self, path: str) -> None:
        """This exported file."""
        self.out = path
        self.result.setText(Path(path).name if path else "no file yet")
        self.result.setToolTip(path)
        self._refresh()

    @Slot(str)
    def take_folder(self, path: str) -> None:
        """All that this folder holds."""
        self.take([path])

    @Slot(list)
    def take(self, paths: Sequence[str]) -> None:
        """This data; the engine says what it is to the model."""
        self.paths, self._good = tuple(paths), False
        self.data.setText(file_names(paths) or "no files yet")
        self.data.setToolTip("\n".join(self.paths[:20]))
        self.problem.say("")
        self.said.say("Looking at the files\u2026" if paths else "")
        self._refresh()
        if paths:
            self._looking.begin(paths)

    def _refresh(self) -> None:
        self.apply.setEnabled(bool(self.out) and self._good)

    @Slot(object)
    def _on_looked(self, notes: Sequence[str]) -> None:
        if self._looking.paths == self.paths:
            self._good = True
            self.said.say(" ".join(notes))
            self._refresh()
            if self.isVisible() and self.window().focusWidget() is self and self.apply.isEnabled():
                self.apply.setFocus()

    @Slot(object)
    def _on_refused(self, error: SutureError) -> None:
        if self._looking.paths == self.paths:
            self.said.say("")
            self.problem.say("" if isinstance(error, Cancelled) else error.message)
            self._refresh()

    @Slot()
    def _on_apply(self) -> None:
        self.leave()
        self.wanted.emit(self.out, list(self.paths))

    @override
    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    @override
    def dropEvent(self, event: QDropEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.take(paths)


def file_names(paths: Sequence[str]) -> str:
    """The first names of files, and how many more there are."""
    names = ", ".join(Path(path).name for path in paths[:3])
    return names + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")

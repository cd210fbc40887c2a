"""Where is this class defined? The person names a Python file and says that it may run, or goes on without."""

from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.errors import Cancelled, SutureError
from gui.document.settings import Settings
from gui.document.trust import Trust
from gui.widgets.file_dialog import ask_file
from gui.widgets.parts import IconLabel, Look, Sentence, label, named
from gui.widgets.sheet import Sheet

PYTHON = "Python files (*.py);;All files (*)"
CONSENT = (
    "When you click \u201cRun this file\u201d, Suture runs the whole file with your permissions, in the engine process "
    "only. Choose a file only if you trust its author. Suture remembers it until it is closed and writes nothing of it "
    "into the exported model."
)


class CodeSheet(Sheet):
    """Asks for one class at a time; `live` is whether the last file made it live."""

    def __init__(self, foreign: Trust, settings: Settings, look: Look, parent: QWidget) -> None:
        super().__init__(parent, "code", "Where is this class defined?", 500)
        self._foreign, self._settings = foreign, settings
        self._class = ""
        column = self.column
        self.title = label("", "heading", wrap=True)
        column.addWidget(self.title)
        self.users = label("", "small", wrap=True)
        column.addWidget(self.users)
        row = QHBoxLayout()
        row.setSpacing(8)
        self.file = QLineEdit()
        self.file.setPlaceholderText("A Python file, such as layers.py")
        self.file.setAccessibleName("Python file that defines the class")
        self.file.textChanged.connect(self._on_text)
        self.file.returnPressed.connect(self._on_run)
        row.addWidget(self.file, 1)
        self.browse = QPushButton("Choose\u2026")
        self.browse.setAccessibleName("Choose a Python file")
        self.browse.clicked.connect(self._on_browse)
        row.addWidget(self.browse)
        column.addLayout(row)
        column.addWidget(notice(look, CONSENT))
        self.problem = Sentence()
        column.addWidget(self.problem)
        self.state = Sentence("small")
        column.addWidget(self.state)
        column.addStretch(1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        self.without = QPushButton("Continue without it")
        self.without.setToolTip("The layer is kept unchanged; the layers after it are not checked")
        self.without.clicked.connect(self._on_without)
        buttons.addWidget(self.without)
        self.run = named(QPushButton("Run this file"), "primary")
        self.run.clicked.connect(self._on_run)
        buttons.addWidget(self.run)
        column.addLayout(buttons)
        foreign.settled.connect(self._on_settled)
        foreign.refused.connect(self._on_refused)
        foreign.busy_changed.connect(self._on_busy)

    def ask(self, class_name: str, layers: list[str]) -> None:
        """Ask for a class; `layers` are those that use it, none when it is the model's own class."""
        self._class = class_name
        self.title.setText(f"Where is {class_name} defined?")
        many = f"{len(layers)} layers are of this class: " if len(layers) > 1 else "Used by "
        words = ", ".join(layers[:4]) + (f" and {len(layers) - 4} more" if len(layers) > 4 else "")
        self.users.setText(f"{many}{words}." if layers else "It is the class of the model itself.")
        self.problem.say("")
        self.state.say("")
        self._on_text()
        self.open(self.file)

    @property
    def path(self) -> str:
        """The file as typed."""
        return str(Path(self.file.text().strip()).expanduser()) if self.file.text().strip() else ""

    @Slot()
    def _on_text(self) -> None:
        self.run.setEnabled(bool(self.path) and not self._foreign.busy)
        self.problem.say("")

    @Slot()
    def _on_browse(self) -> None:
        ask_file(self, "Where is this class defined?", PYTHON, self.file.setText, start=self._settings.folder)

    @Slot()
    def _on_run(self) -> None:
        if not self.run.isEnabled():
            return
        if not Path(self.path).is_file():
            self.problem.say(f"The file {self.path} does not exist; choose the one that defines {self._class}.")
            return
        self._foreign.run_file(self.path)

    @Slot()
    def _on_without(self) -> None:
        if self._foreign.busy:
            self._foreign.stop()
        else:
            self.leave()

    @Slot(bool)
    def _on_busy(self, busy: bool) -> None:
        self.state.say("Running the file\u2026" if busy else "")
        self.file.setEnabled(not busy)
        self.browse.setEnabled(not busy)
        self.run.setEnabled(bool(self.path) and not busy)
        self.without.setText("Stop" if busy else "Continue without it")

    @Slot()
    def _on_settled(self) -> None:
        if not self.isVisible():
            return
        if self._class in self._foreign.still_missing():
            self.problem.say(
                f"{Path(self.path).name} ran, but {self._class} is still not available; the file must define a "
                "Keras layer, model or function with that name."
            )
            return
        self.leave()

    @Slot(object)
    def _on_refused(self, error: SutureError) -> None:
        if self.isVisible():
            stopped = isinstance(error, Cancelled)
            self.problem.say("Stopped; nothing was changed." if stopped else error.message)


def notice(look: Look, text: str) -> QFrame:
    """A sentence that must not be overlooked, in a box of its own."""
    frame = named(QFrame(), "notice")
    row = QHBoxLayout(frame)
    row.setContentsMargins(12, 10, 12, 10)
    row.setSpacing(10)
    icon = QVBoxLayout()
    icon.addWidget(IconLabel(look, "warning", "warning"))
    icon.addStretch(1)
    row.addLayout(icon)
    row.addWidget(label(text, "noticeText", wrap=True), 1)
    return frame

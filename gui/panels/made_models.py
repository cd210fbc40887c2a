"""Models built from Keras Applications that are kept: how much they take, each with a button, and one for all."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from gui.document.open_files import open_paths
from gui.document.settings import Settings
from gui.models.digest import size_words
from gui.models.made_models import MadeModel, kept, remove, trim
from gui.widgets.fields import Choice
from gui.widgets.parts import ElidedLabel, clear_layout, label, named

MOST = 6
LIMITS = (
    ("1", "1 GB", "The models not used for longest are removed when a new one is built"),
    ("5", "5 GB", "The models not used for longest are removed when a new one is built"),
    ("20", "20 GB", "The models not used for longest are removed when a new one is built"),
    ("all", "All of them", "Models are removed by hand alone"),
)


def limit_bytes(settings: Settings) -> int | None:
    """The bytes that kept models may take; `None` for any number."""
    word = settings.word_of("kept_models") or "5"
    return int(word) * 10**9 if word.isdecimal() else None


class MadeModels(QWidget):
    """A model that is open stays."""

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(label("MODELS FROM KERAS APPLICATIONS", "cardTitle"))
        self.total = label("", "small", wrap=True)
        column.addWidget(self.total)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(4)
        column.addLayout(self._rows)
        last = QHBoxLayout()
        last.setSpacing(8)
        last.addWidget(label("Keep at most", "fieldLabel"))
        self.limit = named(Choice("Keep at most", LIMITS), "keptModels")
        self.limit.picked.connect(self._on_limit)
        last.addWidget(self.limit)
        last.addStretch(1)
        self.clear = QPushButton("Clear")
        self.clear.setAccessibleName("Remove all kept models")
        self.clear.clicked.connect(self._on_clear)
        last.addWidget(self.clear)
        column.addLayout(last)
        self.buttons: list[QPushButton] = []

    @Slot()
    def refresh(self) -> None:
        """List what is kept now."""
        models, opened = kept(), open_paths()
        self.limit.show_key(self._settings.word_of("kept_models") or "5")
        clear_layout(self._rows)
        self.buttons = []
        for one in models[:MOST]:
            self._rows.addLayout(self._row(one, one.path in opened))
        if len(models) > MOST:
            self._rows.addWidget(label(f"and {len(models) - MOST} more", "small"))
        count = f"{len(models)} model{'s' * (len(models) != 1)}"
        size = size_words(sum(one.size for one in models))
        self.total.setText(f"{count}, {size}" if models else "No model is kept.")
        self.clear.setEnabled(any(one.path not in opened for one in models))

    def _row(self, one: MadeModel, opened: bool) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        name = ElidedLabel(one.name)
        name.setToolTip(one.path)
        row.addWidget(name, 1)
        row.addWidget(label(size_words(one.size), "small"))
        button = named(QPushButton("Open now" if opened else "Remove"), "link")
        button.setAccessibleName(f"{one.name} is open" if opened else f"Remove {one.name}")
        button.setEnabled(not opened)
        button.clicked.connect(lambda _=False: self._remove(one.path))
        row.addWidget(button)
        self.buttons.append(button)
        return row

    def _remove(self, path: str) -> None:
        if path not in open_paths():
            remove([path])
        self.refresh()

    @Slot()
    def _on_clear(self) -> None:
        opened = open_paths()
        remove(one.path for one in kept() if one.path not in opened)
        self.refresh()

    @Slot(str)
    def _on_limit(self, key: str) -> None:
        self._settings.save_word("kept_models", key)
        trim(limit_bytes(self._settings), open_paths())
        self.refresh()

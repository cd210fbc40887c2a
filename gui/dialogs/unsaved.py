"""Save, discard or stay: asked before something takes the recipe away."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QPushButton, QWidget

from gui.widgets.parts import label
from gui.widgets.sheet import Sheet


class UnsavedSheet(Sheet):
    """`save_wanted` leaves the sheet open, so that a save that comes to nothing loses nothing."""

    asks = True

    save_wanted = Signal()
    discard_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, "unsaved", "The recipe is not saved", 420)
        self.title = label("Save the recipe?", "heading", wrap=True)
        self.column.addWidget(self.title)
        self.words = label("", "muted", wrap=True)
        self.column.addWidget(self.words)
        self.discard = QPushButton("Discard")
        self.discard.clicked.connect(self.discard_wanted)
        self.cancel, self.save = self.add_buttons("Save\u2026", self._on_save, left=self.discard)
        self.save.setAccessibleName("Save the recipe")
        for button in (self.discard, self.cancel, self.save):
            button.setAutoDefault(True)

    def begin(self, steps: int, deed: str) -> None:
        """Ask about so many steps; `deed` is what would take them away, such as "Closing the window"."""
        many, them = ("1 step that is", "it") if steps == 1 else (f"{steps} steps that are", "them")
        self.words.setText(f"The recipe contains {many} neither saved nor exported. {deed} discards {them}.")
        self.open(self.save)

    @Slot()
    def _on_save(self) -> None:
        self.save_wanted.emit()

"""The sheet that gives a lookup another vocabulary: one word a line, and what becomes of the rows."""

from collections import Counter

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QPlainTextEdit, QPushButton, QWidget

from core.model.graph import Layer
from core.recipes import gestures
from core.surgery.words import holds_numbers, vocabulary
from gui.session import Session
from gui.widgets.fields import Choice
from gui.widgets.parts import Sentence, label, named
from gui.widgets.sheet import Sheet

_STARTS = (
    ("uniform", "Random values", "Small random values, like those of a new Keras Embedding"),
    ("mean", "Mean of the known rows", "The average of all existing rows"),
    ("zeros", "Zeros", "Zeros until training changes them"),
)


class WordsSheet(Sheet):
    """Says while one types how many words stay, are new and go."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent, "words", "Vocabulary", 420)
        self._session = session
        self._path = ""
        self._old: tuple[object, ...] | None = None
        self._numbers = False
        self.title = label("", "heading", wrap=True)
        self.column.addWidget(self.title)
        self.column.addWidget(label("One word per line. Each row of the embedding moves with its word.", wrap=True))
        self.words = named(QPlainTextEdit(), "vocabularyWords")
        self.words.setAccessibleName("Words, one per line")
        self.words.setTabChangesFocus(True)
        self.words.setPlaceholderText("The words that the model should know")
        self.words.setMinimumHeight(220)
        self.words.textChanged.connect(self._check)
        self.column.addWidget(self.words)
        form = QFormLayout()
        self.fresh = Choice("New words start at", _STARTS)
        form.addRow("New words start at", self.fresh)
        self.column.addLayout(form)
        self.note = Sentence()
        self.column.addWidget(self.note)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.leave)
        buttons.addWidget(cancel)
        self.apply = named(QPushButton("Change vocabulary"), "primary")
        self.apply.clicked.connect(self._on_apply)
        buttons.addWidget(self.apply)
        self.column.addLayout(buttons)

    def begin(self, path: str, layer: Layer) -> None:
        """Ask for the words of the lookup at `path`, beginning with those it has."""
        self._path, self._old, self._numbers = path, vocabulary(layer), holds_numbers(layer)
        self.title.setText(f"Vocabulary of {path}")
        self.words.setPlainText("\n".join(str(word) for word in self._old or ()))
        self._check()
        self.open(self.words)

    def given(self) -> list[str]:
        """The words as typed, without empty lines."""
        return [line.strip() for line in self.words.toPlainText().splitlines() if line.strip()]

    def _problem(self) -> str:
        words = self.given()
        if not words:
            return "Enter at least one word."
        word, times = Counter(words).most_common(1)[0]
        if times > 1:
            return f"{word} is listed {times} times; each word has one row."
        wrong = next((word for word in words if self._numbers and not word.lstrip("-").isdigit()), None)
        return f"{wrong} is not a whole number." if wrong is not None else ""

    @Slot()
    def _check(self) -> None:
        problem = self._problem()
        old = [str(word) for word in self._old] if self._old is not None else None
        words = self.given()
        if problem or old is None:
            self.note.say(problem)
        else:
            kept = len(set(old) & set(words))
            self.note.say(f"{kept} kept, {len(words) - kept} new, {len(old) - kept} removed.")
        self.apply.setEnabled(not problem and words != old)

    @Slot()
    def _on_apply(self) -> None:
        if self._problem():
            return
        words = [int(word) for word in self.given()] if self._numbers else self.given()
        edit = gestures.make_edit("keep_words", layer=self._path, vocabulary=words, fresh=self.fresh.key)
        self._session.end_burst()
        self._session.gesture(lambda recipe: recipe.plus(edit), f"Vocabulary of {self._path}")
        self.leave()

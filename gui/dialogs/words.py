"""The sheet that gives a lookup another vocabulary: one word a line, and what becomes of the rows."""

from collections import Counter

from PySide6.QtWidgets import QWidget
from typing_extensions import override

from core.model.graph import Layer
from core.recipes import gestures
from core.surgery.words import holds_numbers, vocabulary
from gui.document.session import Session
from gui.widgets.cells import Field
from gui.widgets.sheet import FormSheet

FIELDS = (
    Field(
        "vocabulary", "", "lines",
        spoken="Words, one per line",
        hint="The words that the model should know",
        low=220,
        key="vocabularyWords",
    ),
    Field(
        "fresh", "New words start at", "choice",
        options=(
            ("uniform", "Random values", "Small random values, like those of a new Keras Embedding"),
            ("mean", "Mean of the known rows", "The average of all existing rows"),
            ("zeros", "Zeros", "Zeros until training changes them"),
        ),
    ),
)  # fmt: skip


class WordsSheet(FormSheet):
    """Says while one types how many words stay, are new and go."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        text = "One word per line. Each row of the embedding moves with its word."
        super().__init__(parent, "words", "Vocabulary", 420, "Change vocabulary", FIELDS, text)
        self._session = session
        self._path = ""
        self._old: tuple[object, ...] | None = None
        self._numbers = False
        self.words, self.fresh = self.form.text("vocabulary"), self.form.choice("fresh")
        self.note = self.form.problem

    def begin(self, path: str, layer: Layer) -> None:
        """Ask for the words of the lookup at `path`, beginning with those it has."""
        self._path, self._old, self._numbers = path, vocabulary(layer), holds_numbers(layer)
        self.about_layer = path
        self.title.setText(f"Vocabulary of {path}")
        self.form.show_values({"vocabulary": "\n".join(str(word) for word in self._old or ())})
        self.check()
        self.open(self.words)

    def given(self) -> list[str]:
        """The words as typed, without empty lines."""
        return [line.strip() for line in self.words.toPlainText().splitlines() if line.strip()]

    @override
    def trouble(self) -> str:
        words = self.given()
        if not words:
            return "Enter at least one word."
        word, times = Counter(words).most_common(1)[0]
        if times > 1:
            return f"{word} is listed {times} times; each word has one row."
        wrong = next((word for word in words if self._numbers and not word.lstrip("-").isdigit()), None)
        return f"{wrong} is not a whole number." if wrong is not None else ""

    def _olds(self) -> list[str] | None:
        return [str(word) for word in self._old] if self._old is not None else None

    @override
    def ready(self) -> bool:
        return self.given() != self._olds()

    @override
    def check(self) -> None:
        super().check()
        old, words = self._olds(), self.given()
        if old is not None and not self.trouble():
            kept = len(set(old) & set(words))
            self.note.say(f"{kept} kept, {len(words) - kept} new, {len(old) - kept} removed.")

    @override
    def finish(self) -> bool:
        words = [int(word) for word in self.given()] if self._numbers else self.given()
        edit = gestures.make_edit("keep_words", layer=self._path, vocabulary=words, fresh=self.fresh.key)
        self._session.end_burst()
        self._session.gesture(lambda recipe: recipe.plus(edit), f"Vocabulary of {self._path}")
        return True

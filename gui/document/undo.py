"""Undo: one kind of command, whole recipes before and after, so that undoing can never fail."""

from typing import Protocol

from PySide6.QtGui import QUndoCommand
from typing_extensions import override

from core.recipes.recipe import Recipe


class Document(Protocol):
    """What a command needs of the session."""

    recipe: Recipe

    def take_recipe(self, recipe: Recipe) -> None:
        """Make a recipe the current one."""

    def end_burst(self) -> None:
        """The next change is a step of its own."""


class ChangeRecipe(QUndoCommand):
    """The one undo command: the recipe before, the recipe after. Commands of the same `burst` melt into one."""

    def __init__(self, document: Document, after: Recipe, text: str, burst: str = "") -> None:
        super().__init__(text)
        self._document = document
        self.before = document.recipe
        self.after = after
        self.burst = burst

    @override
    def id(self) -> int:
        """Commands with an id are offered to the one before them for merging."""
        return 1 if self.burst else -1

    @override
    def mergeWith(self, other: QUndoCommand) -> bool:
        """Swallow a later command of the same burst; a burst that ends where it began is no step at all."""
        if not isinstance(other, ChangeRecipe) or other.burst != self.burst:
            return False
        self.after = other.after
        self.setText(other.text())
        self.setObsolete(self.after == self.before)
        return True

    @override
    def redo(self) -> None:
        """To the recipe after."""
        self._document.take_recipe(self.after)

    @override
    def undo(self) -> None:
        """To the recipe before."""
        self._document.end_burst()
        self._document.take_recipe(self.before)

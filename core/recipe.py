"""Recipes: an ordered list of edits, read from and written to JSON."""

import json
from typing import Any

import msgspec
from msgspec import Struct

from core.edits import AnyEdit
from core.errors import RecipeError


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do to a source. `suture` is the format's version."""

    suture: int = 1
    edits: tuple[AnyEdit, ...] = ()

    def active(self) -> tuple[AnyEdit, ...]:
        """The edits that are switched on."""
        return tuple(edit for edit in self.edits if edit.enabled)

    def plus(self, *edits: AnyEdit) -> "Recipe":
        """This recipe with more edits at its end."""
        return msgspec.structs.replace(self, edits=(*self.edits, *edits))


def schema() -> dict[str, Any]:
    """JSON Schema of recipes."""
    return msgspec.json.schema(Recipe)


def to_json(recipe: Recipe) -> str:
    """The recipe as indented JSON."""
    return json.dumps(msgspec.to_builtins(recipe), indent=2) + "\n"

"""Recipes that come with the program, offered by name."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from core.recipes.recipe import Recipe

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "recipes"


class Preset(Struct, frozen=True):
    """One of them. `text` says what it does, `hint` what to adapt to one's own model.

    `own_sizes`: the steps are about channels alone, so that height and width are taken from the model.
    """

    file: str
    title: str
    text: str = ""
    hint: str = ""
    own_sizes: bool = False

    def steps(self) -> tuple[Any, ...]:
        """Its edits."""
        return msgspec.json.decode((FOLDER / self.file).read_bytes(), type=Recipe).edits


def presets() -> list[Preset]:
    """All of them, in the order of their index."""
    return msgspec.json.decode((FOLDER / "index.json").read_bytes(), type=list[Preset])

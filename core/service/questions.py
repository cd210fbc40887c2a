"""Further requests to the engine, for what the window shows beside the plan."""

from typing import Literal

from msgspec import Struct

from core.recipes.recipe import Recipe


class DescribeLayers(Struct, frozen=True, kw_only=True):
    """To the engine: which layer classes are there? Answer: `LayerClass`es by name."""


class CheckRecipes(Struct, frozen=True, kw_only=True):
    """To the engine: which of these recipes plan cleanly on the current source? Answer: a `RecipeCheck` each."""

    recipes: tuple[Recipe, ...]


class MatchWeights(Struct, frozen=True, kw_only=True):
    """To the engine: how would the weights of `file` lie beside the model's? Answer: `Matching`."""

    recipe: Recipe
    file: str
    match: Literal["name", "order", "shape", "pairs"] = "name"
    pairs: tuple[tuple[str, str], ...] = ()

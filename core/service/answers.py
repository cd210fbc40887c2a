"""The engine's answers to `core.service.questions`; imported in the engine process only when one is asked."""

from collections.abc import Callable
from typing import Any

from core.errors import SutureError
from core.service import questions

Progress = Callable[[str, float], None]
Handler = Callable[[Any, Progress], Any]


def answers(the_engine: Callable[[], Any]) -> dict[type, Handler]:
    """One function per kind of question; `the_engine` makes the engine when it is first needed."""

    def describe(body: questions.DescribeLayers, progress: Progress) -> Any:
        from core.engine.describe import layer_classes

        return layer_classes()

    def check(body: questions.CheckRecipes, progress: Progress) -> Any:
        from core.engine.matching import verdict
        from core.layers.descriptions import RecipeCheck

        found = []
        for recipe in body.recipes:
            try:
                found.append(verdict(the_engine().plan(recipe)))
            except SutureError as error:
                found.append(RecipeCheck(False, error.message))
        return tuple(found)

    def match(body: questions.MatchWeights, progress: Progress) -> Any:
        from core.edits import TransferWeights
        from core.engine.matching import aligned
        from core.recipes.recipe import Recipe

        edit = TransferWeights(file=body.file, match=body.match, pairs=body.pairs)
        engine = the_engine()
        (other,) = engine.files(Recipe(edits=(edit,))).values()
        before = engine.plan(body.recipe)
        try:
            edit.check()
            after, problem = engine.plan(body.recipe.plus(edit)), ""
        except SutureError as error:
            after, problem = None, error.message
        return aligned(before, after, other, edit, problem)

    return {questions.DescribeLayers: describe, questions.CheckRecipes: check, questions.MatchWeights: match}

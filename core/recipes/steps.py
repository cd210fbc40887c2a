"""Gestures on the steps that have no panel of their own: adapters, fronts, outputs, single layers."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from core.edits import AnyEdit, ChangeInput, CutAt, InsertAdapter, InsertFront, StartAt
from core.recipes.gestures import make_edit, with_steps
from core.recipes.recipe import Recipe
from core.rules import AnyRule

CHANNEL_FITS = ("project", "repeat")


def of_input(edit: Any, name: str) -> bool:
    """Whether a step is about the input of this name."""
    return edit.input in (None, name)


def adapters(recipe: Recipe, name: str) -> list[InsertAdapter]:
    """The adapters in front of an input."""
    return [one for one in recipe.active() if isinstance(one, InsertAdapter) and of_input(one, name)]


def front(recipe: Recipe, name: str) -> InsertFront | None:
    """The new front before an input."""
    return next((one for one in recipe.active() if isinstance(one, InsertFront) and of_input(one, name)), None)


def _place(recipe: Recipe, edit: AnyEdit, same: Any) -> Recipe:
    steps = list(recipe.edits)
    for index, old in enumerate(steps):
        if same(old):
            steps[index] = edit
            return with_steps(recipe, steps)
    return recipe.plus(edit)


def put_adapter(recipe: Recipe, name: str, edit: InsertAdapter) -> Recipe:
    """The recipe with this adapter in the place of an earlier one of its kind (sizes or channels)."""
    channels = edit.fit in CHANNEL_FITS

    def same(old: Any) -> bool:
        return isinstance(old, InsertAdapter) and of_input(old, name) and (old.fit in CHANNEL_FITS) == channels

    return _place(recipe, edit, same)


def take_adapters(recipe: Recipe, name: str) -> Recipe:
    """The recipe without adapters in front of an input."""
    return with_steps(
        recipe, (one for one in recipe.edits if not (isinstance(one, InsertAdapter) and of_input(one, name)))
    )


def put_front(recipe: Recipe, name: str, edit: InsertFront) -> Recipe:
    """The recipe with this front in the place of an earlier one."""
    return _place(recipe, edit, lambda old: isinstance(old, InsertFront) and of_input(old, name))


def take_front(recipe: Recipe, name: str) -> Recipe:
    """The recipe without a new front."""
    return with_steps(
        recipe, (one for one in recipe.edits if not (isinstance(one, InsertFront) and of_input(one, name)))
    )


def adapt_instead(
    recipe: Recipe, name: str, edit: InsertAdapter, kept: tuple[int | None, ...] | None, channels: str | AnyRule
) -> Recipe:
    """An adapter where a change of the input's size stood; `kept` is the shape for a change of channels that stays."""
    steps = [one for one in recipe.edits if not (isinstance(one, ChangeInput) and of_input(one, name))]
    clean = with_steps(recipe, steps)
    if kept is not None:
        changed = ChangeInput(input=edit.input, shape=kept, channels=channels)
        clean = with_steps(recipe, (changed, *steps))
    return put_adapter(clean, name, edit)


def outputs(recipe: Recipe) -> tuple[str, ...]:
    """The layers that the recipe's cut makes the outputs; empty without one."""
    cut = next((one for one in recipe.active() if isinstance(one, CutAt)), None)
    return cut.layers if cut is not None else ()


def set_outputs(recipe: Recipe, layers: Iterable[str]) -> Recipe:
    """Other outputs; none takes the cut out."""
    wanted = tuple(dict.fromkeys(layers))
    if not wanted:
        return with_steps(recipe, (one for one in recipe.edits if not isinstance(one, CutAt)))
    steps = list(recipe.edits)
    for index, old in enumerate(steps):
        if isinstance(old, CutAt):
            steps[index] = replace(old, layers=wanted, enabled=True)
            return with_steps(recipe, steps)
    return recipe.plus(make_edit("cut_at", layers=list(wanted)))


def starts(recipe: Recipe) -> tuple[str, ...]:
    """The layers after which the recipe's first start begins; empty without one."""
    first = next((one for one in recipe.active() if isinstance(one, StartAt)), None)
    return first.layers if first is not None else ()


def set_starts(recipe: Recipe, layers: Iterable[str]) -> Recipe:
    """Other layers to begin after, in the first such step; none takes it out."""
    wanted = tuple(dict.fromkeys(layers))
    for index, old in enumerate(recipe.edits):
        if isinstance(old, StartAt) and old.enabled:
            fresh = (replace(old, layers=wanted),) if wanted else ()
            return with_steps(recipe, (*recipe.edits[:index], *fresh, *recipe.edits[index + 1 :]))
    return recipe.plus(StartAt(layers=wanted)) if wanted else recipe


def start_at(recipe: Recipe, layer: str) -> Recipe:
    """The recipe that begins after a layer of the planned model; a start that was the last step moves there."""
    edit = make_edit("start_at", layers=[layer])
    last = recipe.edits[-1] if recipe.edits else None
    return with_steps(recipe, (*recipe.edits[:-1], edit)) if _starts(last) else recipe.plus(edit)


def _starts(edit: Any) -> bool:
    return isinstance(edit, StartAt) and edit.enabled and len(edit.layers) == 1

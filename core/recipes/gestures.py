"""What a click or a typed value does to a recipe: pure functions from recipe to recipe.

A gesture that sets something twice replaces its earlier step, and one that sets everything back to the source's own
values takes the step out, so that a recipe says no more than what the person wants.
"""

from collections.abc import Iterable
from glob import escape
from typing import Any

import msgspec
from msgspec.structs import replace

from core.edits import AnyEdit, ChangeInput, ReplaceFirstConv, SetTrainable
from core.recipes.recipe import Recipe
from core.rules import AnyRule
from core.surgery.selectors import takes_away

Steps = tuple[AnyEdit, ...]


def tag(edit: Any) -> str:
    """An edit's name in recipes."""
    return str(edit.__struct_config__.tag)


def make_edit(do: str, **fields: Any) -> Any:
    """An edit from its name and fields. Raises `msgspec.ValidationError` for a field that does not fit."""
    return msgspec.convert({"edits": [{"do": do, **fields}]}, Recipe).edits[0]


def with_steps(recipe: Recipe, steps: Iterable[AnyEdit]) -> Recipe:
    """The recipe with other steps."""
    return replace(recipe, edits=tuple(steps))


def steps_of(recipe: Recipe, *names: str) -> list[Any]:
    """The switched-on steps of these names, in order."""
    return [edit for edit in recipe.edits if tag(edit) in names and edit.enabled]


def put(recipe: Recipe, edit: Any) -> Recipe:
    """The recipe with this step, in the place of an earlier one about the same thing, or at the end."""
    steps = list(recipe.edits)
    for index, old in enumerate(steps):
        if old.gives_way_to(edit):
            steps[index] = edit
            return with_steps(recipe, steps)
    return recipe.plus(edit)


def take(recipe: Recipe, edit: Any) -> Recipe:
    """The recipe without the steps about the same thing as `edit`."""
    return with_steps(recipe, (old for old in recipe.edits if not old.gives_way_to(edit)))


def take_all(recipe: Recipe, *names: str) -> Recipe:
    """The recipe without any step of these names."""
    return with_steps(recipe, (old for old in recipe.edits if tag(old) not in names))


def remove_step(recipe: Recipe, index: int) -> Recipe:
    """The recipe without step number `index`, counted from 0."""
    return with_steps(recipe, (old for number, old in enumerate(recipe.edits) if number != index))


def move_step(recipe: Recipe, index: int, to: int) -> Recipe:
    """The recipe with step `index` moved so that it becomes number `to`."""
    steps = list(recipe.edits)
    steps.insert(to, steps.pop(index))
    return with_steps(recipe, steps)


def toggle_step(recipe: Recipe, index: int, enabled: bool) -> Recipe:
    """The recipe with step `index` switched on or off."""
    steps = list(recipe.edits)
    steps[index] = replace(steps[index], enabled=enabled)
    return with_steps(recipe, steps)


def set_input(
    recipe: Recipe,
    name: str | None,
    shape: tuple[int | None, ...],
    channels: str | AnyRule,
    original: tuple[int | None, ...],
) -> Recipe:
    """Change an input's shape (without batch); the original shape without a rule of one's own takes the step out."""
    edit = ChangeInput(input=name, shape=shape, channels=channels)
    return take(recipe, edit) if shape == original and isinstance(channels, str) else put(recipe, edit)


def set_stem(recipe: Recipe, layer: str | None, fields: dict[str, Any], found: str | None = None) -> Recipe:
    """Replace the first convolution; no fields take the step out.

    Without `layer` the recipe says "the first convolution", which carries over to other models; `found` is what it is
    in this one, so that a step which names it is changed in its place and goes on naming it.
    """
    edit = make_edit("replace_first_conv", layer=layer, **fields)
    same = (layer, None, found) if found is not None else (layer,)
    known = next(
        (
            (at, old.layer)
            for at, old in enumerate(recipe.edits)
            if isinstance(old, ReplaceFirstConv) and old.layer in same
        ),
        None,
    )
    if known is None:
        return put(recipe, edit) if fields else take(recipe, edit)
    at, named = known
    if not fields:
        return remove_step(recipe, at)
    return with_steps(recipe, (*recipe.edits[:at], replace(edit, layer=named), *recipe.edits[at + 1 :]))


def toggle_frozen(recipe: Recipe, path: str, frozen: bool, *, is_batch_norm: bool = False) -> Recipe:
    """Freeze or unfreeze one layer, or everything in one nested model. A BatchNormalization that is meant by itself
    obeys, whatever the other steps say of BatchNormalization.
    """
    return set_frozen(recipe, [escape(path)], frozen, batch_norm="with_layer" if is_batch_norm else None)


def set_frozen(recipe: Recipe, layers: Iterable[str], frozen: bool, batch_norm: str | None = None) -> Recipe:
    """Freeze or unfreeze layers given by selector; earlier steps no longer mention these very addresses.

    `batch_norm` is by default what the recipe's other freezing steps say.
    """
    wanted = tuple(dict.fromkeys(layers))
    modes = [edit.batch_norm for edit in recipe.edits if isinstance(edit, SetTrainable)]
    mode = batch_norm or (modes[-1] if modes else "with_layer")
    steps: list[Any] = []
    for edit in recipe.edits:
        if not isinstance(edit, SetTrainable):
            steps.append(edit)
            continue
        if takes_away(edit.layers):  # what is left would mean something else
            kept = () if edit.layers == wanted else edit.layers
        else:
            kept = tuple(address for address in edit.layers if address not in wanted)
        if kept:
            steps.append(edit if kept == tuple(edit.layers) else replace(edit, layers=kept))
    last = steps[-1] if steps else None
    alike = isinstance(last, SetTrainable) and last.enabled and last.batch_norm == mode
    alone = takes_away(wanted) or (isinstance(last, SetTrainable) and takes_away(last.layers))
    if isinstance(last, SetTrainable) and alike and last.trainable is (not frozen) and not alone:
        steps[-1] = replace(last, layers=(*last.layers, *wanted))
    else:
        steps.append(make_edit("set_trainable", layers=list(wanted), trainable=not frozen, batch_norm=mode))
    return with_steps(recipe, steps)


def set_batch_norm(recipe: Recipe, mode: str) -> Recipe:
    """How BatchNormalization goes with every freezing step: `with_layer`, `frozen` or `trainable`."""
    return with_steps(
        recipe, (replace(edit, batch_norm=mode) if isinstance(edit, SetTrainable) else edit for edit in recipe.edits)
    )


def set_head(recipe: Recipe, edits: Iterable[Any]) -> Recipe:
    """Other head steps (`remove_head`, `attach_head`) in the place of those there are."""
    return take_all(recipe, "remove_head", "attach_head").plus(*edits)


def apply_fix(recipe: Recipe, edits: Iterable[Any], step: int = 0) -> Recipe:
    """The recipe with a finding's fix taken: in the place of step number `step` (from 1) where it is about one.

    Else steps about the same thing are replaced, and what comes ahead of one in the fix comes ahead of it in the
    recipe.
    """
    if step:
        return with_steps(recipe, (*recipe.edits[: step - 1], *edits, *recipe.edits[step:]))
    ahead: list[Any] = []
    for edit in edits:
        steps = list(recipe.edits)
        place = next((index for index, old in enumerate(steps) if old.gives_way_to(edit)), None)
        if place is None:
            ahead.append(edit)
            continue
        steps[place : place + 1] = [*ahead, edit]
        recipe, ahead = with_steps(recipe, steps), []
    return recipe.plus(*ahead)


def freeze_all(recipe: Recipe, kept: Iterable[str], *, frozen: bool) -> Recipe:
    """Freeze (or unfreeze) every layer except some; earlier freezing steps go."""
    modes = [edit.batch_norm for edit in recipe.edits if isinstance(edit, SetTrainable)]
    fields = {"batch_norm": modes[-1]} if modes else {}
    everything = make_edit("set_trainable", layers=["*"], trainable=not frozen, **fields)
    clean = take_all(recipe, "set_trainable").plus(everything)
    but = [escape(path) for path in kept]
    return clean.plus(make_edit("set_trainable", layers=but, trainable=frozen, **fields)) if but else clean

"""Compare rules: the old model and each way of making the new one, run on inputs that mean the same to both."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from msgspec.structs import replace

from core.edits import AnyEdit, ChangeInput
from core.engine.arrays import Arrays
from core.engine.build import live_model
from core.engine.contracts import relative
from core.engine.planner import Planner
from core.engine.running import numbers
from core.engine.sizes import trial_sizes
from core.errors import EditError, SutureError
from core.findings import Fix
from core.model.graph import Graph, Shape
from core.model.plan import RuleDrift
from core.readers.source import Source
from core.recipes.recipe import Recipe
from core.rules.base import Array
from core.rules.words import rule_words
from core.surgery.inputs import DEFAULT_SIZE, concrete, ordered

_CHANNEL_RULES = ("fold", "sum", "repeat", "mean", "zero_extra")


def variants(
    planner: Planner, recipe: Recipe, number: int | None = None, weight: str | None = None
) -> list[tuple[Fix, Recipe]]:
    """The recipes to compare: edit `number` (from 1) with every channel rule, or every fix of a mismatched `weight`.

    Raises `EditError` if there is nothing to choose there.
    """
    if weight is not None:
        fixes = [
            fix
            for finding in planner.plan(recipe).findings
            if finding.code == "weight.mismatch"
            and weight.startswith(finding.layer + "/")
            and weight in finding.message
            for fix in finding.fixes
        ]
        return [(fix, recipe.plus(*fix.edits)) for fix in fixes]
    edit = recipe.edits[number - 1] if number and number <= len(recipe.edits) else None
    if not isinstance(edit, ChangeInput):
        raise EditError("Rules can be compared only for a change of the input or for a weight that does not fit.")
    found = []
    for name in _CHANNEL_RULES:
        changed = replace(edit, channels=name)
        edits: tuple[AnyEdit, ...] = (*recipe.edits[: (number or 1) - 1], changed, *recipe.edits[number or 1 :])
        found.append((Fix(rule_words(name), (changed,)), replace(recipe, edits=edits)))
    return found


def compare(
    planner: Planner,
    candidates: Sequence[tuple[Fix, Recipe]],
    files: Mapping[int, Source],
    own_inputs: Mapping[str, Array] | None = None,
) -> tuple[RuleDrift, ...]:
    """Every candidate that plans cleanly with the drift of its outputs, smallest first. Raises `FileError`."""
    before = planner.planned(Recipe())
    old_graph = before.plan.graph
    with Arrays(old_graph, files) as arrays:
        old = live_model(old_graph, before.moves, arrays)
    ranking = []
    for fix, recipe in candidates:
        try:
            planned = planner.planned(recipe)
        except SutureError:
            continue
        if not planned.plan.ok:
            continue
        graph = planned.plan.graph
        with Arrays(graph, files) as arrays:
            new = live_model(graph, planned.moves, arrays)
        sizes = trial_sizes(planner.shaper, graph, old_graph)
        x_new = {**smooth_inputs(graph, old_graph, sizes=sizes), **(own_inputs or {})}
        x_old = {name: _as_old(array, old_graph, name) for name, array in x_new.items() if name in old_graph.by_name()}
        was, now = numbers(old, ordered(old_graph, x_old)), numbers(new, ordered(graph, x_new))
        alike = [array.shape for array in was] == [array.shape for array in now]
        ranking.append(RuleDrift(fix.title, _drift(was, now), fix.edits, alike))
        del new
    return tuple(sorted(ranking, key=lambda one: one.drift))


def _drift(old: list[Array], new: list[Array]) -> float:
    return max((relative(a, b) for a, b in zip(new, old, strict=False)), default=float("inf"))


def smooth_inputs(
    graph: Graph, like: Graph, count: int = 4, sizes: Mapping[str, int] | None = None
) -> dict[str, Array]:
    """Seeded inputs with large structures, as photographs have, whose channels repeat those of the old input.

    Open dimensions are as large as the old input's, else what `sizes` says.
    """
    rng = np.random.default_rng(11)
    olds = {layer.name: _shape(layer.config) for layer in like.input_layers()}
    found = {}
    for layer in graph.input_layers():
        old = olds.get(layer.name)
        shape = concrete(_shape(layer.config), count, old, (sizes or {}).get(layer.name, DEFAULT_SIZE))
        if len(shape) < 3:
            found[layer.name] = rng.random(shape, dtype=np.float32)
            continue
        spatial, channels = shape[1:-1], shape[-1]
        coarse = rng.random((count, *(max(2, size // 8) for size in spatial), channels), dtype=np.float32)
        full = _resized(coarse, spatial)
        source = min(channels, int(old[-1] or channels)) if old else channels
        found[layer.name] = np.take(full, np.arange(channels) % source, axis=-1)
    return found


def _as_old(array: Array, graph: Graph, name: str) -> Array:
    """What the new input would have been for the old model: channels dealt back, size brought back.

    `core.surgery.inputs.old_input_words` says it to people.
    """
    old = concrete(_shape(graph.layer(name).config), array.shape[0], array.shape)
    if len(old) != array.ndim or old == array.shape:
        return array
    channels, now = old[-1], array.shape[-1]
    if now < channels:
        array = np.take(array, np.arange(channels) % now, axis=-1)
    elif now > channels:
        array = np.stack([array[..., start::channels].mean(axis=-1) for start in range(channels)], axis=-1)
    return _resized(array, old[1:-1]).astype(np.float32)


def _resized(array: Array, spatial: tuple[int, ...]) -> Array:
    if array.shape[1:-1] == tuple(spatial):
        return array
    if len(spatial) == 2:
        return np.asarray(keras.ops.image.resize(array, spatial, antialias=True), dtype=np.float32)
    for axis, size in enumerate(spatial, 1):
        places = np.linspace(0, array.shape[axis] - 1, size).round().astype(int)
        array = np.take(array, places, axis=axis)
    return array


def _shape(config: dict[str, object]) -> Shape | None:
    shape = config.get("batch_shape")
    return tuple(shape) if isinstance(shape, (list, tuple)) else None

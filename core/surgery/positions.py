"""Positions that a model froze when it was built: rows of an Embedding, tables inside operations, counts in configs.

Learnt tables that are weights are the person's choice (`resample`); what stands in a config has no other way to follow.
"""

import re
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
from msgspec.structs import replace

from core.findings import Finding
from core.layers.axes import Axes, axes_of
from core.model.graph import Call, Graph, Layer, TensorRef, Weight
from core.phrases import shape_words
from core.rules.base import Array
from core.rules.positions import ResamplePositions
from core.rules.sinusoids import recomputed
from core.surgery.config_sizes import differences, moved, renumbered
from core.surgery.grids import position_grids
from core.surgery.recording import configured

_SUMS = frozenset({"Add", "Subtract"})
_JOINS = _SUMS | {"Multiply"}
_CALLED = re.compile(r"pos|embed", re.IGNORECASE)
_ARRAYS = frozenset({"__tensor__", "__numpy__"})


def holds_positions(layer: Layer) -> bool:
    """Whether `repositioned` has anything to look at."""
    if layer.is_operation:
        return layer.class_name in _JOINS and any(_tabled(call) for call in layer.calls)
    return layer.class_name == "Embedding" or foreign(layer)


def counts_places(layer: Layer, level: Graph) -> bool:
    """Whether positions may be tied to how many rows arrive: tokens, or their numbers."""
    if not holds_positions(layer):
        return False
    shapes = [level.spec(ref).shape for call in layer.calls for ref in call.inputs()]
    return any(shape is None or len(shape) in (2, 3) for shape in shapes)


def foreign(layer: Layer) -> bool:
    """Whether the layer's class is not Keras's own."""
    return (layer.module or "").partition(".")[0] != "keras"


def repositioned(layer: Layer, old: Layer, sides: tuple[Graph, Graph], graphs: tuple[Graph, Graph]) -> Layer:
    """The layer with its positions as they are for what arrives now; the same object when nothing differs.

    `sides` and `graphs` are the level that holds the layer, and the whole model, before and after.
    """
    if layer.is_operation:
        return _tables(layer, old, sides, graphs)
    if foreign(layer):
        config = renumbered(old.config, moved(*graphs))
        return layer if config == layer.config else replace(layer, config=config)
    return _rows(layer, old, sides, graphs)


def position_finding(
    path: str, layer: Layer, old: Layer, sides: tuple[Graph, Graph], graphs: tuple[Graph, Graph]
) -> Finding | None:
    """What was recomputed in one layer, if anything, or what forbids it to take any number of places."""
    rows = _bound_rows(layer, old, sides)
    if rows is not None:
        text = (
            f"{path} has one row for each of {rows} positions; the model runs only with that number, although its "
            "input allows any."
        )
        return Finding("warning", "baked.constant", path, text)
    if layer.is_operation:
        return _table_finding(path, layer, old, graphs)
    if layer.class_name == "Embedding" and layer.config.get("input_dim") != old.config.get("input_dim"):
        text = (
            f"{path} has {layer.config.get('input_dim')} rows instead of {old.config.get('input_dim')}: one for "
            "each position."
        )
        return Finding("info", "baked.constant", path, text)
    if foreign(layer) and layer.config != old.config:
        changes = ", ".join(differences(old.config, layer.config))
        text = f"{path} ({layer.class_name}) has sizes of the old input in its config, which were updated: {changes}."
        return Finding("info", "baked.constant", path, text)
    return None


def _bound_rows(layer: Layer, old: Layer, sides: tuple[Graph, Graph]) -> int | None:
    """The rows of a table that now meets any number of places; `None` where there is no such table."""
    refs = [one.calls[0].inputs()[:1] if one.calls else () for one in (old, layer)]
    if foreign(layer) or not all(refs):
        return None
    here, there = sides[0].spec(refs[0][0]).shape, sides[1].spec(refs[1][0]).shape
    axis = -2 if layer.is_operation else -1
    if not here or not there or len(here) != len(there) or len(here) < 2 or there[axis] is not None:
        return None
    if layer.is_operation:
        tables = _constants(layer.calls[0].args, layer.calls[0].kwargs)
        return here[axis] if any(table.shape[-2] == here[axis] for table in tables) else None
    direct = sides[0].layer(refs[0][0].layer).is_input
    return here[axis] if old.config.get("input_dim") == here[axis] and not direct else None


def _table_finding(path: str, layer: Layer, old: Layer, graphs: tuple[Graph, Graph]) -> Finding | None:
    pairs = [
        pair
        for mine, theirs in zip(old.calls, layer.calls, strict=False)
        if mine.args is not theirs.args or mine.kwargs is not theirs.kwargs
        for pair in zip(_constants(mine.args, mine.kwargs), _constants(theirs.args, theirs.kwargs), strict=False)
    ]
    tables = [pair for pair in pairs if not np.array_equal(*pair)]
    if not tables:
        return None
    rows, fresh = tables[0][0], tables[0][1]
    grids = [one for one in position_grids(*graphs, rows.shape[-2], fresh.shape[-2]) if one[0] != one[1]]
    if not grids:
        return None
    here, there, prefix = grids[0]
    text = (
        f"{path} contains a constant table of positions, whose grid was {shape_words(here)} and is now "
        f"{shape_words(there)}{kept(prefix)}: "
    )
    if recomputed(rows.reshape(rows.shape[-2:]), here, there, prefix) is not None:
        return Finding("info", "baked.constant", path, text + "its sines and cosines were recomputed.")
    text += "it was resampled, which costs accuracy unless the model is trained at the new size."
    return Finding("info", "baked.constant", path, text)


def looks_like_positions(layer: Layer, weight: str) -> bool:
    """Whether a weight of a layer without code is called like a table of positions: all that is known of it."""
    called = weight if re.search("[a-z]", weight, re.IGNORECASE) else f"{layer.name} {layer.class_name}"
    return bool(_CALLED.search(called))


def carried(layer: Layer, held: Mapping[str, Weight]) -> tuple[Weight, ...]:
    """What a layer needs that Keras could not be asked about, because code is missing: what the source holds for it
    (`held`, by name; another file's arrays must fit it), except where a rule moves its positions to another grid.
    """
    weights = []
    for given in layer.weights:
        own = held.get(given.name)
        weight = given if own is None else replace(given, shape=own.shape, dtype=own.dtype)
        axis = axes_of(layer, weight.name, weight.shape).positions
        for rule in layer.rules_for(weight.name):
            if isinstance(rule, ResamplePositions) and axis is not None:
                rows = rule.prefix + prod(rule.new_grid)
                weight = replace(weight, shape=(*weight.shape[:axis], rows, *weight.shape[axis + 1 :]))
        weights.append(weight)
    return tuple(weights)


def kept(prefix: int) -> str:
    """How many tokens before the patches stay as they are, as an insertion."""
    return f" ({prefix} prefix token{'s' if prefix > 1 else ''} kept)" if prefix else ""


def _rows(layer: Layer, old: Layer, sides: tuple[Graph, Graph], graphs: tuple[Graph, Graph]) -> Layer:
    """An Embedding with one row for each place: as many rows as numbers arrive, and other places than before."""
    refs = layer.calls[0].inputs() if layer.calls else ()
    olds = old.calls[0].inputs() if old.calls else ()
    if len(refs) != 1 or len(olds) != 1:
        return layer
    here, there = sides[0].spec(olds[0]).shape, sides[1].spec(refs[0]).shape
    rows = old.config.get("input_dim")
    if not here or not there or not isinstance(rows, int) or here[-1] != rows:
        return layer
    if not isinstance(there[-1], int) or there[-1] == rows:
        return layer
    # numbers that come straight from an input may be words: only a grid of patches says that they are places
    grids = any(one != two for one, two, _ in position_grids(*graphs, rows, there[-1]))
    if sides[0].layer(olds[0].layer).is_input and not grids:
        return layer
    return layer if layer.config.get("input_dim") == there[-1] else configured(layer, input_dim=there[-1])


def _tables(layer: Layer, old: Layer, sides: tuple[Graph, Graph], graphs: tuple[Graph, Graph]) -> Layer:
    calls = []
    for mine, theirs in zip(layer.calls, old.calls, strict=False):
        arrives, arrived = mine.inputs(), theirs.inputs()
        here = sides[0].spec(arrived[0]).shape if arrived else None
        there = sides[1].spec(arrives[0]).shape if arrives else None
        call = mine
        if here and there and len(here) == len(there) > 2 and here[-2] and there[-2]:
            sums = layer.class_name in _SUMS

            def change(value: Any, old: int = here[-2], new: int = there[-2], sums: bool = sums) -> Any:
                return _table(value, old, new, graphs, sums)

            def moved_on(one: Any, two: Any, change: Callable[[Any], Any] = change) -> Any:
                """The old table for what arrives now; what is no table stays as other edits made it."""
                made = one if isinstance(one, TensorRef) else change(two)
                return one if made is two else made

            pairs = zip(mine.args, theirs.args, strict=False)
            args = tuple(moved_on(one, two) for one, two in pairs)
            kwargs = {key: moved_on(one, theirs.kwargs.get(key, one)) for key, one in mine.kwargs.items()}
            if args != mine.args or kwargs != mine.kwargs:
                call = replace(mine, args=args, kwargs=kwargs)
        calls.append(call)
    if all(one is two for one, two in zip(calls, layer.calls, strict=False)):
        return layer
    return replace(layer, calls=tuple(calls))


def _table(value: Any, old: int, new: int, graphs: tuple[Graph, Graph], sums: bool) -> Any:
    """A constant table of `old` rows for `new` places; whatever is no such table comes back as it is."""
    array = _array(value)
    if array is None or array.shape[-2] != old or prod(array.shape[:-2]) != 1:
        return value
    grids = [one for one in position_grids(*graphs, old, new) if one[0] != one[1]]
    if not grids:
        return value
    here, there, prefix = grids[0]
    table = array.reshape(array.shape[-2:])
    fresh = recomputed(table, here, there, prefix)
    if fresh is None and not sums:
        return value
    if fresh is None:
        rule = ResamplePositions(old_grid=here, new_grid=there, prefix=prefix)
        fresh = rule.apply(table, (new, table.shape[1]), Axes(kind="table", positions=0), {})
    listed = fresh.reshape(*array.shape[:-2], *fresh.shape).tolist()
    return {**value, "config": {**value["config"], "value": listed}} if isinstance(value, dict) else listed


def _array(value: Any) -> Array | None:
    """A constant of two or more axes in a call: Keras's serialised tensor, or nested lists."""
    dtype: Any = "float32"
    if isinstance(value, dict):
        if value.get("class_name") not in _ARRAYS:
            return None
        dtype, value = value["config"].get("dtype") or "float32", value["config"].get("value")
    if not isinstance(value, (list, tuple)) or not value or not isinstance(value[0], (list, tuple)):
        return None
    try:
        array = np.asarray(value, dtype="float32" if dtype == "bfloat16" else dtype)
    except (TypeError, ValueError):
        return None
    return array if array.ndim >= 2 and array.dtype.kind == "f" else None


def _tabled(call: Call) -> bool:
    """Whether a call has an argument that may be a table, without reading it."""
    for value in (*call.args, *call.kwargs.values()):
        inside = (
            value["config"].get("value") if isinstance(value, dict) and value.get("class_name") in _ARRAYS else value
        )
        if isinstance(inside, (list, tuple)) and inside and isinstance(inside[0], (list, tuple)):
            return True
    return False


def _constants(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Array]:
    found = (_array(value) for value in (*args, *kwargs.values()) if not isinstance(value, TensorRef))
    return [array for array in found if array is not None]


def constant_shapes(call: Call) -> list[tuple[int, ...]]:
    """Shapes of the tables that stand in a call as constants."""
    return [array.shape for array in _constants(call.args, call.kwargs)]

"""Positions that a model froze when it was built: rows of an Embedding, tables inside operations, counts in configs.

Learnt tables that are weights are the person's choice (`resample`); what stands in a config has no other way to follow.
"""

import re
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.edits.grids import Grid, grid_pairs, position_grids
from core.edits.recording import configured
from core.findings import Finding
from core.graph import Call, Graph, Layer, TensorRef, Weight
from core.rules.axes import axes_of
from core.rules.base import Array, Axes
from core.rules.positions import ResamplePositions
from core.rules.sinusoids import recomputed

_SUMS = frozenset({"Add", "Subtract"})
_JOINS = _SUMS | {"Multiply"}
_COUNTS = re.compile(r"patch(es)?$|token|position|seq(uence)?_?len|max_?len", re.IGNORECASE)
_SIZES = re.compile(r"(image|img|input|grid).*(size|shape|dim|res)|resolution|^(image|img)$|num_patch", re.IGNORECASE)
_CALLED = re.compile(r"pos|embed", re.IGNORECASE)
_ARRAYS = frozenset({"__tensor__", "__numpy__"})
_PREFIXES = (0, 1, 2, 5)


class Moved(Struct, frozen=True):
    """What an edit did to sizes: image sizes and grids of patches, old to new."""

    sizes: tuple[tuple[Grid, Grid], ...]
    grids: tuple[tuple[Grid, Grid], ...]


def moved(before: Graph, after: Graph) -> Moved:
    """Sizes of inputs and grids that differ between the graphs."""
    pairs = tuple(dict.fromkeys(pair for pair in grid_pairs(before, after) if pair[0] != pair[1]))
    sizes = []
    olds = {layer.name: layer for layer in before.input_layers()} if not before.opaque else {}
    for layer in after.input_layers() if not after.opaque else ():
        old = olds[layer.name].config.get("batch_shape") if layer.name in olds else None
        new = layer.config.get("batch_shape")
        if old and new and len(old) == len(new) > 2 and old != new and None not in (*old[1:], *new[1:]):
            sizes.append((tuple(old[1:]), tuple(new[1:])))
    return Moved(tuple(sizes), pairs)


def holds_positions(layer: Layer) -> bool:
    """Whether `repositioned` has anything to look at."""
    if layer.is_operation:
        return layer.class_name in _JOINS and any(_constants(call.args, call.kwargs) for call in layer.calls)
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


def repositioned(layer: Layer, old: Layer, levels: tuple[Graph, Graph], graphs: tuple[Graph, Graph]) -> Layer:
    """The layer with its positions as they are for what arrives now; the same object when nothing differs.

    `levels` and `graphs` are the level that holds the layer, and the whole model, before and after.
    """
    if layer.is_operation:
        return _tables(layer, old, levels, graphs)
    if foreign(layer):
        config = _renumbered(old.config, moved(*graphs))
        return layer if config == layer.config else replace(layer, config=config)
    return _rows(layer, old, levels, graphs)


def position_finding(path: str, layer: Layer, old: Layer, graphs: tuple[Graph, Graph]) -> Finding | None:
    """What was recomputed in one layer, if anything."""
    if layer.is_operation:
        return _table_finding(path, layer, old, graphs)
    if layer.class_name == "Embedding" and layer.config.get("input_dim") != old.config.get("input_dim"):
        text = (
            f"{path} has {layer.config.get('input_dim')} rows instead of {old.config.get('input_dim')}: one for each "
            "place, of which there are others now."
        )
        return Finding("info", "baked.constant", path, text)
    if foreign(layer) and layer.config != old.config:
        changes = ", ".join(_differences(old.config, layer.config))
        text = f"{path} ({layer.class_name}) holds sizes of the old input in its config, which follow: {changes}."
        return Finding("info", "baked.constant", path, text)
    return None


def _table_finding(path: str, layer: Layer, old: Layer, graphs: tuple[Graph, Graph]) -> Finding | None:
    pairs = [
        pair
        for mine, theirs in zip(old.calls, layer.calls, strict=False)
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
    text = f"{path} holds a constant table of positions, a grid of {_text(here)} and now {_text(there)}{kept(prefix)}: "
    if recomputed(rows.reshape(rows.shape[-2:]), here, there, prefix) is not None:
        return Finding("info", "baked.constant", path, text + "its sines and cosines were computed anew.")
    text += "it was resampled. Without training at the new size this costs accuracy."
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


def _rows(layer: Layer, old: Layer, levels: tuple[Graph, Graph], graphs: tuple[Graph, Graph]) -> Layer:
    """An Embedding with one row for each place: as many rows as numbers arrive, and other places than before."""
    refs = layer.calls[0].inputs() if layer.calls else ()
    olds = old.calls[0].inputs() if old.calls else ()
    if len(refs) != 1 or len(olds) != 1:
        return layer
    here, there = levels[0].spec(olds[0]).shape, levels[1].spec(refs[0]).shape
    rows = old.config.get("input_dim")
    if not here or not there or not isinstance(rows, int) or here[-1] != rows:
        return layer
    if not isinstance(there[-1], int) or there[-1] == rows:
        return layer
    # numbers that come straight from an input may be words: only a grid of patches says that they are places
    grids = any(one != two for one, two, _ in position_grids(*graphs, rows, there[-1]))
    if levels[0].layer(olds[0].layer).is_input and not grids:
        return layer
    return layer if layer.config.get("input_dim") == there[-1] else configured(layer, input_dim=there[-1])


def _tables(layer: Layer, old: Layer, levels: tuple[Graph, Graph], graphs: tuple[Graph, Graph]) -> Layer:
    calls = []
    for mine, theirs in zip(layer.calls, old.calls, strict=False):
        arrives, arrived = mine.inputs(), theirs.inputs()
        here = levels[0].spec(arrived[0]).shape if arrived else None
        there = levels[1].spec(arrives[0]).shape if arrives else None
        call = mine
        if here and there and len(here) == len(there) > 2 and here[-2] and there[-2]:
            sums = layer.class_name in _SUMS

            def change(value: Any, old: int = here[-2], new: int = there[-2], sums: bool = sums) -> Any:
                return _table(value, old, new, graphs, sums)

            pairs = zip(mine.args, theirs.args, strict=False)
            args = tuple(one if isinstance(one, TensorRef) else change(two) for one, two in pairs)
            kwargs = {
                key: one if isinstance(one, TensorRef) else change(theirs.kwargs.get(key, one))
                for key, one in mine.kwargs.items()
            }
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


def _constants(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Array]:
    found = (_array(value) for value in (*args, *kwargs.values()) if not isinstance(value, TensorRef))
    return [array for array in found if array is not None]


def constant_shapes(call: Call) -> list[tuple[int, ...]]:
    """Shapes of the tables that stand in a call as constants."""
    return [array.shape for array in _constants(call.args, call.kwargs)]


def _renumbered(config: dict[str, Any], change: Moved) -> dict[str, Any]:
    """A custom layer's config with counts of patches, grids and image sizes of the old input made those of the new."""
    if not change.sizes and not change.grids:
        return config
    return {key: _number(key, value, change) for key, value in config.items()}


def _number(key: str, value: Any, change: Moved) -> Any:
    if isinstance(value, dict):
        if value.get("class_name") == "__tuple__":
            return {**value, "items": _number(key, value.get("items"), change)}
        return {name: _number(name, item, change) for name, item in value.items()}
    if isinstance(value, bool) or "patch_size" in key.lower():
        return value
    if isinstance(value, int) and _COUNTS.search(key):
        for old, new in change.grids:
            for prefix in _PREFIXES:
                if value == prod(old) + prefix:
                    return prod(new) + prefix
    if isinstance(value, int) and _SIZES.search(key):
        return next((new[0] for old, new in change.sizes if value == old[0] == old[1] and new[0] == new[1]), value)
    if isinstance(value, (list, tuple)) and _SIZES.search(key) and all(isinstance(one, int) for one in value):
        for old, new in (*change.sizes, *change.grids):
            if list(value) in (list(old), list(old[:2])):
                return type(value)(new[: len(value)])
    return value


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [
        f"{key} {_plain(old.get(key))} became {_plain(value)}"
        for key, value in new.items()
        if value != old.get(key) and not isinstance(value, dict)
    ] or ["what is nested in it"]


def _plain(value: Any) -> str:
    return _text(tuple(value)) if isinstance(value, (list, tuple)) else str(value)


def _text(shape: tuple[int, ...]) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(str(size) for size in shape)

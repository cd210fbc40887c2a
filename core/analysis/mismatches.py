"""What to offer for a weight that no longer fits: every rule that can carry it over, and edits around it. Pure."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from core.analysis.dequantizing import dequantizing_fixes, quantized_sentence
from core.analysis.fates import QUANTIZED, Move
from core.edits import EDITS, ChangeInput, SetRule
from core.findings import Action, CompareFixes, Finding, Fix
from core.layers.axes import Axes, axes_of
from core.model.graph import Graph, Layer
from core.model.plan import file_name
from core.phrases import shape_words
from core.rules import (
    Initialize,
    KeepRows,
    MapChannels,
    SpatialMean,
    SpatialResize,
    chain_name,
    refusal,
    rules_that_fit,
)
from core.rules.initialize import LAYER
from core.rules.positions import ResamplePositions
from core.rules.spatial import PoolFlat
from core.rules.words import rule_words
from core.surgery.anatomy import channel_axis
from core.surgery.grids import grid_pairs, position_grids, window_sizes
from core.surgery.positions import foreign, kept, looks_like_positions
from core.surgery.rows import rows_of
from core.surgery.suggest import flattened_map, token_maps

_FEWEST = 4
"""Rows of the smallest table that is taken for one of positions by its name alone."""
_POOLS = {2: "GlobalAveragePooling1D", 3: "GlobalAveragePooling2D", 4: "GlobalAveragePooling3D"}


def mismatch_finding(move: Move, layer: Layer, after: Graph, before: Graph) -> Finding:
    """The finding for one mismatched weight. `before` is the source's graph, `after` the edited one, with shapes."""
    fate = move.fate
    shape = fate.source_shape or ()
    chosen = chain_name(layer.rules_for(move.name))
    ask = f"{rule_words(chosen)} does not fit: {fate.note}" if chosen and fate.note else "choose what to do with it."
    where = file_name(fate.file) if fate.further else "the source"
    message = (
        f"{fate.weight} is {shape_words(shape)} in {where}, but the model now needs {shape_words(fate.shape)}; {ask}"
    )
    axes = axes_of(layer, move.name, shape)
    if fate.note == QUANTIZED:
        message = quantized_sentence(fate.weight, shape_words(shape), shape_words(fate.shape), layer)
        further = (*dequantizing_fixes(move.layer, layer), *adapter_fix(after, before))
        return Finding("error", "weight.mismatch", move.layer, message, further, fate.note)
    fixes = _flat_fixes(move, layer, axes, after, before) or [
        *_grid_fixes(move, axes, after, before),
        *_fitting(move, shape, axes, after, before),
    ]
    if any(fix.title.startswith("Resample the positions") for fix in fixes):
        fixes += adapter_fix(after, before)
    else:
        fixes += _row_fixes(move, axes)
    if foreign(layer) and not layer.opaque:
        # what code computes for its own size (an index, a mask) was never learnt
        title = "Reinitialize it" if fate.trainable else "Use the initial values of the layer's code"
        own = SetRule(weight=fate.weight, rule=Initialize(initializer=LAYER))
        fixes.append(Fix(title, (own,)))
    elif not layer.opaque or axes.kind == "table":
        # vectors start at ones or zeros: a random variance could be negative
        start = Initialize() if axes.kind in ("kernel", "depthwise", "table") else Initialize(initializer=LAYER)
        fixes.append(Fix("Reinitialize it", (SetRule(weight=fate.weight, rule=start),)))
    return Finding("error", "weight.mismatch", move.layer, message, _comparable(fate.weight, fixes), fate.note)


def _comparable(weight: str, fixes: Sequence[Fix]) -> tuple[Action, ...]:
    """The fixes, and a comparison of them where several would settle the weight."""
    ways = sum(isinstance(edit, SetRule) for fix in fixes for edit in fix.edits)
    return (*fixes, CompareFixes(weight)) if ways > 1 else tuple(fixes)


def _fitting(move: Move, shape: tuple[int, ...], axes: Axes, after: Graph, before: Graph) -> list[Fix]:
    """Rules that fit by their shapes; of those for channels only what takes every row to where it belongs."""
    fate = move.fate
    chains = [chain for chain in rules_that_fit(shape, fate.shape, axes) if chain[0].name != "initialize"]
    axis = axes.channels
    if axis is not None and axes.kind == "kernel" and len(shape) == len(fate.shape) and shape[axis] != fate.shape[axis]:
        take = rows_of(move.layer, after, before) if axes.groups == 1 else None
        if take is None or (len(take), shape[axis]) != (fate.shape[axis], _highest(take, shape[axis])):
            return []
        if take != tuple(place if place < shape[axis] else None for place in range(len(take))):
            rule = MapChannels(take=take, share=False)
            others = tuple(one for one in chains[0] if one.owns != "channels") if chains else ()
            if refusal(shape, fate.shape, axes, (*others, rule)) is not None:
                return []
            title = "Keep each row with its channel, start new rows at zero"
            return [Fix(title, (SetRule(weight=fate.weight, rule=_rule((*others, rule))),))]
    return [Fix(rule_words(chain_name(chain)), (SetRule(weight=fate.weight, rule=_rule(chain)),)) for chain in chains]


def _highest(take: Sequence[int | None], rows: int) -> int:
    """`rows`, if no number in `take` is higher than that allows."""
    return rows if all(row is None or row < rows for row in take) else -1


def _rule(chain: tuple[Any, ...]) -> Any:
    return chain[0] if len(chain) == 1 else chain


def _flat_fixes(move: Move, layer: Layer, axes: Axes, after: Graph, before: Graph) -> list[Fix]:
    """Repairs for a layer that comes after Flatten and now gets another number of values."""
    new = flattened_map(after, move.layer)
    old = flattened_map(before, layer.origin or move.layer)
    axis = axes.channels
    shape, target = move.fate.source_shape or (), move.fate.shape
    if new is None or old is None or axis is None or axes.kind != "kernel" or len(shape) != len(target):
        return []
    if prod(old[1]) != shape[axis] or prod(new[1]) != target[axis] or old[1][-1] != new[1][-1]:
        return []
    if any(one != two for place, (one, two) in enumerate(zip(shape, target, strict=True)) if place != axis):
        return []  # it also gives another number of values, which no size of the map settles
    flatten, sizes, layout = new
    maps = token_maps(before, after, old[1], sizes)
    fields: dict[str, Any] = {"old": old[1], "new": sizes, "layout": layout}
    rules: list[tuple[SpatialResize | SpatialMean, str]] = []
    if maps is not None:
        fields = {**fields, "old": maps[0], "new": maps[1]}
        rules = [
            (SpatialResize(**fields), "Resize the kernel over the map"),
            (SpatialMean(**fields), "Spread it evenly over the map"),
        ]
    fixes = [
        Fix(title, (SetRule(weight=move.fate.weight, rule=rule),))
        for rule, title in rules
        if refusal(shape, target, axes, (rule,)) is None
    ]
    replace_layer = EDITS.get("replace_layer")
    if replace_layer is not None and layout == "channels_last" and len(sizes) in _POOLS:
        pool = {"class_name": _POOLS[len(sizes)], "config": {}}
        make: Any = replace_layer
        edits = (
            make(layer=flatten, config=pool),
            SetRule(weight=move.fate.weight, rule=PoolFlat(old=old[1])),
        )
        fixes.append(Fix("Pool instead of flattening", edits))
    return [*fixes, *adapter_fix(after, before)]


def adapter_fix(after: Graph, before: Graph) -> tuple[Fix, ...]:
    """What arrives is brought to the old size before a model that stays as it was."""
    back, adapter = changed_input(after, before), EDITS.get("insert_adapter")
    if adapter is None or back is None:
        return ()
    old, new = back[1][:-1], back[2][:-1]
    fit = "resize"
    if len(old) != 2:  # only images can be resized
        if None in (*old, *new):
            return ()
        gaps = [int(mine or 0) - int(theirs or 0) for mine, theirs in zip(old, new, strict=True)]
        fit = "pad" if min(gaps) >= 0 else "crop"
        if fit == "crop" and max(gaps) > 0:
            return ()
    size = shape_words(tuple(size or 0 for size in old))
    return (Fix(f"{fit.capitalize()} inputs to {size} first", resized_before(adapter, back, fit)),)


def _grid_fixes(move: Move, axes: Axes, after: Graph, before: Graph) -> list[Fix]:
    """A table of positions, resampled from the old grid of patches to the new one."""
    shape, target = move.fate.source_shape or (), move.fate.shape
    if axes.positions is None or len(shape) != len(target):
        return []
    fixes = []
    windows = window_sizes(shape[axes.positions], target[axes.positions])
    shown = set(grid_pairs(before, after)) if windows is not None else set()
    for old, new, prefix in position_grids(before, after, shape[axes.positions], target[axes.positions]):
        if (old, new) == windows and windows not in shown:
            continue
        rule = ResamplePositions(old_grid=old, new_grid=new, prefix=prefix)
        if old != new and refusal(shape, target, axes, (rule,)) is None:
            title = f"Resample the positions from a grid of {shape_words(old)} to {shape_words(new)}{kept(prefix)}"
            fixes.append(Fix(title, (SetRule(weight=move.fate.weight, rule=rule),)))
    if not fixes and windows is not None and windows[0] != windows[1]:
        old, new = windows
        rule = ResamplePositions(old_grid=old, new_grid=new)
        size = f"{shape_words(old)} to {shape_words(new)} (windows of {old[0] // 2 + 1} to {new[0] // 2 + 1})"
        title = f"Resample the relative positions from {size}"
        fixes.append(Fix(title, (SetRule(weight=move.fate.weight, rule=rule),)))
    return fixes


def _row_fixes(move: Move, axes: Axes) -> list[Fix]:
    """A table with another number of rows: those that stay keep their numbers."""
    shape, target = move.fate.source_shape or (), move.fate.shape
    if axes.kind != "table" or refusal(shape, target, axes, (KeepRows(),)) is not None:
        return []
    old, new = shape[axes.positions or 0], target[axes.positions or 0]
    weight = move.fate.weight
    if new <= old:
        return [Fix(f"Keep the first {new} rows, drop {old - new}", (SetRule(weight=weight, rule=KeepRows()),))]
    return [
        Fix(f"Keep the {old} rows, start {new - old} at random", (SetRule(weight=weight, rule=KeepRows()),)),
        Fix(
            f"Keep the {old} rows, start {new - old} at their mean",
            (SetRule(weight=weight, rule=KeepRows(fresh="mean")),),
        ),
    ]


def moved_table_findings(
    moves: tuple[Move, ...], layers: Mapping[str, Layer], after: Graph, before: Graph
) -> list[Finding]:
    """Tables of positions that fit by their number of rows, although the rows now stand for other places."""
    found = []
    for move in moves:
        axes = axes_of(layers[move.layer], move.name, move.fate.shape)
        if axes.kind != "table" or not move.fate.as_stored:
            continue
        if layers[move.layer].opaque:
            found += _unseen_table(move, layers[move.layer], axes, after, before)
            continue
        fixes = _grid_fixes(move, axes, after, before)
        if fixes:
            rule = fixes[0].edits[0].rule
            text = (
                f"{move.fate.weight} has one row for each position, but the grid of positions was "
                f"{shape_words(rule.old_grid)} and is now {shape_words(rule.new_grid)}; unless it is resampled, its "
                "rows belong to other positions."
            )
            found.append(Finding("warning", "baked.constant", move.layer, text, tuple(fixes)))
    return found


def _unseen_table(move: Move, layer: Layer, axes: Axes, after: Graph, before: Graph) -> list[Finding]:
    """A table in a layer without code: its name and its rows say that it holds positions of a grid that changed."""
    shape = move.fate.shape
    rows = shape[axes.positions or 0]
    if rows < _FEWEST or not looks_like_positions(layer, move.name):
        return []
    grids = [one for one in position_grids(before, after, rows) if one[0] != one[1]]
    if not grids:
        return []
    old, new, prefix = grids[0]
    weight = move.fate.weight
    text = (
        f"By its name and shape, {weight} is a table of positions with a row for each cell of a "
        f"{shape_words(old)} grid{f' and {prefix} more' if prefix else ''}; the grid is now {shape_words(new)}. "
        "The layer's code is not available, so this is a guess."
    )
    keep = ResamplePositions(old_grid=old, new_grid=old, prefix=prefix)
    move_it = ResamplePositions(old_grid=old, new_grid=new, prefix=prefix)
    fixes = (
        Fix(
            f"Resample the positions from a grid of {shape_words(old)} to {shape_words(new)}{kept(prefix)}",
            (SetRule(weight=weight, rule=move_it),),
        ),
        *adapter_fix(after, before),
        Fix("Leave it unchanged", (SetRule(weight=weight, rule=keep),)),
    )
    return [Finding("error", "weight.mismatch", move.layer, text, _comparable(weight, fixes))]


def resized_before(
    adapter: Any, back: tuple[str, list[int | None], list[int | None]], fit: str = "resize"
) -> tuple[Any, ...]:
    """Edits that undo a change of size and put a resizing adapter before the old input instead."""
    name, old, new = back
    return (ChangeInput(input=name, shape=tuple(old)), adapter(input=name, shape=tuple(new), fit=fit))


def changed_input(after: Graph, before: Graph) -> tuple[str, list[int | None], list[int | None]] | None:
    """The input whose size changed but not its channels, which come last: its name, old and new shape."""
    olds = {layer.name: layer.config.get("batch_shape") for layer in before.input_layers()}
    for layer in after.input_layers():
        old, new = olds.get(layer.name), layer.config.get("batch_shape")
        if not old or not new or list(old[1:]) == list(new[1:]) or len(old) != len(new):
            continue
        if old[-1] == new[-1] and channel_axis(before, layer.name) == len(old) - 1:
            return layer.name, list(old[1:]), list(new[1:])
    return None

"""What rules need to know of the model around a weight: the map before Flatten, the grid of patches."""

from msgspec.structs import replace

from core.errors import EditError
from core.layers.axes import axes_of
from core.layers.table import classes
from core.model.graph import Graph, Layer
from core.model.levels import owner
from core.rules import KeepRows, MapChannels, ProjectFilters, Rule, SliceFilters, ZeroExtraChannels
from core.rules.channels import ChannelRule
from core.rules.positions import ResamplePositions
from core.rules.spatial import FlatRule, PoolFlat
from core.surgery.grids import position_grids
from core.surgery.rows import rows_of

_THROUGH = classes(acts="number")


def completed(rule: Rule, source: Graph, graph: Graph, path: str, weight: str) -> Rule:
    """The rule with maps and grids that a recipe left empty read off the model: the source's, and as it is now.

    Raises `EditError` where the model does not show them.
    """
    layer = graph.find(path)
    origin = layer.origin or path
    if isinstance(rule, ChannelRule) and _anywhere(rule):
        rule = _placed(rule, source, graph, path, weight)
    if isinstance(rule, (FlatRule, PoolFlat)) and not rule.old:
        old, new = flattened_map(source, origin) or flattened_map(source, path), flattened_map(graph, path)
        if old is None or (isinstance(rule, FlatRule) and new is None):
            raise EditError(
                f"{rule.name} needs the size of the map before Flatten, which is unknown for {path}; give it as 'old'."
            )
        # rows that were put into another order lie as the model has them now
        moved = any(one.name == weight and one.decode is not None for one in layer.weights)
        found = replace(rule, old=old[1], layout=new[2] if moved and new is not None else old[2])
        if not isinstance(found, FlatRule) or new is None:
            return found
        maps = token_maps(source, graph, old[1], new[1])
        if maps is None:
            raise EditError(
                f"{path} comes after tokens that do not form a plain grid; give the maps as 'old' and 'new'."
            )
        return replace(found, old=maps[0], new=maps[1])
    if isinstance(rule, ResamplePositions) and not rule.old_grid:
        array = next((one for one in layer.weights if one.name == weight), None)
        axis = axes_of(layer, weight, array.shape).positions if array is not None else None
        grids = position_grids(source, graph, array.shape[axis]) if array is not None and axis is not None else []
        if not grids:
            raise EditError(
                f"{rule.name} needs the grid of patches, which cannot be determined; give it as 'old_grid'."
            )
        old_grid, new_grid, prefix = grids[0]
        return replace(rule, old_grid=old_grid, new_grid=new_grid, prefix=prefix)
    return _of_rows(rule, layer, weight)


def _of_rows(rule: Rule, layer: Layer, weight: str) -> Rule:
    """A rule for channels or filters, given for a table that gets another number of rows, says what becomes of rows."""
    array = next((one for one in layer.weights if one.name == weight), None)
    if array is None or layer.class_name != "Embedding" or layer.config.get("input_dim") == array.shape[0]:
        return rule
    if isinstance(rule, SliceFilters):
        return KeepRows(keep=rule.keep, seed=rule.seed)
    if isinstance(rule, ProjectFilters):
        return KeepRows(seed=rule.seed)
    if isinstance(rule, ZeroExtraChannels):
        return KeepRows(fresh="zeros")
    if isinstance(rule, MapChannels) and rule.take is not None and not any(isinstance(one, str) for one in rule.take):
        return KeepRows(keep=rule.take, fresh="zeros")  # type: ignore[arg-type]
    return rule


def _anywhere(rule: ChannelRule) -> bool:
    """Whether nothing was said of where the channels lie."""
    return rule.source is None and rule.inner == 1 and not rule.rows and rule.groups == 1


def _placed(rule: ChannelRule, source: Graph, graph: Graph, path: str, weight: str) -> Rule:
    """The rule with the places of the channels: as the edit knew them whose rule it replaces, else as the way shows."""
    layer = graph.find(path)
    known = next((one for one in layer.rules_for(weight) if isinstance(one, ChannelRule)), None)
    if known is not None:
        return replace(
            rule, source=known.source, inner=known.inner, rows=known.rows, places=known.places, groups=known.groups
        )
    array = next((one for one in layer.weights if one.name == weight), None)
    axes = axes_of(layer, weight, array.shape) if array is not None else None
    if array is None or axes is None or axes.channels is None or axes.kind != "kernel" or rule.name != "zero_extra":
        return rule
    take = rows_of(path, graph, source)
    rows = array.shape[axes.channels]
    kept = [row for row in take or () if row is not None]
    if take is None or sorted(kept) != list(range(rows)) or kept == list(take[:rows]):
        return rule
    return MapChannels(take=take, share=False)


def token_maps(
    before: Graph, after: Graph, old: tuple[int, ...], new: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Flattened maps seen as the grids they are: tokens `(n, c)` of an image lie in a grid `(h, w, c)`.

    `None` where tokens that are no patches come first, so that the rows are not places only.
    """
    if len(old) != 2 or len(new) != 2:
        return old, new
    grids = [one for one in position_grids(before, after, old[0], new[0]) if len(one[0]) > 1]
    if not grids:
        return old, new
    here, there, prefix = grids[0]
    return None if prefix else ((*here, old[1]), (*there, new[1]))


def flattened_map(graph: Graph, path: str) -> tuple[str, tuple[int, ...], str] | None:
    """The Flatten before a layer: its path, the shape of the map it flattens (channels last), its layout.

    `None` where there is none, or where the map's size is not known.
    """
    try:
        prefix, level = owner(graph, path)
    except EditError:
        return None
    layers = level.by_name()
    layer = layers[path[len(prefix) :]]
    for _ in range(16):
        refs = layer.calls[0].inputs() if layer.calls else ()
        if len(refs) != 1 or refs[0].layer not in layers:
            return None
        layer = layers[refs[0].layer]
        if layer.class_name in {"Flatten", "Reshape"} and layer.calls:
            source = layer.calls[0].inputs()
            shape = level.spec(source[0]).shape if source else None
            if shape is None or None in shape[1:] or len(shape) < 3:
                return None
            sizes = tuple(int(size) for size in shape[1:] if size is not None)
            # Flatten turns a channels-first map into the order of a channels-last one when told so.
            if _channels_first(graph) and layer.config.get("data_format") != "channels_first":
                return prefix + layer.name, (*sizes[1:], sizes[0]), "channels_first"
            if layer.config.get("data_format") == "channels_first":
                return prefix + layer.name, (*sizes[1:], sizes[0]), "channels_last"
            return prefix + layer.name, sizes, "channels_last"
        if layer.class_name not in _THROUGH:
            return None
    return None


def _channels_first(graph: Graph) -> bool:
    return any(
        layer.config.get("data_format") == "channels_first" and "Conv" in layer.class_name for _, layer in graph.walk()
    )

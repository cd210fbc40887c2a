"""Rules that settle a mismatch, found by looking at the graph around the weight: maps before Flatten, patch grids."""

from math import prod

from core.graph import Graph, Layer, Shape
from core.rules import Rule, rules_that_fit
from core.rules.axes import axes_of
from core.rules.chain import Chain, refusal
from core.rules.positions import ResamplePositions
from core.rules.spatial import Layout, PoolFlat, SpatialMean, SpatialResize

_PASSES = frozenset({"Dropout", "Activation", "ReLU", "GaussianNoise", "GaussianDropout", "Identity", "LeakyReLU"})
_PREFIXES = (0, 1, 2, 5)


def suggested_rules(
    before: Graph, after: Graph, path: str, weight: str, shape: tuple[int, ...], target: tuple[int, ...]
) -> list[Chain]:
    """Chains that turn the source's array (`shape`) into what the layer at `path` needs (`target`), best first.

    `before` is the source's graph, `after` the edited one, both with shapes. `initialize` is always last.
    """
    layer = after.find(path)
    axes = axes_of(layer, weight, shape)
    special: list[Chain] = []
    if axes.channels == 0 and len(shape) == len(target):
        special += [(rule,) for rule in _flat_rules(before, after, path)]
    if axes.positions is not None and len(shape) == len(target):
        grids = position_grids(before, after, shape[axes.positions], target[axes.positions])
        special += [(ResamplePositions(old_grid=old, new_grid=new, prefix=prefix),) for old, new, prefix in grids]
    fitting = [chain for chain in special if refusal(shape, target, axes, chain) is None]
    general = rules_that_fit(shape, target, axes)
    if fitting and any(isinstance(chain[0], (SpatialResize, PoolFlat)) for chain in fitting):
        # A flattened map is no row of channels: sum and repeat would fit the numbers and mean nothing.
        general = general[-1:]
    return fitting + general


def _flat_rules(before: Graph, after: Graph, path: str) -> list[Rule]:
    new = map_before_flatten(after, path)
    old = map_before_flatten(before, path)
    if old is None:
        return []
    (old_map, layout) = old
    if new is None:
        return [PoolFlat(old=old_map, layout=layout)]
    new_map = new[0]
    return [
        SpatialResize(old=old_map, new=new_map, layout=layout),
        SpatialMean(old=old_map, new=new_map, layout=layout),
    ]


def map_before_flatten(graph: Graph, path: str) -> tuple[tuple[int, ...], Layout] | None:
    """The map (sizes, then channels) that is flattened before the layer at `path`, and how its channels lie."""
    try:
        level, layer = _locate(graph, path)
    except KeyError:
        return None
    while layer.calls and layer.calls[0].inputs():
        ref = layer.calls[0].inputs()[0]
        feeder = level.layer(ref.layer)
        if feeder.class_name in ("Flatten", "Reshape"):
            shape = level.spec(feeder.calls[ref.call].inputs()[0]).shape
            return _map_of(shape, level, feeder)
        if feeder.class_name not in _PASSES:
            return None
        layer = feeder
    return None


def _map_of(shape: Shape | None, level: Graph, feeder: Layer) -> tuple[tuple[int, ...], Layout] | None:
    if shape is None or len(shape) < 3 or any(size is None for size in shape[1:]):
        return None
    sizes = tuple(int(size or 0) for size in shape[1:])
    # Flatten with data_format channels_first moves the channels last before it flattens.
    moved = feeder.class_name == "Flatten" and feeder.config.get("data_format") == "channels_first"
    first = any(layer.config.get("data_format") == "channels_first" for layer in level.layers if layer is not feeder)
    if moved:
        return (*sizes[1:], sizes[0]), "channels_last"
    return ((*sizes[1:], sizes[0]), "channels_first") if first else (sizes, "channels_last")


def position_grids(
    before: Graph, after: Graph, old: int, new: int
) -> list[tuple[tuple[int, ...], tuple[int, ...], int]]:
    """`(old grid, new grid, prefix tokens)` of a table of `old` rows that needs `new`, read off patch convolutions."""
    found: list[tuple[tuple[int, ...], tuple[int, ...], int]] = []
    fresh = dict(after.walk())
    for path, layer in before.walk():
        if not layer.class_name.startswith("Conv") or path not in fresh:
            continue
        first = layer.config.get("data_format") == "channels_first"
        here, there = _grid(layer, first), _grid(fresh[path], first)
        if here is None or there is None:
            continue
        found += [
            (here, there, prefix) for prefix in _PREFIXES if prod(here) + prefix == old and prod(there) + prefix == new
        ]
    return found


def _grid(layer: Layer, first: bool) -> tuple[int, ...] | None:
    outputs = layer.calls[0].outputs if layer.calls else None
    shape = outputs[0].shape if outputs else None
    if not shape or len(shape) < 3:
        return None
    grid = shape[2:] if first else shape[1:-1]
    return tuple(int(size) for size in grid if size is not None) if all(grid) else None


def _locate(graph: Graph, path: str) -> tuple[Graph, Layer]:
    for layer in graph.layers:
        if layer.name == path:
            return graph, layer
        if layer.inner is not None and path.startswith(layer.name + "/"):
            return _locate(layer.inner, path[len(layer.name) + 1 :])
    raise KeyError(path)

"""Which grid of places a table of positions stands for, before an edit and after it, read off the graphs."""

from collections.abc import Callable, Iterator
from math import isqrt, prod
from typing import Any

from core.model.graph import Graph, Layer, Shape

Grid = tuple[int, ...]
_TOKENS_BEFORE = 17
"""The most tokens before the patches that are looked for: a class token and 16 registers."""
_USUAL = frozenset({0, 1, 2, 4, 5, 8, 9, 17})
"""How many there are in published models: class, distillation, 4, 8 or 16 registers."""


def position_grids(before: Graph, after: Graph, old: int, new: int | None = None) -> list[tuple[Grid, Grid, int]]:
    """`(old grid, new grid, prefix tokens)` of a table of `old` rows that needs `new` (`None`: any number), read off
    the maps and patches of both graphs; the fewest prefix tokens first.
    """
    found: dict[tuple[Grid, Grid, int], None] = {}
    for pairs in (grid_pairs, _divided, _squares(old, new)):
        for here, there in pairs(before, after):
            prefix = old - prod(here)
            usual = prefix in _USUAL if new is None else 0 <= prefix <= _TOKENS_BEFORE
            if usual and new in (None, prod(there) + prefix):
                found[here, there, prefix] = None
        if found:
            break
    return sorted(found, key=lambda one: one[2])


def window_sizes(old: int, new: int) -> tuple[Grid, Grid] | None:
    """The grids of two tables of relative positions in square windows, `(2 w - 1)^2` rows for a window of `w`."""
    here, there = isqrt(old), isqrt(new)
    if here * here != old or there * there != new or not here % 2 or not there % 2 or here < 3 or there < 3:
        return None
    return (here, here), (there, there)


def grid_pairs(before: Graph, after: Graph) -> Iterator[tuple[Grid, Grid]]:
    """Grids of maps and patches that the same layer gives in both graphs."""
    fresh = after.by_path()
    olds, news = before.levels(), after.levels()
    for path, layer in before.walk():
        other = fresh.get(path)
        if other is None or not layer.calls or not other.calls:
            continue
        prefix = path[: len(path) - len(layer.name)]
        if prefix not in news:
            continue
        here = _grid(layer, olds[prefix], None)
        there = _grid(other, news[prefix], _patch(layer, olds[prefix]))
        if here and there and len(here) == len(there):
            yield here, there


def _grid(layer: Layer, level: Graph, patch: Grid | None) -> Grid | None:
    """The grid a layer's first call gives: a map's sizes, or the patches that an image is cut into."""
    first = layer.config.get("data_format") == "channels_first"
    gives, takes = _gives(layer), _takes(layer, level)
    if "Conv" in layer.class_name or "Pooling" in layer.class_name:
        return _known(gives[2:] if first else gives[1:-1]) if gives and len(gives) > 2 else None
    if gives and takes and len(gives) == 6 and len(takes) == 4:  # (b, rows, patch, columns, patch, c)
        halves = gives[1], gives[3]
        whole = all(one and two and two % one == 0 for one, two in zip(halves, takes[1:3], strict=True))
        return _known(halves) if whole else None
    patch = patch or _patch(layer, level)
    if patch is None or not takes or len(takes) != 4:
        return None
    return _known(tuple(size and size // step for size, step in zip(takes[1:3], patch, strict=True)))


def _patch(layer: Layer, level: Graph) -> Grid | None:
    """The patch that a layer cuts maps into tokens by: said in its config, or following from how many there are."""
    takes, gives = _takes(layer, level), _gives(layer)
    if not takes or len(takes) != 4 or None in takes[1:]:
        return None
    height, width, channels = (int(size or 0) for size in takes[1:])
    stated = layer.config.get("patch_size")
    stated = (stated, stated) if isinstance(stated, int) else stated
    if isinstance(stated, (list, tuple)) and len(stated) == 2 and all(isinstance(one, int) and one for one in stated):
        return int(stated[0]), int(stated[1])
    if not gives or len(gives) != 3 or gives[1] is None:
        return None
    fits = [one for one in range(1, min(height, width) + 1) if (height // one) * (width // one) == gives[1]]
    exact = [one for one in fits if one * one * channels == gives[2]] or fits
    return (exact[0], exact[0]) if exact else None


def _divided(before: Graph, after: Graph) -> Iterator[tuple[Grid, Grid]]:
    """Image inputs divided into whole patches of any size from 2 on: for models that cut them in code of their own."""
    if before.opaque or after.opaque:
        return
    news = {layer.name: layer for layer in after.input_layers()}
    for layer in before.input_layers():
        old = layer.config.get("batch_shape")
        new = news[layer.name].config.get("batch_shape") if layer.name in news else None
        if not old or not new or len(old) != 4 or len(new) != 4 or None in (*old[1:3], *new[1:3]):
            continue
        for patch in range(2, min(*old[1:3], *new[1:3]) + 1):
            if not any(size % patch for size in (*old[1:3], *new[1:3])):
                yield (old[1] // patch, old[2] // patch), (new[1] // patch, new[2] // patch)


def _squares(old: int, new: int | None) -> Callable[[Graph, Graph], Iterator[tuple[Grid, Grid]]]:
    """A table out of another file or of a model that shows no grid: its own grid can only be taken for a square.

    The new one is what the model shows, or a square as well.
    """

    def pairs(before: Graph, after: Graph) -> Iterator[tuple[Grid, Grid]]:
        shown = {there for _, there in grid_pairs(after, after)} if not after.opaque else set()
        for prefix in sorted(_USUAL) if new is not None and new != old else ():
            here, there = isqrt(max(old - prefix, 0)), isqrt(max((new or 0) - prefix, 0))
            if here < 2 or here * here + prefix != old:
                continue
            fits = [grid for grid in shown if len(grid) == 2 and prod(grid) + prefix == new]
            square = [(there, there)] if there > 1 and there * there + prefix == new else []
            for grid in fits or (square if after.opaque else ()):
                yield (here, here), grid

    return pairs


def _gives(layer: Layer) -> Shape | None:
    outputs: Any = layer.calls[0].outputs if layer.calls else None
    return outputs[0].shape if outputs else None


def _takes(layer: Layer, level: Graph) -> Shape | None:
    inputs = layer.calls[0].inputs() if layer.calls else ()
    return level.spec(inputs[0]).shape if inputs else None


def _known(sizes: tuple[int | None, ...]) -> Grid | None:
    return tuple(int(size or 0) for size in sizes) if sizes and all(sizes) else None

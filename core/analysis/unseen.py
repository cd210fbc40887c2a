"""Layers of other classes than Keras's own that get something of another shape, or hold sizes of the old input.

Nobody knows what their code makes of it: an SSD's anchor boxes keep the image size that their config says, and go on
without an error at any other.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from core.edits.replace_layer import ReplaceLayer
from core.findings import Finding, Fix
from core.model.graph import Graph, Layer, Shape
from core.phrases import shape_words
from core.surgery.positions import foreign

_SIZES = re.compile(
    r"height|width|rows|cols|column|size|shape|resolution|grid|length|steps|dims?$|(^|_)[hw]$|image|img", re.IGNORECASE
)
_INPUTS = re.compile(r"image|img|input", re.IGNORECASE)
_HEIGHT = re.compile(r"height|rows|(^|_)h$", re.IGNORECASE)
_WIDTH = re.compile(r"width|col|(^|_)w$", re.IGNORECASE)
_NOT_SIZES = re.compile(r"kernel|pool|patch|stride|window|batch|filter|embed|hidden|scale", re.IGNORECASE)

_LEAST = 8
"""A single number below it may mean anything."""

Pairs = tuple[tuple[Shape, Shape], ...]
"""Shapes that differ, old and new, batch first."""


class _Stale(Struct, frozen=True):
    """A layer, whether something else `arrives` at it, and what its config holds of old sizes, by place in it."""

    path: str
    layer: Layer
    arrives: bool
    pairs: Pairs
    fields: tuple[tuple[tuple[str, ...], Any], ...]


def unseen_findings(before: Graph, after: Graph) -> list[Finding]:
    """What to say of such layers, the same of all layers of a class. Both graphs carry shapes."""
    inputs = _input_pairs(before, after)
    unchecked: list[str] = []
    groups: dict[tuple[str, str], list[_Stale]] = {}
    for one in _stale(before, after, "", inputs):
        if one.arrives and one.layer.opaque and one.layer.weights:
            unchecked.append(one.path)
        if one.fields:
            said = ", ".join(f"{place[-1]} {_text(value)}" for place, value in one.fields)
            groups.setdefault((one.layer.class_name, said), []).append(one)
    found = [_unchecked(unchecked)] if unchecked else []
    return [*found, *(_held(stale, said, inputs) for (_, said), stale in groups.items())]


def _stale(before: Graph, after: Graph, prefix: str, inputs: Pairs) -> Iterator[_Stale]:
    olds = {layer.origin or layer.name: layer for layer in before.layers}
    for layer in after.layers:
        old = olds.get(layer.origin or "")
        if old is None:
            continue
        if layer.inner is not None and old.inner is not None:
            yield from _stale(old.inner, layer.inner, f"{prefix}{layer.name}/", inputs)
        elif (layer.opaque or foreign(layer)) and not layer.is_operation and layer.class_name == old.class_name:
            arriving = tuple(zip(_arriving(old, before), _arriving(layer, after), strict=False))
            differ = any(one is not None and one != two for one, two in arriving)
            pairs = tuple((one, two) for one, two in arriving if one is not None and two is not None and one != two)
            # what an edit has set is settled
            config = {name: value for name, value in layer.config.items() if old.config.get(name) == value}
            fields = tuple(_fields(config, (*inputs, *pairs)))
            yield _Stale(prefix + layer.name, layer, differ, pairs, fields)


def _arriving(layer: Layer, level: Graph) -> list[Shape | None]:
    """The shapes that reach a layer, call by call."""
    return [level.spec(ref).shape for call in layer.calls for ref in call.inputs()]


def _input_pairs(before: Graph, after: Graph) -> Pairs:
    olds = {layer.name: layer.config.get("batch_shape") for layer in before.input_layers()} if not before.opaque else {}
    found = []
    for layer in after.input_layers() if not after.opaque else ():
        old, new = olds.get(layer.name), layer.config.get("batch_shape")
        if old and new and list(old) != list(new):
            found.append((tuple(old), tuple(new)))
    return tuple(found)


def _fields(
    config: Mapping[str, Any], pairs: Pairs, place: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The fields of a config that look like sizes and hold one that is another now."""
    moved = {old for before, after in pairs for old in _changed(before, after)}
    if not moved:
        return
    for name, value in config.items():
        own = (*place, name)
        if isinstance(value, dict):
            if value.get("class_name") == "__tuple__" or name in ("build_config", "compile_config"):
                continue
            yield from _fields(value, pairs, own)
            continue
        numbers = [value] if isinstance(value, int) else value if isinstance(value, (list, tuple)) else []
        whole = [one for one in numbers if isinstance(one, int) and not isinstance(one, bool)]
        if not whole or len(whole) != len(numbers) or not _SIZES.search(name) or _NOT_SIZES.search(name):
            continue
        if any(size in moved for size in whole if size >= _LEAST or len(whole) > 1) or _INPUTS.search(name):
            yield own, value


def _changed(before: Shape, after: Shape) -> set[int]:
    """The sizes of one shape that the other does not have at their place."""
    if len(before) != len(after):
        return {size for size in before[1:] if size is not None}
    return {one for one, two in zip(before[1:], after[1:], strict=True) if one is not None and one != two}


def _unchecked(paths: list[str]) -> Finding:
    more = f" The same applies to {len(paths) - 1} more." if len(paths) > 1 else ""
    text = (
        f"{paths[0]} receives a new input shape, and its code is not available; provide its Python file to check "
        f"whether its weights still fit.{more}"
    )
    return Finding("warning", "graph.opaque", paths[0], text, detail="\n".join(paths))


def _held(found: list[_Stale], said: str, inputs: Pairs) -> Finding:
    first, kind, one = found[0], found[0].layer.class_name, len(found) == 1
    who = f"{first.path} ({kind})" if one else f"{len(found)} layers of the class {kind} (first: {first.path})"
    gets = f"{who} {'receives' if one else 'receive'} a new input shape"
    if not first.arrives:
        gets = f"The model's input shape has changed, and {who} may depend on it"
    text = (
        f"{gets}, and {'its config says' if one else 'their configs say'} {said}. Only the layer's code knows what "
        "this means; if it is the old input size, set it to the new one."
    )
    edits = tuple(edit for stale in found for edit in _settled(stale, inputs))
    fixes: tuple[Fix, ...] = ()
    if len(edits) == len(found):
        words = ", ".join(f"{name} {_text(value)}" for name, value in edits[0].config.items())
        fixes = (Fix(f"Set {words}{'' if one else f' in {len(edits)} layers'}", edits),)
    return Finding("warning", "baked.constant", first.path, text, fixes, "\n".join(stale.path for stale in found))


def _settled(stale: _Stale, inputs: Pairs) -> Iterator[ReplaceLayer]:
    """The layer with the new sizes in its config, where each field says clearly which they are."""
    fresh: dict[str, Any] = {}
    for place, value in stale.fields:
        new = _moved(place[-1], value, (*inputs, *stale.pairs))
        if len(place) > 1 or new is None:
            return
        fresh[place[0]] = new
    yield ReplaceLayer(layer=stale.path, config=fresh)


def _moved(name: str, value: Any, pairs: Pairs) -> Any:
    """What a field holds for the new shapes; `None` where that is not clear."""
    pairs = tuple((one[1:], two[1:]) for one, two in pairs if len(one) == len(two) and None not in two[1:])
    if isinstance(value, (list, tuple)):
        fits = [list(two[: len(value)]) for one, two in pairs if list(one[: len(value)]) == list(value)]
        return fits[0] if fits and all(one == fits[0] for one in fits) else None
    for axis, pattern in ((0, _HEIGHT), (1, _WIDTH)):
        if pattern.search(name):
            pairs = tuple((one[axis : axis + 1], two[axis : axis + 1]) for one, two in pairs)
            break
    news = {new for one, two in pairs for old, new in zip(one, two, strict=True) if old == value}
    return news.pop() if len(news) == 1 else None


def _text(value: Any) -> str:
    return shape_words(value) if isinstance(value, (list, tuple)) else str(value)

"""Where a convolution's windows lie: its sizes, the padding ahead of it, and what a larger kernel does to the map."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from core.errors import EditError
from core.findings import Finding, Fix
from core.layers import table
from core.layers.leaves import leaf, steps
from core.model.graph import Graph, Layer
from core.model.levels import owner
from core.phrases import shape_words
from core.rules import CenterKernel, Rule
from core.rules.kernels import center_offset
from core.surgery.baked import correct_pad, parity_paddings
from core.surgery.taps import exact_offset, nearest_offset, windows

Pads = list[tuple[int, int]]
Insert = Callable[..., Any]


class KernelFit(Struct, frozen=True):
    """Where the taps of a kernel go in one of another size: the first at `offsets`, counted in the new kernel.

    `pads` are what a padding layer ahead adds from now on. `exact`: everything stays as it was. `resizes`: only the
    size of the map changes, which zeros around the map or a crop behind it would put right. `reason` says why not.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    offsets: tuple[int, ...]
    exact: bool
    resizes: bool
    reason: str
    pads: Pads | None = None

    def rule(self, source: tuple[int, ...], rules: tuple[Any, ...]) -> Rule:
        """The rule for a source's kernel of `source` taps, of which earlier `rules` made what is there now."""
        earlier = next((rule for rule in rules if isinstance(rule, CenterKernel)), None)
        if source == self.before:
            offsets = self.offsets
        elif earlier is not None and all(map(int.__le__, source, self.before)):
            middle = tuple(map(center_offset, source, self.before))
            placed = earlier.offsets if earlier.offsets is not None else middle
            offsets = tuple(one + more for one, more in zip(placed, self.offsets, strict=True))
            within = all(0 <= at <= new - old for at, old, new in zip(offsets, source, self.after, strict=True))
            if not within:
                return CenterKernel()
        else:
            return CenterKernel()
        middle = tuple(map(center_offset, source, self.after))
        return CenterKernel() if offsets == middle else CenterKernel(offsets=offsets)


def fitted(graph: Graph, path: str, layer: Layer, after: tuple[int, ...], moved: bool) -> KernelFit:
    """Where the old taps belong when the convolution at `path` gets a kernel of `after`.

    `moved` says that strides or padding change too, so that nothing is kept anyway.
    """
    inside = leaf(layer)
    before = spatial_sizes(inside.config["kernel_size"], inside)
    feeder = padding_layer(graph, path) if inside.config.get("padding") == "valid" else None
    pads = _pads(graph, feeder, len(before)) if feeder is not None else None
    sizes = _arriving(graph, path if feeder is None else feeder, len(before), inside, steps(layer))
    fresh = None if pads is None else _repadded(graph, str(feeder), before, after, pads, inside)
    olds, news = windows(inside, before, pads), windows(inside, after, fresh)
    found = [
        {exact_offset(old, new, one[axis]) for one in sizes}
        for axis, (old, new) in enumerate(zip(olds, news, strict=True))
    ]
    places = [next(iter(one)) if len(one) == 1 else None for one in found]
    exact = None not in places and not moved
    grows = all(map(int.__le__, before, after))
    transposed = table.row(inside).kind == "transposed"
    free = inside.config.get("padding") == "valid" and grows and not moved
    rest = [0 if transposed and free else nearest_offset(old, new) for old, new in zip(olds, news, strict=True)]
    offsets = tuple(other if place is None or moved else place for place, other in zip(places, rest, strict=True))
    return KernelFit(
        before, after, offsets, exact, free and not exact and pads is None, _reason(inside, before, after), fresh
    )


def _reason(layer: Layer, before: tuple[int, ...], after: tuple[int, ...]) -> str:
    strides, rate = layer.config.get("strides") or 1, layer.config.get("dilation_rate") or 1
    details = [f"{layer.config.get('padding', 'valid')} padding"]
    details += [f"strides {_text(strides)}"] if max(_all(strides)) > 1 else []
    details += [f"dilation {_text(rate)}"] if max(_all(rate)) > 1 else []
    return (
        f"with {' and '.join(details)} the windows of a {_text(after)} kernel cannot be aligned with those of a "
        f"{_text(before)} kernel, wherever the old taps are placed"
    )


def _all(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (int(value),)


def _text(value: Any) -> str:
    sizes = _all(value)
    return str(sizes[0]) if len(set(sizes)) == 1 else shape_words(sizes)


def _pads(graph: Graph, feeder: str, rank: int) -> Pads:
    return explicit_pads(graph.find(feeder).config.get("padding", 1), rank)


def _repadded(
    graph: Graph, feeder: str, before: tuple[int, ...], after: tuple[int, ...], pads: Pads, layer: Layer
) -> Pads:
    """Zeros ahead of a kernel of another size: by size parity where the model pads so, else around the old ones."""
    parity = parity_paddings(graph).get(feeder)
    if parity is not None:
        return correct_pad(_arriving(graph, feeder, len(after), layer, 0)[0], after)
    fresh = []
    for (left, right), old, new in zip(pads, windows(layer, before), windows(layer, after), strict=True):
        shift = center_offset(old.taps, new.taps) * old.dilation
        fresh.append((max(0, left + shift), max(0, right + new.reach - old.reach - shift)))
    return fresh


def _arriving(graph: Graph, path: str, rank: int, layer: Layer, times: int) -> list[tuple[int | None, ...]]:
    """The sizes of the maps that reach a layer, call by call, spatial axes only."""
    _, level = owner(graph, path)
    first = layer.config.get("data_format") == "channels_first"
    found: list[tuple[int | None, ...]] = []
    for call in graph.find(path).calls:
        for ref in call.inputs()[:1]:
            shape = level.spec(ref).shape
            if shape is None or len(shape) != rank + 2 + times:
                found.append((None,) * rank)
            else:
                found.append(shape[-rank:] if first else shape[-rank - 1 : -1])
    return found or [(None,) * rank]


def resized_map(graph: Graph, path: str, old: Layer, fit: KernelFit, insert: Insert) -> Finding:
    """The kernel is the old one with zeros around it, but the map gets another size, which one more layer undoes.

    `insert(layer=..., config=...)` makes the edit that puts that layer behind another.
    """
    inside = leaf(old)
    if table.row(inside).kind == "transposed":
        return _larger_map(path, old, fit, insert)
    message = (
        f"{path} has valid padding, so a larger kernel moves its windows inward and makes the map smaller; padding the "
        "map with zeros first keeps the outputs the same."
    )
    feeder = sole_feeder(graph, path)
    if feeder is None or steps(old):
        return Finding("info", "adapt.lossy", path, message)
    both = zip(windows(inside, fit.before), windows(inside, fit.after), fit.offsets, strict=True)
    pads = [[at * new.dilation, large.reach - new.reach - at * new.dilation] for new, large, at in both]
    fix = Fix(
        "Pad the map with zeros first", (_beside(insert, feeder, f"ZeroPadding{len(pads)}D", "padding", pads, inside),)
    )
    return Finding("info", "adapt.lossy", path, message, (fix,))


def _larger_map(path: str, old: Layer, fit: KernelFit, insert: Insert) -> Finding:
    inside = leaf(old)
    message = (
        f"{path} is a transposed convolution with valid padding, so a larger kernel makes the map larger; cropping the "
        "map after it keeps the outputs the same."
    )
    gaps = []
    for new, large in zip(windows(inside, fit.before), windows(inside, fit.after), strict=True):
        gaps.append([0, large.placed(large.reach)[1] - new.placed(large.reach)[1]])
    first = inside.config.get("data_format") == "channels_first"
    if steps(old) or (first and len(gaps) == 1):
        return Finding("info", "adapt.lossy", path, message)
    fix = Fix("Crop the map after it", (_beside(insert, path, f"Cropping{len(gaps)}D", "cropping", gaps, inside),))
    return Finding("info", "adapt.lossy", path, message, (fix,))


def _beside(insert: Insert, layer: str, kind: str, field: str, gaps: list[list[int]], conv: Layer) -> Any:
    """A padding or cropping layer behind `layer`, in the data format of the convolution."""
    fields: dict[str, Any] = {field: gaps if len(gaps) > 1 else gaps[0]}
    if "data_format" in conv.config and (len(gaps) > 1 or conv.config["data_format"] == "channels_first"):
        fields["data_format"] = conv.config["data_format"]
    return insert(layer=layer, config={"class_name": kind, "config": fields})


def padding_layer(graph: Graph, path: str) -> str | None:
    """The path of a ZeroPadding layer that feeds nothing but the layer at `path`, or `None`."""
    feeder = sole_feeder(graph, path)
    return feeder if feeder is not None and graph.find(feeder).class_name.startswith("ZeroPadding") else None


def sole_feeder(graph: Graph, path: str) -> str | None:
    """The path of the one layer that feeds the layer at `path` and nothing else, or `None`."""
    prefix, level = owner(graph, path)
    layer = graph.find(path)
    feeders = {ref.layer for call in layer.calls for ref in call.inputs()}
    if len(feeders) != 1:
        return None
    name = feeders.pop()
    users = {user for ref, pairs in level.consumers().items() if ref.layer == name for user, _ in pairs}
    return prefix + name if users == {layer.name} else None


def output_shapes(graph: Graph) -> list[Any]:
    """Shapes of the model's outputs, batch first."""
    return [graph.spec(ref).shape for ref in graph.output_refs()]


def spatial_sizes(value: Any, layer: Layer) -> tuple[int, ...]:
    """A size per spatial axis from a number or a list. Raises `EditError` when the list has another length."""
    rank = int(next((one for one in layer.class_name if one.isdigit()), "2"))
    if isinstance(value, int):
        return (value,) * rank
    sizes = tuple(int(one) for one in value)
    if len(sizes) != rank:
        raise EditError(f"{layer.name} has {rank} spatial axes, but {shape_words(sizes)} gives {len(sizes)}.")
    return sizes


def explicit_pads(value: Any, rank: int) -> list[tuple[int, int]]:
    """ZeroPadding's padding in any of its forms, as (before, after) per axis."""
    if isinstance(value, int):
        return [(value, value)] * rank
    if rank == 1:
        return [(int(value[0]), int(value[1]))]
    return [(int(one), int(one)) if isinstance(one, int) else (int(one[0]), int(one[1])) for one in value]

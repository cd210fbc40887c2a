"""Where a convolution's windows lie: its sizes, the padding ahead of it, and what a larger kernel does to the map."""

from typing import Any

from core.edits.insert_layer import InsertLayer
from core.edits.recording import owner
from core.errors import EditError
from core.findings import Finding, Fix
from core.graph import Graph, Layer
from core.rules.kernels import center_offset


def shrinking_map(graph: Graph, path: str, old: Layer, large: tuple[int, ...]) -> Finding:
    """The kernel is the old one with zeros around it, but its windows start later: padding puts them back."""
    small = spatial_sizes(old.config["kernel_size"], old)
    message = (
        f"{path} has valid padding, so a larger kernel moves its windows inward and makes the map smaller; with "
        "zeros around the map first it would compute what it did."
    )
    feeder = sole_feeder(graph, path)
    if feeder is None:
        return Finding("info", "adapt.lossy", path, message)
    shifts = [center_offset(one, other) for one, other in zip(small, large, strict=True)]
    pads = [[shift, other - one - shift] for shift, one, other in zip(shifts, small, large, strict=True)]
    fields: dict[str, Any] = {"padding": pads if len(pads) > 1 else pads[0]}
    if len(pads) > 1 and "data_format" in old.config:
        fields["data_format"] = old.config["data_format"]
    layer = {"class_name": f"ZeroPadding{len(pads)}D", "config": fields}
    fix = Fix("Put zeros around the map first", (InsertLayer(layer=feeder, config=layer),))
    return Finding("info", "adapt.lossy", path, message, (fix,))


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
        raise EditError(f"{layer.name} has {rank} spatial axes; {list(sizes)} names {len(sizes)}.")
    return sizes


def explicit_pads(value: Any, rank: int) -> list[tuple[int, int]]:
    """ZeroPadding's padding in any of its forms, as (before, after) per axis."""
    if isinstance(value, int):
        return [(value, value)] * rank
    if rank == 1:
        return [(int(value[0]), int(value[1]))]
    return [(int(one), int(one)) if isinstance(one, int) else (int(one[0]), int(one[1])) for one in value]

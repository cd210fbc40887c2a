"""What to offer for a weight that no longer fits: every rule that can carry it over, and edits around it. Pure."""

from math import prod
from typing import Any

from core.edits import EDITS, ChangeInput, SetRule
from core.edits.recording import owner
from core.errors import EditError
from core.fates import Move
from core.findings import Finding, Fix
from core.graph import Graph, Layer
from core.rules import Initialize, SpatialMean, SpatialResize, axes_of, chain_name, refusal, rules_that_fit
from core.rules.base import Axes
from core.rules.spatial import PoolFlat

_THROUGH = frozenset({"Dropout", "Activation", "ReLU", "LeakyReLU", "GaussianNoise", "Identity", "AlphaDropout"})
_POOLS = {2: "GlobalAveragePooling1D", 3: "GlobalAveragePooling2D", 4: "GlobalAveragePooling3D"}


def mismatch_finding(move: Move, layer: Layer, after: Graph, before: Graph) -> Finding:
    """The finding for one mismatched weight. `before` is the source's graph, `after` the edited one, with shapes."""
    fate = move.fate
    shape = fate.source_shape or ()
    message = (
        f"{fate.weight} is {_text(shape)} in the source, but the model now needs {_text(fate.shape)}; "
        "choose what to do with it."
    )
    axes = axes_of(layer, move.name, shape)
    fixes = _flat_fixes(move, layer, axes, after, before) or [
        Fix(f"Adapt by {chain_name(chain)}", (SetRule(weight=fate.weight, rule=_rule(chain)),))
        for chain in rules_that_fit(shape, fate.shape, axes)
        if chain[0].name != "initialize"
    ]
    fixes.append(Fix("Start it anew", (SetRule(weight=fate.weight, rule=Initialize()),)))
    return Finding("error", "weight.mismatch", move.layer, message, tuple(fixes), fate.note)


def _rule(chain: tuple[Any, ...]) -> Any:
    return chain[0] if len(chain) == 1 else chain


def _flat_fixes(move: Move, layer: Layer, axes: Axes, after: Graph, before: Graph) -> list[Fix]:
    """Repairs for a layer that comes after Flatten and now gets another number of values."""
    new = flattened_map(after, move.layer)
    old = flattened_map(before, layer.origin or move.layer)
    axis = axes.channels
    shape, target = move.fate.source_shape or (), move.fate.shape
    if new is None or old is None or axis is None or axes.kind != "kernel":
        return []
    if prod(old[1]) != shape[axis] or prod(new[1]) != target[axis] or old[1][-1] != new[1][-1]:
        return []
    flatten, sizes, layout = new
    fields: dict[str, Any] = {"old": old[1], "new": sizes, "layout": layout}
    rules = (
        (SpatialResize(**fields), "Resize the kernel over the map"),
        (SpatialMean(**fields), "Spread it evenly over the map"),
    )
    fixes = [
        Fix(title, (SetRule(weight=move.fate.weight, rule=rule),))
        for rule, title in rules
        if refusal(shape, target, axes, (rule,)) is None
    ]
    replace_layer, adapter = EDITS.get("replace_layer"), EDITS.get("insert_adapter")
    if replace_layer is not None and layout == "channels_last" and len(sizes) in _POOLS:
        pool = {"class_name": _POOLS[len(sizes)], "config": {}}
        make: Any = replace_layer
        edits = (
            make(layer=flatten, config=pool),
            SetRule(weight=move.fate.weight, rule=PoolFlat(old=old[1])),
        )
        fixes.append(Fix("Pool instead of flattening", edits))
    back = _old_input(after, before)
    if adapter is not None and back is not None:
        make = adapter
        fixes.append(
            Fix(f"Resize inputs to {_text(tuple(size or 0 for size in back[1][:-1]))} first", _resized_before(make, back))
        )
    return fixes


def _resized_before(adapter: Any, back: tuple[str, list[int | None], list[int | None]]) -> tuple[Any, ...]:
    """Edits that undo a change of size and put a resizing adapter before the old input instead."""
    name, old, new = back
    return (ChangeInput(input=name, shape=tuple(old)), adapter(input=name, shape=tuple(new), fit="resize"))


def _old_input(after: Graph, before: Graph) -> tuple[str, list[int | None], list[int | None]] | None:
    """The input whose size changed but not its channels: its name, old and new shape."""
    olds = {layer.name: layer.config.get("batch_shape") for layer in before.input_layers()}
    for layer in after.input_layers():
        old, new = olds.get(layer.name), layer.config.get("batch_shape")
        if old and new and list(old) != list(new) and len(old) == len(new) and old[-1] == new[-1]:
            return layer.name, list(old[1:]), list(new[1:])
    return None


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


def _text(shape: tuple[int, ...]) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(str(size) for size in shape) or "a scalar"

"""TensorFlow checkpoints as sources of weights, and their arrays on the layers of a known architecture."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from core.layers.kinds import bases
from core.layers.weight_table import Slot, slots
from core.model.graph import Graph, Layer, StoreKey, Weight
from core.readers.arrays.array_notes import Notes, position_of
from core.readers.arrays.assign_legacy import LegacyAssignment
from core.readers.arrays.legacy_arrays import StoredWeight, modern
from core.readers.containers.array_info import ArrayInfo
from core.readers.containers.bundle import OBJECT_GRAPH, SUFFIX, Bundle, Trackable, object_graph, read_bundle
from core.readers.containers.fault import damaged
from core.readers.formats.described import Described

_UNKNOWN = "Unknown"
_TRAINING = re.compile(
    r"(^|/)(\.OPTIMIZER_SLOT|optimizer|save_counter|_random_generator|_optimizer|keras_api|signatures)(/|$)"
)
_SKIPPED = frozenset(
    {"variables", "trainable_variables", "non_trainable_variables", "keras_api", "layers", "losses", "signatures"}
)


def prefix_of(path: Path) -> Path:
    """A checkpoint's path without `.index`, given the file, the prefix or the folder. Raises `FileError`."""
    if path.is_dir():
        found = sorted(path.glob("*.index"), key=lambda item: item.stat().st_mtime)
        if not found:
            raise damaged(path, "is a folder without a checkpoint's .index file")
        return found[-1].with_suffix("")
    return path.with_name(path.name.removesuffix(".index"))


def read_checkpoint(path: Path) -> Described:
    """Describe a TensorFlow checkpoint: arrays grouped by what holds them. Raises `FileError`."""
    prefix = prefix_of(path)
    bundle = read_bundle(prefix)
    return Described(
        format="TensorFlow checkpoint",
        kind="weights",
        graph=opaque_graph(bundle, prefix.name),
        training=any(_TRAINING.search(key) for key in bundle.entries),
        arrays_by=2,
    )


def opaque_graph(bundle: Bundle, name: str) -> Graph:
    """A graph whose layers are the groups of a checkpoint's arrays, optimizer state left out."""
    groups: dict[str, list[Weight]] = {}
    full = {node.key: node.full_name for node in object_graph(bundle) if node.key is not None}
    for key, info in bundle.arrays().items():
        if _TRAINING.search(key) or key == OBJECT_GRAPH:
            continue
        group, inside = _holder(key.removesuffix(SUFFIX))
        leaf = inside.rpartition("/")[2]
        groups.setdefault(group or leaf, []).append(
            Weight(inside, info.shape, info.dtype, not leaf.startswith("moving_"), inside, source=StoreKey(key))
        )
    groups = {group: groups[group] for group in sorted(groups, key=_in_order)}
    names = _names(groups, full)
    layers = tuple(
        Layer(
            name=names[group],
            class_name=_UNKNOWN,
            module=None,
            weights=tuple(weights),
            origin=group,
            opaque=True,
        )
        for group, weights in groups.items()
    )
    return Graph(name=name or "checkpoint", class_name=_UNKNOWN, module=None, opaque=True, layers=layers)


_LAYERS = re.compile(r"^(?:(?:layer_with_weights-\d+|layer-\d+)(?:/|$))+")


def _holder(path: str) -> tuple[str, str]:
    """The layer that an array belongs to, and the array's attributes in it: layers of a model are numbered."""
    match = _LAYERS.match(path)
    if match is None:
        group, _, inside = path.rpartition("/")
        return group, inside
    return match.group().rstrip("/"), path[match.end() :]


def _in_order(path: str) -> list[tuple[int, str]]:
    """Numbers as numbers: the tenth layer comes after the second."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]


def _names(groups: dict[str, list[Weight]], full: dict[str, str]) -> dict[str, str]:
    """Names of layers as Keras had them, where the names of their variables tell; else their places."""
    heads = {
        group: {full.get(weight.source.key, "").partition("/")[0] for weight in weights if weight.source is not None}
        for group, weights in groups.items()
    }
    told = {group: next(iter(found)) for group, found in heads.items() if len(found) == 1 and _LAYERS.match(group)}
    count = Counter(told.values())
    return {
        group: told[group] if told.get(group) and count[told[group]] == 1 else group.replace("/", ".")
        for group in groups
    }


def assign_checkpoint(graph: Graph, bundle: Bundle, notes: Notes | None = None, root: int = 0) -> LegacyAssignment:
    """Give a graph's layers the arrays that a TensorFlow 2 checkpoint keeps under `layer-0`, `layer-1`, ...

    The numbers count the model's layers in the order of its config.
    """
    nodes = object_graph(bundle)
    result = LegacyAssignment(graph)
    used: set[str] = set()
    if nodes:
        result.graph = _model(graph, nodes, root, bundle.arrays(), result, used, notes or {}, ())
    result.unused = [key for key in bundle.arrays() if key not in used and not _TRAINING.search(key)]
    return result


def _model(
    graph: Graph,
    nodes: list[Trackable],
    index: int,
    arrays: dict[str, ArrayInfo],
    result: LegacyAssignment,
    used: set[str],
    notes: Notes,
    path: tuple[str, ...],
) -> Graph:
    children = nodes[index].children
    known = {layer.name: position_of(notes.get((*path, layer.name), ())) for layer in graph.layers}
    told = any(position is not None for position in known.values())
    stored = [layer for layer in graph.layers if not layer.is_operation]
    if told:
        # layers that repairs added were never stored
        stored = [layer for layer in stored if layer.is_input or known[layer.name] is not None]
    if not any(name.startswith("layer-") for name in children):
        return graph
    shift = 0
    if graph.is_sequential and f"layer-{len(stored) - 1}" not in children:
        # Older versions did not count the InputLayer of a Sequential.
        shift = 1
    places = {layer.name: children.get(f"layer-{position - shift}") for position, layer in enumerate(stored)}
    if told and not graph.is_sequential:
        places = {name: children.get(f"layer-{position}") for name, position in known.items() if position is not None}
    layers = []
    for layer in graph.layers:
        own = (*path, layer.name)
        place = places.get(layer.name)
        node = nodes[place] if place is not None and place < len(nodes) else Trackable({})
        if layer.inner is not None and layer.inner_key is None and place is not None:
            layers.append(replace(layer, inner=_model(layer.inner, nodes, place, arrays, result, used, notes, own)))
            continue
        if layer.inner is not None and layer.inner_key is not None:
            below = node.children.get(layer.inner_key)
            if below is not None:
                inner = _model(layer.inner, nodes, below, arrays, result, used, notes, own)
                layers.append(replace(layer, inner=inner))
                continue
        layers.append(_layer(layer, nodes, node, arrays, result, used, notes, own))
    return replace(graph, layers=tuple(layers))


def _layer(
    layer: Layer,
    nodes: list[Trackable],
    node: Trackable,
    arrays: dict[str, ArrayInfo],
    result: LegacyAssignment,
    used: set[str],
    notes: Notes,
    path: tuple[str, ...],
) -> Layer:
    found = {
        _plain(name): StoredWeight(name, key, arrays[key]) for name, key in _variables(nodes, node) if key in arrays
    }
    known = bases(notes.get(path, ()))
    listed = slots(layer.class_name, layer.config, known)
    named: dict[str, StoredWeight] = {}
    for slot in listed:
        item = next((found[name] for name in _spellings(slot.name, layer, listed) if name in found), None)
        if item is not None:
            named[slot.name] = item
            used.add(item.key)
        elif not layer.opaque:
            result.missing.append("/".join((*path, slot.name)))
    further: list[Weight] = []
    if layer.opaque:  # what its code adds to its base class, or all it has
        further = [
            Weight(name, item.info.shape, item.info.dtype, key=name, source=StoreKey(item.key))
            for name, item in found.items()
            if item not in named.values()
        ]
        used.update(item.key for item in found.values())
    named = modern(named, notes.get(path, ()))
    weights = [
        Weight(
            slot.name,
            named[slot.name].info.shape,
            named[slot.name].info.dtype,
            slot.trainable,
            slot.key,
            source=StoreKey(named[slot.name].key),
        )
        for slot in listed
        if slot.name in named
    ]
    return replace(layer, weights=(*weights, *further))


def by_attribute(
    layer: Layer, found: Mapping[str, StoredWeight], known: Mapping[str, str]
) -> dict[str, StoredWeight] | None:
    """Arrays by the layer's slots, where every slot is found by how an object graph calls it; `None` if not."""
    listed = slots(layer.class_name, layer.config, known)
    plain = {_plain(name): item for name, item in found.items()}
    named = {
        slot.name: next((plain[name] for name in _spellings(slot.name, layer, listed) if name in plain), None)
        for slot in listed
    }
    every = {name: item for name, item in named.items() if item is not None}
    return every if listed and len(every) == len(listed) else None


def _spellings(name: str, layer: Layer, listed: tuple[Slot, ...]) -> Iterator[str]:
    """How TensorFlow's object graph may call a weight: its attribute, an older attribute, a cell by its number."""
    plain = _plain(name)
    yield plain
    yield f"adapt_{plain}"
    yield plain.replace("kernel", "depthwise_kernel")
    if layer.class_name == "SpectralNormalization":
        yield plain.rpartition("/")[2]
    cell = layer.config.get("cell")
    if layer.class_name == "RNN" and isinstance(cell, dict) and cell.get("class_name") == "StackedRNNCells":
        groups = list(dict.fromkeys(slot.name.rsplit("/", 1)[0] for slot in listed))
        group, _, last = name.rpartition("/")
        yield f"cell/cells/{groups.index(group)}/{last}"


def _plain(name: str) -> str:
    return "/".join(part.lstrip("_") for part in name.split("/"))


def _variables(nodes: list[Trackable], node: Trackable) -> list[tuple[str, str]]:
    """`(attribute path, array key)` of every variable below a node; each once, shortest path first."""
    found: list[tuple[str, str]] = []
    seen: set[int] = set()
    level: list[tuple[str, int]] = sorted(node.children.items())
    for _ in range(8):
        below: list[tuple[str, int]] = []
        for name, index in level:
            if index in seen or index >= len(nodes) or name.rsplit("/", 1)[-1] in _SKIPPED:
                continue
            seen.add(index)
            key = nodes[index].key
            if key is not None:
                found.append((name, key))
            below.extend((f"{name}/{child}", number) for child, number in sorted(nodes[index].children.items()))
        level = below
    return found

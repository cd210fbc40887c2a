"""Arrays of legacy HDF5 files (`model_weights/<layer>/<weight name>`) onto the layers of a graph.

Each top-level layer has one group with a flat, ordered list of arrays: trainable ones first, then the others. A nested
model's list spans all its layers, so it is dealt out by order, checked by the names, and by name where order fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from core.layers.kinds import bases
from core.layers.weight_table import Slot, slots
from core.model.graph import Graph, Layer, StoreKey, Weight
from core.model.names import leaf
from core.readers.arrays.array_notes import Note, Notes
from core.readers.arrays.identity import needs_code
from core.readers.arrays.legacy_arrays import StoredWeight, modern, old_slots
from core.readers.arrays.lora import with_lora_added


class Place(Struct, frozen=True):
    """A slot of a layer at a path inside a top-level layer; `live` if it counted as trainable when saved."""

    path: tuple[str, ...]
    slot: Slot
    live: bool


@dataclass
class LegacyAssignment:
    """A graph with its weights, and what did not fit."""

    graph: Graph
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def assign_legacy(
    graph: Graph, groups: Mapping[str, Sequence[StoredWeight]], notes: Notes | None = None
) -> LegacyAssignment:
    """Give every layer its arrays; `groups` are the file's, by layer name in the file's order."""
    result = LegacyAssignment(graph)
    left = dict(groups)
    top = left.pop("top_level_model_weights", ())
    names = _group_names(graph, left)
    layers = []
    for layer in graph.layers:
        saved = layer.origin or layer.name
        stored = left.pop(names.get(saved, saved), None)
        layers.append(_fill(layer, tuple(stored or ()), result, notes or {}))
    own = tuple(
        Weight(leaf(item.name), item.info.shape, item.info.dtype, key=f"vars/{index}", source=StoreKey(item.key))
        for index, item in enumerate(top)
    )
    result.graph = replace(graph, layers=tuple(layers), weights=own)
    result.unused.extend(item.key for stored in left.values() for item in stored)
    return result


def _group_names(graph: Graph, groups: Mapping[str, Sequence[StoredWeight]]) -> dict[str, str]:
    """Which group is whose: by name; by order where not all names fit and the counts agree, as Keras itself does.

    Some names may fit by accident: `lstm_3` is the second LSTM of one session and the first of another.
    """
    owners = [layer.origin or layer.name for layer in graph.layers if _places(layer, (), True) or layer.opaque]
    filled = [name for name, stored in groups.items() if stored]
    if set(owners) <= set(groups) or len(owners) != len(filled):
        return {}
    return dict(zip(owners, filled, strict=True))


def _fill(layer: Layer, stored: tuple[StoredWeight, ...], result: LegacyAssignment, notes: Notes) -> Layer:
    mine = notes.get((layer.name,), ())
    if layer.opaque and (layer.inner is None or not bases(mine)):
        return replace(layer, weights=foreign_weights(layer, stored, mine))
    stored = with_lora_added(stored, layer)
    dark = _claimed(layer, stored)
    taken = {item.key for items in dark.values() for item in items}
    known = tuple(item for item in stored if item.key not in taken)
    places = _places(layer, (), layer.trainable)
    if notes and len(places) != len(known):
        places = _places(layer, (), layer.trainable, notes)
    ordered = sorted(places, key=lambda place: not place.live)
    pairs = deal(ordered, known)
    used = {item.key for _, item in pairs}
    left = [item for item in known if item.key not in used]
    bare = [path for path, items in dark.items() if not items]
    if len(bare) == 1:
        dark[bare[0]], left = left, []
    result.unused.extend(item.key for item in left)
    found: dict[tuple[str, ...], dict[str, StoredWeight]] = {}
    for place, item in pairs:
        found.setdefault(place.path, {})[place.slot.name] = item
    return _with_weights(layer, (), layer.name, _Found(found, dark, notes, result))


def fill(
    layer: Layer, stored: tuple[StoredWeight, ...], notes: Notes
) -> tuple[Layer, tuple[str, ...], tuple[str, ...]]:
    """One layer (or nested model) with arrays saved for it, the paths of those it lacks, the keys of those left."""
    result = LegacyAssignment(Graph(""))
    mine = notes.get((layer.name,), ())
    if layer.inner is None and (bases(mine) or not slots(layer.class_name, layer.config)):
        return replace(layer, weights=foreign_weights(layer, stored, mine)), (), ()
    inner = layer.inner
    if inner is not None:  # arrays of the person's classes are told apart by name, as without their code
        open_ones = {path for path, one in inner.walk() if not one.opaque and needs_code(one)}
        layer = replace(layer, inner=inner.replace_layers(lambda path, one: _closed(one, path in open_ones)))
    made = _fill(layer, stored, result, notes)
    if made.inner is not None:
        flags = {path: one.opaque for path, one in inner.walk()} if inner is not None else {}
        known = made.inner.replace_layers(lambda path, one: replace(one, opaque=flags[path]))
        made = replace(made, inner=known)
    return made, tuple(result.missing), tuple(result.unused)


def _closed(layer: Layer, yes: bool) -> Layer:
    return replace(layer, opaque=True) if yes else layer


def _claimed(layer: Layer, stored: Sequence[StoredWeight]) -> dict[tuple[str, ...], list[StoredWeight]]:
    """The layers without code inside a nested model, with the arrays that carry their name as the innermost one."""
    leaves = [
        (tuple(path.split("/")), inside)
        for path, inside in (layer.inner.walk() if layer.inner is not None else ())
        if inside.inner is None
    ]
    dark: dict[tuple[str, ...], list[StoredWeight]] = {path: [] for path, inside in leaves if inside.opaque}
    for item in stored if dark else ():
        parts = item.name.split("/")[:-1]
        mine = [path for path, _ in leaves if path[-1] in parts]
        owner = max(mine, key=lambda path: (parts.index(path[-1]), sum(part in parts for part in path)), default=None)
        if owner in dark:
            dark[owner].append(item)
    return dark


def _places(layer: Layer, path: tuple[str, ...], live: bool, notes: Notes | None = None, top: str = "") -> list[Place]:
    """Slots of a layer and everything in it, in the order of Keras's `weights`; with `notes` as Keras 1 had them."""
    top = top or layer.name
    if layer.inner is None:
        listed = slots(layer.class_name, layer.config)
        if notes:
            listed = old_slots(listed, notes.get((top, *path), ()))
        return [Place(path, slot, live and slot.trainable) for slot in listed]
    found: list[Place] = []
    inner_live = live and layer.inner.trainable
    for child in layer.inner.layers:
        found.extend(_places(child, (*path, child.name), inner_live and child.trainable, notes, top))
    return found


class _Found(Struct):
    """What the layers inside a top-level layer get, by path: arrays by slot, and all those of layers without code."""

    slots: dict[tuple[str, ...], dict[str, StoredWeight]]
    dark: dict[tuple[str, ...], list[StoredWeight]]
    notes: Notes
    result: LegacyAssignment


def _with_weights(layer: Layer, path: tuple[str, ...], top: str, found: _Found) -> Layer:
    if path in found.dark:
        return replace(layer, weights=foreign_weights(layer, found.dark[path], found.notes.get((top, *path), ())))
    if layer.inner is not None:
        inner = tuple(_with_weights(child, (*path, child.name), top, found) for child in layer.inner.layers)
        return replace(layer, inner=replace(layer.inner, layers=inner))
    named = modern(found.slots.get(path, {}), found.notes.get((top, *path), ()))
    weights = []
    for slot in slots(layer.class_name, layer.config):
        item = named.get(slot.name)
        if item is None:
            found.result.missing.append("/".join((top, *path, slot.name)))
            continue
        info = item.info
        weights.append(Weight(slot.name, info.shape, info.dtype, slot.trainable, slot.key, source=StoreKey(item.key)))
    return replace(layer, weights=tuple(weights))


def deal(places: Sequence[Place], stored: Sequence[StoredWeight]) -> list[tuple[Place, StoredWeight]]:
    """Pair places with arrays: by order where every name agrees, else by name, else by order alone if counts agree."""
    if len(places) == len(stored) and all(_agrees(place, item) for place, item in zip(places, stored, strict=True)):
        return list(zip(places, stored, strict=True))
    named = _by_name(places, stored)
    if len(named) == len(places) or len(places) != len(stored):
        return named
    return list(zip(places, stored, strict=True))


def _agrees(place: Place, item: StoredWeight) -> bool:
    parts = item.name.split("/")
    if place.path and len(parts) >= 2 and leaf(item.name) == leaf(place.slot.name):
        return _same_layer(place.path[-1], parts[:-1]) or place.slot.name.count("/") > 0
    return _alike(place.slot.name, item.name)


def _alike(name: str, stored: str) -> bool:
    wanted, found = leaf(name), leaf(stored)
    old = _OLD_NAMES.get(wanted, ())
    return wanted == found or found in old or ("/" not in stored and found.endswith(_keras1_ends(wanted, old)))


def _keras1_ends(name: str, old: tuple[str, ...]) -> tuple[str, ...]:
    """How Keras 1's names for an array end: `conv1_W`, `bn_gamma`, `bn_running_mean`; `kernel` is none of them."""
    return tuple(f"_{one}" for one in (*old, *((name,) if name in ("gamma", "beta") else ())))


_OLD_NAMES: dict[str, tuple[str, ...]] = {
    "kernel": ("depthwise_kernel", "W"),
    "embeddings": ("W",),
    "recurrent_kernel": ("U",),
    "bias": ("b",),
    "gamma": ("scale",),
    "beta": ("offset",),
    "moving_mean": ("running_mean",),
    "moving_variance": ("running_std", "running_var"),
}


def _same_layer(name: str, parts: Sequence[str]) -> bool:
    return any(part == name or part.rsplit("_", 1)[0] == name for part in parts)


def _by_name(places: Sequence[Place], stored: Sequence[StoredWeight]) -> list[tuple[Place, StoredWeight]]:
    pairs: list[tuple[Place, StoredWeight]] = []
    left = list(stored)
    for place in places:
        fitting = [
            item
            for item in left
            if _alike(place.slot.name, item.name)
            and (not place.path or place.path[-1] in item.name.split("/"))
            and _inside(place.slot.name, item.name)
        ]
        if fitting:
            pairs.append((place, fitting[0]))
            left.remove(fitting[0])
    return pairs


def _inside(name: str, stored: str) -> bool:
    """Whether the direction of a Bidirectional weight agrees."""
    for direction in ("forward", "backward"):
        if name.startswith(direction):
            return direction in stored
    return True


def foreign_weights(layer: Layer, stored: Sequence[StoredWeight], notes: tuple[Note, ...]) -> tuple[Weight, ...]:
    """The arrays of a layer of the person's class: those of the class it derives from as Keras 3 has them, then others.

    Their storage keys stay the names they were saved with: what else the class owns may have moved Keras's numbers.
    """
    listed = slots(layer.class_name, layer.config, bases(notes))
    if not listed:
        return opaque_weights(stored, layer.name)
    old = listed if len(listed) == len(stored) else old_slots(listed, notes)
    places = [Place((), slot, slot.trainable) for slot in old]
    pairs = deal(sorted(places, key=lambda place: layer.trainable and not place.live), stored)
    used = {item.key for _, item in pairs}
    named = modern({place.slot.name: item for place, item in pairs}, notes)
    known = [
        Weight(slot.name, item.info.shape, item.info.dtype, slot.trainable, item.name, source=StoreKey(item.key))
        for slot in listed
        if (item := named.get(slot.name)) is not None
    ]
    return (*known, *opaque_weights([item for item in stored if item.key not in used], layer.name))


def opaque_weights(stored: Sequence[StoredWeight], layer_name: str) -> tuple[Weight, ...]:
    """The arrays of a layer whose class is unknown, under the names they were saved with."""
    weights = []
    for item in stored:
        name = item.name.split(":", 1)[0]
        name = name.removeprefix(f"{layer_name}/")
        weights.append(
            Weight(
                name,
                item.info.shape,
                item.info.dtype,
                not name.rsplit("/", 1)[-1].startswith("moving_"),
                item.name,
                source=StoreKey(item.key),
            )
        )
    return tuple(weights)

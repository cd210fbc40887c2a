"""Arrays of Keras 3 weight files (`.keras`, `.weights.h5`) onto the layers of a graph.

Keras keeps a model's arrays under `layers/<class in snake case>[_counter]`, counted in the order of the model that was
saved, which is the order of its config. Newer files also carry each layer's name as an attribute of its `vars` group,
which is believed first.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from core.layers.kinds import bases
from core.layers.weight_table import slots
from core.model.graph import Graph, Layer, StoreKey, Weight
from core.model.names import snake_case
from core.readers.arrays.array_notes import Note, Notes
from core.readers.arrays.identity import needs_code
from core.readers.arrays.legacy_arrays import StoredWeight, modern
from core.readers.containers.array_info import ArrayInfo

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
"""Groups of a model that hold its layers."""
_COUNTED = re.compile(r"^(.*?)(?:_(\d+))?$")


@dataclass
class StoredGroup:
    """One group of a weights file: arrays in its `vars`, groups below it, and the layer name it carries."""

    path: str = ""
    name: str | None = None
    arrays: dict[str, tuple[str, ArrayInfo]] = field(default_factory=dict)
    groups: dict[str, "StoredGroup"] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The class that the group is called after, in snake case, without its number."""
        return _class_of(self)

    def empty(self) -> bool:
        """Whether nothing below holds an array."""
        return not self.arrays and all(group.empty() for group in self.groups.values())

    def flat(self, prefix: str = "") -> Iterable[tuple[str, str, ArrayInfo]]:
        """`(key relative to this group, the store's key, what it is)` of every array below, in order."""
        for key, (store_key, info) in sorted(self.arrays.items(), key=lambda item: _number(item[0])):
            yield f"{prefix}vars/{key}", store_key, info
        for name, group in self.groups.items():
            yield from group.flat(f"{prefix}{name}/")


def _number(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdigit() else (1 << 30, key)


def tree_of(arrays: dict[str, ArrayInfo], names: dict[str, str], groups: Iterable[str] = ()) -> StoredGroup:
    r"""The groups of a weights file. `names` are the layer names that `vars` groups carry, by the group's path.

    Files from Windows name groups `layers\\dense`; a backslash separates like a slash.
    """
    root = StoredGroup()
    for path in groups:
        _descend(root, _parts(path))
    for path, info in arrays.items():
        parts = _parts(path)
        if len(parts) >= 2 and parts[-2] == "vars":
            _descend(root, parts[:-2]).arrays[parts[-1]] = (path, info)
        else:
            _descend(root, parts[:-1]).arrays[parts[-1]] = (path, info)
    for path, name in names.items():
        parts = _parts(path)
        if parts and parts[-1] == "vars":
            _descend(root, parts[:-1]).name = name
    return root


def _parts(path: str) -> list[str]:
    return [part for part in path.replace("\\", "/").split("/") if part]


def _descend(root: StoredGroup, parts: list[str]) -> StoredGroup:
    group = root
    for part in parts:
        if part == "vars":
            continue
        group = group.groups.setdefault(part, StoredGroup(path=f"{group.path}/{part}".lstrip("/")))
    return group


@dataclass
class Assignment:
    """A graph with its weights, and what did not fit: layers without arrays, groups without a layer."""

    graph: Graph
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    classes: dict[str, str] = field(default_factory=dict)
    """Classes that layers had when they were stored, by path, where a repair gave them another."""
    bases: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)
    """Keras's classes by the names of those that derive from them, by the path of the layer that uses them."""


def assign(graph: Graph, root: StoredGroup, notes: Notes | None = None) -> Assignment:
    """Give every layer of the graph its arrays. Shared models stored once are found at their first place."""
    result = Assignment(graph, classes=_stored_classes(notes or {}))
    used: set[str] = set()
    result.bases = {path: found for path, steps in (notes or {}).items() if (found := bases(steps))}
    result.graph = _model(graph, root, "", result, used)
    extra = [key for key, store_key, _ in root.flat() if store_key not in used and not is_training(key)]
    result.unused = extra
    if notes:
        result.graph = result.graph.replace_layers(
            lambda path, layer: _noted(layer, notes.get(tuple(path.split("/")), ()))
        )
    return result


def assign_layer(layer: Layer, group: StoredGroup, notes: Notes) -> tuple[Layer, tuple[str, ...], tuple[str, ...]]:
    """One layer with the arrays of its group, the paths of those it lacks, the keys of those that are left over."""
    graph = Graph("")
    result = Assignment(graph)
    result.bases = {path: found for path, steps in notes.items() if (found := bases(steps))}
    used: set[str] = set()
    foreign = layer.inner is None and needs_code(layer)
    made = replace(_layer(replace(layer, opaque=layer.opaque or foreign), group, "", result, used), opaque=layer.opaque)
    made = _noted(made, notes.get((layer.name,), ()))
    left = tuple(store_key for _, store_key, _ in group.flat() if store_key not in used)
    return made, tuple(result.missing), left


def _stored_classes(notes: Notes) -> dict[str, str]:
    return {
        "/".join(path): str(note.step["class"])
        for path, steps in notes.items()
        for note in steps
        if note.step["do"] == "stored_as" and not note.prefix
    }


def _noted(layer: Layer, notes: tuple[Note, ...]) -> Layer:
    if not notes:
        return layer
    sources = {item.name: item for item in layer.weights if item.source is not None}
    stored = {
        name: StoredWeight(name, w.source.key, ArrayInfo(w.shape, w.dtype)) for name, w in sources.items() if w.source
    }
    done = modern(stored, notes)
    weights = tuple(
        replace(w, shape=done[w.name].info.shape, source=StoreKey(done[w.name].key)) if w.name in done else w
        for w in layer.weights
    )
    return replace(layer, weights=weights)


def is_training(key: str) -> bool:
    """Whether a key belongs to the optimizer, losses or metrics."""
    return key.split("/", 1)[0] in (
        "optimizer",
        "loss_tracker",
        "_loss_tracker",
        "metrics",
        "_metrics",
        "_compile_metrics",
        "compile_metrics",
        "loss",
    )


def _model(graph: Graph, group: StoredGroup, path: str, result: Assignment, used: set[str]) -> Graph:
    own = _weights(group.arrays.items(), used)
    if graph.opaque:
        return replace(graph, layers=_opaque_layers(group, used), weights=own)
    container = next((group.groups[name] for name in CONTAINERS if name in group.groups), StoredGroup())
    classes = {layer.name: result.classes.get(path + layer.name, layer.class_name) for layer in graph.layers}
    chosen = match_groups(graph, container, classes)
    layers = []
    for layer in graph.layers:
        found = chosen.get(layer.name)
        layers.append(_layer(layer, found or StoredGroup(), path, result, used))
    return replace(graph, layers=tuple(layers), weights=own)


def match_groups(
    graph: Graph, container: StoredGroup, classes: Mapping[str, str] | None = None
) -> dict[str, StoredGroup]:
    """Which stored group belongs to which layer: by the name it carries, else by class (as stored) and order."""
    owners = [layer for layer in graph.layers if not layer.is_operation]
    if graph.is_sequential and owners and owners[0].is_input and len(owners) > 1:
        owners = owners[1:]
    by_name = {group.name: group for group in container.groups.values() if group.name is not None}
    chosen: dict[str, StoredGroup] = {}
    used: dict[str, int] = {}
    names = [snake_case((classes or {}).get(layer.name, layer.class_name)) for layer in owners]
    doubled = _doubled(container, names)
    for layer, name in zip(owners, names, strict=True):
        count = used[name] = used.get(name, -1) + 1
        key = f"{name}_{count}" if count else name
        by_order = doubled[name][count] if name in doubled else container.groups.get(key)
        named = by_name.get(layer.origin or layer.name)
        if named is not None and _class_of(named) == name:
            chosen[layer.name] = named
        elif by_order is not None:
            chosen[layer.name] = by_order
    return chosen


def _doubled(container: StoredGroup, names: list[str]) -> dict[str, list[StoredGroup]]:
    """Groups by class, in order, where numbers were left out: TensorFlow 2.12 counted layers with weights twice.

    It went through `_layer_checkpoint_dependencies`, which names a layer both `layer_with_weights-N` and `layer-N`, so
    that the second Dense is `dense_2`.
    """
    if container.path.rsplit("/", 1)[-1] != "_layer_checkpoint_dependencies":
        return {}
    found: dict[str, list[StoredGroup]] = {}
    for key in sorted(container.groups, key=lambda key: (len(key), key)):
        found.setdefault(_class_of(container.groups[key]), []).append(container.groups[key])
    return {name: groups for name, groups in found.items() if len(groups) == names.count(name)}


def _class_of(group: StoredGroup) -> str:
    last = group.path.rsplit("/", 1)[-1]
    match = _COUNTED.match(last)
    return match.group(1) if match else last


def _layer(layer: Layer, group: StoredGroup, path: str, result: Assignment, used: set[str]) -> Layer:
    own_path = f"{path}{layer.name}"
    if layer.inner is not None and layer.inner_key is None:
        inner = _model(layer.inner, group, own_path + "/", result, used)
        return replace(layer, inner=inner)
    if layer.inner is not None and layer.inner_key is not None:
        inside = group.groups.get(layer.inner_key, StoredGroup())
        inner = _model(layer.inner, inside, own_path + "/", result, used)
        return replace(layer, inner=inner)
    if layer.opaque:
        stored = {_plain(key): key for key, _, _ in group.flat()}
        listed = slots(layer.class_name, layer.config, result.bases.get(tuple(own_path.split("/")), {}))
        named = {stored[_plain(slot.key)]: slot.name for slot in listed if _plain(slot.key) in stored}
        weights = []
        for key, store_key, info in group.flat():
            used.add(store_key)
            weights.append(
                Weight(
                    named.get(key) or _opaque_name(key),
                    info.shape,
                    info.dtype,
                    key=key,
                    state=is_seed(key),
                    source=StoreKey(store_key),
                )
            )
        return replace(layer, weights=tuple(weights))
    return replace(layer, weights=_known_weights(layer, group, own_path, result, used))


def _known_weights(
    layer: Layer, group: StoredGroup, path: str, result: Assignment, used: set[str]
) -> tuple[Weight, ...]:
    expected = slots(layer.class_name, layer.config)
    stored = {key: (store_key, info) for key, store_key, info in group.flat()}
    plain = {_plain(key): key for key in stored}
    weights: list[Weight] = []
    for slot in expected:
        key = slot.key if slot.key in stored else plain.get(_plain(slot.key), "")
        if key not in stored:
            result.missing.append(f"{path}/{slot.name}")
            continue
        store_key, info = stored.pop(key)
        used.add(store_key)
        weights.append(Weight(slot.name, info.shape, info.dtype, slot.trainable, slot.key, source=StoreKey(store_key)))
    for key, (store_key, info) in stored.items():
        if any(slot.doubled for slot in expected) and key == "vars/0":
            used.add(store_key)
        elif is_seed(key) or _plain(key).endswith("idf_weights"):
            # plain arrays, which Keras stores and does not count as weights
            used.add(store_key)
            weights.append(
                Weight(_opaque_name(key), info.shape, info.dtype, False, key, state=True, source=StoreKey(store_key))
            )
    return tuple(weights)


def _plain(key: str) -> str:
    """A key without the underscore that some versions put before private attributes."""
    return "/".join(part.lstrip("_") for part in key.split("/"))


def is_seed(key: str) -> bool:
    """Whether a key is the state of a random generator rather than a weight."""
    return any(part in ("seed_generator", "random_generator", "_random_generator") for part in key.split("/"))


def _opaque_name(key: str) -> str:
    return "/".join(part for part in key.split("/") if part != "vars") or key


def _weights(arrays: Iterable[tuple[str, tuple[str, ArrayInfo]]], used: set[str]) -> tuple[Weight, ...]:
    found = []
    for key, (store_key, info) in sorted(arrays, key=lambda item: _number(item[0])):
        used.add(store_key)
        found.append(Weight(key, info.shape, info.dtype, key=f"vars/{key}", source=StoreKey(store_key)))
    return tuple(found)


def _opaque_layers(group: StoredGroup, used: set[str]) -> tuple[Layer, ...]:
    """Layers of a model whose code is missing: one for each stored group that holds arrays of its own."""
    layers: list[Layer] = []

    def collect(current: StoredGroup, relative: str) -> None:
        for name, child in current.groups.items():
            path = f"{relative}/{name}" if relative else name
            if path.split("/", 1)[0] == "optimizer" or is_training(path):
                continue
            if child.arrays:
                label = child.name or path
                layers.append(
                    Layer(
                        name=_unique(path.replace("/", ".") if not child.name else label, layers),
                        class_name=_class_of(child),
                        module=None,
                        weights=_weights(child.arrays.items(), used),
                        build_config={"storage": path},
                        opaque=True,
                        origin=path,
                    )
                )
            collect(child, path)

    collect(group, "")
    return tuple(layers)


def _unique(name: str, layers: list[Layer]) -> str:
    taken = {layer.name for layer in layers}
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    return candidate

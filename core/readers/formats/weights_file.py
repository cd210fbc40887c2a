"""Files that hold arrays only: legacy `save_weights` HDF5, Keras 3's `.weights.h5`. They show as groups of arrays."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
from msgspec.structs import replace

from core.model.graph import Graph, Layer, StoreKey, Weight
from core.readers.arrays.assign_legacy import opaque_weights
from core.readers.arrays.assign_v3 import CONTAINERS, StoredGroup, is_seed, is_training, tree_of
from core.readers.arrays.dialects import version_of_arrays
from core.readers.arrays.legacy_arrays import StoredWeight
from core.readers.containers.hdf5 import Hdf5Index, index_hdf5, open_hdf5, text_attribute
from core.readers.formats.described import Described
from core.readers.formats.keras_zip import group_names
from core.readers.formats.legacy_h5 import stored_groups

UNKNOWN = "Unknown"
"""The class name shown for layers of files that name no classes."""


def read_legacy_weights(path: Path) -> Described:
    """Describe a weights-only HDF5 file of Keras 1 or 2 (or any HDF5 file of arrays). Raises `FileError`."""
    with open_hdf5(path, path) as file:
        index = index_hdf5(file, path)
        groups = weight_groups(file, index, path)
        version = text_attribute(file.attrs, "keras_version")
    layers = tuple(
        Layer(
            name=name.replace("/", "."),
            class_name=UNKNOWN,
            module=None,
            weights=opaque_weights(stored, name),
            origin=name,
            opaque=True,
        )
        for name, stored in groups.items()
        if stored
    )
    major = (version or "1 or 2").split(".", 1)[0]
    return Described(
        format=f"Keras {major} weights (HDF5)",
        kind="weights",
        graph=_graph(path, layers),
        keras_version=version,
        arrays_by=version_of_arrays(version, names_of(groups)),
    )


def weight_groups(file: h5py.File, index: Hdf5Index, path: Path) -> dict[str, list[StoredWeight]]:
    """Arrays by layer: as `layer_names` says, else by the group they lie in."""
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        return stored_groups(file, index, "", path)
    if "model_weights" in index.groups:
        return stored_groups(file, index, "model_weights", path)
    found: dict[str, list[StoredWeight]] = {}
    for key, info in index.arrays.items():
        group, _, name = key.rpartition("/")
        found.setdefault(group or name, []).append(StoredWeight(name, key, info))
    return found


def names_of(groups: Mapping[str, Sequence[StoredWeight]]) -> list[str]:
    """The names that arrays were saved under."""
    return [item.name for stored in groups.values() for item in stored]


def read_keras_weights(path: Path) -> Described:
    """Describe a `.weights.h5` file of Keras 3. Raises `FileError`."""
    with open_hdf5(path, path) as file:
        index = index_hdf5(file, path)
        names = group_names(file, index)
        root = tree_of(index.arrays, names, index.groups)
        version = text_attribute(file.attrs, "keras_version")
    base = _graph(path, ())
    layers = (*_layers(root, ""), *_own_arrays(root, path))
    return Described(
        format="Keras 3 weights (HDF5)",
        kind="weights",
        graph=replace(base, layers=_named_apart(layers)),
        keras_version=version,
        arrays_by=3 if names else None,  # Keras 2.13 to 2.15 write the same file, but name no layer in it
        training="optimizer" in root.groups,
    )


def _layers(group: StoredGroup, prefix: str) -> list[Layer]:
    """One layer for each that a model's group holds, with the arrays of all its parts; layers of nested models too."""
    found: list[Layer] = []
    for name, child in group.groups.items():
        path = f"{prefix}{name}"
        if is_training(path):
            continue
        if name in CONTAINERS or _holds_model(child):
            found += _layers(child, f"{path}/")
            continue
        weights = tuple(
            Weight(_short(key), info.shape, info.dtype, key=key, state=is_seed(key), source=StoreKey(store_key))
            for key, store_key, info in child.flat()
        )
        if weights:
            label = child.name or path.replace("/", ".")
            found.append(Layer(label, child.kind, module=None, weights=weights, origin=path, opaque=True))
    return found


def _own_arrays(root: StoredGroup, path: Path) -> list[Layer]:
    """Arrays that the model holds beside its layers."""
    weights = tuple(
        Weight(name, info.shape, info.dtype, key=f"vars/{name}", source=StoreKey(key))
        for name, (key, info) in root.arrays.items()
    )
    name = path.name.split(".", 1)[0]
    return [Layer(name, UNKNOWN, module=None, weights=weights, origin="", opaque=True)] if weights else []


def _holds_model(group: StoredGroup) -> bool:
    return any(name in CONTAINERS or _holds_model(child) for name, child in group.groups.items())


def _short(key: str) -> str:
    return "/".join(part for part in key.split("/") if part != "vars")


def _named_apart(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Layers of the same name under their places in the file."""
    count = Counter(layer.name for layer in layers)
    return tuple(
        replace(layer, name=(layer.origin or layer.name).replace("/", ".")) if count[layer.name] > 1 else layer
        for layer in layers
    )


def _graph(path: Path, layers: tuple[Layer, ...]) -> Graph:
    base = Graph(name=path.name.split(".", 1)[0] or "weights", class_name=UNKNOWN, module=None, opaque=True)
    return replace(base, layers=layers)

"""Files that hold arrays only: legacy `save_weights` HDF5, Keras 3's `.weights.h5`. They show as groups of arrays."""

from pathlib import Path

import h5py
from msgspec.structs import replace

from core.graph import Graph, Layer
from core.readers.assign_legacy import opaque_weights
from core.readers.assign_v3 import assign, tree_of
from core.readers.described import Described
from core.readers.hdf5 import Hdf5Index, index_hdf5, open_hdf5, text_attribute
from core.readers.keras_zip import group_names
from core.readers.legacy_arrays import StoredWeight
from core.readers.legacy_h5 import stored_groups

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


def read_keras_weights(path: Path) -> Described:
    """Describe a `.weights.h5` file of Keras 3. Raises `FileError`."""
    with open_hdf5(path, path) as file:
        index = index_hdf5(file, path)
        root = tree_of(index.arrays, group_names(file, index), index.groups)
        version = text_attribute(file.attrs, "keras_version")
    assigned = assign(_graph(path, ()), root)
    return Described(
        format="Keras 3 weights (HDF5)",
        kind="weights",
        graph=assigned.graph,
        keras_version=version,
        training="optimizer" in root.groups,
    )


def _graph(path: Path, layers: tuple[Layer, ...]) -> Graph:
    base = Graph(name=path.name.split(".", 1)[0] or "weights", class_name=UNKNOWN, module=None, opaque=True)
    return replace(base, layers=layers)

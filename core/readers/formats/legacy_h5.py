"""Whole models in HDF5, as Keras 1, 2 and 3 write them: `model_config` as JSON, arrays under `model_weights`."""

from collections import Counter
from pathlib import Path
from typing import Any

import h5py

from core.layers.kinds import Kinds
from core.readers.arrays.array_notes import take_notes
from core.readers.arrays.assign_legacy import assign_legacy
from core.readers.arrays.legacy_arrays import StoredWeight
from core.readers.config_graph import build_graph
from core.readers.containers.fault import damaged
from core.readers.containers.hdf5 import Hdf5Index, index_hdf5, name_list, open_hdf5, text_attribute
from core.readers.containers.jsontext import parse_json
from core.readers.formats.described import Described
from core.readers.formats.soundness import insist
from core.readers.notes import weights_findings
from core.readers.shared import share_weights
from core.repairs import repair_model


def read_hdf5_model(path: Path, kinds: Kinds | None = None) -> Described:
    """Describe a whole-model HDF5 file. Raises `FileError`."""
    with open_hdf5(path, path) as file:
        index = index_hdf5(file, path)
        try:
            config_text = text_attribute(file.attrs, "model_config")
            version = text_attribute(file.attrs, "keras_version")
            backend = text_attribute(file.attrs, "backend")
            training = text_attribute(file.attrs, "training_config")
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise damaged(path, "is damaged: its model description cannot be read") from error
        root = "model_weights" if "model_weights" in index.groups else ""
        groups = stored_groups(file, index, root, path)
        if version is None and root:
            version = text_attribute(file[root].attrs, "keras_version")
    config = parse_json(config_text or "", path)
    if isinstance(config, str):
        config = parse_json(config, path)
    if not isinstance(config, dict):
        raise damaged(path, "is damaged: its model config does not describe a model")
    insist(config, path)
    repaired = repair_model(config, version or "1", backend, kinds)
    model, notes = take_notes(repaired.model)
    graph = build_graph(model, str(path))
    assignment = assign_legacy(graph, groups, notes)
    shared, missing = share_weights(assignment.graph, assignment.missing)
    extra = [key for key in assignment.unused if not key.startswith("optimizer_weights")]
    return Described(
        format=f"Keras {_major(version)} (HDF5)",
        kind="model",
        graph=shared,
        notes=notes,
        keras_version=version,
        findings=(*repaired.findings, *weights_findings(missing, extra)),
        training=training is not None or "optimizer_weights" in index.groups,
        metadata={"backend": backend} if backend else {},
    )


def _major(version: str | None) -> str:
    return (version or "1").split(".", 1)[0]


def stored_groups(file: h5py.File, index: Hdf5Index, root: str, path: Path) -> dict[str, list[StoredWeight]]:
    """The arrays of every layer group below `root`, in the order the file's attributes give."""
    base: Any = file[root] if root else file
    try:
        names = name_list(base.attrs, "layer_names")
        top = f"{root}/top_level_model_weights".lstrip("/")
        if top in index.groups:
            names.append("top_level_model_weights")
        found: dict[str, list[StoredWeight]] = {}
        for name in names:
            group_path = f"{root}/{name}".lstrip("/")
            if group_path not in index.groups:
                continue
            weight_names = name_list(file[group_path].attrs, "weight_names")
            _refuse_lost(name, weight_names, index, group_path, path, text_attribute(base.attrs, "keras_version"))
            found[name] = [_stored(index, group_path, weight, path) for weight in weight_names]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise damaged(path, "is damaged: the names of its weights cannot be read") from error
    return found


def _refuse_lost(layer: str, names: list[str], index: Hdf5Index, group: str, path: Path, version: str | None) -> None:
    """Refuse a file whose writer gave several arrays of a layer one name, so that only one of each is left.

    Keras 3.0 and 3.1 did so with models inside models. Raises `FileError`.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if not twice:
        return
    kept = sum(f"{group}/{name}" in index.arrays for name in set(names))
    raise damaged(
        path,
        f"contains only {kept} of the {len(names)} arrays of {layer}: Keras{f' {version}' if version else ''} saved "
        f"several under one name ({', '.join(twice)}), and each overwrote the previous one",
        "The other arrays are lost; if a program still has the model in memory, save it again from there as .keras.",
    )


def _stored(index: Hdf5Index, group: str, name: str, path: Path) -> StoredWeight:
    key = f"{group}/{name}"
    info = index.arrays.get(key)
    if info is None:
        raise damaged(path, f"is damaged: the array {key!r} that it lists is missing")
    return StoredWeight(name, key, info)

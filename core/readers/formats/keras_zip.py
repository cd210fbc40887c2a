"""`.keras` archives: Keras 3's, Keras 2.12 to 2.15's, and what other systems made of them."""

import zipfile
from pathlib import Path
from typing import Any

import h5py

from core.findings import Finding
from core.layers.kinds import Kinds
from core.readers.arrays.array_notes import take_notes
from core.readers.arrays.assign_v3 import StoredGroup, assign, tree_of
from core.readers.config_graph import build_graph
from core.readers.containers.archive import find_member, open_archive, open_member, read_member
from core.readers.containers.fault import damaged
from core.readers.containers.hdf5 import Hdf5Index, index_hdf5, open_hdf5
from core.readers.containers.jsontext import parse_json
from core.readers.containers.store import WEIGHTS_MEMBERS
from core.readers.formats.described import Described
from core.readers.formats.soundness import insist
from core.readers.notes import weights_findings
from core.readers.shared import share_weights
from core.repairs import repair_model


def read_keras(path: Path, kinds: Kinds | None = None) -> Described:
    """Describe a `.keras` archive. Raises `FileError`."""
    with open_archive(path) as archive:
        config_info = find_member(archive, "config.json")
        if config_info is None:
            raise damaged(path, "is a zip archive but not a Keras model: it has no config.json")
        config = parse_json(read_member(archive, config_info, path), path)
        metadata = _metadata(archive, path)
        bare = _missing_weights(archive)
        root, training = (StoredGroup(), False) if bare else archive_weights(archive, path)
        assets = tuple(
            info.filename for info in archive.infolist() if info.filename.startswith("assets/") and not info.is_dir()
        )
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise damaged(path, "is a zip archive but not a Keras model: its config.json does not describe one")
    version = metadata.get("keras_version")
    insist(config, path)
    repaired = repair_model(config, str(version) if version else None, kinds=kinds)
    model, notes = take_notes(repaired.model)
    graph = build_graph(model, str(path))
    assignment = assign(graph, root, notes)
    shared, missing = share_weights(assignment.graph, assignment.missing)
    findings = (*repaired.findings, *(bare or weights_findings(missing, assignment.unused)))
    name = "Keras 3" if not str(version or "3").startswith("2") else "Keras 2"
    return Described(
        format=f"{name} (.keras)",
        kind="architecture" if bare else "model",
        graph=shared,
        notes=notes,
        keras_version=str(version) if version else None,
        findings=findings,
        training=training or bool(config.get("compile_config")),
        assets=assets,
        metadata={key: config[key] for key in ("build_config", "compile_config") if config.get(key)},
    )


def _missing_weights(archive: zipfile.ZipFile) -> tuple[Finding, ...]:
    """What to say of an archive whose weights cannot be read: none there, or in NumPy's pickled form."""
    if find_member(archive, *WEIGHTS_MEMBERS) is not None:
        return ()
    text = "The archive contains no weights (model.weights.h5), so only the architecture is shown."
    if find_member(archive, "model.weights.npz") is not None:
        text = (
            "The weights are in model.weights.npz, which Keras writes as pickled Python objects. Unpickling can run "
            "code, so only the architecture is shown. Load it with Keras and save it again to get model.weights.h5."
        )
    return (Finding("warning", "weight.unmatched", "", text),)


def archive_version(archive: zipfile.ZipFile, path: Path) -> int | None:
    """The major version of Keras that an archive says wrote it."""
    version = str(_metadata(archive, path).get("keras_version") or "")
    return int(version[0]) if version[:1].isdigit() else None


def _metadata(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    info = find_member(archive, "metadata.json")
    value = parse_json(read_member(archive, info, path), path, "its metadata") if info else {}
    return value if isinstance(value, dict) else {}


def archive_weights(archive: zipfile.ZipFile, path: Path) -> tuple[StoredGroup, bool]:
    """The stored groups of an archive's weights member, and whether it carries optimizer state. Raises `FileError`."""
    info = find_member(archive, *WEIGHTS_MEMBERS)
    if info is None:
        raise damaged(path, "contains no model.weights.h5, so it is a model without weights")
    with open_member(archive, info, path) as stream, open_hdf5(stream, path) as file:
        index = index_hdf5(file, path)
        root = tree_of(index.arrays, group_names(file, index), index.groups)
    return root, "optimizer" in root.groups


def group_names(file: h5py.File, index: Hdf5Index) -> dict[str, str]:
    """Layer names that `vars` groups carry as their `name` attribute (newer Keras 3)."""
    names: dict[str, str] = {}
    for group in index.groups:
        if not group.endswith("vars"):
            continue
        attributes = h5py.h5o.open(file.id, group.encode("utf8", "surrogateescape"))
        if h5py.h5a.exists(attributes, b"name"):
            value = h5py.AttributeManager(h5py.Group(attributes))["name"]
            names[group] = value.decode("utf8", "replace") if isinstance(value, bytes) else str(value)
    return names

"""SavedModel folders: Keras's own description where it is kept, otherwise signatures and variables."""

from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.findings import Finding, RebuildModel
from core.layers.kinds import Kinds
from core.readers.arrays.array_notes import take_notes, with_positions
from core.readers.arrays.learnt import with_words
from core.readers.config_graph import build_graph
from core.readers.containers.bundle import read_bundle
from core.readers.containers.fault import damaged, unreadable
from core.readers.containers.jsontext import parse_json
from core.readers.containers.limits import MAX_JSON_BYTES
from core.readers.containers.links import refuse_links_out
from core.readers.containers.protobuf import Malformed, message, messages, number, signed, text
from core.readers.formats.checkpoint import assign_checkpoint, opaque_graph
from core.readers.formats.described import Described
from core.readers.formats.soundness import insist
from core.readers.notes import weights_findings
from core.repairs import repair_model

_MODELS = ("_tf_keras_model", "_tf_keras_network", "_tf_keras_sequential")
_MAX_PB = 2**31
_DTYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 7: "string", 9: "int64", 10: "bool", 19: "float16"}


class _Saved(Struct, frozen=True):
    metadata: dict[str, Any] | None
    version: str | None
    signatures: dict[str, Any]
    data: bytes


def folder_of(path: Path) -> Path:
    """The SavedModel's folder, given it or its `saved_model.pb`."""
    return path if path.is_dir() else path.parent


def variables_of(path: Path) -> Path:
    """The checkpoint prefix of a SavedModel's variables. Raises `FileError` for a folder with links out of it."""
    refuse_links_out(folder_of(path))
    return folder_of(path) / "variables" / "variables"


def read_saved_model(path: Path, kinds: Kinds | None = None) -> Described:
    """Describe a SavedModel folder. Raises `FileError`."""
    folder = folder_of(path)
    refuse_links_out(folder)
    saved = _read(folder)
    bundle = read_bundle(variables_of(folder)) if (folder / "variables" / "variables.index").is_file() else None
    model = saved.metadata
    if model is not None and isinstance(model.get("config"), dict) and isinstance(model["config"].get("layers"), list):
        serialised = {"class_name": str(model.get("class_name", "Functional")), "config": model["config"]}
        insist(serialised, folder)
        repaired = repair_model(with_positions(serialised), saved.version or "2", kinds=kinds)
        described, notes = take_notes(repaired.model)
        graph = build_graph(described, str(folder))
        findings = repaired.findings
        if bundle is not None:
            assigned = assign_checkpoint(graph, bundle, notes)
            graph = with_words(assigned.graph, folder, saved.data, bundle)
            findings = (*findings, *weights_findings(assigned.missing, assigned.unused))
        return Described(
            format="SavedModel (Keras)",
            kind="model",
            graph=graph,
            keras_version=saved.version,
            findings=findings,
            training=bool(model.get("training_config")),
            metadata={"signatures": saved.signatures},
            notes=notes,
        )
    if bundle is None:
        raise damaged(folder, "is a SavedModel without variables and without a Keras description")
    graph = replace(opaque_graph(bundle, folder.name), name=folder.name)
    if model is not None and model.get("class_name"):
        graph = replace(graph, class_name=str(model["class_name"]))
    finding = Finding(
        "warning",
        "graph.opaque",
        "",
        "This SavedModel does not describe its Keras layers: its signatures and variables are shown, and its weights "
        "can be transferred to another model.",
        (RebuildModel(),),
        "\n".join(f"{name}: {ports}" for name, ports in saved.signatures.items()),
    )
    return Described(
        format="SavedModel",
        arrays_by=2,
        kind="weights",
        graph=graph,
        keras_version=saved.version,
        findings=(finding,),
        metadata={"signatures": saved.signatures},
    )


def _read(folder: Path) -> _Saved:
    path = folder / "saved_model.pb"
    data = _bytes(path)
    try:
        graphs = messages(data, 2)
        if not graphs:
            raise damaged(path, "is damaged: it contains no graph")
        entry = _keras_metadata(folder) or _object_metadata(message(graphs[0], 7))
        signatures = _signatures(messages(graphs[0], 5))
    except Malformed as error:
        raise damaged(path, "is damaged or not a SavedModel") from error
    if entry is None:
        return _Saved(None, None, signatures, data)
    value = parse_json(entry, path)
    if not isinstance(value, dict):
        return _Saved(None, None, signatures, data)
    return _Saved(_standard(value), _version(value), signatures, data)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_PB:
            raise damaged(path, "is refused because it is larger than 2 GiB")
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def _keras_metadata(folder: Path) -> bytes | None:
    """`keras_metadata.pb` (TensorFlow 2.5 and later): the entry of the root object."""
    path = folder / "keras_metadata.pb"
    if not path.is_file():
        return None
    try:
        for node in messages(_bytes(path), 1):
            if text(node, 4) in _MODELS and number(node, 2) == 0:
                return _bounded(message(node, 5), path)
    except Malformed as error:
        raise damaged(path, "is damaged: Keras's description cannot be read") from error
    return None


def _object_metadata(graph: bytes) -> bytes | None:
    """Before TensorFlow 2.5 the description lay in the root node of the object graph."""
    for node in messages(graph, 1)[:1]:
        user = message(node, 4)
        if text(user, 1) in _MODELS:
            return message(user, 3)
    return None


def _bounded(data: bytes, path: Path) -> bytes:
    if len(data) > MAX_JSON_BYTES:
        raise damaged(path, "is refused because its model description is too large")
    return data


def _standard(value: dict[str, Any]) -> dict[str, Any]:
    """Root metadata as a serialised model. TensorFlow 2.5 and later nest it under `model_config`."""
    nested = value.get("model_config")
    if isinstance(nested, dict) and isinstance(nested.get("config"), dict):
        return {**value, "class_name": nested.get("class_name", value.get("class_name")), "config": nested["config"]}
    return value


def _version(value: dict[str, Any]) -> str | None:
    version = value.get("keras_version")
    return str(version) if version else None


def _signatures(entries: list[bytes]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in entries:
        name, body = text(entry, 1), message(entry, 2)
        if name.startswith("__saved_model"):
            continue
        found[name] = {"inputs": _ports(messages(body, 1)), "outputs": _ports(messages(body, 2))}
    return found


def _ports(entries: list[bytes]) -> dict[str, Any]:
    found = {}
    for entry in entries:
        info = message(entry, 2)
        dims = [signed(number(dim, 1)) for dim in messages(message(info, 3), 2)]
        shape = [None if size < 0 else size for size in dims]
        found[text(entry, 1)] = {"shape": shape, "dtype": _DTYPES.get(number(info, 2), "unknown")}
    return found

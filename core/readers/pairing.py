"""An architecture and a second file with its weights, opened together."""

from pathlib import Path

from msgspec.structs import replace

from core.findings import Finding, Severity
from core.model.graph import Graph, Layer
from core.readers.arrays.array_notes import Notes
from core.readers.arrays.assign_legacy import assign_legacy
from core.readers.arrays.assign_v3 import assign, tree_of
from core.readers.arrays.dialects import notes_for, slopes, version_of_arrays
from core.readers.containers.archive import open_archive
from core.readers.containers.bundle import read_bundle
from core.readers.containers.fault import damaged
from core.readers.containers.hdf5 import index_hdf5, open_hdf5, text_attribute
from core.readers.formats.checkpoint import assign_checkpoint, prefix_of
from core.readers.formats.keras_zip import archive_version, archive_weights, group_names
from core.readers.formats.saved_model import variables_of
from core.readers.formats.weights_file import names_of, weight_groups
from core.readers.notes import weights_findings
from core.readers.shared import share_weights
from core.readers.sniff import Format, sniff


def with_weights(graph: Graph, path: Path, notes: Notes) -> tuple[Graph, tuple[Finding, ...]]:
    """The graph with the arrays of a weight file (or whole model). Raises `FileError`."""
    bare = graph.replace_layers(_without_weights)
    kind = sniff(path)
    unsure: list[Finding] = []
    if kind in (Format.HDF5_MODEL, Format.HDF5_WEIGHTS):
        with open_hdf5(path, path) as file:
            index = index_hdf5(file, path)
            groups = weight_groups(file, index, path)
            major = version_of_arrays(text_attribute(file.attrs, "keras_version"), names_of(groups))
            legacy = assign_legacy(bare, groups, notes_for(bare, notes, major))
        filled, missing, unused = legacy.graph, legacy.missing, legacy.unused
    elif kind is Format.KERAS_WEIGHTS:
        with open_hdf5(path, path) as file:
            index = index_hdf5(file, path)
            names = group_names(file, index)
            unsure = [] if names else _sloped(bare, notes, path)  # Keras 2 gives them none
            notes = notes_for(bare, notes, 3) if names else notes
            done = assign(bare, tree_of(index.arrays, names, index.groups), notes)
        filled, missing, unused = done.graph, done.missing, done.unused
    elif kind is Format.KERAS:
        with open_archive(path) as archive:
            wrote = archive_version(archive, path)
            done = assign(bare, archive_weights(archive, path)[0], notes_for(bare, notes, wrote) if wrote else notes)
        filled, missing, unused = done.graph, done.missing, done.unused
    elif kind in (Format.CHECKPOINT, Format.SAVED_MODEL):
        prefix = variables_of(path) if kind is Format.SAVED_MODEL else prefix_of(path)
        found = assign_checkpoint(bare, read_bundle(prefix), notes_for(bare, notes, 2))
        filled, missing, unused = found.graph, found.missing, found.unused
    else:
        raise damaged(
            path,
            "holds no weights",
            "Choose a .keras, .h5, .hdf5 or .weights.h5 file, a TensorFlow checkpoint or a SavedModel.",
        )
    shared, still = share_weights(filled, missing)
    return shared, (*weights_findings(still, unused), *unsure)


def _sloped(graph: Graph, notes: Notes, path: Path) -> list[Finding]:
    """What to say of layers whose arrays depend on which Keras wrote a file that does not tell."""
    paths = ["/".join(place) for layer in graph.layers for place in slopes(layer)]
    if not paths:
        return []
    old = any(note.step["do"] == "hard_sigmoid" for steps in notes.values() for note in steps)
    text = (
        f"{path.name} does not say which Keras version wrote it, and hard_sigmoid (in {paths[0]}) has a different "
        f"slope in Keras 3: its arrays are assumed to come from Keras {2 if old else 3}, like the architecture."
    )
    severity: Severity = "info" if old else "warning"
    return [Finding(severity, "weight.unmatched", paths[0], text, detail="\n".join(paths))]


def _without_weights(path: str, layer: Layer) -> Layer:
    return replace(layer, weights=()) if layer.weights else layer

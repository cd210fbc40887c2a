"""An architecture and a second file with its weights, opened together."""

from pathlib import Path

from msgspec.structs import replace

from core.findings import Finding
from core.graph import Graph, Layer
from core.readers.archive import open_archive
from core.readers.array_notes import Notes
from core.readers.assign_legacy import assign_legacy
from core.readers.assign_v3 import assign, tree_of
from core.readers.bundle import read_bundle
from core.readers.checkpoint import assign_checkpoint, prefix_of
from core.readers.fault import damaged
from core.readers.hdf5 import index_hdf5, open_hdf5
from core.readers.keras_zip import archive_weights, group_names
from core.readers.notes import weights_findings
from core.readers.saved_model import variables_of
from core.readers.shared import share_weights
from core.readers.sniff import Format, sniff
from core.readers.weights_file import weight_groups


def with_weights(graph: Graph, path: Path, notes: Notes) -> tuple[Graph, tuple[Finding, ...]]:
    """The graph with the arrays of a weight file (or whole model). Raises `FileError`."""
    bare = graph.replace_layers(_without_weights)
    kind = sniff(path)
    if kind in (Format.HDF5_MODEL, Format.HDF5_WEIGHTS):
        with open_hdf5(path, path) as file:
            index = index_hdf5(file, path)
            legacy = assign_legacy(bare, weight_groups(file, index, path), notes)
        filled, missing, unused = legacy.graph, legacy.missing, legacy.unused
    elif kind is Format.KERAS_WEIGHTS:
        with open_hdf5(path, path) as file:
            index = index_hdf5(file, path)
            done = assign(bare, tree_of(index.arrays, group_names(file, index), index.groups), notes)
        filled, missing, unused = done.graph, done.missing, done.unused
    elif kind is Format.KERAS:
        with open_archive(path) as archive:
            done = assign(bare, archive_weights(archive, path)[0], notes)
        filled, missing, unused = done.graph, done.missing, done.unused
    elif kind in (Format.CHECKPOINT, Format.SAVED_MODEL):
        prefix = variables_of(path) if kind is Format.SAVED_MODEL else prefix_of(path)
        found = assign_checkpoint(bare, read_bundle(prefix), notes)
        filled, missing, unused = found.graph, found.missing, found.unused
    else:
        raise damaged(path, "holds no weights", "Choose an .h5, .hdf5, .weights.h5 or .keras file.")
    shared, still = share_weights(filled, missing)
    return shared, weights_findings(still, unused)


def _without_weights(path: str, layer: Layer) -> Layer:
    return replace(layer, weights=()) if layer.weights else layer

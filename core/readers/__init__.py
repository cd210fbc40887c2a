"""Reading files: one format a module, behind one door that looks at content. No Keras, no file's code is run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from core.collection import without_collection
from core.errors import FileError
from core.layers.shapes.graph import fill_shapes
from core.readers.containers.fault import damaged, unreadable
from core.readers.input_shapes import with_input_shapes
from core.readers.notes import training_findings
from core.readers.source import Source, WeightStore

if TYPE_CHECKING:
    from core.layers.kinds import Kinds
    from core.readers.formats.described import Described
    from core.readers.sniff import Format

# what needs h5py is imported where it is used: the window imports this room for its values alone

__all__ = ["Source", "WeightStore", "describe", "open_store", "prove_arrays", "stored_at", "told"]


_SURPRISES = (ArithmeticError, LookupError, MemoryError, RuntimeError, ValueError)


def stored_at(path: str | Path) -> Path:
    """The file that a path stands for: a checkpoint is called by what its files' names begin with."""
    given = Path(path)
    index = given.with_name(given.name + ".index") if given.name else given
    return index if not given.exists() and index.is_file() else given


@contextmanager
def told(file: Path) -> Iterator[None]:
    """Whatever goes wrong inside is the file's fault, in one sentence: a `FileError`."""
    try:
        yield
    except OSError as error:
        raise unreadable(file, error) from error
    except RecursionError:
        raise damaged(file, "is refused because its model is nested too deeply") from None
    except _SURPRISES as error:
        # A description can be wrong in more ways than anybody lists; what is read from a file never ends in a crash.
        raise damaged(file, "is damaged or uses an unknown variant of its format") from error


@without_collection()
def describe(path: str | Path, weights: str | Path | None = None, kinds: "Kinds | None" = None) -> Source:
    """Describe a model file without loading its arrays or running anything it holds.

    `weights` is a second file whose arrays fill an architecture; `kinds` says what classes of the person's code derive
    from. Raises `FileError` with one sentence. `core.analysis.opening` adds what to say of the code that it carries.
    """
    from core.readers.sniff import sniff

    file = Path(path)
    with told(file):
        described = _describe(sniff(file), file, kinds)
        said = (*described.findings, *training_findings(described.training))
        described = replace(described, findings=said)
        if weights is not None:
            described = _paired(described, Path(weights))
        if described.kind == "model":
            described = _with_learnt(described, file, weights)
        status = stored_at(file).stat()
        stamp = _stamp(Path(weights)) if weights is not None else None
        graph, shaped = with_input_shapes(described.graph)
        described = replace(described, findings=(*described.findings, *shaped))
        graph = fill_shapes(graph)
    return Source(
        path=str(file),
        format=described.format,
        kind=described.kind,
        graph=graph,
        keras_version=described.keras_version,
        findings=described.findings,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        training=described.training,
        weights_path=str(weights) if weights is not None else None,
        weights_stamp=stamp,
        assets=described.assets,
        metadata=described.metadata,
        arrays_by=described.arrays_by,
    )


def _with_learnt(described: "Described", file: Path, weights: str | Path | None) -> "Described":
    """What preprocessing layers learnt, from wherever the file keeps it, and findings where it does not."""
    from core.readers.arrays.learnt import with_bounds, with_idf

    kept = str(weights) if weights is not None else None
    bare = Source(str(file), described.format, described.kind, described.graph, weights_path=kept)
    graph = with_idf(with_bounds(described.graph, lambda: open_store(bare)), lambda: open_store(bare))
    return replace(described, graph=graph)


def _paired(described: "Described", weights: Path) -> "Described":
    from core.readers.pairing import with_weights

    graph, findings = with_weights(described.graph, weights, described.notes)
    kept = tuple(finding for finding in described.findings if finding.code != "weight.unmatched")
    return replace(
        described,
        kind="model",
        graph=graph,
        findings=(*kept, *findings),
        format=f"{described.format} with weights",
    )


def _describe(kind: "Format", path: Path, kinds: "Kinds | None") -> "Described":
    from core.readers.formats.architecture import read_architecture
    from core.readers.formats.checkpoint import read_checkpoint
    from core.readers.formats.keras_zip import read_keras
    from core.readers.formats.legacy_h5 import read_hdf5_model
    from core.readers.formats.saved_model import read_saved_model
    from core.readers.formats.weights_file import read_keras_weights, read_legacy_weights
    from core.readers.sniff import Format

    models = {
        Format.KERAS: read_keras,
        Format.HDF5_MODEL: read_hdf5_model,
        Format.JSON: read_architecture,
        Format.SAVED_MODEL: read_saved_model,
    }
    arrays = {
        Format.HDF5_WEIGHTS: read_legacy_weights,
        Format.KERAS_WEIGHTS: read_keras_weights,
        Format.CHECKPOINT: read_checkpoint,
    }
    if kind in models:
        return models[kind](path, kinds)
    if kind in arrays:
        return arrays[kind](path)
    raise FileError(f"{path.name} is not a kind of file that Suture can describe.", code="file.damaged", path=str(path))


def open_store(source: Source) -> WeightStore:
    """The arrays of an opened source. Close it (or use `with`): h5py must be closed before the interpreter ends."""
    from core.readers.containers.bundle import BundleStore
    from core.readers.containers.store import EmptyStore, Hdf5Store
    from core.readers.formats.checkpoint import prefix_of
    from core.readers.formats.saved_model import variables_of
    from core.readers.sniff import Format, sniff

    path = Path(source.weights_path or source.path)
    seen = source.weights_stamp if source.weights_path else (source.size, source.mtime_ns)
    try:
        if seen and any(seen) and path.is_file() and _stamp(path) != seen:
            raise damaged(path, "has changed since it was opened", "Open it again.")
        kind = sniff(path)
        if kind is Format.SAVED_MODEL:
            return BundleStore(variables_of(path))
        if kind is Format.CHECKPOINT:
            return BundleStore(prefix_of(path))
        if kind is Format.JSON:
            return EmptyStore(path)
        return Hdf5Store(path, member=kind is Format.KERAS)
    except OSError as error:
        raise unreadable(path, error) from error


def prove_arrays(source: Source) -> None:
    """Read what HDF5 does not simply copy from a source's file, for whoever must not meet it first. Raises `FileError`.

    Plain arrays are bytes at a place, which the index has checked; chunks, filters and odd number formats are worked
    out by HDF5 from what the file says.
    """
    from core.readers.containers.store import Hdf5Store

    if source.graph.opaque or any(True for _, layer in source.graph.walk() if layer.weights):
        with open_store(source) as store:
            if isinstance(store, Hdf5Store):
                store.prove()


def _stamp(path: Path) -> tuple[int, int]:
    status = stored_at(path).stat()
    return status.st_size, status.st_mtime_ns

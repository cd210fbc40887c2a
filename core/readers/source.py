"""What opening a file gives: a description of the model and a way to its arrays, never the arrays themselves."""

from typing import Any, Literal, Protocol, Self

from msgspec import Struct

from core.findings import Finding
from core.model.graph import Graph
from core.rules.base import Array

Kind = Literal["model", "weights", "architecture"]


class Source(Struct, frozen=True):
    """An opened file. `format` is shown to people (`Keras 3 (.keras)`, `Keras 2 (HDF5)`, ...).

    `kind` is `model` (layers and weights), `weights` (arrays grouped by layer, no calls) or `architecture` (no arrays).
    `weights_path` is a second file whose arrays fill an architecture, `weights_stamp` its size and time of change (as
    `size` and `mtime_ns` are the file's own). `training` says that the file also carries
    a compile config or optimizer state. `assets` are the store's names of asset members (vocabularies).
    `arrays_by` is the major version of Keras that wrote a file of weights alone; `None` where nothing tells.
    """

    path: str
    format: str
    kind: Kind
    graph: Graph
    keras_version: str | None = None
    findings: tuple[Finding, ...] = ()
    size: int = 0
    mtime_ns: int = 0
    digest: str = ""
    training: bool = False
    weights_path: str | None = None
    weights_stamp: tuple[int, int] | None = None
    assets: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    arrays_by: int | None = None


class WeightStore(Protocol):
    """Arrays of an opened file, read one at a time."""

    def read(self, key: str) -> Array:
        """The array under a `StoreKey.key`, C-contiguous, in its own dtype. Raises `FileError`."""
        ...

    def keys(self) -> list[str]:
        """Every array's key."""
        ...

    def read_asset(self, name: str) -> bytes:
        """An asset member's bytes."""
        ...

    def close(self) -> None:
        """Close the file (h5py must be closed before the interpreter exits)."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

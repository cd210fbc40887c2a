"""What one format's reader hands to the door (`core.readers`), which makes a `Source` of it."""

from typing import Any

from msgspec import Struct

from core.findings import Finding
from core.model.graph import Graph
from core.readers.arrays.array_notes import Notes
from core.readers.source import Kind


class Described(Struct, frozen=True):
    """A file's description; the fields are those of `Source`."""

    format: str
    kind: Kind
    graph: Graph
    keras_version: str | None = None
    findings: tuple[Finding, ...] = ()
    training: bool = False
    assets: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    notes: Notes = {}
    arrays_by: int | None = None

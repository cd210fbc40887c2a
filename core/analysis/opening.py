"""A model file as the person meets it: what its reader describes, and what to say of the code that it carries."""

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from core.analysis.opaque import opaque_findings
from core.analysis.prepared import prepared_findings
from core.readers import describe, told
from core.readers.source import Source

if TYPE_CHECKING:
    from core.layers.kinds import Kinds


def read_model(path: str | Path, weights: str | Path | None = None, kinds: "Kinds | None" = None) -> Source:
    """Describe a model file without loading its arrays or running anything it holds; its findings offer edits.

    `weights` is a second file whose arrays fill an architecture; `kinds` says what classes of the person's code derive
    from. Raises `FileError` with one sentence.
    """
    source = describe(path, weights, kinds)
    with told(Path(path)):
        found = opaque_findings(source.graph, source.kind == "weights")
        if source.kind == "model":
            found = (*found, *prepared_findings(source.graph, source.assets))
    return replace(source, findings=(*source.findings, *found))

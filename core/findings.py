"""What the person should know, as values: a severity, a code, a layer, a sentence, and edits that settle it."""

from typing import Any, Literal

from msgspec import Struct

Severity = Literal["error", "warning", "info"]
Code = Literal[
    "shape.incompatible",
    "shape.too_small",
    "weight.mismatch",
    "weight.unmatched",
    "baked.constant",
    "layer.unknown",
    "code.lambda",
    "code.custom",
    "legacy.repaired",
    "graph.opaque",
    "file.damaged",
    "freeze.batch_norm",
    "freeze.forgotten",
    "freeze.fresh",
    "weight.tied",
    "layer.unlearnt",
    "adapt.lossy",
    "training.dropped",
    "name.changed",
    "layers.changed",
]


class Fix(Struct, frozen=True):
    """One click that settles a finding: a title and the edits (`core.edits`) it adds to the recipe."""

    title: str
    edits: tuple[Any, ...] = ()


class Finding(Struct, frozen=True):
    """One thing the person should know. `layer` is a layer path, or `""` for the whole file.

    `detail` is longer text shown on demand (a disassembly, the list of repaired fields).
    """

    severity: Severity
    code: Code
    layer: str
    message: str
    fixes: tuple[Fix, ...] = ()
    detail: str = ""

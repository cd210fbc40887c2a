"""What the person should know, as values: a severity, a code, a layer, a sentence, and what can be done about it."""

from typing import Any, ClassVar, Literal

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
    "step.refused",
    "plan.missing",
    "outputs.replaced",
]


class Fix(Struct, frozen=True, tag=True):
    """Apply edits: one click that settles a finding. `title` says it; the edits (`core.edits`) go into the recipe.

    They stand in the place of the recipe's step number `step`, counted from 1; with 0 they find their own place.
    """

    title: str
    edits: tuple[Any, ...] = ()
    step: int = 0


class EditStep(Struct, frozen=True, tag=True):
    """Edit a step of the recipe, counted from 1."""

    title: ClassVar[str] = "Edit the step\u2026"
    step: int


class CompareFixes(Struct, frozen=True, tag=True):
    """Measure how far the model's answers move with each of the fixes for `weight`."""

    title: ClassVar[str] = "Compare\u2026"
    weight: str


class NameCode(Struct, frozen=True, tag=True):
    """Name the file that defines the class of a layer; `""`: of the first one whose code is missing."""

    title: ClassVar[str] = "Where is it defined?\u2026"
    layer: str


class TrustCode(Struct, frozen=True, tag=True):
    """Look at the code stored in a layer (`""`: in all of them), and trust it or put a layer in its place."""

    title: ClassVar[str] = "View the code\u2026"
    layer: str


class RebuildModel(Struct, frozen=True, tag=True):
    """Open a model made of layers that takes the weights of one whose connections are unknown."""

    title: ClassVar[str] = "Transfer its weights to a rebuilt model\u2026"


class OpenWeights(Struct, frozen=True, tag=True):
    """Open the file of weights that belongs to an architecture."""

    title: ClassVar[str] = "Open its weights\u2026"


class OpenArchitecture(Struct, frozen=True, tag=True):
    """Open the architecture that belongs to a file of weights."""

    title: ClassVar[str] = "Open its architecture\u2026"


Action = Fix | EditStep | CompareFixes | NameCode | TrustCode | RebuildModel | OpenWeights | OpenArchitecture


class Finding(Struct, frozen=True):
    """One thing the person should know. `layer` is a layer path, or `""` for the whole file.

    `detail` is longer text shown on demand (a disassembly, the list of repaired fields), `step` the number of the
    recipe's step that it is about (from 1; 0: of none).
    """

    severity: Severity
    code: Code
    layer: str
    message: str
    actions: tuple[Action, ...] = ()
    detail: str = ""
    step: int = 0

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """The actions that are edits."""
        return tuple(one for one in self.actions if isinstance(one, Fix))

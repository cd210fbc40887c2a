"""What would happen: the value that `core.engine.planner.plan` answers with and everything on screen derives from."""

from typing import Any, Literal

from msgspec import Struct

from core.findings import Finding
from core.model.contract import Contract
from core.model.graph import Graph, Shape


def file_name(path: str) -> str:
    """A file's name without its folders, whichever system wrote the path."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]


FateName = Literal["copied", "transferred", "adapted", "initialized", "mismatched", "merged", "dropped"]

AS_STORED = ("copied", "transferred")
"""Fates of arrays that go into the new model as a file has them."""


class Fate(Struct, frozen=True, gc=False):
    """What happens to one weight of the new model. `weight` is `layer path/weight name`.

    `rule` names the rules in words (`"sum"`, `"center + sum"`), `source` the path of the array that it comes from,
    `note` says why (for `mismatched`: what does not fit). `file` is the file that holds that array where it is not the
    model's own, and `further` whether that is another model's, so that `source` is a path in there. An array of such
    a file that stays as it is stored is `transferred`, one of the source is `copied`.
    """

    weight: str
    fate: FateName
    shape: tuple[int, ...]
    dtype: str = "float32"
    rule: str | None = None
    source: str | None = None
    source_shape: tuple[int, ...] | None = None
    trainable: bool = True
    note: str = ""
    file: str = ""
    further: bool = False

    @property
    def as_stored(self) -> bool:
        """Whether the array goes into the new model as a file has it."""
        return self.fate in AS_STORED


class Port(Struct, frozen=True, gc=False):
    """A model's input or output: name, shape (batch first) and dtype."""

    name: str
    shape: Shape | None
    dtype: str = "float32"


class Cost(Struct, frozen=True, gc=False):
    """Costs of one layer or a whole model: parameters, multiply-accumulates and activation elements for one sample.

    `macs` and `activations` are `None` where a dimension is dynamic or the operation is unknown.
    """

    params: int = 0
    trainable_params: int = 0
    macs: int | None = None
    activations: int | None = None


class LegalSizes(Struct, frozen=True, gc=False):
    """Sizes an input may have: from `smallest` on, every multiple of `step`; or `only` one size (`step` is `None`).

    `forbids` names the layer that a wanted size fails at, with its reason; empty when nothing does.
    """

    input: str
    smallest: int | None
    step: int | None
    only: int | None
    forbids: str


class RuleDrift(Struct, frozen=True):
    """A rule that fits, and how far the new model's outputs are from the old one's with it (relative; `inf`: fails).

    `alike`: the outputs have the shapes of the old model's; otherwise there is nothing to compare.
    """

    title: str
    drift: float
    edits: tuple[Any, ...] = ()
    alike: bool = True


class Plan(Struct, frozen=True):
    """The answer to source + recipe. `graph` is the edited graph with the shapes of every call filled in.

    `merged` pairs arrays of the source with the new weight that each went into together with another one (a scale, a
    gain); `dropped` are the arrays that go nowhere.
    """

    ok: bool
    graph: Graph
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    before: Cost = Cost()
    after: Cost = Cost()
    fates: tuple[Fate, ...] = ()
    merged: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    contracts: tuple[Contract, ...] = ()
    costs: dict[str, Cost] = {}


class ContractResult(Struct, frozen=True):
    """A contract as measured: `drift` is the largest relative difference, `holds` the verdict for exact ones.

    `mean` is the average difference over the average value, which says how much of the output drifts. Where single
    precision cannot show that a contract is exact, both models were run in double precision: `drift` is what is left
    there, and `rounding` what the single precision of the written file adds.
    """

    name: str
    drift: float
    exact: bool = True
    holds: bool = True
    mean: float = 0.0
    rounding: float | None = None


class Verification(Struct, frozen=True):
    """What Keras said of the written file: it reloads, runs, holds the planned arrays, keeps the contracts.

    `skipped`: the model needs code that is not here, so it was read back instead of being run; `message` says whose.
    `training_gap`: how far BatchNormalization parts training from inference on the same inputs (relative), `None` where
    it cannot. `arrays` counts the arrays of the file that were held against the plan, `from_files` those of them that
    were proved equal, bit for bit, to arrays of another file. `report` is where the details of a mistake of our own
    were saved that ended the check. `notes` say what the person's own inputs are, and what was done to them so that
    they fit. `runtime` is what loaded and ran the file.
    """

    reloaded: bool
    forward: bool
    copied_equal: bool
    contracts: tuple[ContractResult, ...] = ()
    message: str = ""
    drift_by_layer: tuple[tuple[str, float], ...] = ()
    skipped: bool = False
    training_gap: float | None = None
    arrays: int = 0
    report: str = ""
    notes: tuple[str, ...] = ()
    from_files: tuple[tuple[str, int], ...] = ()
    runtime: str = "Keras"

    @property
    def ok(self) -> bool:
        """Whether everything that must hold and could be checked holds, and something was compared at all."""
        if self.report or not self.copied_equal or not (self.arrays or self.contracts):
            return False
        return self.skipped or (self.reloaded and self.forward and all(result.holds for result in self.contracts))

    @property
    def compared(self) -> str:
        """What the file was compared in, for a sentence: `12 arrays and 1 contract`."""
        counts = ((self.arrays, "array"), (len(self.contracts), "contract"))
        return " and ".join(f"{count:,} {what}{'s' * (count != 1)}" for count, what in counts if count) or "nothing"

    @property
    def proved(self) -> tuple[str, ...]:
        """A sentence without its full stop for each other file whose arrays the result holds bit for bit."""
        return tuple(
            f"{count:,} array{'s' * (count != 1)} equal those of {file_name(file)} bit for bit"
            for file, count in self.from_files
        )

    @property
    def reason(self) -> str:
        """Why it is not `ok`: one sentence without its full stop; empty when it is."""
        if self.ok:
            return ""
        broken = next((one.name for one in self.contracts if not one.holds), "")
        words = self.message or (f"{broken} does not hold" if broken else "")
        if not words and self.reloaded and self.forward and self.copied_equal:
            words = "there was nothing to compare: the model has no weights, and no contract covers it"
        return (words or "it differs from the plan").rstrip(".")


class Written(Struct, frozen=True):
    """What applying did: the plan, the path, the size in bytes, and the verification if one was asked for.

    A file that failed is not under the name it was meant for: `written` is the path it was kept at, `""` if it is gone.
    """

    plan: Plan
    written: str
    bytes: int
    verification: Verification | None = None

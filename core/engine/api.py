"""The engine's door: what the command line, the engine process and tests call."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from msgspec.structs import replace

from core.analysis.effects import effect_lines
from core.analysis.recipe_files import RecipeFiles
from core.engine.compare import compare, variants
from core.engine.execute import Progress, execute, output_format, quiet, refuse_errors, used_paths
from core.engine.exports import size_of
from core.engine.formats import format_findings
from core.engine.legal import legal_sizes
from core.engine.own_inputs import load_inputs, own_inputs
from core.engine.planner import Planned, Planner, with_findings
from core.engine.saving import result_arrays
from core.engine.specs import Specs
from core.engine.trust import kinds, load_code, settled_findings, trust_layers
from core.engine.verify import verify
from core.errors import FileError, NotChecked, SourceNeeded, SutureError
from core.model.plan import LegalSizes, Plan, RuleDrift, Verification, Written
from core.readers import open_store
from core.readers.source import Source
from core.recipes.gestures import toggle_step
from core.recipes.recipe import Recipe
from core.rules.base import Array
from core.writers.array_choice import source_arrays
from core.writers.array_files import SavedArrays, save_arrays
from core.writers.atomic import Unchecked, check_destination
from core.writers.partials import unverified_path

_UNCHECKED = {KeyboardInterrupt: "Cancelled", MemoryError: "There is not enough memory to check it"}
Inputs = Mapping[str, Array] | None
_READABLE = (".keras", ".h5", ".hdf5")
"""Endings of results that are models or weights of Keras."""


def warm() -> dict[str, str]:
    """Versions; by the time this can be called, the slow imports are done."""
    return {"keras": keras.__version__, "tensorflow": tf.__version__, "backend": keras.backend.backend()}


class Engine:
    """Plans, writes and verifies for one source at a time; keeps what it learnt of Keras's layers across sources.

    Several engines may take turns in one process: `leave` and `enter` keep their code apart.
    """

    def __init__(self, files: RecipeFiles | None = None, specs: Specs | None = None) -> None:
        """`files` reads the files that recipes name and knows those it has read (by default, in this process).

        `specs` is what is known of Keras's layers, which engines may share.
        """
        self._shared = specs or Specs()
        self._specs = self._shared
        self._own_code: dict[str, Any] = {}
        self._planner: Planner | None = None
        self._files = files or RecipeFiles()
        self._with_code: dict[str, tuple[Source, Source]] = {}
        self._code = False
        self._made: tuple[tuple[Planner, Recipe, str], Array] | None = None

    def set_source(self, source: Source, code: Sequence[str] = (), trust: bool = False) -> Plan:
        """Work on this source from now on; returns the plan of the empty recipe.

        `code` are Python files the person named, which are run now; `trust` lets bytecode stored in the model run when
        its Lambda layers are called. Raises `FileError` when a file of code does not run.
        """
        # layers of the same name and config may be others with other code
        self._specs = Specs() if code else self._shared
        for path in code:
            load_code(path)
        self._code = bool(code)
        self._with_code.clear()
        self._made = None
        self._files.retry()
        if code and any(layer.opaque for _, layer in source.graph.walk()):
            # what Keras's classes need of an old file, classes that derive from them need too
            again = self._files.read(source.path, source.weights_path, kinds())
            if (again.size, again.mtime_ns) != (source.size, source.mtime_ns):
                raise FileError(f"{source.path} has changed since it was opened; open it again.", path=source.path)
            source = again
        if code or trust:
            graph = trust_layers(source.graph, trust)
            source = replace(source, graph=graph, findings=settled_findings(source.findings, graph))
        self._planner = Planner(source, self._specs, self.files)
        return self._planner.plan(Recipe())

    def leave(self) -> None:
        """Another engine has its turn: what this one's code registered is not there for it."""
        self._own_code = dict(keras.saving.get_custom_objects())
        keras.saving.get_custom_objects().clear()

    def enter(self) -> None:
        """It is this engine's turn again."""
        keras.saving.get_custom_objects().clear()
        keras.saving.get_custom_objects().update(self._own_code)

    @property
    def planner(self) -> Planner:
        """The planner of the current source. Raises `FileError` when there is none."""
        if self._planner is None:
            raise SourceNeeded("No model is open; open one first.")
        return self._planner

    def plan(self, recipe: Recipe) -> Plan:
        """What the recipe would do. Raises `RecipeError`, `FileError` (a recipe's weight file)."""
        return self.planned(recipe).plan

    def draft(self, recipe: Recipe) -> Plan:
        """`plan` for looking at: edits that cannot apply are left out of it, each with a finding that says so."""
        return self.planner.draft(recipe)

    def effect(self, recipe: Recipe, row: int) -> tuple[str, ...]:
        """What would change if step `row` (from 0) were switched the other way, in lines."""
        then = self.draft(toggle_step(recipe, row, not recipe.edits[row].enabled))
        return effect_lines(self.draft(recipe), then)

    def planned(self, recipe: Recipe) -> Planned:
        """`plan` with the moves that carry it out."""
        return self.planner.planned(recipe)

    def files(self, recipe: Recipe) -> dict[str, Source]:
        """The further files of a recipe as they are now, by the names its edits know them by. Raises `FileError`."""
        found = self._files.of(recipe, kinds() if self._code else None)
        return {name: self._opened(name, other) for name, other in found.items()} if self._code else found

    def _opened(self, name: str, other: Source) -> Source:
        """A further file with the classes that the person's code defines. Trust in the model never covers it."""
        known = self._with_code.get(name)
        if known is None or known[0] is not other:
            graph = trust_layers(other.graph)
            opened = replace(other, graph=graph, findings=settled_findings(other.findings, graph))
            known = self._with_code[name] = (other, opened)
        return known[1]

    def apply(self, recipe: Recipe, out: str | Path, check: bool = True, progress: Progress = quiet) -> Written:
        """Write the new model; unless `check` is off, it gets its name once Keras has checked it.

        What fails is kept as `NAME.unverified`. Raises `PlanRefused`, `RecipeError`, `FileError`, and `NotChecked` when
        the file is whole but its check could not be ended.
        """
        progress("planning", 0.0)
        planned, out = self.planned(recipe), Path(out)
        files = planned.files
        ending = output_format(out)
        check_destination(out, *used_paths(files))
        refuse_errors(planned)
        plan = with_findings(planned.plan, *format_findings(planned.plan.graph, files[0], ending))
        if not check:
            return Written(plan, str(out), execute(planned, files, out, progress))
        with Unchecked(out) as unchecked:
            size = execute(planned, files, unchecked.place, progress)
            return Written(plan, *self._judge(unchecked, planned, out, size, progress))

    def _judge(
        self, unchecked: Unchecked, planned: Planned, out: Path, size: int, progress: Progress, own: Inputs = None
    ) -> tuple[str, int, Verification]:
        """Check what is written and give it the name that it has earned: the path, the size, and what was found."""
        try:
            result = verify(self.planner, planned, planned.files, unchecked.place, progress, own)
        except (SutureError, MemoryError, KeyboardInterrupt) as error:
            # what is whole is not thrown away because it could not be looked at
            kept = unchecked.keep(False)
            why = _UNCHECKED.get(type(error)) or str(error).rstrip(".")
            said = f"{why}. {out.name} was written completely, but it was not checked; it is kept as {kept.name}."
            raise NotChecked(said, kept=str(kept), out=str(out), passed=False, reason=why) from error
        return str(unchecked.keep(result.ok)), size, result

    def check_again(
        self, recipe: Recipe, out: str | Path, progress: Progress = quiet, inputs: Sequence[str] = ()
    ) -> Written:
        """Check the result that is kept as `NAME.unverified` for `out`; it gets its name if it passes.

        Raises what `apply` and `verify` raise.
        """
        progress("planning", 0.0)
        planned, out = self.planned(recipe), Path(out)
        kept = unverified_path(out)
        if not kept.exists():
            raise FileError(f"{kept} does not exist; apply the recipe first.", path=str(kept))
        check_destination(out, *used_paths(planned.files))
        refuse_errors(planned)
        output_format(out)
        self._prove(kept, out)
        own, notes = own_inputs(inputs, planned.plan.graph) if inputs else (None, ())
        with Unchecked(out) as unchecked:
            unchecked.take(kept)
            size = size_of(unchecked.place)
            path, size, found = self._judge(unchecked, planned, out, size, progress, own)
            return Written(planned.plan, path, size, replace(found, notes=notes))

    def save_arrays(
        self, recipe: Recipe | None, patterns: Sequence[str], out: str | Path, progress: Progress = quiet
    ) -> SavedArrays:
        """Write arrays of the recipe's result, or without a recipe the source's own, to a file of their own.

        `patterns` are paths of arrays or layers, or globs; none means all. Raises `PlanRefused`, `FileError`.
        """
        if recipe is None:
            source = self.planner.source
            check_destination(Path(out), *used_paths({0: source}))
            with open_store(source) as store:
                return save_arrays(out, source_arrays(source, store, patterns), progress)
        planned = self.planned(recipe)
        check_destination(Path(out), *used_paths(planned.files))
        with result_arrays(planned, patterns) as arrays:
            return save_arrays(out, arrays, progress)

    def result_array(self, recipe: Recipe, weight: str) -> Array:
        """One array of the recipe's result, kept until another is asked for. Raises `PlanRefused`, `FileError`."""
        wanted = (self.planner, recipe, weight)
        if self._made is None or self._made[0] != wanted:
            self._made = None  # not two large arrays at once
            with result_arrays(self.planned(recipe), (weight,)) as found:
                self._made = (wanted, found[0].read())
        return self._made[1]

    def verify(
        self,
        recipe: Recipe,
        out: str | Path,
        progress: Progress = quiet,
        inputs: Sequence[str] = (),
    ) -> Verification:
        """Check a file that was written before, on random inputs or on the person's own files.

        Raises `FileError` if something is not there or does not fit.
        """
        if not Path(out).exists():
            raise FileError(f"{out} does not exist; apply the recipe first.", path=str(out))
        planned = self.planned(recipe)
        self._prove(Path(out), Path(out))
        own, notes = own_inputs(inputs, planned.plan.graph) if inputs else (None, ())
        return replace(verify(self.planner, planned, planned.files, Path(out), progress, own), notes=notes)

    def look_at_inputs(self, recipe: Recipe, inputs: Sequence[str]) -> tuple[str, ...]:
        """What the person's own files are to the result of a recipe, and what would be done to them so that they fit.

        Raises `FileError` where they cannot be its inputs.
        """
        return own_inputs(inputs, self.planned(recipe).plan.graph).notes

    def _prove(self, place: Path, out: Path) -> None:
        """Have a file read where it does no harm before Keras reads it here. Raises `FileError`."""
        if place.is_file() and out.suffix.lower() in _READABLE:
            self._files.read(str(place))

    def compare(
        self, recipe: Recipe, number: int | None = None, weight: str | None = None, inputs: Sequence[str] = ()
    ) -> tuple[RuleDrift, ...]:
        """The drift of every rule that fits edit `number`, or the mismatched `weight`; smallest first.

        `inputs` are files with the person's own data. Raises `EditError`, `RecipeError`, `FileError`.
        """
        planned = self.planned(recipe)
        own = load_inputs(inputs, planned.plan.graph) if inputs else None
        return compare(self.planner, variants(self.planner, recipe, number, weight), planned.files, own)

    def legal_sizes(self, recipe: Recipe, name: str, axes: tuple[int, ...], wanted: int | None = None) -> LegalSizes:
        """Which sizes the input `name` may have along `axes` (batch counted), with the recipe applied."""
        return legal_sizes(self.planner.shaper, self.draft(recipe).graph, name, axes, wanted)

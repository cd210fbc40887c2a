"""From source and recipe to a plan: edits applied one by one, shapes followed after each, a fate for every weight.

A planner belongs to one source and remembers the graph after each edit, so that changing the last step of a recipe
asks again only about that step.
"""

from collections.abc import Callable, Mapping
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from core.analysis.accounting import Ledger, is_state, loss_findings
from core.analysis.alternatives import refused_finding, ways_out
from core.analysis.fates import Move, Origins, file_names, layer_moves, merged_arrays, source_names
from core.analysis.mismatches import mismatch_finding, moved_table_findings
from core.analysis.prepared import CODE as UNLEARNT
from core.analysis.prepared import prepared_findings
from core.analysis.starts import frozen_start_findings
from core.analysis.unplaced import unplaced_findings
from core.analysis.unseen import unseen_findings
from core.analysis.vocabularies import vocabulary_findings
from core.caches import IdentityCache
from core.collection import without_collection
from core.edits import AcceptLosses, AnyEdit
from core.edits.base import Context, Outcome
from core.edits.join_models import numbered
from core.engine.arrays import Arrays
from core.engine.brought import refuse_code
from core.engine.problems import problem_findings, reshape_findings
from core.engine.remembered import RememberedMoves
from core.engine.shapes import Shaped, Shaper
from core.engine.shaping import Shaping
from core.engine.specs import Specs
from core.engine.stages import Stage, Step, stages
from core.engine.vocabularies import with_vocabularies
from core.errors import EditError, FileError, RecipeError
from core.findings import Finding
from core.layers.costs import layer_cost, total
from core.model.graph import Graph, Layer, TensorRef, TensorSpec, Weight
from core.model.plan import Cost, Plan, Port
from core.readers.source import Source
from core.recipes.recipe import Recipe
from core.stopping import checkpoint
from core.surgery.positions import carried

_FILES = 8
"""Further files whose arrays' names are kept."""


class Planned(Struct, frozen=True):
    """A plan with what execution needs beside it."""

    plan: Plan
    moves: tuple[Move, ...]
    shaped: Shaped
    source: Source
    others: Mapping[str, Source] = {}
    stages: tuple[Stage, ...] = ()

    @property
    def files(self) -> dict[int, Source]:
        """Where arrays come from, by `StoreKey.file`: 0 is the source, 1 and up the recipe's further files."""
        return dict(enumerate((self.source, *self.others.values())))


def _no_files(recipe: Recipe) -> Mapping[str, Source]:
    """For a planner that nobody gave a way to further files."""
    return {}


class Planner:
    """Plans recipes on one source. `files` gives the further files of a recipe, by the names its edits call them."""

    def __init__(
        self, source: Source, specs: Specs | None = None, files: Callable[[Recipe], Mapping[str, Source]] = _no_files
    ) -> None:
        self.source = source
        self._files = files
        self.shaper = Shaper(specs or Specs())
        first = self.shaper.shape(source.graph)
        self._names = source_names(source.graph)
        self._file_names: IdentityCache[dict[str, str]] = IdentityCache(_FILES)
        self._origins = self._with_files({})
        self._held = {
            layer.origin or path: {weight.name: weight for weight in layer.weights}
            for path, layer in source.graph.walk()
        }
        self._remembered = RememberedMoves()
        self._worded: Graph | None = None
        self._steps: list[Step] = [Step(None, first, self._moves(first))]
        self._first = Ledger(self._steps[0].moves, self._uses(self._steps[0].moves)[1])
        self.before = total(self._costs(first).values())

    def plan(self, recipe: Recipe) -> Plan:
        """What would happen. Raises `RecipeError` with the number of an edit that cannot apply."""
        return self.planned(recipe).plan

    def planned(self, recipe: Recipe) -> Planned:
        """`plan`, with the moves that carry it out."""
        with without_collection():
            return self._planned(recipe, self._files(recipe), {}, whole=True)

    def draft(self, recipe: Recipe) -> Plan:
        """`plan` for looking at: an edit that cannot apply is left out, and a finding of severity `error` says so."""
        with without_collection():
            return self._planned(recipe, *self._readable(recipe), whole=False).plan

    def _readable(self, recipe: Recipe) -> tuple[Mapping[str, Source], dict[int, str]]:
        """The further files that can be read, and why those of other edits cannot, by the edit's number."""
        try:
            return self._files(recipe), {}
        except FileError:
            pass
        others: dict[str, Source] = {}
        unread: dict[int, str] = {}
        for number, edit in enumerate(recipe.edits, 1):
            if edit.enabled and edit.files:
                try:
                    others.update(self._files(Recipe(edits=(edit,))))
                except FileError as error:
                    unread[number] = error.message
        return others, unread

    def _planned(
        self, recipe: Recipe, others: Mapping[str, Source], unread: Mapping[int, str], *, whole: bool
    ) -> Planned:
        """The plan; unless it has to be `whole`, it leaves out what is refused."""
        self._origins = self._with_files(others)
        all_steps = self._apply(recipe, others, unread, whole)
        refused = _refusals(recipe, all_steps)
        steps = [step for step in all_steps if not step.refusal]
        shaped = steps[-1].shaped
        layers = shaped.graph.by_path()
        moves = steps[-1].moves
        findings = [
            *refused,
            *self._source_findings(steps),
            *(finding for step in steps for finding in step.findings),
        ]
        unlearnt = {one.layer for one in findings if one.code == UNLEARNT}
        found_problems = problem_findings(shaped, steps[0].shaped, self.shaper)
        findings += [one for one in found_problems if one.layer not in unlearnt]  # that is why Keras refuses them
        findings += [
            mismatch_finding(move, layers[move.layer], shaped.graph, steps[0].shaped.graph)
            for move in moves
            if move.fate.fate == "mismatched" and _asked(shaped, move.layer, layers[move.layer])
        ]
        checkpoint()
        findings += unplaced_findings(moves, layers)
        if len(steps) > 1:
            findings += unseen_findings(steps[0].shaped.graph, shaped.graph)
            checkpoint()
            findings += vocabulary_findings(self._with_words(), shaped.graph)
            findings += reshape_findings(shaped.graph, steps[0].shaped.graph)
            findings += moved_table_findings(moves, layers, shaped.graph, steps[0].shaped.graph)
            findings += frozen_start_findings(moves, layers)
        merged, dropped = self._uses(moves)
        last = Ledger(moves, dropped)
        checkpoint()
        told = [finding for step in steps for finding in step.findings]
        findings += loss_findings([step.edit for step in steps], self._first, last, layers, self._held, told)
        costs = self._costs(shaped)
        found = stages(steps)
        ok = not any(finding.severity == "error" for finding in findings)
        plan = Plan(
            ok=ok,
            graph=shaped.graph,
            inputs=_ports(shaped.graph, shaped.graph.input_refs()),
            outputs=_ports(shaped.graph, shaped.graph.output_refs()),
            before=self.before,
            after=total(costs.values()),
            fates=tuple(move.fate for move in moves),
            merged=merged,
            dropped=dropped,
            findings=tuple(findings),
            contracts=tuple(contract for stage in found for contract in stage.contracts),
            costs=costs,
        )
        return Planned(plan, moves, shaped, self.source, others, found)

    def _source_findings(self, steps: list[Step]) -> list[Finding]:
        """What there is to say of the source; what layers have not learnt is asked of the edited ones."""
        said = [one for one in self.source.findings if one.code != UNLEARNT]
        if self.source.kind != "model":
            return said
        accepted = [name for step in steps if isinstance(step.edit, AcceptLosses) for name in step.edit.initialized]
        return [*said, *prepared_findings(steps[-1].shaped.graph, self.source.assets, accepted)]

    def _uses(self, moves: tuple[Move, ...]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """The source's arrays that go into weights of others, and those that go nowhere."""
        used = {move.source for move in moves if move.source is not None}
        merged = merged_arrays(moves, self._names)
        gone = {name for name, _ in merged}
        left = (name for key, name in self._names.items() if key not in used and name not in gone)
        return merged, tuple(name for name in left if not is_state(name))

    def _with_words(self) -> Graph:
        """The source's graph with the vocabularies that its file keeps beside it, read when first needed."""
        first = self._steps[0]
        if self._worded is None:
            self._worded = first.shaped.graph
            if self.source.assets:
                with Arrays(self._worded, {0: self.source}) as arrays:
                    self._worded = with_vocabularies(self._worded, first.moves, arrays)
        return self._worded

    def _with_files(self, others: Mapping[str, Source]) -> Origins:
        """What arrays are called, with those of a recipe's further files."""
        held: dict[int, Mapping[str, str]] = {}
        files = {0: self.source.weights_path} if self.source.weights_path else {}
        for number, (name, other) in enumerate(others.items(), 1):
            held[number] = self._file_names.get((other.graph,), partial(file_names, other.graph))
            files[number] = other.weights_path or name
        return Origins(self._names, held, files)

    def _apply(
        self, recipe: Recipe, others: Mapping[str, Source], unread: Mapping[int, str], whole: bool
    ) -> list[Step]:
        """The steps of the recipe, reusing those that begin like the last recipe did, with files that are the same.

        Raises `RecipeError` at the first that is refused if the plan has to be `whole`.
        """
        active = _active(recipe)
        steps = self._steps[:1]
        for (_, edit), known in zip(active, self._steps[1:], strict=False):
            if edit != known.edit or (whole and known.refusal):
                break
            if any(name not in others or others[name] is not known.others.get(name) for name in edit.files):
                break
            steps.append(known)
        self._steps = steps  # so that what is done stays known if a newer recipe ends this one
        for number, edit in active[len(steps) - 1 :]:
            if number in unread:
                steps.append(self._refused(edit, steps[-1], others, unread[number]))
                continue
            try:
                step = self._step(edit, steps[-1], others)
            except EditError as error:
                if whole:
                    raise RecipeError(f"edit {number} ({_kind(edit)}): {error.message}", edit=number) from error
                step = self._refused(edit, steps[-1], others, error.message)
            steps.append(step)
        return steps

    def _step(self, edit: AnyEdit, previous: Step, others: Mapping[str, Source]) -> Step:
        """The graph after an edit. Raises `EditError`."""
        shaping = Shaping(self.shaper, previous.shaped)
        outcome = self._outcome(edit, previous, others, shaping)
        shaped = shaping.of(outcome.graph)
        return Step(edit, shaped, self._moves(shaped), outcome.contracts, outcome.findings, _read(edit, others))

    def _outcome(self, edit: AnyEdit, previous: Step, others: Mapping[str, Source], shaping: Shaping) -> Outcome:
        fates = {move.fate.weight: move.fate for move in previous.moves}
        refuse_code(edit)
        return edit.apply(previous.shaped.graph, Context(self._with_words(), others, fates, shaping.graph))

    def _refused(self, edit: AnyEdit, previous: Step, others: Mapping[str, Source], reason: str) -> Step:
        """The model as it was before an edit that cannot apply, with what the edit could say instead."""

        def works(other: AnyEdit) -> bool:
            checkpoint()
            shaping = Shaping(self.shaper, previous.shaped)
            try:
                other.check()
                return not shaping.of(self._outcome(other, previous, others, shaping).graph).problems
            except EditError:
                return False

        there = all(name in others for name in edit.files)
        ways = ways_out(edit, previous.shaped.graph, works) if there else ()
        read = _read(edit, others) if there else {}
        return Step(edit, previous.shaped, previous.moves, others=read, refusal=reason, ways=ways)

    def _moves(self, shaped: Shaped) -> tuple[Move, ...]:
        """What happens to each weight of a graph."""
        moves: list[Move] = []
        for path, layer, trainable in trainable_walk(shaped.graph):
            checkpoint()
            needed = self._needed(shaped, path, layer)
            if needed:
                make = partial(self._decided, path, layer, needed, trainable)
                moves += self._remembered.moves(path, layer, needed, trainable, make)
        return tuple(moves)

    def _decided(self, path: str, layer: Layer, needed: tuple[Weight, ...], trainable: bool) -> tuple[Move, ...]:
        return tuple(layer_moves(path, layer, needed, trainable, self._origins))

    def alone(self, planned: Planned, name: str) -> tuple[Shaped, tuple[Move, ...]]:
        """The model of one of the recipe's further files by itself, with the moves that fill it."""
        number = list(planned.others).index(name) + 1
        shaped = self.shaper.shape(numbered(planned.others[name].graph, number))
        return shaped, self._moves(shaped)

    def _needed(self, shaped: Shaped, path: str, layer: Layer) -> tuple[Weight, ...]:
        """What a layer needs: Keras's answer, or what the source has where Keras was not asked."""
        answer = shaped.needs.get(path)
        if answer is not None:
            return answer.weights
        if layer.is_model or layer.is_operation or layer.is_input:
            return tuple(weight for weight in layer.weights if layer.opaque or layer.is_model)
        return carried(layer, self._held.get(layer.origin or path, {}))

    def _costs(self, shaped: Shaped) -> dict[str, Cost]:
        costs: dict[str, Cost] = {}
        levels: dict[str, Graph] = {"": shaped.graph}
        times = {"": 1}
        for path, layer, trainable in trainable_walk(shaped.graph):
            checkpoint()
            prefix = path[: len(path) - len(layer.name)]
            level = levels[prefix]
            if layer.inner is not None:
                levels[path + "/"] = layer.inner
                times[path + "/"] = times[prefix] * (
                    max(len(layer.calls), 1) if layer.is_model else _steps(level, layer)
                )
                continue
            calls = [
                ([level.spec(ref) for ref in call.inputs()], call.outputs or (TensorSpec(None),))
                for call in layer.calls
                if not layer.is_input
            ]
            # a model that is called twice runs its layers twice
            costs[path] = layer_cost(layer, self._needed(shaped, path, layer), calls * times[prefix], trainable)
        return costs


def _steps(level: Graph, layer: Layer) -> int:
    """How often the model inside a TimeDistributed runs: once for each step of each call; 1 where that is not known."""
    shapes = [level.spec(ref).shape for call in layer.calls for ref in call.inputs()[:1]]
    return sum((shape[1] or 1) if shape and len(shape) > 1 else 1 for shape in shapes) or 1


def trainable_walk(graph: Graph, prefix: str = "", trainable: bool = True) -> list[tuple[str, Layer, bool]]:
    """Every layer with its path and whether it really trains: its own flag and those of the models around it."""
    found: list[tuple[str, Layer, bool]] = []
    trainable = trainable and graph.trainable
    for layer in graph.layers:
        own = trainable and layer.trainable
        found.append((prefix + layer.name, layer, own))
        if layer.inner is not None:
            found += trainable_walk(layer.inner, f"{prefix}{layer.name}/", own)
    return found


def _ports(graph: Graph, refs: tuple[TensorRef, ...]) -> tuple[Port, ...]:
    specs = [(ref.layer, graph.spec(ref)) for ref in refs]
    return tuple(Port(name, spec.shape, spec.dtype) for name, spec in specs)


def _asked(shaped: Shaped, path: str, layer: Layer) -> bool:
    """Whether it is known what a layer needs: not of one that Keras refuses, nor of those behind it."""
    return path in shaped.needs or layer.opaque or not shaped.problems


def _active(recipe: Recipe) -> list[tuple[int, AnyEdit]]:
    """The edits that are switched on, with their numbers in the recipe."""
    return [(number, edit) for number, edit in enumerate(recipe.edits, 1) if edit.enabled]


def _read(edit: AnyEdit, others: Mapping[str, Source]) -> dict[str, Source]:
    """The further files that an edit reads."""
    return {name: others[name] for name in edit.files}


def _refusals(recipe: Recipe, steps: list[Step]) -> list[Finding]:
    """What there is to say of edits that are left out; `steps[0]` is the source."""
    found: list[Finding] = []
    for (number, edit), step in zip(_active(recipe), steps[1:], strict=True):
        if step.refusal:
            found.append(refused_finding(number, edit, step.refusal, step.ways, (one.step for one in found)))
    return found


def _kind(edit: AnyEdit) -> str:
    return str(edit.__struct_config__.tag)


def with_findings(plan: Plan, *findings: Finding) -> Plan:
    """The plan with more findings."""
    merged = (*plan.findings, *findings)
    return replace(plan, findings=merged, ok=not any(finding.severity == "error" for finding in merged))

"""The document: a source and a recipe, with undo; and the plan that the engine derives from the two.

Gestures change the recipe and nothing else. Every change of the recipe asks the engine for a new plan; while one is
under way only the newest recipe waits, and an answer for an older recipe is thrown away.
"""

from collections.abc import Callable
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoStack
from typing_extensions import override

from core.errors import Cancelled, SutureError
from core.findings import Finding
from core.model.graph import Graph, Layer
from core.model.plan import Plan
from core.readers.source import Source
from core.recipes.gestures import with_steps
from core.recipes.recipe import Recipe
from core.service.messages import Apply, CompareRules, MakePlan, OpenModel, PreviewWeight, SetSource, Verify
from gui.controllers.helpers import Helpers, details
from gui.controllers.inquiries import Inquiries
from gui.controllers.service import Service
from gui.undo import ChangeRecipe

View = Literal["before", "after", "difference"]


class Session(Helpers):
    """Source, recipe, undo stack, plan and selection of the one window."""

    source_changed = Signal()
    recipe_changed = Signal()
    saved_changed = Signal()
    plan_changed = Signal()
    planning_changed = Signal(bool)
    selection_changed = Signal(str)
    view_changed = Signal(str)
    opening_changed = Signal(str)
    work_changed = Signal()
    export_progress = Signal(str, float)
    export_finished = Signal(object)
    export_failed = Signal(object)
    verify_finished = Signal(object)
    verify_failed = Signal(object)
    preview_ready = Signal(object)
    preview_failed = Signal(str, str)
    rules_compared = Signal(object)
    compare_failed = Signal(object)

    def __init__(self, reader: Service, engine: Service, parent: QObject | None = None) -> None:
        super().__init__(reader, engine, parent)
        self.undo_stack = QUndoStack(self)
        self.source: Source | None = None
        self.recipe = Recipe()
        self.saved = Recipe()
        """The recipe as it was last saved, loaded or exported."""
        self.plan: Plan | None = None
        self.base: Plan | None = None
        self.selection = ""
        self.view: View = "after"
        self._burst = ""
        self._bursts = 0
        self.opening = ""
        self.exporting = ""
        self.verifying = ""
        self.refusal: SutureError | None = None
        self.code_settled = False
        self._opening_id: int | None = None
        self._plan_id: int | None = None
        self._planned: Recipe | None = None
        self.inquiries = Inquiries(self)

    # what is shown

    @property
    def before_graph(self) -> Graph | None:
        """The source's graph, with the engine's shapes as soon as there are any."""
        if self.base is not None:
            return self.base.graph
        return self.source.graph if self.source else None

    @property
    def after_graph(self) -> Graph | None:
        """The planned graph, or the source's until there is a plan."""
        return self.plan.graph if self.plan is not None else self.before_graph

    @property
    def shown_graph(self) -> Graph | None:
        """The graph of the chosen view."""
        return self.before_graph if self.view == "before" else self.after_graph

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The plan's findings; until there is a plan, what the reader said of the file."""
        if self.plan is not None and self.code_settled:
            return self.plan.findings
        if self.plan is not None:
            known = set(map(_finding_key, self.plan.findings))
            said = self.source.findings if self.source else ()
            return (*self.plan.findings, *(one for one in said if _finding_key(one) not in known))
        return self.source.findings if self.source else ()

    @property
    def planning(self) -> bool:
        """Whether what is on the screen is older than the recipe."""
        return self._plan_id is not None or (self.source is not None and self._planned != self.recipe)

    def layer(self, path: str) -> Layer | None:
        """The layer at a path in the shown graph, else in the source's."""
        for graph in (self.shown_graph, self.before_graph):
            if graph is not None:
                try:
                    return graph.find(path)
                except KeyError:
                    continue
        return None

    # opening

    def open_path(self, path: str, weights_path: str | None = None) -> None:
        """Ask the reader for a file; `source_changed` or `problem` follows."""
        if self._opening_id is not None:
            self.reader.drop(self._opening_id)
        self.opening = path
        self.opening_changed.emit(path)
        body = OpenModel(path=path, weights_path=weights_path)
        self._opening_id = self.reader.ask(body, self._on_opened, self._on_open_failed)

    def cancel_opening(self) -> None:
        """End the reader and with it what it is reading."""
        if self._opening_id is not None:
            self.reader.cancel()

    @Slot(object)
    def _on_opened(self, source: Source) -> None:
        self._opening_done()
        self.set_source(source)

    @Slot(object)
    def _on_open_failed(self, error: SutureError) -> None:
        self._opening_done()
        if not isinstance(error, Cancelled):
            self.problem.emit(error.message, details(error))

    def _opening_done(self) -> None:
        self._opening_id = None
        self.opening = ""
        self.opening_changed.emit("")
        self._start_engine()

    def set_source(self, source: Source) -> None:
        """Begin with a file: an empty recipe, nothing to undo, its graph shown at once."""
        if self._plan_id is not None:
            self.engine.drop(self._plan_id)
            self._plan_id = None
        self.source = source
        self.code_settled = False
        self.recipe = self.saved = Recipe()
        self.plan = self.base = self.refusal = None
        self._planned = None
        self.selection = ""
        self.undo_stack.clear()
        self.source_changed.emit()
        self.recipe_changed.emit()
        self.plan_changed.emit()
        self.selection_changed.emit("")
        self.note.emit(f"opened {source.path} \u00b7 {source.format}")
        self._plan_id = self.engine.ask(SetSource(source=source), self._on_base, self._on_base_failed)
        self.planning_changed.emit(True)

    def close_source(self) -> None:
        """Back to no file at all."""
        if self._plan_id is not None:
            self.engine.drop(self._plan_id)
        self._plan_id = self._planned = None
        self.source = self.plan = self.base = self.refusal = None
        self.recipe = self.saved = Recipe()
        self.selection = ""
        self.undo_stack.clear()
        for signal in (self.source_changed, self.recipe_changed, self.plan_changed):
            signal.emit()
        self.selection_changed.emit("")
        self.planning_changed.emit(False)

    @Slot(object)
    def _on_base(self, plan: Plan) -> None:
        self._plan_id = None
        self.base = plan
        if self.recipe.active() == ():
            self._accept(plan, self.recipe)
        else:
            self.plan_changed.emit()
            self._ask_plan()

    def rebase(self, plan: Plan, *, settled: bool) -> None:
        """Take another plan of the empty recipe: the engine has code for its layers now (`settled`), or no more."""
        self.base = plan
        self.code_settled = settled
        self._planned = None
        self._ask_plan()

    @Slot(object)
    def _on_base_failed(self, error: SutureError) -> None:
        self._plan_id = None
        self._planned = self.recipe
        self.planning_changed.emit(False)
        if not isinstance(error, Cancelled):
            self.refusal = error
            self.plan_changed.emit()
            self.problem.emit(error.message, details(error))

    # recipe

    def change_recipe(self, after: Recipe, text: str, burst: str = "") -> None:
        """Make a gesture's recipe the current one, as one step of undo.

        Changes of one `burst` melt into a single step until another gesture, `end_burst` or an undo comes between.
        """
        if after == self.recipe:
            return
        if not burst or burst != self._burst:
            self._bursts += 1
        self._burst = burst
        self.undo_stack.push(ChangeRecipe(self, after, text, f"{burst} {self._bursts}" if burst else ""))

    @override
    def stop_processes(self) -> None:
        """The end of the session. Its undo commands go first: a stack that the garbage collector takes apart dies."""
        super().stop_processes()
        self.undo_stack.clear()

    def end_burst(self) -> None:
        """The next change is a step of its own, whatever its burst."""
        self._burst = ""

    def take_recipe(self, recipe: Recipe) -> None:
        """For the undo command alone: set the recipe and ask for its plan."""
        self.recipe = recipe
        self.recipe_changed.emit()
        self._ask_plan()

    def gesture(self, change: Callable[[Recipe], Recipe], text: str, burst: str = "") -> None:
        """`change_recipe` with a function of the current recipe."""
        self.change_recipe(change(self.recipe), text, burst)

    def clear_recipe(self) -> None:
        """Take out every step."""
        self.change_recipe(with_steps(self.recipe, ()), "Clear recipe")

    @property
    def unsaved(self) -> bool:
        """Whether the recipe holds something that is neither saved nor exported."""
        return self.source is not None and bool(self.recipe.edits) and self.recipe != self.saved

    def mark_saved(self, recipe: Recipe | None = None) -> None:
        """A recipe (by default the current one) is somewhere else too, or is not wanted."""
        self.saved = self.recipe if recipe is None else recipe
        self.saved_changed.emit()

    # plan

    def _ask_plan(self) -> None:
        if self.source is None:
            return
        if self._plan_id is not None or self.exporting or self.verifying:
            self.planning_changed.emit(True)
            return
        if self.base is not None and self.recipe.active() == ():
            self._accept(self.base, self.recipe)
            return
        asked = self.recipe
        self._plan_id = self.engine.ask(
            MakePlan(recipe=asked),
            lambda plan: self._on_plan(plan, asked),
            lambda error: self._on_plan_failed(error, asked),
        )
        self.planning_changed.emit(True)

    def _on_plan(self, plan: Plan, asked: Recipe) -> None:
        self._plan_id = None
        if asked == self.recipe:
            self._accept(plan, asked)
        else:
            self._ask_plan()

    def _on_plan_failed(self, error: SutureError, asked: Recipe) -> None:
        self._plan_id = None
        if asked != self.recipe:
            self._ask_plan()
            return
        self._planned = asked
        self.planning_changed.emit(False)
        if not isinstance(error, Cancelled):
            self.refusal = error
            self.plan_changed.emit()
            self.note.emit(error.message)

    def _accept(self, plan: Plan, recipe: Recipe) -> None:
        self.plan = plan
        self.refusal = None
        self._planned = recipe
        self._survived()
        self.planning_changed.emit(False)
        self.plan_changed.emit()

    # looking at arrays

    @Slot(str, str)
    def preview(self, key: str, weight: str) -> None:
        """Ask the reader for a look at one array; `preview_ready` or `preview_failed` follows."""
        if self.source is None:
            return
        body = PreviewWeight(path=self.source.weights_path or self.source.path, key=key, weight=weight)
        self.reader.ask(body, self.preview_ready.emit, lambda error: self.preview_failed.emit(weight, error.message))

    def compare_rules(
        self, *, number: int | None = None, weight: str | None = None, inputs: tuple[str, ...] = ()
    ) -> None:
        """Measure every rule for a step (counted from 1) or a weight; `rules_compared` or `compare_failed` follows."""
        body = CompareRules(recipe=self.recipe, number=number, weight=weight, inputs=inputs)
        self.engine.ask(body, self.rules_compared.emit, self.compare_failed.emit)

    # selection and view

    def select(self, path: str) -> None:
        """Make a layer the selected one, everywhere."""
        if path != self.selection:
            self.selection = path
            self.selection_changed.emit(path)

    def set_view(self, view: View) -> None:
        """Before, after or difference."""
        if view != self.view:
            self.view = view
            self.view_changed.emit(view)

    # export and verification

    def export(self, out: str, *, verify: bool) -> None:
        """Write the result; `export_finished` carries the engine's answer, `export_failed` the error."""
        self.exporting = out
        self.work_changed.emit()
        asked = self.recipe
        body = Apply(recipe=asked, out=out, verify=verify)
        self.engine.ask(
            body, lambda written: self._on_exported(written, asked), self._on_export_failed, self.export_progress.emit
        )

    def _on_exported(self, written: Any, asked: Recipe) -> None:
        self.exporting = ""
        self.work_changed.emit()
        if written.verification is None or written.verification.ok:
            self.note.emit(f"wrote {written.written}")
            self.mark_saved(asked)
        else:
            self.note.emit(f"kept {written.written}, which did not pass its check")
        self.export_finished.emit(written)
        self._catch_up()

    @Slot(object)
    def _on_export_failed(self, error: SutureError) -> None:
        self.exporting = ""
        self.work_changed.emit()
        self.note.emit(error.message)
        self.export_failed.emit(error)
        self._catch_up()

    def verify(self, out: str, inputs: tuple[str, ...] = ()) -> None:
        """Check a written file again, on the person's own files if there are any; `verify_finished` follows."""
        self.verifying = out
        self.work_changed.emit()
        body = Verify(recipe=self.recipe, out=out, inputs=inputs)
        self.engine.ask(body, self._on_verified, self._on_verify_failed, self.export_progress.emit)

    @Slot(object)
    def _on_verified(self, verification: Any) -> None:
        self.verifying = ""
        self.work_changed.emit()
        self.verify_finished.emit(verification)
        self._catch_up()

    @Slot(object)
    def _on_verify_failed(self, error: SutureError) -> None:
        self.verifying = ""
        self.work_changed.emit()
        self.verify_failed.emit(error)
        self._catch_up()

    def cancel_work(self) -> None:
        """Cancel an export or a verification: the engine ends and a new one warms up with the same source."""
        self.engine.cancel()
        self._set_engine("off")
        self._warm()

    def _catch_up(self) -> None:
        if self._plan_id is None and self._planned != self.recipe:
            self._ask_plan()


def _finding_key(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.layer, finding.message

"""The document: a source and a recipe, with undo; and the plan that was derived from the two.

Gestures change the recipe and nothing else. Nothing here knows of processes.
"""

from collections.abc import Callable, Iterable
from typing import Literal

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from core.errors import Cancelled, SutureError
from core.findings import Finding
from core.model.graph import Graph, Layer
from core.model.plan import Plan
from core.readers.source import Source
from core.recipes.gestures import with_steps
from core.recipes.recipe import Recipe
from gui.document.undo import ChangeRecipe

View = Literal["before", "after", "difference"]


class Session(QObject):
    """Source, recipe, undo stack, plan and selection of one document.

    `base_wanted` and `plan_wanted` ask for what follows from source and recipe; `gui.document.planning` answers.
    `problem` carries a sentence for the person and its details, `note` a line for the log.
    """

    source_changed = Signal()
    recipe_changed = Signal()
    saved_changed = Signal()
    plan_changed = Signal()
    planning_changed = Signal(bool)
    selection_changed = Signal(str)
    chosen_changed = Signal()
    view_changed = Signal(str)
    base_wanted = Signal()
    plan_wanted = Signal()
    problem = Signal(str, str)
    note = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo_stack = QUndoStack(self)
        self.source: Source | None = None
        self.recipe = Recipe()
        self.saved = Recipe()
        """The recipe as it was last saved, loaded or exported."""
        self.plan: Plan | None = None
        self.base: Plan | None = None
        self.selection = ""
        """The current layer: the one of those chosen that the window speaks of."""
        self.chosen: tuple[str, ...] = ()
        """Every selected layer, in the order they were chosen; the current one is among them."""
        self.view: View = "after"
        self.refusal: SutureError | None = None
        self.code_settled = False
        self._burst = ""
        self._bursts = 0
        self._awaited = False
        self._planned: Recipe | None = None

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
        said = self.source.findings if self.source else ()
        if self.plan is not None and self.code_settled:
            said = self.plan.findings
        elif self.plan is not None:
            known = set(map(_finding_key, self.plan.findings))
            said = (*self.plan.findings, *(one for one in said if _finding_key(one) not in known))
        if self.refusal is None:
            return said
        older = f"There is no plan of this recipe; what is shown is older. {self.refusal.message}"
        return (Finding("error", "plan.missing", "", older), *said)

    @property
    def left_out(self) -> dict[int, str]:
        """The steps that the plan leaves out, by their row from 0, each with why; nothing while a plan is awaited."""
        if self.plan is None or not self.planned:
            return {}
        return {one.step - 1: one.message for one in self.plan.findings if one.code == "step.refused"}

    @property
    def applicable(self) -> Recipe:
        """The recipe with the steps switched off that the plan leaves out: what a question about it can be asked of."""
        left_out = self.left_out
        return with_steps(
            self.recipe,
            (replace(edit, enabled=False) if row in left_out else edit for row, edit in enumerate(self.recipe.edits)),
        )

    @property
    def hindrance(self) -> str:
        """Why nothing can be written now, in a sentence; `""` when nothing is in the way that is known."""
        if self.refusal is not None:
            return f"Nothing can be exported: {self.refusal.message}"
        errors = [one for one in self.plan.findings if one.severity == "error"] if self.plan is not None else []
        if not errors or not self.planned:
            return ""
        count = f"There are {len(errors)} errors; the first" if len(errors) > 1 else "There is an error"
        return f"Nothing can be exported yet. {count}: {errors[0].message}"

    @property
    def planning(self) -> bool:
        """Whether what is on the screen is older than the recipe."""
        return self._awaited or (self.source is not None and not self.planned)

    def layer(self, path: str) -> Layer | None:
        """The layer at a path in the shown graph, else in the source's."""
        for graph in (self.shown_graph, self.before_graph):
            if graph is not None:
                try:
                    return graph.find(path)
                except KeyError:
                    continue
        return None

    # source

    def set_source(self, source: Source) -> None:
        """Begin with a file: an empty recipe, nothing to undo, its graph shown at once."""
        self._begin(source)
        self.note.emit(f"opened {source.path} \u00b7 {source.format}")
        self.base_wanted.emit()

    def close_source(self) -> None:
        """Back to no file at all."""
        self._begin(None)
        self.base_wanted.emit()

    def _begin(self, source: Source | None) -> None:
        self.source = source
        self.code_settled = False
        self.recipe = self.saved = Recipe()
        self.plan = self.base = self.refusal = None
        self._planned = None
        self.selection, self.chosen = "", ()
        self.undo_stack.clear()
        for signal in (self.source_changed, self.recipe_changed, self.plan_changed):
            signal.emit()
        self.selection_changed.emit("")
        self.chosen_changed.emit()

    def rebase(self, plan: Plan, *, settled: bool) -> None:
        """Take another plan of the empty recipe: the engine has code for its layers now (`settled`), or no more."""
        self.base = plan
        self.code_settled = settled
        self._planned = None
        self.plan_wanted.emit()

    # recipe

    def gesture(self, change: Callable[[Recipe], Recipe], text: str, burst: str = "") -> None:
        """Make what a function says of the recipe the current one, as one step of undo.

        Changes of one `burst` melt into a single step until another gesture, `end_burst` or an undo comes between.
        """
        after = change(self.recipe)
        if after == self.recipe:
            return
        if not burst or burst != self._burst:
            self._bursts += 1
        self._burst = burst
        self.undo_stack.push(ChangeRecipe(self, after, text, f"{burst} {self._bursts}" if burst else ""))

    def change_recipe(self, after: Recipe, text: str) -> None:
        """`gesture` with a whole recipe, such as a file's."""
        self.gesture(lambda _: after, text)

    def end_burst(self) -> None:
        """The next change is a step of its own, whatever its burst."""
        self._burst = ""

    def take_recipe(self, recipe: Recipe) -> None:
        """For the undo command alone: set the recipe and want its plan."""
        self.recipe = recipe
        self.recipe_changed.emit()
        self.plan_wanted.emit()

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

    def take_base(self, plan: Plan) -> None:
        """The plan of the empty recipe is there."""
        self.base = plan
        if self.recipe.active():
            self.plan_changed.emit()

    def take_plan(self, plan: Plan, recipe: Recipe) -> None:
        """The plan of a recipe is there."""
        self.plan = plan
        self.refusal = None
        self._planned = recipe
        self.planning_changed.emit(False)
        self.plan_changed.emit()

    def take_refusal(self, error: SutureError, recipe: Recipe) -> None:
        """There is no plan of a recipe; `error` says why, or that somebody stopped it."""
        self._planned = recipe
        self.planning_changed.emit(False)
        if not isinstance(error, Cancelled):
            self.refusal = error
            self.plan_changed.emit()

    def await_plan(self, awaited: bool) -> None:
        """A plan is being made, or none is any more."""
        self._awaited = awaited
        if awaited:
            self.planning_changed.emit(True)

    @property
    def planned(self) -> bool:
        """Whether the plan is the one of the recipe."""
        return self._planned == self.recipe

    # selection and view

    def select(self, path: str) -> None:
        """Make a layer the only selected one, everywhere; `""` for none."""
        self.choose((path,) if path else (), path)

    def choose(self, paths: Iterable[str], current: str = "") -> None:
        """Select these layers, everywhere. `current` is by default the one that was, else the last."""
        chosen = tuple(dict.fromkeys(paths))
        known = set(chosen)
        current = next((path for path in (current, self.selection) if path in known), chosen[-1] if chosen else "")
        moved, changed = current != self.selection, chosen != self.chosen
        self.selection, self.chosen = current, chosen
        if changed:
            self.chosen_changed.emit()
        if moved:
            self.selection_changed.emit(current)

    def set_view(self, view: View) -> None:
        """Before, after or difference."""
        if view != self.view:
            self.view = view
            self.view_changed.emit(view)


def _finding_key(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.layer, finding.message

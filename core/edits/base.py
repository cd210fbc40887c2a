"""What an edit is: one step of a recipe, a pure function from graph to graph."""

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import Struct

from core.findings import Finding
from core.model.contract import Contract
from core.model.graph import Graph


class Edit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do"):
    """Base of all edits. Subclasses set `tag`, their name in recipes.

    The graph that `apply` gets carries shapes for every call that the engine could infer, so an edit may ask
    `graph.spec(ref)`. `enabled=False` keeps a step in the recipe without applying it.
    """

    wants_source: ClassVar[bool] = False
    """Whether `apply` takes the source's graph too."""
    wants_fates: ClassVar[bool] = False
    """Whether `apply` takes what has become of each weight so far, a `core.model.plan.Fate` by its path."""
    enabled: bool = True

    @property
    def files(self) -> Mapping[str, tuple[str, str | None]]:
        """The further files this edit reads, by the name it knows each by: the file, and one of weights beside it.

        The planner passes what they hold to `apply`, by the same names.
        """
        return {}

    def check(self) -> None:
        """Refuse fields that are out of range whatever the model. Raises `EditError` with one sentence."""

    def apply(self, graph: Graph) -> Graph:
        """The edited graph. Raises `EditError` with one sentence when it cannot apply."""
        raise NotImplementedError

    def settle(self, before: Graph, after: Graph) -> Graph:
        """`after`, which now carries shapes, with what depends on them put right; the same object when nothing does.

        The planner follows the shapes again and asks again until the answer is the same object.
        """
        return after

    def contracts(self, before: Graph, after: Graph) -> tuple[Contract, ...]:
        """What must stay equal after this edit."""
        return ()

    def file_contracts(self, before: Graph, sources: Mapping[str, Any]) -> tuple[Contract, ...]:
        """What must stay equal where the further files of an edit say so."""
        return ()

    def findings(self, before: Graph, after: Graph) -> tuple[Finding, ...]:
        """What the person should know about this edit beyond what the planner finds by itself."""
        return ()

    def file_findings(self, before: Graph, sources: Mapping[str, Any]) -> tuple[Finding, ...]:
        """What shows only in the further files (`sources`, by the names in `files`) of an edit that has some."""
        return ()

    def summary(self) -> str:
        """One short line for the recipe list."""
        raise NotImplementedError

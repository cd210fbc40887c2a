"""What an edit is: one step of a recipe, and what it answers when it is asked, once, about a graph."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from msgspec import Struct

from core.findings import Finding
from core.model.contract import Contract
from core.model.graph import Graph
from core.model.plan import Fate
from core.readers.source import Source

_ROUNDS = 64


class Outcome(Struct, frozen=True):
    """An edit's whole answer: the edited graph, what must stay equal, and what the person should know beyond what the
    planner finds by itself.
    """

    graph: Graph
    contracts: tuple[Contract, ...] = ()
    findings: tuple[Finding, ...] = ()


def _as_it_is(graph: Graph) -> Graph:
    """For an edit that nobody follows the shapes for."""
    return graph


class Context(Struct, frozen=True):
    """What an edit may ask beside the graph that it changes.

    `source` is the source's graph with its vocabularies, `files` are the further files that the edit names, in the
    order that numbers them (the first is `StoreKey.file` 1), and `fates` what has become of each weight so far, by
    path. `shaped(graph)` is a graph with the shapes that arrive everywhere; to the edit it is a pure function.
    """

    source: Graph
    files: Mapping[str, Source] = {}
    fates: Mapping[str, Fate] = {}
    shaped: Callable[[Graph], Graph] = _as_it_is

    def settled(self, graph: Graph, put_right: Callable[[Graph], Graph]) -> Graph:
        """`graph` with shapes, and with what depends on them put right until nothing changes.

        `put_right` returns the same object when there is nothing left; each round moves at most one layer on.
        """
        after = self.shaped(graph)
        for _ in range(_ROUNDS):
            right = put_right(after)
            if right is after:
                break
            after = self.shaped(right)
        return after


class Subject(Struct, frozen=True):
    """What an edit is about: `what` it decides, `of` which input, layer, weight or output of the model."""

    what: str
    of: str | int | None = None


class Edit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do"):
    """Base of all edits. Subclasses set `tag`, their name in recipes.

    The graph that `apply` gets carries shapes for every call that the engine could infer, so an edit may ask
    `graph.spec(ref)`. `enabled=False` keeps a step in the recipe without applying it.
    """

    about: ClassVar[str] = ""
    """The field that names the edit's subject, if it has one."""
    follows: ClassVar[bool] = False
    """Whether it only settles what the edit before it left open, so that the contract is about both together."""
    enabled: bool = True

    @property
    def files(self) -> Mapping[str, tuple[str, str | None]]:
        """The further files this edit reads, by the name it knows each by: the file, and one of weights beside it.

        What they hold is in the context, by the same names.
        """
        return {}

    @property
    def subject(self) -> Subject | None:
        """What the edit decides anew: a later edit of the same subject takes its place in a recipe. Most have none."""
        return Subject(str(self.__struct_config__.tag), getattr(self, self.about)) if self.about else None

    def gives_way_to(self, later: "Edit") -> bool:
        """Whether a later edit takes this one's place in a recipe."""
        return self.subject is not None and self.subject == later.subject

    def check(self) -> None:
        """Refuse fields that are out of range whatever the model. Raises `EditError` with one sentence."""

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """What the edit makes of a graph. Raises `EditError` with one sentence when it cannot apply."""
        raise NotImplementedError

    def summary(self) -> str:
        """One short line for the recipe list."""
        raise NotImplementedError

"""Say that it is known and wanted: arrays of the source that go nowhere, weights that start anew."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import ClassVar

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.model.graph import Graph


class AcceptLosses(Edit, frozen=True, kw_only=True, tag="accept_losses"):
    """`dropped` names arrays of the source that may go nowhere, `initialized` weights of the model that may start at
    new values, both as `layer path/weight name` with globs. A file that does not fit its own layers is an error until
    this says that it is right so; the model itself stays as it is.
    """

    follows: ClassVar[bool] = True
    dropped: tuple[str, ...] = ()
    initialized: tuple[str, ...] = ()

    def check(self) -> None:
        """Something is named."""
        if not self.dropped and not self.initialized:
            raise EditError('accept_losses is empty; give "dropped" or "initialized", such as ["lstm/*"].')
        if not all(self.dropped) or not all(self.initialized):
            raise EditError(
                "accept_losses contains an empty name; give a weight such as conv1/kernel, or a glob such as lstm/*."
            )

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph as it is: this is for the planner."""
        self.check()
        return Outcome(graph)

    def summary(self) -> str:
        """For the recipe list."""
        parts = [("dropped", self.dropped), ("new", self.initialized)]
        said = [
            f"{', '.join(names[:2])}{' and more' if len(names) > 2 else ''} {word}" for word, names in parts if names
        ]
        return f"Accept: {'; '.join(said)}"


def matching(patterns: Iterable[str], names: Iterable[str]) -> frozenset[str]:
    """The names that a pattern matches."""
    exact, globs = set(), []
    for pattern in patterns:
        exact.add(pattern)
        if any(sign in pattern for sign in "*?["):
            globs.append(pattern)
    return frozenset(name for name in names if name in exact or any(fnmatchcase(name, glob) for glob in globs))

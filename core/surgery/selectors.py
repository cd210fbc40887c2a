"""How recipes and the window name layers: comma lists of globs, what is taken away again, and ranges.

| term | means |
|---|---|
| `block2_*`, `backbone/conv1` | layers by glob; a nested model means everything inside |
| `!head` | not these: takes away what the terms before it chose; as the first term, it begins with everything |
| `..conv4` | up to here: the layer and all that it depends on |
| `conv4..` | from here: the layer and all that depend on it |

Terms are separated by commas or are entries of the list of a recipe; of several that mean the same layer the last one
counts. What is the name of a layer as it stands is that layer, whatever signs it holds.
"""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from glob import escape
from typing import Literal

from msgspec import Struct

from core.errors import EditError
from core.model.graph import Graph
from core.model.reach import reach_of
from core.phrases import did_you_mean
from core.surgery.choosing import Names, unescaped

UP_TO = FROM = ".."
_PARTS = re.compile(r"(?:\[[^\[\]]*\]|[^,])+")
"""What stands between commas; one in a glob's brackets is part of the glob."""


class Term(Struct, frozen=True):
    """One term: a glob, whether it takes away, and the way from the layers that it names."""

    glob: str
    out: bool = False
    way: Literal["", "up_to", "from"] = ""

    def words(self) -> str:
        """For the recipe list."""
        said = {"": self.glob, "up_to": f"up to {self.glob}", "from": f"from {self.glob} on"}[self.way]
        return f"not {said}" if self.out else said


def terms(selectors: Iterable[str], known: Container[str] = ()) -> list[Term]:
    """What selectors consist of; `known` are the paths of layers, which are no terms of several parts."""
    found: list[Term] = []
    for selector in selectors:
        if selector in known or unescaped(selector) in known:
            found.append(Term(selector))
        else:
            found += [_term(part.strip(), known) for part in _PARTS.findall(selector) if part.strip()]
    return found


def _term(text: str, known: Container[str]) -> Term:
    out = text.startswith("!") and text not in known
    glob = text[1:].strip() if out else text
    if glob in known or unescaped(glob) in known or len(glob) <= len(UP_TO):
        return Term(glob, out)
    if glob.startswith(UP_TO):
        return Term(glob.removeprefix(UP_TO).strip(), out, "up_to")
    if glob.endswith(FROM):
        return Term(glob.removesuffix(FROM).strip(), out, "from")
    return Term(glob, out)


def words(selectors: Iterable[str]) -> str:
    """The first few terms, for the recipe list: `block1_*, not head and 3 more`."""
    said = [term.words() for term in terms(selectors)]
    if said and said[0].startswith("not "):
        said[0] = "all but " + said[0].removeprefix("not ")
    return ", ".join(said[:3]) + (f" and {len(said) - 3} more" if len(said) > 3 else "")


def up_to(path: str) -> str:
    """The selector for a layer and all that it depends on; `path` is a glob."""
    return UP_TO + path


def onward(path: str) -> str:
    """The selector for a layer and all that depend on it; `path` is a glob."""
    return path + FROM


def takes_away(selectors: Iterable[str]) -> bool:
    """Whether a selector depends on those before it, so that it must not be put among others."""
    return any(term.out for term in terms(selectors))


def hits(term: Term, names: Names, graph: Graph | None) -> Sequence[str]:
    """The paths that a term names. Raises `EditError` for a range where the connections are unknown."""
    found = names.meant(term.glob)
    return reached(term, found, graph) if term.way and found else found


def reached(term: Term, found: Iterable[str], graph: Graph | None) -> Sequence[str]:
    """The layers of a range around layers. Raises `EditError` where the connections are unknown."""
    reach = reach_of(graph) if graph is not None else None
    if reach is None or not reach.known:
        raise EditError(
            f"It is not known how the layers are connected, so it is not known what {term.words()} means; name the "
            "layers themselves."
        )
    return sorted(reach.up_to(found) if term.way == "up_to" else reach.onward(found))


class Choice(Struct, frozen=True):
    """What terms choose: the number of the last term that names each path, and of each whether it takes away."""

    last: dict[str, int]
    out: tuple[bool, ...]

    def takes(self, number: int) -> bool:
        """Whether something that the term `number` was the last to name is chosen; `-1`: no term named it."""
        return not self.out[number] if number >= 0 else bool(self.out) and self.out[0]


def choice(found: Sequence[tuple[Term, Sequence[str]]]) -> Choice:
    """What terms choose, from the paths that each of them names. Linear in the number of paths that are named."""
    last: dict[str, int] = {}
    for number, (_, paths) in enumerate(found):
        last.update(dict.fromkeys(paths, number))
    return Choice(last, tuple(term.out for term, _ in found))


def chosen(known: Iterable[str], selectors: tuple[str, ...], what: str, graph: Graph | None = None) -> set[str]:
    """Paths among `known` that selectors mean: the path, else the last name, else all inside a model of that path.

    Ranges are those of `graph`. Raises `EditError` for a term that means none; `what` says of what there is none.
    """
    names = Names(sorted(known))
    if not names.paths:
        raise EditError(f"The model has no {what}.")
    everywhere = Names(graph.by_path()) if graph is not None else names
    found: list[tuple[Term, Sequence[str]]] = []
    for term in terms(selectors, set(names.paths)):
        if term.way:
            paths = [path for path in hits(term, everywhere, graph) if path in names]
        else:
            paths = list(names.meant(term.glob))
            paths = paths or [path for path in names.paths if path.startswith(term.glob + "/")]
        if not paths:
            raise EditError(f"There is no {what} {term.glob!r}{did_you_mean(term.glob, names.paths)}")
        found.append((term, paths))
    made = choice(found)
    meant = {path for path in names.paths if made.takes(made.last.get(path, -1))}
    if not meant:
        raise EditError(nothing_left(selectors))
    return meant


def refuse_named(globs: tuple[str, ...], kept: Mapping[str, str], gone: Iterable[str], verb: str) -> None:
    """Raise `EditError` if a layer that is named without a wildcard is among the `kept`, or if none is `gone`."""
    for term in terms(globs, kept):
        meant = unescaped(term.glob)
        if not (term.out or term.way) and escape(meant) == term.glob and meant in kept:
            raise EditError(f"{meant} cannot be {verb}: {kept[meant]}.")
    if kept and not any(True for _ in gone):
        path, why = next(iter(kept.items()))
        if len(kept) == 1:
            raise EditError(f"{path} cannot be {verb}: {why}.")
        raise EditError(f"None of {len(kept)} layers can be {verb}. The first is {path}: {why}.")


def nothing_left(selectors: Iterable[str]) -> str:
    """The sentence for selectors that take away all that they choose."""
    return f"{', '.join(selectors)} leaves no layer: everything that is chosen is taken away again."

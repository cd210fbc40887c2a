"""Freezing what is selected: these layers, all that they depend on, or all that depends on them."""

from collections.abc import Iterable
from glob import escape
from typing import Literal

from msgspec import Struct

from core.analysis.frozen import can_freeze
from core.edits.set_trainable import meant
from core.errors import EditError
from core.layers.table import tracks_batches
from core.model.graph import Graph
from core.recipes import gestures
from core.surgery.selectors import onward, up_to
from gui.document.session import Session

Scope = Literal["these", "up_to", "from"]
SCOPES: tuple[tuple[Scope, str, str], ...] = (
    ("these", "these", "The selected layers; of a nested model, everything inside"),
    (
        "up_to",
        "up to here",
        "The selected layers and every layer that they depend on, but no parallel branch",
    ),
    ("from", "from here", "The selected layers and every layer that depends on them"),
)
"""Name, words after the verb, and what it means."""


class Meant(Struct, frozen=True):
    """The layers with weights that a scope means, in the order of the graph; or why it means nothing."""

    paths: tuple[str, ...] = ()
    problem: str = ""


def chosen(session: Session) -> tuple[str, ...]:
    """The selected layers that the edited model has."""
    graph = session.after_graph
    if graph is None:
        return ()
    known = graph.by_path()
    return tuple(path for path in session.chosen if path in known)


def any_of_these(session: Session) -> bool:
    """Whether the selected layers, or those inside of them, have weights to freeze."""
    graph = session.after_graph
    if graph is None:
        return False
    known = graph.by_path()
    chosen_ = (known[path] for path in session.chosen if path in known)
    return any(
        can_freeze(layer) if layer.inner is None else any(can_freeze(one) for _, one in layer.inner.walk())
        for layer in chosen_
    )


def selectors(graph: Graph, paths: tuple[str, ...], scope: Scope) -> list[str]:
    """How a recipe names a scope around layers: nested models that are meant whole by their own name."""
    if scope == "these" and len(paths) > 1:
        return shortened(graph, paths)
    names = [escape(path) for path in paths]
    return names if scope == "these" else [up_to(name) if scope == "up_to" else onward(name) for name in names]


def shortened(graph: Graph, paths: Iterable[str]) -> list[str]:
    """Globs for layers: a nested model for all that can be frozen in it, `*` for all of a model."""
    meant_ = set(paths)

    def level(inner: Graph, prefix: str, taken: bool) -> tuple[list[str], bool]:
        found, whole = [], True
        for layer in inner.layers:
            path = prefix + layer.name
            if taken or path in meant_:
                found.append(escape(path))
            elif layer.inner is not None:
                names, all_of_it = level(layer.inner, path + "/", False)
                found += [escape(path)] if all_of_it and names else names
                whole = whole and all_of_it
            elif can_freeze(layer):
                whole = False
        return found, whole

    names, everything = level(graph, "", False)
    return ["*"] if everything and names else names


def look(session: Session, scope: Scope) -> Meant:
    """What a scope around the selection means."""
    graph, paths = session.after_graph, chosen(session)
    if graph is None:
        return Meant((), "Open a model first.")
    if not paths:
        return Meant((), "Select layers in the list or in the graph first.")
    try:
        found, _ = meant(graph, tuple(selectors(graph, paths, scope)))
    except EditError as error:
        return Meant((), error.message)
    held = tuple(path for path, layer in graph.by_path().items() if path in found and can_freeze(layer))
    return Meant(held, "" if held else "There are no weights to freeze in these layers.")


def freeze(session: Session, scope: Scope, frozen: bool) -> bool:
    """Freeze or unfreeze a scope around the selection, as one step. Returns whether there was something to do."""
    graph, paths = session.after_graph, chosen(session)
    if graph is None or not look(session, scope).paths:
        return False
    alone = scope == "these" and all(tracks_batches(graph.by_path()[path]) for path in paths)
    session.end_burst()
    session.gesture(
        lambda recipe: gestures.set_frozen(
            recipe, selectors(graph, paths, scope), frozen, batch_norm="with_layer" if alone else None
        ),
        f"{'Freeze' if frozen else 'Unfreeze'} {words(paths, scope)}",
    )
    return True


def words(paths: tuple[str, ...], scope: Scope) -> str:
    """A scope in a sentence: `up to conv4`, `5 layers`."""
    which = paths[0] if len(paths) == 1 else f"{len(paths)} layers"
    return {"these": which, "up_to": f"up to {which}", "from": f"from {which} on"}[scope]


def explained(session: Session, scope: Scope) -> str:
    """What a scope around the selection means here, in one sentence."""
    found, paths = look(session, scope), chosen(session)
    if found.problem:
        return found.problem
    own = len(set(found.paths) & set(look(session, "these").paths))
    which = paths[0] if len(paths) == 1 else f"The {len(paths)} selected layers"
    if scope == "these":
        return f"{which}: {_layers(len(found.paths))} with weights."
    others = len(found.paths) - own
    one = len(paths) == 1
    verb = ("it depends on" if one else "they depend on") if scope == "up_to" else (
        f"depend{'s' if others == 1 else ''} on {'it' if one else 'them'}"
    )  # fmt: skip
    return f"{which} and {_layers(others)} with weights that {verb}."


def _layers(number: int) -> str:
    return f"{number:,} layer{'' if number == 1 else 's'}"

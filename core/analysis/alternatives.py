"""Ways out for a step that a model refuses: the same step about what the model has, each tried before it is offered."""

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from msgspec.structs import replace

from core.edits import AnyEdit, InsertAdapter, ReplaceFirstConv
from core.errors import EditError
from core.findings import EditStep, Finding, Fix
from core.layers.leaves import leaf
from core.model.graph import Graph
from core.surgery.anatomy import first_convs

MOST = 3
"""So many ways are offered; more would be a list to read instead of a click."""
_TRIED = 8
_NEAR = 0.6
Way = tuple[str, Any]
_FITS = {"resize": "Resize", "crop": "Crop", "pad": "Pad", "letterbox": "Letterbox"}
_LAYERS = ("layers", "heads")


def ways_out(edit: AnyEdit, graph: Graph, works: Callable[[AnyEdit], bool]) -> tuple[Way, ...]:
    """What the step could say instead, with a title for each; only what `works`, tried in the order of likeness."""
    found: list[Way] = []
    for number, (title, other) in enumerate(_alternatives(edit, graph)):
        if number == _TRIED or len(found) == MOST:
            break
        if other != edit and all(other != known for _, known in found) and works(other):
            found.append((title, other))
    return tuple(found)


def refused_finding(number: int, edit: AnyEdit, reason: str, ways: Iterable[Way], after: Iterable[int] = ()) -> Finding:
    """That step `number` (from 1) cannot be applied, why, and what helps; `after` are steps left out before it."""
    earlier = ", ".join(map(str, after))
    many = "," in earlier
    because = (
        f" It may need step{'s' * many} {earlier}, which {'are' if many else 'is'} left out too." if earlier else ""
    )
    actions: list[Any] = [Fix(title, (other,), number) for title, other in ways]
    actions += [Fix("Disable this step", (replace(edit, enabled=False),), number), EditStep(number)]
    message = f"Step {number} cannot be applied and is left out of the plan. {reason}{because}"
    return Finding("error", "step.refused", "", message, tuple(actions), step=number)


def _alternatives(edit: Any, graph: Graph) -> Iterator[Way]:
    names = edit.__struct_fields__
    if isinstance(edit, ReplaceFirstConv):
        yield from _first_convolutions(edit, graph)
    elif "layer" in names and edit.layer is not None:
        for path in _likely(edit.layer, graph):
            yield f"Use {path}", replace(edit, layer=path)
    for field in _LAYERS:
        if field in names:
            yield from _other_layers(edit, field, graph)
    if "weight" in names and isinstance(edit.weight, str):
        paths = [f"{path}/{weight.name}" for path, layer in graph.walk() for weight in layer.weights]
        for near in get_close_matches(edit.weight, paths, MOST, _NEAR):
            yield f"Use {near}", replace(edit, weight=near)
    if "input" in names:
        yield from _ends(edit, "input", "input", [layer.name for layer in _inputs(graph)])
    if "output" in names and "file" not in names:
        yield from _ends(edit, "output", "output", [ref.layer for ref in _outputs(graph)])
    if isinstance(edit, InsertAdapter) and edit.fit in _FITS:
        for fit, verb in _FITS.items():
            yield f"{verb} instead", InsertAdapter(shape=edit.shape, input=edit.input, fit=fit)  # type: ignore[arg-type]


def _first_convolutions(edit: ReplaceFirstConv, graph: Graph) -> Iterator[Way]:
    """The first convolution needs no name where there is one."""
    try:
        found = first_convs(graph)
    except EditError:
        return
    if len(found) == 1:
        yield f"Use the first convolution ({found[0]})", replace(edit, layer=None)
    near = get_close_matches(edit.layer or "", found, len(found), 0.0) if found else []
    for path in near:
        yield f"Use {path}", replace(edit, layer=path)


def _other_layers(edit: Any, field: str, graph: Graph) -> Iterator[Way]:
    """The layers most like those that are not there; else what is left without them."""
    paths = [path for path, _ in graph.walk()]
    given = getattr(edit, field)
    missing = [one for one in given if not any(one == path or fnmatchcase(path, one) for path in paths)]
    if not missing:
        return
    for place in range(MOST):
        swap = {one: near[place] for one in missing if len(near := _likely(one, graph)) > place}
        if len(swap) < len(missing):
            break
        changed = tuple(dict.fromkeys(swap.get(one, one) for one in given))
        yield f"Use {', '.join(swap.values())}", replace(edit, **{field: changed})
    rest = tuple(one for one in given if one not in missing)
    if rest:
        yield f"Leave out {', '.join(missing)}", replace(edit, **{field: rest})


def _likely(name: str, graph: Graph) -> list[str]:
    """The layers most like a missing one: by path, by name wherever it lies, then of the class it is named after."""
    paths = {path: layer for path, layer in graph.walk() if not layer.is_input}
    found = get_close_matches(name, paths, MOST, _NEAR)
    own = name.rpartition("/")[2]
    ends: dict[str, list[str]] = {}
    for path in paths:
        ends.setdefault(path.rpartition("/")[2], []).append(path)
    for near in get_close_matches(own, ends, MOST, _NEAR):
        found += ends[near][:MOST]
    wanted = own.rstrip("0123456789").replace("_", "").lower()
    found += [path for path, layer in paths.items() if leaf(layer).class_name.lower() == wanted][:MOST]
    return list(dict.fromkeys(found))


def _ends(edit: Any, field: str, word: str, names: list[str]) -> Iterator[Way]:
    """The model's inputs or outputs, by place where the step counts them; none is named where there is one."""
    given = getattr(edit, field)
    if len(names) == 1:
        yield f"Use the only {word} ({names[0]})", replace(edit, **{field: None})
        return
    near = get_close_matches(str(given), names, len(names), 0.0) if isinstance(given, str) else names
    for name in near:
        value = name if field == "input" else names.index(name)
        yield f"Use the {word} {name}", replace(edit, **{field: value})


def _inputs(graph: Graph) -> tuple[Any, ...]:
    try:
        return tuple(graph.input_layers())
    except KeyError:
        return ()


def _outputs(graph: Graph) -> tuple[Any, ...]:
    return () if graph.opaque else tuple(graph.output_refs())

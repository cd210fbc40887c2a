"""Two files side by side, for people: a summary first, then groups of like lines."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from core.analysis.diff import Alone, Difference, LayerChange, Side, WeightChange
from core.phrases import shape_words

NAMES = 3
"""Names of a group that are written out; `--all` gives each layer lines of its own."""


def differences(difference: Difference, every: bool = False) -> Iterator[RenderableType]:
    """The summary, then what differs. With `every`, each layer has its own lines instead of groups of like ones."""
    head = Table.grid(padding=(0, 2))
    for letter, side in (("A", difference.a), ("B", difference.b)):
        head.add_row(f"[bold]{letter}[/]", escape(PurePath(side.path).name), _size(side))
    yield head
    yield Text("\n".join(summary(difference)))
    fields = [(one.name, change.what, change.a, change.b) for one in difference.layers for change in one.fields]
    shapes = [(one.name, weight) for one in difference.layers for weight in one.weights if weight.distance is None]
    values = [
        (one.name, weight)
        for one in difference.layers
        for weight in one.weights
        if weight.distance is not None and not weight.close
    ]
    yield from _titled("Settings", _fields(fields, every))
    yield from _titled("Shapes", _shapes(shapes, every))
    yield from _titled("Values", _values(values, every))
    yield from _titled("Renamed", _renamed(difference.renamed, every))
    yield from _titled("Only in A", _alone(difference.only_a, every))
    yield from _titled("Only in B", _alone(difference.only_b, every))


def summary(difference: Difference) -> Iterator[str]:
    """The totals, a line each."""
    if difference.same and not difference.close_weights:
        yield f"No difference: {count(difference.equal_layers, 'layer')} and {_equal(difference)}."
        return
    parts = [
        (difference.equal_layers, "equal"),
        (len(difference.changed), "changed"),
        (len(difference.renamed), "renamed"),
        (len(difference.only_a), "only in A"),
        (len(difference.only_b), "only in B"),
    ]
    yield "Layers: " + ", ".join(f"{number:,} {word}" for number, word in parts if number)
    weights = [weight for one in difference.layers for weight in one.weights]
    apart = [one for one in weights if not one.close]
    moved = [one for one in apart if one.distance is not None]
    parts = [
        (difference.equal_weights, "equal bit for bit"),
        (difference.close_weights, f"within {difference.tolerance:g}"),
        (len(moved), "with other values"),
        (len(apart) - len(moved), "with another shape or in one file only"),
    ]
    yield "Weights of layers in both: " + (", ".join(f"{n:,} {word}" for n, word in parts if n) or "none")
    if difference.reordered:
        yield (
            f"The files list their layers with arrays in another order, from {difference.reordered[0]} to "
            f"{difference.reordered[-1]}: a program that loads weights by order would give them to other layers."
        )


def count(number: int, noun: str) -> str:
    """`1 layer`, `2 layers`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _equal(difference: Difference) -> str:
    number = difference.equal_weights
    return f"{count(number, 'weight')} {'is' if number == 1 else 'are'} equal bit for bit"


def _size(side: Side) -> str:
    return f"{count(side.layers, 'layer')}, {count(side.params, 'parameter')}"


def _titled(title: str, rows: Sequence[tuple[str, ...]]) -> Iterator[RenderableType]:
    if not rows:
        return
    table = Table(box=None, pad_edge=False, show_header=False, title=title, title_justify="left", title_style="bold")
    for number in range(len(rows[0])):
        table.add_column(overflow="fold", ratio=None if number else 1)
    for row in rows:
        table.add_row(*map(escape, row))
    yield Text()
    yield table


def _grouped(rows: Iterable[tuple[str, Any]], every: bool) -> list[tuple[list[str], Any]]:
    """Names by what they share, in the order of the first of each; with `every`, each alone."""
    if every:
        return [([name], shared) for name, shared in rows]
    groups: dict[str, tuple[list[str], Any]] = {}
    for name, shared in rows:
        groups.setdefault(repr(shared), ([], shared))[0].append(name)
    return list(groups.values())


def _names(names: Sequence[str], noun: str = "layer") -> str:
    if len(names) <= NAMES:
        return ", ".join(names)
    return f"{count(len(names), noun)}: {', '.join(names[: NAMES - 1])} ... {names[-1]}"


def _fields(rows: list[tuple[str, str, Any, Any]], every: bool) -> list[tuple[str, ...]]:
    groups = _grouped(((name, (what, a, b)) for name, what, a, b in rows), every)
    return [(_names(names), what, f"{_value(a)} -> {_value(b)}") for names, (what, a, b) in groups]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return ", ".join(value) or "nothing"
    if isinstance(value, (list, tuple)) and all(one is None or type(one) is int for one in value):
        return shape_words(value)
    return str(value)


def _shapes(rows: list[tuple[str, WeightChange]], every: bool) -> list[tuple[str, ...]]:
    groups = _grouped(((name, (one.name, one.a, one.b)) for name, one in rows), every)
    return [
        (_names(names), weight, "other values" if a == b else f"{_shape(a)} -> {_shape(b)}")
        for names, (weight, a, b) in groups
    ]


def _shape(shape: Any) -> str:
    return "none" if shape is None else shape_words(shape) if shape else "scalar"


def _values(rows: list[tuple[str, WeightChange]], every: bool) -> list[tuple[str, ...]]:
    if every:
        return [(name, one.name, _relative([one]), f"largest {one.largest:.3g}") for name, one in rows]
    groups: dict[str, tuple[list[str], list[WeightChange]]] = {}
    for name, one in rows:
        names, changes = groups.setdefault(one.name, ([], []))
        names.append(name)
        changes.append(one)
    return [
        (_names(names), weight, _relative(changes), f"largest {max(one.largest or 0.0 for one in changes):.3g}")
        for weight, (names, changes) in groups.items()
    ]


def _relative(changes: list[WeightChange]) -> str:
    """The distance in shares of A's norm, from the smallest to the largest."""
    shares = sorted(one.relative for one in changes if one.relative is not None)
    if not shares:
        return "zero in A"
    ends = [f"{share * 100:.2g} %" for share in (shares[0], shares[-1])]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _renamed(rows: Sequence[LayerChange], every: bool) -> list[tuple[str, ...]]:
    shown = rows if every or len(rows) <= 2 * NAMES else [*rows[:NAMES], *rows[-1:]]
    lines: list[tuple[str, ...]] = [(one.a, f"-> {one.b}") for one in shown]
    if len(shown) < len(rows):
        lines.insert(NAMES, (f"... {len(rows) - len(shown):,} more", ""))
    return lines


def _alone(rows: Sequence[Alone], every: bool) -> list[tuple[str, ...]]:
    groups = _grouped(((one.layer, (one.class_name, one.weights)) for one in rows), every)
    return [
        (_names(names), kind, ", ".join(f"{name} {_shape(shape)}" for name, shape in weights.items()))
        for names, (kind, weights) in groups
    ]

"""Channels first or last: shapes that were written in the other order, and how a model takes images in that order."""

from typing import Any

from core.edits.insert_front import InsertFront
from core.findings import Finding, Fix
from core.graph import Layer, Shape

_FEW = 4
"""Images have up to so many channels; a size is larger."""


def layout_finding(layer: Layer, axis: int | None, old: Shape, given: Shape, change: Any) -> Finding | None:
    """A warning where `given` (without batch) looks like an image in the other order than the input has; or `None`.

    `change(shape)` makes the edit that gives the input this shape instead.
    """
    rank = len(given)
    if rank < 2 or axis not in (1, rank) or None in old[1:] or old[axis] is None:
        return None
    first = axis == 1
    mine, other = (0, rank - 1) if first else (rank - 1, 0)
    channels, elsewhere = given[mine], given[other]
    if channels is None or elsewhere is None or channels == old[axis] or channels <= _FEW:
        return None
    if elsewhere != old[axis] and elsewhere > _FEW:
        return None
    turned = (given[-1], *given[:-1]) if first else (*given[1:], given[0])
    order = [*range(2, rank + 1), 1] if not first else [rank, *range(1, rank)]
    front = InsertFront(input=layer.name, shape=given, layers=({"class_name": "Permute", "config": {"dims": order}},))
    words = ("first", "last") if first else ("last", "first")
    text = (
        f"The input {layer.name!r} has its channels {words[0]}: {_text(given)} is read as {channels} channels. If it "
        f"was meant with the channels {words[1]}, write {_text(turned)}, or let a Permute in front turn the images; "
        "the weights are the same either way."
    )
    fixes = (
        Fix(f"Read it as {_text(turned)}", (change(turned),)),
        Fix(f"Take images with the channels {words[1]}", (change(turned), front)),
    )
    return Finding("warning", "shape.incompatible", layer.name, text, fixes)


def _text(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any" if size is None else str(size) for size in shape)

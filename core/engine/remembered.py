"""Fates that are the same as in the plan before: most edits leave the arrays of most layers alone."""

from collections.abc import Callable
from typing import Any

from core.analysis.fates import Move
from core.model.graph import Layer, Weight

_MOST = 60_000


class RememberedMoves:
    """Moves of layers by what decides them. An entry keeps its layer alive, so that no other object gets its ids.

    A move that was remembered is the very same object, so that a plan that is sent elsewhere can say "as before".
    """

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Layer, tuple[Weight, ...], tuple[Move, ...]]] = {}

    def moves(
        self, path: str, layer: Layer, needed: tuple[Weight, ...], trainable: bool, make: Callable[[], tuple[Move, ...]]
    ) -> tuple[Move, ...]:
        """The moves of the layer at `path`; `make` decides them when they are not known."""
        key = (
            path, trainable, id(needed), id(layer.weights), id(layer.rules), id(layer.config), layer.class_name,
            layer.module, layer.origin, layer.opaque,
        )  # fmt: skip
        entry = self._known.get(key)
        if entry is None:
            if len(self._known) > _MOST:
                self._known.clear()
            entry = self._known[key] = (layer, needed, make())
        return entry[2]

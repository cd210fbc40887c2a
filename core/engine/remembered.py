"""Fates that are the same as in the plan before: most edits leave the arrays of most layers alone."""

from collections.abc import Callable

from core.analysis.fates import Move
from core.caches import IdentityCache
from core.model.graph import Layer, Weight

_MOST = 60_000


class RememberedMoves:
    """Moves of layers by what decides them.

    A move that was remembered is the very same object, so that a plan that is sent elsewhere can say "as before".
    """

    def __init__(self) -> None:
        self._known: IdentityCache[tuple[Move, ...]] = IdentityCache(_MOST)

    def moves(
        self, path: str, layer: Layer, needed: tuple[Weight, ...], trainable: bool, make: Callable[[], tuple[Move, ...]]
    ) -> tuple[Move, ...]:
        """The moves of the layer at `path`; `make` decides them when they are not known."""
        objects = (needed, layer.weights, layer.rules, layer.config)
        also = (path, trainable, layer.class_name, layer.module, layer.origin, layer.opaque)
        return self._known.get(objects, make, also)

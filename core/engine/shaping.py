"""Shapes for the graphs that an edit makes, behind the gate for what a recipe brings."""

from core.engine.brought import refuse_layers
from core.engine.shapes import Shaped, Shaper
from core.engine.trust import with_own_classes
from core.model.graph import Graph


class Shaping:
    """What an edit's context asks: follows the shapes of each graph, and remembers the last one that it gave."""

    def __init__(self, shaper: Shaper, before: Shaped) -> None:
        self._shaper = shaper
        self._last = before

    def graph(self, graph: Graph) -> Graph:
        """The graph with its shapes. Raises `EditError` for a layer in it that may not be run."""
        return self.of(graph).graph

    def of(self, graph: Graph) -> Shaped:
        """The graph with its shapes and all that was found of them; nothing is asked again of the last one."""
        if graph is not self._last.graph:
            after = with_own_classes(self._last.graph, graph)
            refuse_layers(self._last.graph, after)
            self._last = self._shaper.shape(after)
        return self._last

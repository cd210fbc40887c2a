"""Put one new layer behind an existing one."""

from typing import Any

from core.edits.base import Edit
from core.edits.recording import owner, with_level
from core.edits.splice import insert_after, layer_from
from core.errors import EditError
from core.graph import Graph


class InsertLayer(Edit, frozen=True, kw_only=True, tag="insert_layer"):
    """Behind `layer` (a path), on all of its calls. `config` is `{"class_name": ..., "config": {...}}`."""

    layer: str
    config: dict[str, Any]

    def apply(self, graph: Graph) -> Graph:
        """The graph with the new layer at the level of the old one."""
        prefix, level = owner(graph, self.layer)
        name = self.layer[len(prefix) :]
        fresh = layer_from(self.config, [one.name for one in level.layers])
        if fresh.is_input:
            raise EditError("An InputLayer cannot be inserted behind a layer; use change_input.")
        return with_level(graph, prefix, insert_after(level, name, [fresh]))

    def summary(self) -> str:
        """For the recipe list."""
        return f"Insert {self.config.get('class_name')} behind {self.layer}"

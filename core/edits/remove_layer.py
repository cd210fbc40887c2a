"""Take one layer out; what it was given goes on to where its output went."""

from core.edits import contracts
from core.edits.base import Edit
from core.edits.recording import owner, with_level
from core.edits.splice import pruned, remove
from core.errors import EditError
from core.graph import Graph
from core.plan import Contract


class RemoveLayer(Edit, frozen=True, kw_only=True, tag="remove_layer"):
    """`layer` is a path. A layer with several inputs has no one tensor that could take its place and is refused."""

    layer: str

    def apply(self, graph: Graph) -> Graph:
        """The graph without the layer."""
        prefix, level = owner(graph, self.layer)
        name = self.layer[len(prefix) :]
        layer = level.layer(name)
        if layer.is_input:
            raise EditError(f"{self.layer} is an input of its model and cannot be removed.")
        if not layer.calls or level.opaque:
            raise EditError(f"How {self.layer} is connected is not known, so it cannot be removed.")
        return with_level(graph, prefix, pruned(remove(level, name)))

    def contracts(self, before: Graph, after: Graph) -> tuple[Contract, ...]:
        """Nothing changes without a layer that only acts in training; else what came before the layer stays."""
        layer = before.find(self.layer)
        if contracts.passes_through(layer.class_name, layer.config):
            return (contracts.same_input("new(x) == old(x)", True),)
        return contracts.fed(before, self.layer)

    def summary(self) -> str:
        """For the recipe list."""
        return f"Remove {self.layer}"

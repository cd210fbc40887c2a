"""Put one new layer behind an existing one."""

from typing import Any

from msgspec.structs import replace

from core.edits.base import Edit
from core.errors import EditError
from core.findings import Finding
from core.layers import table
from core.model.contract import Contract
from core.model.graph import Graph, Layer, TensorRef
from core.model.levels import owner, with_level
from core.model.splice import insert_after, layer_from
from core.surgery import contracts
from core.surgery.neutral import neutral_norm


class InsertLayer(Edit, frozen=True, kw_only=True, tag="insert_layer"):
    """Behind `layer` (a path), on all of its calls. `config` is `{"class_name": ..., "config": {...}}`."""

    layer: str
    config: dict[str, Any]

    def apply(self, graph: Graph) -> Graph:
        """The graph with the new layer at the level of the old one."""
        prefix, level = owner(graph, self.layer)
        if level.opaque:
            raise EditError(f"The connections of {self.layer} are unknown, so nothing can be inserted after it.")
        name = self.layer[len(prefix) :]
        fresh = layer_from(self.config, [one.name for one in level.layers])
        if fresh.is_input:
            raise EditError("An InputLayer cannot be inserted after a layer; use change_input.")
        return with_level(graph, prefix, insert_after(level, name, [neutral_norm(fresh) or fresh]))

    def contracts(self, before: Graph, after: Graph) -> tuple[Contract, ...]:
        """Nothing changes with a layer that acts in training alone, or a new normalization that gives what it gets.
        Else the layer that the new one stands behind gives the same.

        Behind an input the model answers as it did to what the new layer makes of it, if that has the input's shape.
        """
        if table.idle(str(self.config.get("class_name")), self.config.get("config") or {}):
            return (contracts.unchanged(),)
        fresh = self._fresh(before, after)
        if fresh is not None and neutral_norm(replace(fresh, rules=())) is not None:
            return (contracts.unchanged(),)
        layer = before.find(self.layer)
        if layer.is_input:
            return self._at_input(before, after, layer)
        first = [place for place in contracts.places(before, self.layer) if not any(place[1])]
        name = f"{self.layer} of new(x) == {self.layer} of old(x)"
        return (contracts.features(name, [(place, place) for place in first]),) if first else ()

    def findings(self, before: Graph, after: Graph) -> tuple[Finding, ...]:
        """A normalization that starts at other values than those that change nothing."""
        fresh = self._fresh(before, after)
        if fresh is None or fresh.class_name != "BatchNormalization" or neutral_norm(replace(fresh, rules=())):
            return ()
        text = (
            f"{self._path(fresh)} starts with values that scale or shift its input, so outputs change; with Keras's "
            "default initializers they would not."
        )
        return (Finding("warning", "adapt.lossy", self._path(fresh), text),)

    def _path(self, fresh: Layer) -> str:
        head = self.layer.rpartition("/")[0]
        return f"{head}/{fresh.name}" if head else fresh.name

    def _fresh(self, before: Graph, after: Graph) -> Layer | None:
        """The new layer."""
        known = {path for path, _ in before.walk()}
        return next((layer for path, layer in after.walk() if path not in known), None)

    def _at_input(self, before: Graph, after: Graph, layer: Layer) -> tuple[Contract, ...]:
        fresh = self._fresh(before, after)
        shape = contracts.batch_shape(layer)
        if fresh is None or shape is None or after.spec(TensorRef(fresh.name)).shape != shape:
            return ()  # an input of a nested model, or one of another shape
        name = f"new(x) == old({fresh.name}(x))"
        return (contracts.Adapted(name=name, input=layer.name, layer=fresh.name, shape=shape[1:]),)

    def summary(self) -> str:
        """For the recipe list."""
        return f"Insert {self.config.get('class_name')} after {self.layer}"

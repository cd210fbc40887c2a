"""Put one new layer behind an existing one."""

from typing import Any

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding
from core.layers import table
from core.model.contract import Contract
from core.model.graph import Graph, Layer, TensorRef
from core.model.levels import owner, with_level
from core.model.splice import insert_after, insert_between, layer_from
from core.surgery import contracts
from core.surgery.neutral import neutral_norm


class InsertLayer(Edit, frozen=True, kw_only=True, tag="insert_layer"):
    """Behind `layer` (a path), on all of its calls. `config` is `{"class_name": ..., "config": {...}}`.

    With `before`, the path of a layer that takes its output, only that one gets what the new layer makes of it.
    """

    layer: str
    config: dict[str, Any]
    before: str | None = None

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with the new layer at the level of the old one."""
        prefix, level = owner(graph, self.layer)
        if level.opaque:
            raise EditError(f"The connections of {self.layer} are unknown, so nothing can be inserted after it.")
        name = self.layer[len(prefix) :]
        fresh = layer_from(self.config, {one.name for one in level.layers})
        if fresh.is_input:
            raise EditError("An InputLayer cannot be inserted after a layer; use change_input.")
        neutral = neutral_norm(fresh)
        alone = self.before is None or level.is_sequential or _is_only_taker(level, name, self._taker(prefix, level))
        if alone:
            made = insert_after(level, name, [neutral or fresh])
        else:
            made = insert_between(level, name, self._taker(prefix, level), neutral or fresh)
        after = with_level(graph, prefix, made)
        if neutral or table.idle(fresh.class_name, fresh.config):
            return Outcome(after, (contracts.unchanged(),))
        if graph.find(self.layer).is_input and alone:
            after = context.shaped(after)
            same = self._at_input(graph, after, fresh)
        else:
            same = self._behind(graph)
        return Outcome(after, same, _scaling(prefix + fresh.name, fresh))

    def _taker(self, prefix: str, level: Graph) -> str:
        """The name of the layer that the new one is put before. Raises `EditError` if it is none of this level."""
        path = self.before or ""
        name = path[len(prefix) :]
        if not path.startswith(prefix) or name not in level.by_name():
            raise EditError(
                f"{path} does not take the output of {self.layer}, so nothing can be inserted between them."
            )
        return name

    def _behind(self, before: Graph) -> tuple[Contract, ...]:
        """The layer that the new one stands behind gives the same."""
        first = [place for place in contracts.places(before, self.layer) if not any(place[1])]
        name = f"{self.layer} of new(x) == {self.layer} of old(x)"
        return (contracts.features(name, [(place, place) for place in first]),) if first else ()

    def _at_input(self, before: Graph, after: Graph, fresh: Layer) -> tuple[Contract, ...]:
        """The model answers as it did to what the new layer makes of its input, if that has the input's shape."""
        layer = before.find(self.layer)
        shape = contracts.batch_shape(layer)
        if shape is None or after.spec(TensorRef(fresh.name)).shape != shape:
            return ()  # an input of a nested model, or one of another shape
        name = f"new(x) == old({fresh.name}(x))"
        return (contracts.Adapted(name=name, input=layer.name, layer=fresh.name, shape=shape[1:]),)

    def summary(self) -> str:
        """For the recipe list."""
        place = f"after {self.layer}" if self.before is None else f"between {self.layer} and {self.before}"
        return f"Insert {self.config.get('class_name')} {place}"


def _is_only_taker(level: Graph, name: str, taker: str) -> bool:
    """Whether nothing else takes what a layer gives: then before its taker is the same as behind the layer."""
    takers = {other for ref, nodes in level.consumers().items() if ref.layer == name for other, _ in nodes}
    first = {ref.output for ref in level.consumers() if ref.layer == name} == {0}
    return takers == {taker} and first and all(ref.layer != name for ref in level.output_refs())


def _scaling(path: str, fresh: Layer) -> tuple[Finding, ...]:
    """A normalization that starts at other values than those that change nothing."""
    if not table.tracks_batches(fresh):
        return ()
    text = (
        f"{path} starts with values that scale or shift its input, so outputs change; with Keras's default "
        "initializers they would not."
    )
    return (Finding("warning", "adapt.lossy", path, text),)

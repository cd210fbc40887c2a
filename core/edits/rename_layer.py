"""Give a layer another name; its weights and connections stay."""

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.model.graph import Graph, Layer, TensorRef, map_leaves
from core.model.levels import owner, with_level
from core.surgery import contracts


class RenameLayer(Edit, frozen=True, kw_only=True, tag="rename_layer"):
    """`layer` is a path, `name` the new last part of it."""

    layer: str
    name: str

    def check(self) -> None:
        """A name that Keras takes."""
        if not self.name.strip() or "/" in self.name:
            raise EditError(f"{self.name!r} is not a valid layer name; a name cannot be empty or contain a slash.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with the layer and everything that refers to it renamed, which is nothing to what it computes."""
        self.check()
        prefix, level = owner(graph, self.layer)
        if level.opaque:
            raise EditError(f"{self.layer} gets its name from the code of {level.class_name}; rename it there.")
        old = self.layer[len(prefix) :]
        if old == self.name:
            return Outcome(graph, (contracts.unchanged(),))
        if any(layer.name == self.name for layer in level.layers):
            raise EditError(f"A layer named {prefix}{self.name} already exists.")

        def swap(ref: TensorRef) -> TensorRef:
            return replace(ref, layer=self.name) if ref.layer == old else ref

        def one(layer: Layer) -> Layer:
            if layer.name == old:
                config = {**layer.config, "name": self.name} if "name" in layer.config else layer.config
                inner = replace(layer.inner, name=self.name) if layer.is_model and layer.inner else layer.inner
                born = old if layer.born is None else layer.born
                layer = replace(layer, name=self.name, config=config, inner=inner, born=born)
            if not any(ref.layer == old for call in layer.calls for ref in call.inputs()):
                return layer
            calls = tuple(
                replace(call, args=map_leaves(swap, call.args), kwargs=map_leaves(swap, call.kwargs))
                for call in layer.calls
            )
            return replace(layer, calls=calls)

        renamed = replace(
            level,
            layers=tuple(one(layer) for layer in level.layers),
            inputs=map_leaves(swap, level.inputs),
            outputs=map_leaves(swap, level.outputs),
        )
        return Outcome(with_level(graph, prefix, renamed), (contracts.unchanged(),))

    def summary(self) -> str:
        """For the recipe list."""
        return f"Rename {self.layer} to {self.name}"

"""Give a layer another config, or put a layer of another class in its place."""

from typing import Any

from msgspec.structs import replace

from core.edits import contracts
from core.edits.base import Edit
from core.edits.splice import completed
from core.errors import EditError
from core.findings import Finding
from core.graph import Graph, Layer
from core.plan import Contract


class ReplaceLayer(Edit, frozen=True, kw_only=True, tag="replace_layer"):
    """`config` is `{"class_name": ..., "config": {...}}` for a layer of another class, or only arguments to change.

    Connections and name stay. Weights are carried over by name; where shapes differ a rule is asked for.
    """

    layer: str
    config: dict[str, Any]

    def check(self) -> None:
        """Something to change."""
        if not self.config:
            raise EditError('config is empty; give arguments such as {"activation": "relu"}.')

    def apply(self, graph: Graph) -> Graph:
        """The graph with the layer changed."""
        self.check()
        try:
            layer = graph.find(self.layer)
        except KeyError:
            raise EditError(f"There is no layer {self.layer!r}.") from None
        if graph.opaque:
            raise EditError(f"How {self.layer} is connected is not known, so it cannot be replaced.")
        if layer.is_input or layer.is_operation or layer.inner is not None:
            raise EditError(f"{self.layer} is a {layer.class_name}; only single layers can be replaced.")
        class_name = self.config.get("class_name", layer.class_name)
        given = self.config.get("config") if "class_name" in self.config else None
        fields = {**(given or {}), **{k: v for k, v in self.config.items() if k not in _ENTRY}}
        calls = tuple(replace(call, outputs=None) for call in layer.calls)
        if class_name == layer.class_name:
            fields.pop("name", None)
            return graph.with_layer(self.layer, replace(layer, config={**layer.config, **fields}, calls=calls))
        if _joins(layer) and class_name in _SINGLE:
            raise EditError(f"{self.layer} takes several tensors; a {class_name} takes one.")
        kept = {key: layer.config[key] for key in ("dtype", "trainable") if key in layer.config}
        fresh = replace(
            layer,
            class_name=class_name,
            module=self.config.get("module") or "keras.layers",
            registered_name=None,
            build_config=None,
            opaque=False,
            config={**kept, **completed(class_name, fields), "name": layer.name},
            calls=calls,
        )
        if class_name in _MODELS:
            # imported here: readers know edits
            from core.readers.config_graph import read_layer

            made = read_layer({**self.config, "name": layer.name, "config": {**fields, "name": layer.name}}, "")
            fresh = replace(made, calls=calls, trainable=layer.trainable)
        return graph.with_layer(self.layer, fresh)

    def contracts(self, before: Graph, after: Graph) -> tuple[Contract, ...]:
        """What the layer is given stays."""
        return contracts.fed(before, self.layer)

    def findings(self, before: Graph, after: Graph) -> tuple[Finding, ...]:
        """Settings of a layer without code are only written down."""
        layer = after.find(self.layer)
        if not layer.opaque or not layer.weights:
            return ()
        text = (
            f"The settings of {self.layer} change, but the code of {layer.class_name} is not here: its weights stay as "
            "they are, whether they fit or not; name the file with its code to know."
        )
        return (Finding("warning", "graph.opaque", self.layer, text),)

    def summary(self) -> str:
        """For the recipe list."""
        if "class_name" in self.config:
            return f"{self.layer} becomes {self.config['class_name']}"
        return f"{self.layer}: {', '.join(sorted(self.config))} changed"


def _joins(layer: Layer) -> bool:
    """Whether a call gives the layer a list of several tensors."""
    return any(len(call.inputs()) > 1 and isinstance(call.args[:1] and call.args[0], list) for call in layer.calls)


# Keras's symbolic call takes a list for these, and then they fail on real numbers.
_SINGLE = frozenset(
    {"Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "Dropout", "GaussianNoise", "Rescaling", "Flatten"}
    | {"BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization", "RMSNormalization"}
    | {"Dense", "EinsumDense", "Reshape", "Permute", "RepeatVector", "Embedding", "Normalization", "Identity"}
)
_MODELS = frozenset({"Functional", "Sequential"})
_ENTRY = frozenset({"class_name", "config", "module", "registered_name", "build_config"})

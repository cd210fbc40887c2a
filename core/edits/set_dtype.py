"""Another dtype policy for some layers: mixed precision to float32 and back."""

from typing import Any

from msgspec.structs import replace

from core.edits import contracts
from core.edits.base import Edit
from core.edits.set_trainable import matched
from core.errors import EditError
from core.findings import Finding
from core.graph import Graph, Layer
from core.plan import Contract

POLICIES = ("float32", "float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16")
_CARRIERS = ("layer", "forward_layer", "backward_layer", "cell")


class SetDtype(Edit, frozen=True, kw_only=True, tag="set_dtype"):
    """`layers` are globs as in set_trainable (`*`: all), `policy` a Keras dtype policy. Normalization stays float32."""

    policy: str
    layers: tuple[str, ...] = ("*",)

    def check(self) -> None:
        """A known policy."""
        if self.policy not in POLICIES:
            raise EditError(f"policy must be one of {', '.join(POLICIES)}, not {self.policy!r}.")

    def apply(self, graph: Graph) -> Graph:
        """The graph with the policy written on every matched layer."""
        self.check()
        chosen = matched(graph, self.layers)

        def change(path: str, layer: Layer) -> Layer:
            if path not in chosen:
                return layer
            if quantized(layer.config):
                raise EditError(
                    f"{path} is quantized ({_policy_name(layer.config)}); its numbers mean nothing in {self.policy}. "
                    "Leave it out, or dequantize the model first."
                )
            # Statistics of a Normalization in half precision lose what they are for.
            policy = "float32" if layer.class_name == "Normalization" else self.policy
            calls = tuple(replace(call, outputs=None) for call in layer.calls)
            return replace(layer, config=_with_policy(layer.config, policy), calls=calls)

        return graph.replace_layers(change)

    def contracts(self, before: Graph, after: Graph) -> tuple[Contract, ...]:
        """The same weights in another precision: how far the answers move is measured."""
        return (contracts.same_input("new(x) is nearly old(x)", False),)

    def findings(self, before: Graph, after: Graph) -> tuple[Finding, ...]:
        """Half precision loses digits."""
        if self.policy in ("float16", "bfloat16"):
            text = f"Weights stored as {self.policy} keep about {3 if self.policy == 'float16' else 2} digits."
            return (Finding("warning", "adapt.lossy", "", text),)
        return ()

    def summary(self) -> str:
        """For the recipe list."""
        names = "all layers" if self.layers == ("*",) else ", ".join(self.layers)
        return f"{names}: {self.policy}"


def in_single_precision(layer: Layer) -> Layer:
    """The layer with float32 variables, unless it is quantized."""
    if _policy_name(layer.config) in ("float16", "bfloat16", "float64"):
        return replace(layer, config=_with_policy(layer.config, "float32"))
    return layer


def quantized(config: dict[str, Any]) -> bool:
    """Whether a layer's config says that its weights are quantized."""
    return _policy_name(config).startswith(("int8", "int4", "float8"))


def _policy_name(config: dict[str, Any]) -> str:
    dtype = config.get("dtype")
    if isinstance(dtype, dict):
        inner = dtype.get("config") or {}
        name = inner.get("name") or inner.get("mode") or ""
        return str(inner.get("mode") or name) if "Quantized" in str(dtype.get("class_name")) else str(name)
    return str(dtype or "")


def _with_policy(config: dict[str, Any], policy: str) -> dict[str, Any]:
    dtype = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": policy}, "registered_name": None}
    result = {**config, "dtype": dtype}
    for carrier in _CARRIERS:
        inside = config.get(carrier)
        if isinstance(inside, dict) and isinstance(inside.get("config"), dict):
            result[carrier] = {**inside, "config": _with_policy(inside["config"], policy)}
    return result

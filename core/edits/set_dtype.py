"""Another dtype policy for some layers: mixed precision to float32 and back, quantized to floats and back."""

from typing import Any

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.edits.set_trainable import made_by_code, matched
from core.errors import EditError
from core.findings import Finding
from core.layers.table import CARRIERS
from core.model.graph import Graph, Layer
from core.surgery import contracts
from core.surgery.quantized import MODES, decoded, mode_of, parts, policy_name, source_of, with_mode
from core.surgery.quantized import quantized as quantized

POLICIES = ("float32", "float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16")
_TELLS = {
    "float8": "its floats are stored beside the float8 scales and are kept",
    "int8": "its numbers are divided by their scales, and its inputs are no longer rounded",
}
_SCALED = "its numbers are converted with their scales and zeros"
_FROM = {"int8": ("float32", "mixed_bfloat16"), "int4": ("float32", "mixed_bfloat16"), "float8": POLICIES[:1]}


class SetDtype(Edit, frozen=True, kw_only=True, tag="set_dtype"):
    """`layers` are globs as in set_trainable (`*`: all), `policy` a Keras dtype policy or a mode of quantization.

    A float policy makes floats of quantized weights. `int8`, `int4` (`int4/BLOCK`; -1: one scale for a whole column)
    and `float8` quantize the layers that Keras quantizes and leave the others. Normalization stays float32.
    """

    policy: str
    layers: tuple[str, ...] = ("*",)

    def check(self) -> None:
        """A known policy."""
        mode, slash, block = self.policy.partition("/")
        if self.policy in (*POLICIES, *MODES):
            return
        if not (mode == "int4" and slash and block.lstrip("-").isdigit() and (int(block) > 0 or int(block) == -1)):
            raise EditError(
                f"policy must be one of {', '.join((*POLICIES, *MODES))} or int4/BLOCK, not {self.policy!r}."
            )

    @property
    def quantizes(self) -> bool:
        """Whether the policy is a mode of quantization."""
        return self.policy.startswith(MODES) and self.policy not in POLICIES

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with the policy written on every matched layer: the same weights in another precision."""
        self.check()
        inside = made_by_code(graph)
        chosen = {path for path in matched(graph, self.layers) if path not in inside}
        if not chosen:
            if not inside:
                raise EditError(
                    f"{', '.join(self.layers)}: an operation or an input has no dtype policy; name a layer."
                )
            path, maker = next(iter(inside.items()))
            raise EditError(f"{path} gets its dtype from the code of {maker}; set it there.")

        def change(path: str, layer: Layer) -> Layer:
            if path not in chosen:
                return layer
            return self._quantized(path, layer) if self.quantizes else self._floating(path, layer)

        after = graph.replace_layers(change)
        if self.quantizes and after is graph and not any(self._is_already(graph.find(path)) for path in chosen):
            raise EditError(
                f"Keras quantizes only Dense, EinsumDense and Embedding; there is none among {', '.join(self.layers)}."
            )
        return Outcome(after, (contracts.nearly(),), self._told(graph, after))

    def _is_already(self, layer: Layer) -> bool:
        return any(part.mode for part in parts(layer))

    def _floating(self, path: str, layer: Layer) -> Layer:
        quantized_parts = [part for part in parts(layer) if part.mode]
        if quantized_parts:
            layer, _ = decoded(layer)
            left = [
                weight.name for weight in layer.weights if weight.decode is None and weight.dtype in ("int8", "uint8")
            ]
            if left:
                raise EditError(
                    f"{path}/{left[0]} is quantized ({quantized_parts[0].mode}), and its scales, zeros or shape are "
                    "not in the file, so it cannot be made floats."
                )
        elif quantized(layer.config):
            raise EditError(f"{path} is quantized ({mode_of(layer.config)}) in a way that only its own code knows.")
        # Statistics of a Normalization in half precision lose what they are for.
        policy = "float32" if layer.class_name == "Normalization" else self.policy
        calls = tuple(replace(call, outputs=None) for call in layer.calls)
        return replace(layer, config=_with_policy(layer.config, policy), calls=calls)

    def _quantized(self, path: str, layer: Layer) -> Layer:
        found = parts(layer)
        mode = self.policy.partition("/")[0]
        wanted = with_mode(layer.class_name, layer.config, self.policy) if found else layer.config
        if wanted is layer.config or all(
            part.mode == mode and policy_name(part.config) in (self.policy, mode) for part in found
        ):
            return layer
        source = next((source_of(part.config) for part in found if source_of(part.config) not in _FROM[mode]), None)
        if source is not None:
            raise EditError(
                f"{path} is {source}; Suture quantizes to {mode} from {' or '.join(_FROM[mode])}, so set that first."
            )
        if any(part.mode for part in found):
            layer = self._floating(path, layer) if not _keeps_floats(layer) else layer
            base = replace(layer, config=_with_policy(layer.config, source_of(found[0].config)))
            layer = replace(base, config=with_mode(base.class_name, base.config, self.policy))
        else:
            layer = replace(layer, config=wanted)
        return replace(layer, calls=tuple(replace(call, outputs=None) for call in layer.calls))

    def _told(self, before: Graph, after: Graph) -> tuple[Finding, ...]:
        """Half precision loses digits; what becomes of quantized numbers, and of the scales beside them."""
        found = []
        if self.policy in ("float16", "bfloat16"):
            text = f"Weights stored as {self.policy} keep about {3 if self.policy == 'float16' else 2} digits."
            found.append(Finding("warning", "adapt.lossy", "", text))
        was, now = before.by_path(), after.by_path()
        changed = [path for path, layer in was.items() if path in now and now[path].config is not layer.config]
        if self.quantizes:
            made = [path for path in changed if self._is_already(now[path])]
            if made:
                found.append(self._rounded(made))
        else:
            old = [(path, part.mode) for path in changed for part in parts(was[path]) if part.mode]
            if old:
                found.append(_dequantized(old, {path: decoded(was[path])[1] for path, _ in old}))
        return tuple(found)

    def _rounded(self, paths: list[str]) -> Finding:
        names = paths[0] if len(paths) == 1 else f"{len(paths)} layers (first: {paths[0]})"
        if self.policy == "float8":
            text = f"{names}: float8 scales start at 1 and are set during training."
        else:
            text = (
                f"{names}: weights are rounded to {self.policy.partition('/')[0]} as Keras's own quantize does; "
                "outputs change slightly. Verify measures by how much."
            )
        return Finding("warning", "adapt.lossy", paths[0], text, detail="\n".join(paths))

    def summary(self) -> str:
        """For the recipe list."""
        names = "all layers" if self.layers == ("*",) else ", ".join(self.layers)
        return f"{names}: {self.policy}"


def _keeps_floats(layer: Layer) -> bool:
    """Whether the layer's arrays are still, or again, floats."""
    return all(weight.decode is not None or weight.dtype not in ("int8", "uint8") for weight in layer.weights)


def _dequantized(old: list[tuple[str, str]], gone: dict[str, tuple[str, ...]]) -> Finding:
    path, mode = old[0]
    names = path if len(old) == 1 else f"{len(old)} layers (first: {path})"
    dropped = ", ".join(dict.fromkeys(name for one in gone.values() for name in one))
    text = f"{names}: {mode} becomes floats; {_TELLS.get(mode, _SCALED)}."
    if dropped:
        text += f" {'No longer needed and dropped' if mode == 'float8' else 'Merged into the floats'}: {dropped}."
    lines = [f"{one}: {', '.join(gone[one])}" for one, _ in old]
    return Finding("info", "adapt.lossy", path, text, detail="\n".join(lines))


def in_single_precision(layer: Layer, floats: bool = False) -> Layer:
    """The layer with float32 variables, unless it is quantized; with `floats`, in that case too."""
    if policy_name(layer.config) in ("float16", "bfloat16", "float64") or (floats and mode_of(layer.config)):
        return replace(layer, config=_with_policy(layer.config, "float32"))
    return layer


def _with_policy(config: dict[str, Any], policy: str) -> dict[str, Any]:
    dtype = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": policy}, "registered_name": None}
    result = {**config, "dtype": dtype}
    if "quantization_config" in config:
        result["quantization_config"] = None
    for carrier in CARRIERS:
        inside = config.get(carrier)
        if isinstance(inside, dict) and isinstance(inside.get("config"), dict):
            result[carrier] = {**inside, "config": _with_policy(inside["config"], policy)}
    return result

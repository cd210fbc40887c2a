"""Which arrays of a layer Keras quantizes and how they lie, read off its config: Dense, EinsumDense, embeddings."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.layers.axes import axes_of
from core.layers.table import CARRIERS, classes, family, row
from core.model.graph import Layer, Weight
from core.rules.initialize import LAYER, Initialize
from core.rules.quantization import Dequantize, Layout, Quantize

Config = dict[str, Any]
MODES = ("int8", "int4", "float8")
"""Modes that need no samples to choose by; `gptq` and `awq` are read, not made."""
READ_MODES = (*MODES, "gptq", "awq")
QUANTIZABLE = {
    name: tuple(one.name for one in row(name).arrays if one.kind in ("kernel", "table"))
    for name in classes(family=("dense", "embedding"))
}
"""The classes that Keras's `quantize` takes (no subclass of theirs), with their large arrays."""
DEFAULT_BLOCK = 128


class Part(Struct, frozen=True):
    """A quantizable layer in or inside a layer: `prefix` of its weights' names, its class and config."""

    prefix: str
    class_name: str
    config: Config
    mode: str

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of its large arrays inside it."""
        tied = self.config.get("tie_weights", True) and self.class_name == "ReversibleEmbedding"
        return QUANTIZABLE[self.class_name][:1] if tied else QUANTIZABLE[self.class_name]


def policy_name(config: Config) -> str:
    """The name of a dtype policy, or the mode of a quantized one (`int8`, `int4/128`)."""
    dtype = config.get("dtype")
    if isinstance(dtype, dict):
        inner = dtype.get("config")
        if not isinstance(inner, dict):  # a file may say anything here
            return ""
        name = inner.get("name") or inner.get("mode") or ""
        return str(inner.get("mode") or name) if "Quantized" in str(dtype.get("class_name")) else str(name)
    return str(dtype or "")


def mode_of(config: Config) -> str:
    """`int8`, `int4`, `float8`, `gptq`, `awq`, or nothing."""
    name = policy_name(config)
    return next((mode for mode in READ_MODES if name.startswith(mode)), "")


def quantized(config: Config) -> bool:
    """Whether a layer's config says that its weights are quantized, or those of a layer that it wraps."""
    if mode_of(config):
        return True
    inside = (config.get(carrier) for carrier in CARRIERS)
    return any(
        quantized(one["config"]) for one in inside if isinstance(one, dict) and isinstance(one.get("config"), dict)
    )


def parts(layer: Layer) -> tuple[Part, ...]:
    """Every layer in or inside this one that Keras can quantize, with its mode (empty for those that are not)."""
    if (layer.module or "").partition(".")[0] != "keras" or layer.opaque:
        return ()
    return tuple(_parts(layer.class_name, layer.config, ""))


def _parts(class_name: str, config: Config, prefix: str) -> list[Part]:
    if class_name in QUANTIZABLE:
        return [Part(prefix, class_name, config, mode_of(config))]
    found = []
    for carrier in CARRIERS:
        inside = config.get(carrier)
        if isinstance(inside, dict) and isinstance(inside.get("config"), dict):
            found += _parts(str(inside.get("class_name")), inside["config"], f"{prefix}{carrier}/")
    return found


def source_policy(config: Config) -> str:
    """The float policy that a quantized one was made from."""
    dtype = config.get("dtype")
    fields = dtype.get("config") or {} if isinstance(dtype, dict) else {}
    if isinstance(dtype, str) and "_from_" in dtype:
        return dtype.partition("_from_")[2]
    return str(fields.get("source_name") or "float32")


def layout(part: Part, name: str, block: int, rows: int = 0) -> Layout:
    """How the array `name` of a quantized part lies."""
    mode = part.mode
    turned = mode in ("gptq", "awq")
    if part.class_name == "EinsumDense":
        if mode == "int8":
            return einsum_layout(str(part.config.get("equation")))
        reduced = einsum_layout(str(part.config.get("equation"))).reduced
        return Layout(
            reduced,
            _packed(part, 0 if turned else 1),
            True,
            squeeze=(0,),
            block=block,
            turned=turned,
            rows=rows,
            grouped=-1 if turned else 0,
        )
    if part.class_name == "Dense":
        return Layout(
            (0,),
            _packed(part, 0 if turned else 1),
            squeeze=(0,),
            block=block,
            turned=turned,
            grouped=-1 if turned else 0,
        )
    if name == "reverse_embeddings":
        return Layout((0,), _packed(part, 0), squeeze=(0,), block=block, grouped=0)
    return Layout((1,), _packed(part, 1), squeeze=(1,), block=block, grouped=-1)


def _packed(part: Part, axis: int) -> int | None:
    bits = policy_name(part.config).split("/")[1:2]
    packs = part.mode in ("int4", "awq") or (part.mode == "gptq" and bits == ["4"])
    return axis if packs else None


def einsum_layout(equation: str) -> Layout:
    """Axes of an EinsumDense kernel that share a scale, and how its scale is turned to lie like the output.

    From Keras's `_analyze_quantization_info`, which refuses equations with `...`.
    """
    _, kernel, out = labels(equation)
    reduced = tuple(axis for axis, label in enumerate(kernel) if label not in out)
    expand = [axis for axis, label in enumerate(out) if label not in kernel]
    transpose = [kernel.index(label) for label in out if label in kernel]
    squeeze = []
    index = 0
    for axis in reduced:
        if expand:
            index = expand.pop(0)
        else:
            squeeze.append(axis)
        transpose.insert(index, axis)
    return Layout(reduced, None, False, tuple(transpose), tuple(expand), tuple(squeeze))


def labels(equation: str) -> tuple[str, str, str]:
    """The labels of input, kernel and output."""
    given, kernel, out = re.split(",|->", equation.replace(" ", ""))
    return given, kernel, out


def block_size(config: Config) -> int:
    """How many rows share a scale (`int4/128`, `gptq/4/128`); -1: all of them."""
    last = policy_name(config).rpartition("/")[2].partition("_")[0]
    return int(last) if last.lstrip("-").isdigit() else -1


def float_shape(layer: Layer, part: Part, name: str, stored: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape that a quantized array has as floats; `None` where that cannot be read off the layer."""
    config = part.config
    if part.mode in ("int8", "float8"):
        return stored
    if family(part.class_name) == "embedding":
        shape = (int(config["input_dim"]), int(config["output_dim"]))
        return shape[::-1] if name == "reverse_embeddings" else shape
    turned = part.mode in ("gptq", "awq")
    rows = stored[1] if turned else stored[0]
    if part.class_name == "Dense":
        return rows, int(config["units"])
    return _einsum_shape(layer, part)


def _einsum_shape(layer: Layer, part: Part) -> tuple[int, ...] | None:
    given, kernel, out = labels(str(part.config.get("equation")))
    sizes: dict[str, int | None] = {}
    built = (layer.build_config or {}).get("input_shape")
    if built is None or part.prefix:
        return None
    sizes.update(zip(given, built, strict=False))
    asked = part.config.get("output_shape")
    asked = [asked] if isinstance(asked, int) else list(asked or ())
    sizes.update({label: size for label, size in zip(reversed(out), reversed(asked), strict=False) if size})
    found = tuple(sizes.get(label) for label in kernel)
    return None if None in found else found  # type: ignore[return-value]


def decoded(layer: Layer) -> tuple[Layer, tuple[str, ...]]:
    """The layer with floats for weights, made of its quantized arrays, and the names of arrays without further use.

    Weights whose shape as floats is not known stay as they are.
    """
    weights = {weight.name: weight for weight in layer.weights}
    gone: list[str] = []
    for part in parts(layer):
        if not part.mode:
            continue
        if part.mode == "float8":
            gone += [part.prefix + one for one in FLOAT8 if part.prefix + one in weights]
            continue
        for name in part.arrays:
            weight = weights.get(part.prefix + name)
            if weight is None or weight.decode is not None or not weight.dtype.startswith(("int", "uint")):
                continue
            made = _decoded(layer, part, name, weight, weights)
            if made is not None:
                weights[weight.name] = made
                further = (f"{name}_scale", f"{name}_zero", "zero_point", "awq_scales", "g_idx")
                gone += [part.prefix + one for one in further if part.prefix + one in weights]
    kept = tuple(weights[weight.name] for weight in layer.weights if weight.name not in gone)
    return (replace(layer, weights=kept), tuple(gone)) if gone else (layer, ())


FLOAT8 = (
    "inputs_scale",
    "inputs_amax_history",
    "kernel_scale",
    "kernel_amax_history",
    "outputs_grad_scale",
    "outputs_grad_amax_history",
)


def _complete(part: Part, weights: dict[str, Weight]) -> bool:
    """Whether scales, zeros and groups are there, and what they are called."""
    scale = weights[f"{part.prefix}kernel_scale"]
    zero = weights.get(f"{part.prefix}kernel_zero") or weights.get(f"{part.prefix}zero_point")
    return zero is not None and zero.shape == scale.shape and f"{part.prefix}g_idx" in weights


def _decoded(layer: Layer, part: Part, name: str, weight: Weight, weights: dict[str, Weight]) -> Weight | None:
    def key(*names: str) -> Any:
        return next((weights[part.prefix + one].source for one in names if part.prefix + one in weights), None)

    scale = key(f"{name}_scale")
    shape = float_shape(layer, part, name, weight.shape)
    if scale is None or shape is None:
        return None
    turned = part.mode in ("gptq", "awq")
    rows = weight.shape[1] if turned else weight.shape[0]
    zero = key(f"{name}_zero", "zero_point") if part.mode != "int8" else None
    # Keras 3.15 leaves the zeros of GPTQ and AWQ out of the file, and then no longer loads it
    if turned and not _complete(part, weights):
        return None
    rule = Dequantize(
        shape=shape,
        layout=layout(part, name, block_size(part.config), rows),
        scale=scale,
        zero=zero,
        groups=key("g_idx") if zero is not None else None,
        turned_by=key("awq_scales"),
    )
    return replace(weight, shape=shape, dtype="float32", trainable=True, decode=rule)


def encoded(layer: Layer, needed: Mapping[str, Weight], held: Mapping[str, Weight]) -> dict[str, tuple[str, Quantize]]:
    """For each array that has to be quantized now: the name of the array it is made of, and the rule that makes it."""
    found: dict[str, tuple[str, Quantize]] = {}
    for part in parts(layer):
        if part.mode not in ("int8", "int4"):
            continue
        for short in part.arrays:
            name = part.prefix + short
            need, have = needed.get(name), held.get(name)
            raw = have is not None and have.decode is None and have.dtype in ("int8", "uint8")
            if need is None or need.dtype != "int8" or raw:
                continue
            shape = need.unpacked or need.shape
            rules = layer.rules_for(name)
            if have is None and not any(rule.makes for rule in rules):
                rules = (Initialize(initializer=LAYER), *rules)  # Keras starts quantized layers with zeros
            decode = () if have is None or have.decode is None else (have.decode,)
            lies = layout(part, short, block_size(part.config))
            axes = axes_of(layer, name, have.shape if have is not None else shape)
            names = {short: "values", f"{short}_scale": "scale", f"{short}_zero": "zero", "g_idx": "groups"}
            for one, role in names.items():
                if part.prefix + one in needed:
                    rule = Quantize(
                        mode="int8" if part.mode == "int8" else "int4",
                        part=role,  # type: ignore[arg-type]
                        shape=shape,
                        layout=lies,
                        axes=axes,
                        of=name,
                        inner=(*decode, *rules),
                    )
                    found.setdefault(part.prefix + one, (name, rule))
    return found


def with_mode(class_name: str, config: Config, policy: str) -> Config:
    """The config with a quantized policy, on the layer itself or on what it wraps; the same object if on neither."""
    mode, _, block = policy.partition("/")
    if class_name in QUANTIZABLE:
        if mode == "float8" and "Embedding" in class_name:
            return config  # Keras has no such calls
        if mode != "float8" and "..." in str(config.get("equation", "")):
            return config  # Keras cannot: its own quantize raises
        fields: dict[str, Any] = {"mode": mode, "source_name": source_of(config)}
        kind = "QuantizedDTypePolicy"
        settings: dict[str, Any] = {"weight_quantizer": None, "activation_quantizer": None}
        if mode == "int4":
            size = int(block or DEFAULT_BLOCK)
            kind, fields["mode"], settings["block_size"] = "Int4DTypePolicy", f"int4/{size}", size
        elif mode == "float8":
            kind, fields["amax_history_length"], settings = "QuantizedFloat8DTypePolicy", 1024, {}
        else:
            largest = {"value_range": [-127, 127], "epsilon": 1e-07, "output_dtype": "int8"}
            settings["activation_quantizer"] = _entry("keras.quantizers", "AbsMaxQuantizer", largest)
        return {
            **config,
            "dtype": _entry("keras.dtype_policies", kind, fields),
            "quantization_config": _entry("keras.quantizers", f"{mode.capitalize()}QuantizationConfig", settings),
        }
    changed = {}
    for carrier in CARRIERS:
        inside = config.get(carrier)
        if isinstance(inside, dict) and isinstance(inside.get("config"), dict):
            new = with_mode(str(inside.get("class_name")), inside["config"], policy)
            if new is not inside["config"]:
                changed[carrier] = {**inside, "config": new}
    return {**config, **changed} if changed else config


def source_of(config: Config) -> str:
    """The float policy of a layer, quantized or not."""
    return source_policy(config) if mode_of(config) else policy_name(config) or "float32"


def _entry(module: str, class_name: str, config: Config) -> Config:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}

"""Kernels that a layer computes from several arrays, or keeps small while it is trained, as plain kernels.

WeightNormalization multiplies with `g v / |v|`. A layer with a low-rank update multiplies with `W + alpha / rank A B`.
SpectralNormalization divides its kernel by its norm while it is trained, and stores what it divided; a model that
answers uses the kernel as it is stored (`keras/src/layers/normalization/spectral_normalization.py`, and
`tensorflow_addons/layers/spectral_normalization.py`).
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.layers import table
from core.layers.known import LAYERS
from core.layers.weight_table import slots
from core.model.graph import Layer, Weight
from core.model.names import leaf
from core.phrases import shape_words
from core.rules.merged import LowRank, Merge, UnitColumns
from core.surgery.held import Fates, Unfoldable, part

Config = dict[str, Any]


_LORA = ("kernel", "embeddings")


_INITIAL = "data_dep_init"
"""Where tensorflow_addons keeps the copy of the layer that its first batch is normalized by."""


def foldable_kind(layer: Layer) -> str:
    """`WeightNormalization`, `SpectralNormalization`, `LoRA`, or nothing that folds."""
    for class_name, config, _ in _carried(layer):
        short = class_name.rpartition(">")[2]
        if short in ("WeightNormalization", "SpectralNormalization"):
            return short
        if config.get("lora_rank"):
            return "LoRA"
    return ""


class _Inner(Struct, frozen=True):
    """A wrapped layer's class and config."""

    class_name: str
    module: Any
    registered: Any
    config: Config


def _carried(layer: Layer) -> list[tuple[str, Config, str]]:
    """Class, config and prefix of a layer and, through TimeDistributed, of what it carries."""
    found = [(layer.class_name, layer.config, "")]
    if layer.class_name == "TimeDistributed" and layer.inner is None:
        inside = layer.config.get("layer")
        if isinstance(inside, dict) and isinstance(inside.get("config"), dict):
            found.append((str(inside.get("class_name")), inside["config"], "layer/"))
    return found


def plain(path: str, layer: Layer, fates: Fates, coded: dict[str, str]) -> Layer:
    """The layer with a plain kernel. `coded` are layers that a model's own code makes. Raises `Unfoldable`."""
    if path in coded:
        raise Unfoldable(f"it is created by the code of {coded[path]}")
    class_name, config, prefix = _carried(layer)[-1]
    kind = foldable_kind(layer)
    if kind == "LoRA":
        return _without_update(path, layer, config, prefix, fates)
    inside = config.get("layer")
    if not isinstance(inside, dict) or not isinstance(inside.get("config"), dict):
        raise Unfoldable("its config does not contain the layer that it wraps")
    inner = _Inner(
        str(inside.get("class_name")), inside.get("module"), inside.get("registered_name"), dict(inside["config"])
    )
    known = ("Addons>SpectralNormalization", "SpectralNormalization")
    if kind == "SpectralNormalization":
        if class_name not in known or (layer.opaque and class_name == known[1]):
            raise Unfoldable(f"it is not known what the code of {class_name} does with its kernel")
        if inner.class_name == "Embedding":  # the wrapper casts what its layer gives to the type of what it is given
            raise Unfoldable("Keras's SpectralNormalization casts the output of an Embedding to integers")
    weights = _renamed(path, layer, inner, prefix, kind, fates)
    return _unwrapped(layer, inner, prefix, weights)


def _unwrapped(layer: Layer, inner: _Inner, prefix: str, weights: tuple[Weight, ...]) -> Layer:
    config = {**inner.config, "name": layer.name if not prefix else inner.config.get("name", layer.name)}
    calls = tuple(replace(call, outputs=None) for call in layer.calls)
    if prefix:
        entry = {**layer.config["layer"], "class_name": inner.class_name, "module": inner.module, "config": config}
        entry = {**entry, "registered_name": inner.registered, "build_config": None}
        base = replace(layer, config={**layer.config, "layer": entry})
    else:
        config["trainable"] = layer.trainable
        base = replace(
            layer, class_name=inner.class_name, module=inner.module, registered_name=inner.registered, config=config
        )
    return replace(base, weights=weights, rules=(), opaque=False, build_config=None, history=None, calls=calls)


def _renamed(path: str, layer: Layer, inner: _Inner, prefix: str, kind: str, fates: Fates) -> tuple[Weight, ...]:
    """The arrays of the layer inside under the names that it has for them, the kernel made of its factors."""
    if inner.class_name not in LAYERS:
        raise Unfoldable(f"the code of {inner.class_name}, which it wraps, is not available")
    own = {leaf(weight.name): weight for weight in reversed(layer.weights) if _INITIAL not in weight.name}
    target = "recurrent_kernel" if table.row(inner.class_name).kind == "units" else "kernel"
    if kind == "WeightNormalization" and "v" in own:
        own[target] = own.pop("v")
    found = []
    for slot in slots(inner.class_name, inner.config):
        weight = own.get(slot.name.rpartition("/")[2])
        if weight is None or weight.source is None:
            raise Unfoldable(f"it has no array for the {slot.name} of the {inner.class_name} that it wraps")
        decode: Merge | None = weight.decode
        shape = fates[f"{path}/{weight.name}"].shape if f"{path}/{weight.name}" in fates else weight.shape
        if kind == "WeightNormalization" and slot.name.rpartition("/")[2] == target:
            if "g" not in own:
                raise Unfoldable("it has no array g with the lengths of its kernels")
            v, g = part(path, layer, weight.name, fates), part(path, layer, own["g"].name, fates)
            if v.shape[-1:] != g.shape:
                raise Unfoldable(
                    f"its g has the shape {shape_words(g.shape)} but its kernel has the shape {shape_words(v.shape)}"
                )
            decode = UnitColumns(shape=v.shape, direction=v, length=g)
        elif layer.rules_for(weight.name):
            raise Unfoldable(f"an earlier step changes its {slot.name}; put this fold before that step")
        found.append(
            replace(
                weight,
                name=prefix + slot.name,
                key=prefix + slot.key,
                shape=shape,
                decode=decode,
                trainable=slot.trainable,
            )
        )
    return tuple(found)


def _without_update(path: str, layer: Layer, config: Config, prefix: str, fates: Fates) -> Layer:
    """The layer without its low-rank update, which Keras's files hold as part of the kernel."""
    plain = {key: value for key, value in config.items() if key not in ("lora_rank", "lora_alpha")}
    if prefix:
        plain = {**layer.config, "layer": {**layer.config["layer"], "config": plain}}
    weights: list[Weight] = []
    by_name = {weight.name: weight for weight in layer.weights}
    for weight in layer.weights:
        if "lora_" in weight.name:
            continue
        short = weight.name.removeprefix(prefix)
        down, up = (by_name.get(f"{prefix}lora_{short}_{one}") for one in "ab")
        if short in _LORA and down is not None and up is not None and down.source is not None:
            rank = down.shape[-1]
            parts = {
                name: part(path, layer, one.name, fates)
                for name, one in (("kernel", weight), ("down", down), ("up", up))
            }
            scale = float(config.get("lora_alpha") or rank) / rank
            weight = replace(weight, decode=LowRank(shape=parts["kernel"].shape, scale=scale, **parts))
        weights.append(weight)
    calls = tuple(replace(call, outputs=None) for call in layer.calls)
    return replace(layer, config=plain, weights=tuple(weights), build_config=layer.build_config, calls=calls)


def unneeded(layer: Layer) -> list[str]:
    """Arrays that a plain layer has no use for."""
    kind = foldable_kind(layer)
    names = [weight.name for weight in layer.weights]
    if kind == "SpectralNormalization":
        return [name for name in names if name.rpartition("/")[2].startswith(("vector_u", "sn_u", "u"))]
    if kind == "WeightNormalization":
        return [name for name in names if _INITIAL in name or name.rpartition("/")[2].startswith("initialized")]
    return []

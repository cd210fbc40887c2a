"""Kernels that a layer computes from several arrays, or keeps small while it is trained, as plain kernels.

WeightNormalization multiplies with `g v / |v|`. A layer with a low-rank update multiplies with `W + alpha / rank A B`.
SpectralNormalization divides its kernel by its norm while it is trained, and stores what it divided; a model that
answers uses the kernel as it is stored (`keras/src/layers/normalization/spectral_normalization.py`, and
`tensorflow_addons/layers/spectral_normalization.py`).
"""

from typing import Any, ClassVar

from msgspec import Struct
from msgspec.structs import replace

from core.edits import contracts
from core.edits.base import Edit
from core.edits.choosing import ALL, chosen, named, refuse_named
from core.edits.held import Fates, Unfoldable, part
from core.edits.set_trainable import made_by_code
from core.errors import EditError
from core.findings import Finding
from core.graph import Graph, Layer, Weight
from core.plan import Contract
from core.rules.merged import LowRank, Merge, UnitColumns

Config = dict[str, Any]
_LORA = ("kernel", "embeddings")
_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"})
_INITIAL = "data_dep_init"
"""Where tensorflow_addons keeps the copy of the layer that its first batch is normalized by."""


class FoldWeights(Edit, frozen=True, kw_only=True, tag="fold_weights"):
    """`layers` are globs on layer paths (`*`: all). The layer inside a wrapper takes the wrapper's name and place."""

    wants_fates: ClassVar[bool] = True
    layers: tuple[str, ...] = ALL

    def check(self) -> None:
        """At least one glob."""
        if not self.layers:
            raise EditError('layers is empty; give layer paths, or globs such as "*".')

    def apply(self, graph: Graph, fates: Fates | None = None) -> Graph:
        """The graph with plain kernels. Raises `EditError` for a layer that is named and cannot be folded."""
        self.check()
        meant = self._chosen(graph)
        kept: dict[str, str] = {}
        gone: list[str] = []
        inside = made_by_code(graph)

        def change(path: str, layer: Layer) -> Layer:
            if path not in meant:
                return layer
            try:
                made = plain(path, layer, fates or {}, inside)
            except Unfoldable as why:
                kept[path] = why.reason
                return layer
            gone.append(path)
            return made

        after = graph.replace_layers(change)
        refuse_named(self.layers, kept, gone, "folded")
        return after

    def contracts(self, before: Graph, after: Graph) -> tuple[Contract, ...]:
        """The same kernels, so the same answers."""
        return (contracts.same_input("new(x) == old(x)", True),)

    def findings(self, before: Graph, after: Graph) -> tuple[Finding, ...]:
        """What stays, what is no longer needed, and what is known of code that is not here."""
        found = []
        now = dict(after.walk())
        for path in sorted(self._chosen(before)):
            layer, made = before.find(path), now[path]
            if made is layer or made.config == layer.config:
                text = f"{path} is not folded: its arrays do not match any {foldable_kind(layer)} that Suture knows."
                found.append(Finding("info", "adapt.lossy", path, text))
                continue
            dropped = _dropped(layer)
            if dropped:
                verb = "is" if len(dropped) == 1 else "are"
                names = ", ".join(dropped)
                use = _SERVES[foldable_kind(layer)]
                text = f"{path}: the plain kernel does not need {names} ({use}), which {verb} dropped."
                lines = "\n".join(f"{path}/{name}" for name in dropped)
                found.append(Finding("info", "weight.unmatched", path, text, detail=lines))
            found += assumed(path, layer)
        return tuple(found)

    def summary(self) -> str:
        """For the recipe list."""
        return "Fold weights into plain kernels" + named(self.layers)

    def _chosen(self, graph: Graph) -> set[str]:
        what = "layer with WeightNormalization, SpectralNormalization or a low-rank update"
        return chosen(foldable(graph), self.layers, what)


_SERVES = {
    "WeightNormalization": "used only at the start of training",
    "SpectralNormalization": "used only in training",
    "LoRA": "already part of the kernel",
}


def assumed(path: str, layer: Layer) -> list[Finding]:
    """What is only supposed of a WeightNormalization whose code is not here."""
    if not layer.opaque or layer.class_name.startswith("Addons>") or foldable_kind(layer) != "WeightNormalization":
        return []
    text = (
        f"{path} is assumed to be the usual WeightNormalization, g v / |v| over all axes but the last, because the "
        f"code of {layer.class_name} is not available. Compare some outputs with those of the old model."
    )
    return [Finding("warning", "code.custom", path, text)]


def foldable(graph: Graph) -> set[str]:
    """Paths of the layers whose kernels can be made plain ones."""
    return {path for path, layer in graph.walk() if foldable_kind(layer) in _SERVES}


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
    # imported here: readers know edits
    from core.readers.known import LAYERS
    from core.readers.names import leaf
    from core.readers.weight_table import slots

    if inner.class_name not in LAYERS:
        raise Unfoldable(f"the code of {inner.class_name}, which it wraps, is not available")
    own = {leaf(weight.name): weight for weight in reversed(layer.weights) if _INITIAL not in weight.name}
    target = "recurrent_kernel" if inner.class_name in _RECURRENT else "kernel"
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
                raise Unfoldable(f"its g has the shape {g.shape} but its kernel has the shape {v.shape}")
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


def _dropped(layer: Layer) -> list[str]:
    """Arrays that a plain layer has no use for."""
    kind = foldable_kind(layer)
    names = [weight.name for weight in layer.weights]
    if kind == "SpectralNormalization":
        return [name for name in names if name.rpartition("/")[2].startswith(("vector_u", "sn_u", "u"))]
    if kind == "WeightNormalization":
        return [name for name in names if _INITIAL in name or name.rpartition("/")[2].startswith("initialized")]
    return []

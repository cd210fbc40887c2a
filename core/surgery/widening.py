"""Net2Net widening: a convolution gets copies of its filters, and everything that meets them follows.

Chen et al. 2016, "Net2Net". A tensor is *wide* when its channel `j` is a copy of old channel `take[j]`. Whoever sums
over channels divides by the number of copies; whoever treats channels one by one repeats its numbers; whoever combines
tensors channel by channel (Add, Multiply) needs all of them wide, so their producers are widened too. A grouped
convolution sees runs of neighbouring channels, so copies are then arranged in as many blocks.
"""

from collections import deque
from math import lcm
from typing import Any

from msgspec.structs import replace

from core.errors import EditError
from core.layers.axes import axes_of, leaf_class
from core.layers.leaves import leaf, leaf_configured
from core.layers.table import classes
from core.model.graph import Graph, Layer, TensorRef, Weight
from core.model.levels import owner
from core.rules import FoldChannels, MapChannels, RepeatChannels, Rule, SliceFilters, WidenFilters
from core.rules.channels import ChannelRule
from core.stopping import checkpoint
from core.surgery.anatomy import CONVOLUTIONS, DEPTHWISE, MIXING
from core.surgery.recording import configured, record

Take = tuple[int, ...]
_TOGETHER = classes(kind="together") | {"Divide", "TrueDivide"}
_ALONE = (
    classes(acts=("number", "channel", "map")) - classes(family="augmentation") - {"LayerScale", "Normalization"}
) | {"Silu", "Relu", "Relu6", "HardSigmoid", "HardSwish", "HardSilu", "Gelu", "Tanh", "Sigmoid"}
_PRODUCERS = CONVOLUTIONS | {"Dense"}


def widen(graph: Graph, path: str, old: int, filters: int) -> Graph:
    """The graph with the layer at `path` at `filters` instead of `old` filters and all that follows from it.

    Raises `EditError` with the layer that cannot follow.
    """
    if filters < old:
        raise EditError(f"widen cannot reduce {path} from {old} to {filters} filters.")
    blocks = 1
    while True:
        try:
            return _Widening(graph, _blocked(old, filters, blocks), path, old, blocks).run()
        except _Grouped as met:
            # Groups see neighbouring channels, so copies stay among their own: arranged in blocks, and from the start.
            blocks = lcm(blocks, met.groups)
            if old % blocks or filters % blocks:
                way = "use" if old % blocks else f"take a multiple of {blocks}, or"
                raise EditError(
                    f"{met.path} has {met.groups} groups of channels, into which {filters} filters do not divide; "
                    f"{way} the filters rule project."
                ) from None


def _blocked(old: int, filters: int, blocks: int) -> Take:
    """Where each new channel comes from: copies in turn, inside each of `blocks` runs of neighbours."""
    size, wide = old // blocks, filters // blocks
    return tuple(block * size + place % size for block in range(blocks) for place in range(wide))


class _Grouped(Exception):
    """A run met a grouped convolution, and must begin again with copies among neighbours."""

    def __init__(self, path: str, groups: int) -> None:
        super().__init__(path, groups)
        self.path = path
        self.groups = groups


class _Widening:
    """One run: which tensors are wide, and what still has to be settled."""

    def __init__(self, graph: Graph, take: Take, path: str, old: int, blocks: int = 1) -> None:
        self.graph = graph
        self.start = path
        self.old = old
        self.blocks = blocks
        self.first = leaf(graph.find(path)).config.get("data_format") == "channels_first"
        self.wide: dict[tuple[str, TensorRef], Take] = {}
        self.queue: deque[tuple[str, TensorRef]] = deque()
        self.changed: dict[str, Layer] = {}
        self.levels: dict[str, Graph] = {}
        prefix, level = owner(graph, path)
        for number in range(len(level.layer(graph.find(path).name).calls)):
            self.mark(prefix, TensorRef(graph.find(path).name, number), take)

    def run(self) -> Graph:
        while self.queue:
            checkpoint()
            prefix, ref = self.queue.popleft()
            self.produce(prefix, ref)
            self.consume(prefix, ref)
        graph = self.graph
        # a wrapper around a model keeps the model, in which other layers may have changed
        fresh = {path: replace(layer, inner=graph.find(path).inner) for path, layer in self.changed.items()}
        return graph.with_layers(fresh)

    def level(self, prefix: str) -> Graph:
        if prefix not in self.levels:
            inner = self.graph.find(prefix[:-1]).inner if prefix else self.graph
            assert inner is not None
            self.levels[prefix] = inner
        return self.levels[prefix]

    def mark(self, prefix: str, ref: TensorRef, take: Take) -> None:
        known = self.wide.get((prefix, ref))
        if known is None:
            self.wide[prefix, ref] = take
            self.queue.append((prefix, ref))
        elif known != take:
            raise EditError(f"{prefix}{ref.layer} would need its channels copied in two different ways.")

    def channels(self, prefix: str, ref: TensorRef) -> int | None:
        shape = self.level(prefix).spec(ref).shape
        if not shape:
            return None
        return shape[1] if self.first and len(shape) > 2 else shape[-1]

    def axis(self, prefix: str, ref: TensorRef) -> int | None:
        shape = self.level(prefix).spec(ref).shape
        return None if not shape else 1 if self.first else len(shape) - 1

    def produce(self, prefix: str, ref: TensorRef) -> None:
        """Whatever makes this tensor must make it wide."""
        level = self.level(prefix)
        layer, take = level.layer(ref.layer), self.wide[prefix, ref]
        path = prefix + layer.name
        class_name = leaf_class(layer)[0]
        if layer.is_model and layer.inner is not None:
            self.mark(f"{path}/", layer.inner.output_refs()[ref.output], take)
            return
        if layer.is_input:
            self._outside(prefix, layer, take)
            return
        if class_name in _PRODUCERS:
            self._filters(path, take)
        elif class_name in _TOGETHER:
            self._together(prefix, layer, ref.call, take)
        elif class_name in DEPTHWISE:
            multiplier = int(layer.config.get("depth_multiplier", 1))
            self.mark(prefix, self._only(layer, ref.call), tuple(one // multiplier for one in take[::multiplier]))
        elif class_name in ("Concatenate", "Flatten", "Reshape"):
            if not any((prefix, one) in self.wide for one in layer.calls[ref.call].inputs()):
                raise EditError(
                    f"{path} ({class_name}) would have to pass on copied channels; use the filters rule project."
                )
        elif self._alone(layer, take):
            self.mark(prefix, self._only(layer, ref.call), take)
        else:
            raise EditError(f"{path} ({class_name}) cannot follow wider channels; use the filters rule project.")
        for number in range(len(layer.calls)):
            if class_name in _PRODUCERS:
                self.mark(prefix, TensorRef(layer.name, number, ref.output), take)

    def consume(self, prefix: str, ref: TensorRef) -> None:
        """Whoever takes this tensor must take it wide."""
        level = self.level(prefix)
        take = self.wide[prefix, ref]
        if ref in level.output_refs():
            if not prefix:
                raise EditError(
                    f"{ref.layer} is an output of the model; its width cannot change; use the filters rule project."
                )
            above, outer = owner(self.graph, prefix[:-1])
            model = outer.layer(prefix[len(above) : -1])
            self.level(above)
            for number in range(len(model.calls)):
                for position, out in enumerate(level.output_refs()):
                    if out == ref:
                        self.mark(above, TensorRef(model.name, number, position), take)
        for name, number in level.consumers().get(ref, ()):
            self._consumer(prefix, level.layer(name), number, ref, take)

    def _consumer(self, prefix: str, layer: Layer, number: int, ref: TensorRef, take: Take) -> None:
        path = prefix + layer.name
        class_name = leaf_class(layer)[0]
        here = TensorRef(layer.name, number)
        if layer.is_model and layer.inner is not None:
            ports = layer.inner.input_refs()
            for port, given in zip(ports, layer.calls[number].inputs(), strict=False):
                if given == ref:
                    self.mark(f"{path}/", port, take)
            return
        if class_name in MIXING and layer.inner is None:
            self._all_calls(prefix, layer, take)
            self._summed(path, take)
        elif class_name in _TOGETHER:
            self._together(prefix, layer, number, take)
            self.mark(prefix, here, take)
        elif class_name in DEPTHWISE:
            multiplier = int(layer.config.get("depth_multiplier", 1))
            self._vectors(path, take, multiplier)
            self.mark(prefix, here, tuple(one * multiplier + k for one in take for k in range(multiplier)))
        elif class_name == "Concatenate":
            self.mark(prefix, here, self._concatenated(prefix, layer, number))
        elif class_name == "Flatten":
            self.mark(prefix, here, self._flattened(prefix, ref, take))
        elif class_name == "Reshape":
            self._reshaped(path, take)
            self.mark(prefix, here, take)
        elif self._alone(layer, take):
            self._all_calls(prefix, layer, take)
            self._vectors(path, take)
            self.mark(prefix, here, take)
        else:
            raise EditError(f"{path} ({class_name}) cannot follow wider channels; use the filters rule project.")

    def _alone(self, layer: Layer, take: Take) -> bool:
        """Whether a layer treats channels one by one, or (LayerNormalization) does not feel whole copies."""
        class_name = leaf_class(layer)[0]
        if class_name == "LayerNormalization":
            return len({take.count(one) for one in take}) == 1
        if class_name == "Activation" and layer.config.get("activation") in ("softmax", "log_softmax"):
            return False
        return not layer.opaque and class_name in _ALONE

    def _only(self, layer: Layer, number: int) -> TensorRef:
        return layer.calls[number].inputs()[0]

    def _outside(self, prefix: str, layer: Layer, take: Take) -> None:
        """A nested model's input is made outside, by every call of the model."""
        if not prefix:
            raise EditError(f"The input {layer.name} would need copied channels; use the filters rule project.")
        above, outer = owner(self.graph, prefix[:-1])
        model = outer.layer(prefix[len(above) : -1])
        inner = self.level(prefix)
        position = [ref.layer for ref in inner.input_refs()].index(layer.name)
        self.level(above)
        for call in model.calls:
            self.mark(above, call.inputs()[position], take)

    def _together(self, prefix: str, layer: Layer, number: int, take: Take) -> None:
        for one in layer.calls[number].inputs():
            count = self.channels(prefix, one)
            if count == 1 and len(set(take)) != 1:
                continue  # broadcast over the channels
            if count is None:
                raise EditError(f"The input width of {prefix}{layer.name} is unknown; use the filters rule project.")
            self.mark(prefix, one, take)

    def _all_calls(self, prefix: str, layer: Layer, take: Take) -> None:
        """A shared layer's weights follow for all its calls or for none."""
        for call in layer.calls:
            for one in call.inputs()[:1]:
                self.mark(prefix, one, take)

    def _concatenated(self, prefix: str, layer: Layer, number: int) -> Take:
        inputs = layer.calls[number].inputs()
        axis = layer.config.get("axis", -1)
        rank = len(self.level(prefix).spec(inputs[0]).shape or ())
        if axis % max(rank, 1) != (self.axis(prefix, inputs[0]) if rank else 0):
            take = next(self.wide[prefix, one] for one in inputs if (prefix, one) in self.wide)
            for one in inputs:
                self.mark(prefix, one, take)
            return take
        result: list[int] = []
        offset = 0
        for one in inputs:
            count = self.channels(prefix, one)
            if count is None:
                raise EditError(f"The input width of {prefix}{layer.name} is unknown; use the filters rule project.")
            result += [offset + source for source in self.wide.get((prefix, one), tuple(range(count)))]
            offset += count
        return tuple(result)

    def _flattened(self, prefix: str, ref: TensorRef, take: Take) -> Take:
        shape = self.level(prefix).spec(ref).shape
        if shape is None or any(size is None for size in shape[1:]):
            raise EditError(f"{prefix}{ref.layer} is flattened at an unknown size; use the filters rule project.")
        sizes = [int(size or 0) for size in shape[1:]]
        old = sizes[0] if self.first else sizes[-1]
        places = 1
        for size in sizes[1:] if self.first else sizes[:-1]:
            places *= size
        if self.first:
            return tuple(one * places + place for one in take for place in range(places))
        return tuple(place * old + one for place in range(places) for one in take)

    def _reshaped(self, path: str, take: Take) -> None:
        layer = self.changed.get(path, self.graph.find(path))
        target = list(layer.config.get("target_shape", ()))
        at = 0 if self.first else len(target) - 1
        others = [size for place, size in enumerate(target) if place != at]
        if not target or any(size != 1 for size in others):
            raise EditError(f"{path} (Reshape) mixes channels with positions; use the filters rule project.")
        target[at] = len(take)
        self.changed[path] = configured(layer, target_shape=target)

    def _filters(self, path: str, take: Take) -> None:
        layer = self.changed.get(path, self.graph.find(path))
        inside = leaf(layer)
        field = "units" if inside.class_name == "Dense" else "filters"
        groups = int(inside.config.get("groups") or 1)
        if groups > 1:
            old = self.old if path == self.start else int(leaf(self.graph.find(path)).config[field])
            self._grouped(path, take, old, groups)
        if inside.config.get("activation") in ("softmax", "log_softmax"):
            raise EditError(
                f"{path} ends in softmax, which normalizes over all channels; use the filters rule project."
            )
        if inside.config.get(field) == len(take) and path != self.start:
            return
        layer = leaf_configured(layer, **{field: len(take)})
        for weight in layer.weights:
            axes = axes_of(layer, weight.name, weight.shape)
            if axes.filters is not None:
                layer = record(layer, weight.name, _copies(path, self.graph.find(path), weight, axes.filters, take))
        self.changed[path] = layer

    def _summed(self, path: str, take: Take) -> None:
        layer = self.changed.get(path, self.graph.find(path))
        groups = int(leaf(layer).config.get("groups") or 1)
        if groups > 1:
            old = next(weight.shape[-2] for weight in layer.weights if weight.name.endswith("kernel")) * groups
            take = self._grouped(path, take, old, groups)
        multiplier = int(leaf_class(layer)[1].get("depth_multiplier", 1) or 1)
        for weight in layer.weights:
            axes = axes_of(layer, weight.name, weight.shape)
            if axes.channels is None or axes.kind not in ("kernel", "depthwise"):
                continue
            wide = take
            if weight.name.endswith("pointwise_kernel") and multiplier > 1:
                wide = tuple(one * multiplier + k for one in take for k in range(multiplier))
            layer = record(layer, weight.name, _shares(path, self.graph.find(path), weight, axes.channels, wide))
        self.changed[path] = layer

    def _grouped(self, path: str, take: Take, old: int, groups: int) -> Take:
        """Where each channel of a group comes from inside the group, if that is the same for all groups."""
        size, wide = old // groups, len(take) // groups
        parts = {
            tuple(one - group * size for one in take[group * wide : (group + 1) * wide]) for group in range(groups)
        }
        inside = next(iter(parts))
        if len(take) % groups or len(parts) > 1 or set(inside) != set(range(size)):
            if self.blocks % groups:
                raise _Grouped(path, groups)
            raise EditError(
                f"{path} is a grouped convolution whose groups would get different channels; use the filters "
                "rule project."
            )
        return inside

    def _vectors(self, path: str, take: Take, multiplier: int = 1) -> None:
        layer = self.changed.get(path, self.graph.find(path))
        for weight in layer.weights:
            axes = axes_of(layer, weight.name, weight.shape)
            if weight.name.rpartition("/")[2] == "bias" and multiplier >= 1 and axes.filters is not None:
                wide = tuple(one * multiplier + k for one in take for k in range(multiplier))
                layer = record(layer, weight.name, _copies(path, self.graph.find(path), weight, axes.filters, wide))
            elif axes.channels is not None and weight.shape[axes.channels] > 1:
                layer = record(layer, weight.name, _shares(path, self.graph.find(path), weight, axes.channels, take))
        fields: dict[str, Any] = {}
        for key in ("scale", "offset"):
            value = layer.config.get(key)
            if layer.class_name == "Rescaling" and isinstance(value, (list, tuple)):
                fields[key] = [value[one] for one in take]
        self.changed[path] = configured(layer, **fields) if fields else layer


def _copies(path: str, layer: Layer, weight: Weight, axis: int, take: Take) -> Rule:
    """Copies of the filters that are there now, said of the source's: an earlier step may have chosen among those."""
    source = weight.shape[axis]
    for rule in layer.rules_for(weight.name):
        if rule.owns not in ("filters", "all") and not (rule.owns == "channels" and len(weight.shape) == 1):
            continue
        kept = rule.keep if isinstance(rule, SliceFilters) else None
        known: tuple[int | None, ...] | None = kept
        known = tuple(number % source for number in range(max(take) + 1)) if rule.name == "widen" else known
        known = tuple(range(source)) if known is None and rule.name in ("slice", "project") else known
        if known is None or max(take) >= len(known) or None in known:
            raise EditError(
                f"An earlier step gave {path} new filters that cannot be copied; set the number of filters in one step."
            )
        take = tuple(known[one] or 0 for one in take)
    groups = axes_of(layer, weight.name, weight.shape).groups
    return WidenFilters() if groups == 1 and _cyclic(take, source) else SliceFilters(keep=take)


def _shares(path: str, layer: Layer, weight: Weight, axis: int, take: Take) -> Rule:
    """What the copies of a channel share, said of the source's channels as above."""
    source = weight.shape[axis]
    earlier = [rule for rule in layer.rules_for(weight.name) if rule.owns in ("channels", "all")]
    if not earlier:
        return RepeatChannels(source=source) if _cyclic(take, source) else MapChannels(take=take, source=source)
    rule, now = earlier[-1], max(take) + 1
    plain = isinstance(rule, ChannelRule) and rule.inner == 1 and rule.source in (None, source)
    if not plain or any(isinstance(one, FoldChannels) for one in getattr(rule, "rules", (rule,))):
        raise EditError(
            f"An earlier step changed the channels of {path}, so they cannot be copied; widen before that step."
        )
    rows = MapChannels(take=take).matrix(len(take), now) @ rule.matrix(now, source)
    return MapChannels(matrix_rows=tuple(tuple(map(float, row)) for row in rows), source=source)


def _cyclic(take: Take, old: int) -> bool:
    return take == tuple(number % old for number in range(len(take)))

"""Another number of input channels, written onto every layer that the channels reach before they mix."""

from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.edits.anatomy import Site, Trace
from core.edits.quantized import decoded
from core.edits.recording import configured, forget, record
from core.errors import EditError, RuleError
from core.graph import Call, Graph, Layer
from core.rules import AnyRule, FoldChannels, RegroupChannels, RepeatChannels, SumChannels
from core.rules.axes import axes_of, leaf_class
from core.rules.channels import ChannelRule
from core.rules.composed import ComposedChannels

_STATISTICS = {"mean": "mean", "variance": "variance", "scale": "scale", "offset": "shift"}
_FOLDABLE = frozenset({"Conv1D", "Conv2D", "Conv3D", "Dense", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"})


class Change(Struct, frozen=True):
    """From `old` channels to `new` by `rule`; `exact` says whether the rule's contract holds to the last bit.

    `now` channels are there before this edit, which its contract and `matrix` speak of; after another change that
    is not `old`, the source's number, which the rule is about.
    """

    old: int
    now: int
    new: int
    rule: ChannelRule
    exact: bool
    contract: str
    matrix: list[list[float]]


def choose(trace: Trace, old: int, new: int, wanted: str | AnyRule) -> ChannelRule:
    """The rule for these channels. `auto`: known mean and std before the layer `fold`, 1 channel `sum`, else `repeat`.

    Raises `EditError` when the wanted rule has no meaning here.
    """
    steps = next((site.state.steps for site in trace.mixing() if foldable(site)), ())
    if wanted == "auto":
        if new != old and steps:
            return FoldChannels(steps=steps)
        return SumChannels() if new == 1 else RepeatChannels()
    if isinstance(wanted, str):
        from core.rules import parse_rule

        try:
            wanted = parse_rule(wanted)
        except RuleError as error:
            raise EditError(error.message) from error
    if not isinstance(wanted, ChannelRule):
        raise EditError(f"{wanted.name} is no rule for channels; use auto, fold, sum, mean, repeat, zero_extra or map.")
    if isinstance(wanted, FoldChannels) and not wanted.steps:
        known = next((site.state.steps for site in trace.mixing() if site.state.steps), ())
        if not known:
            raise EditError("fold needs a known mean and standard deviation before the first layer; there are none.")
        wanted = replace(wanted, steps=known)
    try:
        wanted.matrix(new, old)
    except RuleError as error:
        raise EditError(error.message) from error
    return wanted


def foldable(site: Site) -> bool:
    """Whether per-channel statistics before this layer are known and can become part of it."""
    state = site.state
    simple = leaf_class(site.layer)[0] in _FOLDABLE and int(site.layer.config.get("groups") or 1) == 1
    return simple and state.linear and any(step.per_channel() for step in state.steps)


def describe(trace: Trace, old: int, new: int, rule: ChannelRule) -> Change:
    """The change with its contract. The contract is exact where statistics do not differ or travel unmixed."""
    matrix = rule.matrix(new, old)
    gain = bool(np.allclose(matrix.sum(axis=0), 1.0))
    picks = rule.picks(new, old)[np.any(matrix != 0, axis=1)]
    one_hot = bool(np.all((picks == 0) | (picks == 1)))
    exact = not trace.blocked()
    for site in trace.sites:
        class_name = leaf_class(site.layer)[0]
        state = site.state
        differing = any(step.per_channel() for step in state.steps) or not state.linear
        if site.role == "depthwise" or class_name.startswith("SeparableConv"):
            exact = exact and ((new >= old and one_hot) or regroups(site, new, rule))
        elif site.role == "vector" and class_name in ("LayerNormalization", "RMSNormalization"):
            exact = False
        elif site.role == "mixing" and differing and not (new >= old and one_hot):
            folded = isinstance(rule, FoldChannels) and foldable(site)
            exact = exact and folded and covered(site)
    mapping = [[float(value) for value in row] for row in matrix]
    kind = "old_bands" if rule.name == "zero_extra" else "mapped" if rule.name == "map" else "gray"
    if kind == "gray" or (kind == "mapped" and any(site.state.steps for site in trace.mixing())):
        exact = exact and gain
    return Change(old, old, new, rule, exact, kind, mapping)


def covered(site: Site) -> bool:
    """Whether the kernel never reaches outside the image, so that a shifted bias is right everywhere."""
    inside = leaf_class(site.layer)[0] == "Dense" or site.layer.config.get("padding") == "valid"
    return inside and not site.state.padded


def apply_change(graph: Graph, trace: Trace, change: Change) -> Graph:
    """The graph with the rule recorded and per-channel constants mapped on every site."""
    for site in trace.sites:
        layer = graph.find(site.path)
        if site.role == "constants":
            layer = _constants(layer, change)
        elif site.role == "vector":
            layer = _vectors(layer, site, change)
        elif site.role in ("mixing", "depthwise"):
            layer = _kernels(layer, site, change)
        graph = graph.with_layer(site.path, layer)
    return graph


def picked(values: Any, kind: str, change: Change) -> Any:
    """Per-channel numbers (nested lists with channels last) mapped to the new channels; anything else unchanged."""
    serialised = isinstance(values, dict)
    raw = values.get("config", {}).get("value") if serialised else values
    if not isinstance(raw, (list, tuple)):
        return values
    array = np.asarray(raw, dtype=np.float64)
    if array.shape[-1] != change.old:
        return values
    weights = change.rule.picks(change.new, change.old)
    mapped = (np.sqrt(np.maximum(array, 0.0)) @ weights.T) ** 2 if kind == "variance" else array @ weights.T
    if serialised:
        return {**values, "config": {**values["config"], "value": mapped.tolist()}}
    return mapped.tolist()


def _constants(layer: Layer, change: Change) -> Layer:
    if not layer.is_operation:
        fields = {
            key: picked(layer.config[key], kind, change) for key, kind in _STATISTICS.items() if key in layer.config
        }
        return configured(layer, **fields)
    calls = tuple(_operands(call, change) for call in layer.calls)
    return replace(layer, calls=calls)


def _operands(call: Call, change: Change) -> Call:
    args = tuple(picked(value, "scale", change) for value in call.args)
    kwargs = {key: picked(value, "scale", change) for key, value in call.kwargs.items()}
    return replace(call, args=args, kwargs=kwargs)


def _vectors(layer: Layer, site: Site, change: Change) -> Layer:
    if layer.class_name == "Normalization" and layer.config.get("mean") is not None:
        layer = _constants(layer, change)
    for weight in layer.weights:
        axes = axes_of(layer, weight.name, weight.shape)
        if axes.kind in ("scale", "shift", "mean", "variance"):
            layer = _recorded(layer, weight.name, weight.shape, axes.channels, site.state.inner, change)
    return layer


def _recorded(layer: Layer, weight: str, shape: tuple[int, ...], axis: int | None, inner: int, change: Change) -> Layer:
    """The rule recorded for one weight, with how many channels the source's axis holds."""
    if axis is None:
        return layer
    source, rest = _source_channels(shape[axis], inner, change)
    if rest:
        return layer
    rule = replace(change.rule, source=source, inner=inner)
    if source == change.new and not rule.always and rule.name != "mean":
        return forget(layer, weight, "channels")
    return record(layer, weight, rule)


def _source_channels(size: int, inner: int, change: Change) -> tuple[int, int]:
    """How many channels the source's axis holds, and whether it does not divide."""
    return size // inner if size % inner == 0 else 0, size % inner


def _kernels(layer: Layer, site: Site, change: Change) -> Layer:
    class_name, config = leaf_class(layer)
    if class_name.startswith("SeparableConv") and site.state.flat is None:
        layer = _separable(layer, site, change)
        config = layer.config
        if layer.rules_for("depthwise_kernel")[:1] == (RegroupChannels(),):
            return layer
    groups = int(config.get("groups") or 1)
    if groups > 1:
        return _grouped(layer, site, change, groups)
    rule = _rule_at(site, change)
    inner = site.state.inner
    # of quantized numbers the plan says that they have to become floats first; the rule is then about those
    for weight in decoded(layer)[0].weights:
        name = weight.name.rpartition("/")[2]
        axes = axes_of(layer, weight.name, weight.shape)
        if axes.channels is None or axes.kind not in ("kernel", "depthwise", "shift"):
            continue
        multiplied = name == "pointwise_kernel" or axes.kind == "shift"
        factor = inner * int(config.get("depth_multiplier", 1)) if multiplied else inner
        one = replace(change, rule=rule)
        if site.state.flat is not None:
            layer = _flat(layer, weight.name, weight.shape[axes.channels], site, one)
        else:
            layer = _recorded(layer, weight.name, weight.shape, axes.channels, factor, one)
    if class_name in _FOLDABLE and _shifts(rule, change):
        made = replace(rule, source=change.old)
        layer = _shifted_bias(layer, replace(made, new=change.new) if isinstance(made, FoldChannels) else made)
    return layer


def _shifts(rule: ChannelRule, change: Change) -> bool:
    """Whether the bias takes something: where channels of different statistics become one."""
    if isinstance(rule, ComposedChannels):
        steps = zip(rule.rules, rule.through, rule.through[1:], strict=False)
        return any(isinstance(one, FoldChannels) and after < before for one, before, after in steps)
    return isinstance(rule, FoldChannels) and change.new < change.old


def _separable(layer: Layer, site: Site, change: Change) -> Layer:
    """A separable convolution of one channel: every old depthwise filter reads it, so that nothing is lost.

    The multiplier grows by the number of old channels and the pointwise kernel stays as it is; exact for gray.
    """
    kernel = next((one for one in layer.weights if one.name == "depthwise_kernel"), None)
    if kernel is None:
        return layer
    channels, multiplier = kernel.shape[-2:]
    if not regroups(site, change.new, change.rule):
        layer = configured(layer, depth_multiplier=multiplier)
        return forget(layer, "depthwise_kernel", "all")
    layer = forget(layer, "pointwise_kernel", "channels")
    return record(configured(layer, depth_multiplier=channels * multiplier), "depthwise_kernel", RegroupChannels())


def regroups(site: Site, new: int, rule: ChannelRule) -> bool:
    """Whether a separable convolution can read its one channel with every old depthwise filter."""
    state = site.state
    plain = state.linear and state.inner == 1 and not any(step.per_channel() for step in state.steps)
    return new == 1 and plain and rule.name == "sum" and leaf_class(site.layer)[0].startswith("SeparableConv")


def _rule_at(site: Site, change: Change) -> ChannelRule:
    """The rule with this layer's own statistics; where it cannot fold, plain sum or repeat."""
    if isinstance(change.rule, ComposedChannels):
        if foldable(site):
            return replace(change.rule, steps=site.state.steps)
        parts = zip(change.rule.rules, change.rule.through[1:], strict=True)
        return replace(change.rule, rules=tuple(_plain(rule, new) for rule, new in parts))
    if not isinstance(change.rule, FoldChannels) or site.role == "depthwise":
        return change.rule
    if foldable(site):
        return replace(change.rule, steps=site.state.steps)
    return _plain(change.rule, change.new)


def _plain(rule: ChannelRule, new: int) -> ChannelRule:
    """What `fold` is where nothing can be folded."""
    if not isinstance(rule, FoldChannels):
        return rule
    return SumChannels() if new == 1 else RepeatChannels()


def _shifted_bias(layer: Layer, rule: ChannelRule) -> Layer:
    if not layer.config.get("use_bias", True):
        layer = configured(layer, use_bias=True)
    return layer.with_rules("bias", (rule,))


def _flat(layer: Layer, weight: str, size: int, site: Site, change: Change) -> Layer:
    """A Dense after Flatten of the raw input: channels alternate inside the axis, or lie in blocks (channels first)."""
    if size % change.old:
        return layer
    shape = site.state.flat or ()
    first = bool(shape) and shape[0] == change.now and shape[-1] != change.now and len(shape) > 2
    inner = size // change.old if first else 1
    return record(layer, weight, replace(change.rule, source=change.old, inner=inner))


def _grouped(layer: Layer, site: Site, change: Change, groups: int) -> Layer:
    """A grouped convolution: every group sees its own channels, so the numbers must divide, or all see the only one."""
    rule = SumChannels() if change.new == 1 else RepeatChannels()
    plain = rule if isinstance(change.rule, FoldChannels) else change.rule
    if change.new == 1:
        layer = configured(layer, groups=1)
    elif change.new % groups:
        raise EditError(
            f"{site.path} has {groups} groups of channels; {change.new} channels do not divide into them, "
            "take a multiple or 1."
        )
    for weight in layer.weights:
        axes = axes_of(layer, weight.name, weight.shape)
        if axes.channels is not None and axes.kind == "kernel":
            layer = record(layer, weight.name, replace(plain, source=weight.shape[axes.channels]))
    return layer

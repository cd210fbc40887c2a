"""Another number of input channels, written onto every layer that the channels reach before they mix."""

from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.errors import EditError, RuleError
from core.layers import channel_ops, table
from core.layers.axes import axes_of, leaf_class
from core.layers.leaves import leaf, leaf_configured, steps
from core.model.graph import Call, Graph, Layer
from core.rules import AnyRule, FoldChannels, RegroupChannels, RepeatChannels, SumChannels
from core.rules.channels import ChannelRule
from core.rules.composed import ComposedChannels
from core.surgery.anatomy import Site, Trace
from core.surgery.following import regular_whole
from core.surgery.lanes import Blocks, grown, mapped, multiplied, placed, single, width
from core.surgery.quantized import decoded
from core.surgery.recording import configured, forget, record

_STATISTICS = {"mean": "mean", "variance": "variance", "scale": "scale", "offset": "shift"}
ACROSS = table.classes(kind="sample")
"""Layers that normalize over the channels."""
_PARTS = frozenset({"Split", "Unstack"})
"""Operations that hand out channels part by part."""
_FOLDABLE = table.classes(family="convolution", kind="plain") | {"Dense"}
"""Layers of which every output meets all taps inside the map: a transposed convolution's meet some of them each."""


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
        raise EditError(
            f"{wanted.name} is not a rule for channels; use auto, fold, sum, mean, repeat, zero_extra or map."
        )
    if isinstance(wanted, FoldChannels) and not wanted.steps:
        known = next((site.state.steps for site in trace.mixing() if site.state.known and site.state.steps), ())
        if not known:
            raise EditError(
                "fold needs a known mean and standard deviation before the first layer, and there are none."
            )
        wanted = replace(wanted, steps=known)
    try:
        wanted.matrix(new, old)
    except RuleError as error:
        raise EditError(error.message) from error
    return wanted


def foldable(site: Site) -> bool:
    """Whether per-channel statistics before this layer are known and can become part of it."""
    state = site.state
    return leaf_class(site.layer)[0] in _FOLDABLE and state.known and any(step.per_channel() for step in state.steps)


def describe(trace: Trace, old: int, new: int, rule: ChannelRule) -> Change:
    """The change with its contract, which is exact where every layer on the way keeps it."""
    matrix = rule.matrix(new, old)
    mapping = [[float(value) for value in row] for row in matrix]
    kind = "old_bands" if rule.name == "zero_extra" else "mapped" if rule.name == "map" else "gray"
    change = Change(old, old, new, rule, True, kind, mapping)
    gain = kind != "gray" or not trace.mixing() or bool(np.allclose(matrix.sum(axis=0), 1.0))
    exact = gain and not trace.outputs and all(kept(site, change) for site in trace.sites)
    return replace(change, exact=exact)


def kept(site: Site, change: Change) -> bool:
    """Whether a layer gives what the contract says (or leaves it to those behind), whatever the numbers are."""
    state, class_name = site.state, leaf_class(site.layer)[0]
    if site.role == "blocked" or class_name in ACROSS:
        return False
    if site.role == "reduced":
        return change.contract == "gray" and state.alike
    if site.role == "picked":
        return _still_there(site, change)
    if site.role == "mixing" and table.row(class_name).kind == "separable":
        return regroups(site, change.new, change.rule) or (_one_each(change) and _mapped_alike(site, change))
    if site.role != "mixing":
        return True
    if state.alike or _one_each(change):
        return _mapped_alike(site, change)
    return isinstance(change.rule, FoldChannels) and foldable(site) and covered(site)


def _one_each(change: Change) -> bool:
    """Whether every new channel that weighs anything is one channel of the source, with its own statistics."""
    weighs = np.any(change.rule.matrix(change.new, change.old) != 0, axis=1)
    picks = change.rule.picks(change.new, change.old)[weighs]
    return bool(np.all((picks == 0) | (picks == 1)))


def _mapped_alike(site: Site, change: Change) -> bool:
    """Whether what is done to channels one by one may as well be done before they are mapped."""
    if change.contract != "mapped":
        return True
    matrix, state = np.asarray(change.matrix), site.state
    sums = matrix.sum(axis=0)
    if state.linear:
        return state.zero or bool(np.allclose(sums, 1.0))
    taken = np.sum(matrix != 0, axis=0)
    return bool(np.all(((taken == 1) & np.isclose(sums, 1.0)) | ((taken == 0) & state.zero)))


def taken_numbers(site: Site, channels: int) -> tuple[int, ...]:
    """The channels that a layer takes by their numbers."""
    if site.layer.class_name in _PARTS:
        return tuple(range(channels))
    value = channel_ops.operands(site.layer, 0)[1]
    if site.layer.class_name == "Take":
        numbers = channel_ops.constant(value)
        return () if numbers is None else tuple(int(one) for one in numbers)
    found = channel_ops.indexed(value, len(site.shape or ()), site.state.axis)
    part = found[1] if found is not None else 0
    return (part,) if isinstance(part, int) else tuple(range(*part.indices(channels)))


def missing(site: Site, change: Change) -> bool:
    """Whether a layer takes channels by numbers that are not there any more."""
    return site.role == "picked" and max(taken_numbers(site, change.now), default=0) >= change.new


def _still_there(site: Site, change: Change) -> bool:
    if missing(site, change):
        return False
    matrix = np.asarray(change.matrix)
    if change.contract == "gray" and site.state.alike:
        return True
    wanted = np.eye(*matrix.shape)
    return all(np.array_equal(matrix[:, one], wanted[:, one]) for one in taken_numbers(site, change.now))


def covered(site: Site) -> bool:
    """Whether the kernel never reaches outside the image, so that a shifted bias is right everywhere."""
    class_name, config = leaf_class(site.layer)
    inside = class_name == "Dense" or config.get("padding") == "valid"
    return site.state.zero or (inside and not site.state.padded)


def apply_change(graph: Graph, trace: Trace, change: Change) -> Graph:
    """The graph with the rule recorded and per-channel constants mapped on every site."""
    fresh: dict[str, Layer] = {}
    for site in trace.sites:
        layer = graph.find(site.path)
        if site.role in ("constants", "order"):
            layer = _constants(layer, site, change)
        elif site.role == "vector":
            layer = _vectors(layer, site, change)
        elif site.role in ("mixing", "depthwise"):
            layer = _kernels(layer, site, change)
        elif site.role == "picked" and site.layer.class_name in _PARTS and change.new > change.old:
            layer = _parts(layer, change)
        fresh[site.path] = layer
    return graph.with_layers(fresh)


def _remade(value: Any, kind: str, site: Site, change: Change, own: bool = False) -> Any:
    """Per-channel numbers for the new channels, in the form they had; anything else unchanged.

    They lie along the tensor's channel axis, counted from the end; `own` says that they are a layer's statistics, which
    lie along their last axis wherever the channels are.
    """
    array = channel_ops.constant(value)
    if array is None or array.ndim == 0:
        return value
    rank, axis = len(site.shape or ()), site.state.axis - steps(site.layer)
    place = array.ndim - 1 if own else array.ndim - (rank - axis)
    blocks = site.state.blocks
    if place < 0 or array.shape[place] != width(blocks, change.old):
        return value
    picks = change.rule.picks(change.new, change.old)
    if kind == "variance":
        made = mapped(np.sqrt(np.maximum(array, 0.0)), place, blocks, picks) ** 2
    else:
        made = mapped(array, place, blocks, picks)
    return _in_form(value, made.tolist())


def _in_form(value: Any, numbers: Any) -> Any:
    if isinstance(value, dict):
        return {**value, "config": {**value["config"], "value": numbers}}
    return numbers


def _constants(layer: Layer, site: Site, change: Change) -> Layer:
    if not layer.is_operation:
        config = leaf(layer).config
        own = leaf(layer).class_name == "Normalization"
        fields = {
            key: _remade(config[key], kind, site, change, own) for key, kind in _STATISTICS.items() if key in config
        }
        return leaf_configured(layer, **fields)
    return replace(layer, calls=tuple(_operands(call, site, change) for call in layer.calls))


def _operands(call: Call, site: Site, change: Change) -> Call:
    def made(value: Any) -> Any:
        if site.role != "order":
            return _remade(value, "scale", site, change)
        numbers = channel_ops.constant(value)
        if numbers is None:
            return value
        return _in_form(value, list(grown(tuple(int(one) for one in numbers), change.new)))

    kwargs = {key: made(value) for key, value in call.kwargs.items()}
    return replace(call, args=tuple(made(value) for value in call.args), kwargs=kwargs)


def _parts(layer: Layer, change: Change) -> Layer:
    """A Split or Unstack whose parts stay those they were; what more channels there are becomes a part of its own."""
    if layer.class_name == "Unstack":
        return configured(layer, num=None)
    cuts = layer.config.get("indices_or_sections")
    if isinstance(cuts, int):
        cuts = [place * (change.old // cuts) for place in range(1, cuts)]
    return configured(layer, indices_or_sections=[*(cuts or ()), change.old])


def _vectors(layer: Layer, site: Site, change: Change) -> Layer:
    inside = leaf(layer)
    if inside.class_name == "Normalization" and inside.config.get("mean") is not None:
        layer = _constants(layer, site, change)
    for weight in layer.weights:
        axes = axes_of(layer, weight.name, weight.shape)
        if axes.kind in ("scale", "shift", "mean", "variance") and axes.channels is not None:
            layer = _recorded(layer, weight.name, weight.shape[axes.channels], site.state.blocks, change, change.rule)
    return layer


def _recorded(
    layer: Layer, weight: str, size: int, blocks: Blocks, change: Change, rule: ChannelRule, groups: int = 1
) -> Layer:
    """The rule recorded for one weight, with where the channels lie on the source's axis of `size`."""
    if size * groups != (width(blocks, change.old) or size * groups):
        return layer  # it belongs to something else, which the plan will tell
    if change.old == change.new and not rule.always and rule.name != "mean" and groups == 1:
        return forget(layer, weight, "channels")
    found = placed(rule, blocks, change.old, change.new)
    if found is None:
        return layer
    layer = record(layer, weight, replace(found, groups=groups))
    if groups == 1:
        return layer
    # a grouped kernel becomes a plain one ahead of all that is said of its filters, which are then in no group
    *others, ungrouping = layer.rules_for(weight)
    return layer.with_rules(weight, (ungrouping, *others))


def _kernels(layer: Layer, site: Site, change: Change) -> Layer:
    class_name, config = leaf_class(layer)
    if table.row(class_name).kind == "separable":
        layer = _separable(layer, site, change)
        config = leaf(layer).config
        if layer.rules_for("depthwise_kernel")[:1] == (RegroupChannels(),):
            return layer
    groups = int(config.get("groups") or 1)
    rule, blocks = _rule_at(site, change), site.state.blocks
    if groups > 1:
        inside = _inside_groups(layer, site, change, groups)
        if inside is not None:
            return inside
        layer = leaf_configured(layer, groups=1)
    # of quantized numbers the plan says that they have to become floats first; the rule is then about those
    for weight in decoded(layer)[0].weights:
        name = weight.name.rpartition("/")[2]
        axes = axes_of(layer, weight.name, weight.shape)
        if axes.channels is None or axes.kind not in ("kernel", "depthwise", "shift"):
            continue
        several = name == "pointwise_kernel" or axes.kind == "shift"
        here = multiplied(blocks, int(config.get("depth_multiplier") or 1)) if several else blocks
        layer = _recorded(layer, weight.name, weight.shape[axes.channels], here, change, rule, groups)
    if class_name in _FOLDABLE and _shifts(rule, change):
        made = placed(rule, blocks, change.old, change.new)
        if made is not None:
            made = replace(made, groups=groups)
            layer = _shifted_bias(layer, replace(made, new=change.new) if isinstance(made, FoldChannels) else made)
    return layer


def _inside_groups(layer: Layer, site: Site, change: Change, groups: int) -> Layer | None:
    """A grouped convolution that stays one: equal channels are shared out inside each group. `None` where it cannot.

    Elsewhere a group would see other channels than its own, so it becomes a plain one, with zeros between the groups.
    """
    equal = change.contract == "gray" and site.state.alike and regular_whole(site.state.blocks)
    same = change.new == change.old and not change.rule.always
    if not (equal or same) or change.new == 1 or change.new % groups or isinstance(change.rule, ComposedChannels):
        return None
    for weight in layer.weights:
        axes = axes_of(layer, weight.name, weight.shape)
        if axes.channels is not None and axes.kind == "kernel":
            if same:
                layer = forget(layer, weight.name, "channels")
            else:
                layer = record(layer, weight.name, RepeatChannels(source=weight.shape[axes.channels]))
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
        layer = leaf_configured(layer, depth_multiplier=multiplier)
        return forget(layer, "depthwise_kernel", "all")
    layer = forget(layer, "pointwise_kernel", "channels")
    return record(leaf_configured(layer, depth_multiplier=channels * multiplier), "depthwise_kernel", RegroupChannels())


def regroups(site: Site, new: int, rule: ChannelRule) -> bool:
    """Whether a separable convolution can read its one channel with every old depthwise filter."""
    plain = site.state.alike and single(site.state.blocks)
    return new == 1 and plain and rule.name == "sum" and table.row(site.layer).kind == "separable"


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
    if not leaf(layer).config.get("use_bias", True):
        layer = leaf_configured(layer, use_bias=True)
    kernel = next((weight.name for weight in layer.weights if weight.name.rpartition("/")[2] == "kernel"), "kernel")
    return layer.with_rules(f"{kernel[: -len('kernel')]}bias", (rule,))

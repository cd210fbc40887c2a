"""Linear layers as folding sees them: which axis of which array meets a channel, and what passes numbers through."""

from math import prod
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.layers.table import classes, idle
from core.model.graph import Call, Layer, Shape, StoreKey
from core.rules.merged import FoldAfter, FoldBefore, Norm, Part
from core.surgery.held import Fates, Unfoldable, part, settled
from core.surgery.quantized import labels, quantized

Config = dict[str, Any]
CONV = classes(family="convolution", kind="plain")
TRANSPOSED = classes(kind="transposed")
DEPTHWISE = classes(kind="depthwise")
SEPARABLE = classes(kind="separable")
LINEAR = classes(family=("convolution", "dense"))
_CARRIED = classes(kind=("cropping", "upsampling", "average"))
_AVERAGED = classes(kind="global average")


class View(Struct, frozen=True):
    """A layer, or the one that a TimeDistributed carries: its class and config, the `prefix` of its weights' names.

    `lift` is how many axes the wrapper puts before those that the layer sees.
    """

    class_name: str
    config: Config
    prefix: str = ""
    lift: int = 0

    def changed(self, layer: Layer, **fields: Any) -> Layer:
        """The layer with some fields of the config replaced, inside the wrapper if there is one."""
        config = {**self.config, **fields}
        if self.prefix:
            config = {**layer.config, "layer": {**layer.config["layer"], "config": config}}
        return replace(layer, config=config)

    def channel_axis(self, rank: int) -> int:
        """The axis of channels in a tensor of that rank, as `data_format` says."""
        first = self.config.get("data_format") == "channels_first" and rank - self.lift > 2
        return 1 + self.lift if first else rank - 1

    @property
    def biased(self) -> bool:
        """Whether it adds a bias."""
        if self.class_name == "EinsumDense":
            return self.config.get("bias_axes") is not None
        return bool(self.config.get("use_bias", True))


def view(layer: Layer) -> View | None:
    """The layer as it acts on its tensors; `None` for models, operations and code that is not Keras's."""
    if layer.opaque or layer.is_operation or layer.inner is not None:
        return None
    if (layer.module or "keras").partition(".")[0] != "keras":
        return None
    inside = layer.config.get("layer")
    if layer.class_name == "TimeDistributed" and isinstance(inside, dict) and isinstance(inside.get("config"), dict):
        return View(str(inside.get("class_name")), inside["config"], "layer/", 1)
    return View(layer.class_name, layer.config)


def linear(layer: Layer) -> View | None:
    """The view of a layer that multiplies and adds; `None` for all others."""
    found = view(layer)
    return found if found is not None and found.class_name in LINEAR else None


def activated(config: Config) -> bool:
    """Whether a layer's config names an activation other than the linear one."""
    given = config.get("activation")
    if isinstance(given, dict):
        given = given.get("config") if given.get("class_name") == "function" else given.get("class_name")
    return given not in (None, "linear")


def one_input(call: Call) -> bool:
    """Whether a call takes one tensor, as its first argument."""
    return len(call.inputs()) == 1 and bool(call.args) and call.args[0] is call.inputs()[0]


def carried(layer: Layer, axis: int, given: Shape, gives: Shape) -> tuple[int, tuple[int, int]] | None:
    """What a layer that treats `s x + t` in each channel as `x` makes of a channel axis; `None` if it does not.

    The axis behind it, and how many rows each channel stands for (around it) where a Flatten comes.
    """
    found = view(layer)
    if found is None:
        return None
    rank, name, config = len(given), found.class_name, found.config
    if any(call.kwargs.get("training") is True for call in layer.calls):
        return None  # it also acts when the model answers
    if idle(name, config):
        return axis, (1, 1)
    if found.prefix:
        return None
    if name in _CARRIED and axis == found.channel_axis(rank):
        smooth = config.get("interpolation", "nearest") in ("nearest", "bilinear")
        return (axis, (1, 1)) if smooth else None
    if name in _AVERAGED and axis == found.channel_axis(rank):
        return axis if config.get("keepdims") else 1, (1, 1)
    if name == "RepeatVector" and axis == 1:
        return 2, (1, 1)
    if name == "Reshape" and axis == rank - 1 and gives[-1] is not None and gives[-1] == given[-1]:
        return len(gives) - 1, (1, 1)
    if name == "Permute":
        dims = list(config.get("dims") or ())
        return (dims.index(axis) + 1, (1, 1)) if axis in dims else None
    if name == "Flatten" and None not in given[1:]:
        return 1, _around(given, axis, config)
    return None


def _around(given: Shape, axis: int, config: Config) -> tuple[int, int]:
    """How many rows of a flattened map lie before and after each channel: Keras flattens with channels last."""
    sizes = [int(size or 1) for size in given]
    if config.get("data_format") == "channels_first" and len(given) > 2:
        order = [0, *range(2, len(given)), 1]
        sizes, axis = [sizes[place] for place in order], order.index(axis)
    return prod(sizes[1:axis]), prod(sizes[axis + 1 :])


def refuse_kind(path: str, layer: Layer, found: View) -> None:
    """Raise `Unfoldable` for arrays that are not plain numbers to multiply with."""
    if quantized(layer.config):
        raise Unfoldable(f"{path} is quantized; fold before quantizing, or dequantize it first (set_dtype)")
    if found.config.get("lora_rank"):
        raise Unfoldable(f"{path} has a low-rank update; merge it into the kernel first with fold_weights")


def folded_behind(path: str, layer: Layer, axis: int, rank: int, channels: int, norm: Norm, fates: Fates) -> Layer:
    """The layer with a normalization of the `axis` of its output made part of it. Raises `Unfoldable`."""
    found = linear(layer)
    assert found is not None
    refuse_kind(path, layer, found)
    if activated(found.config):
        raise Unfoldable(f"the activation of {path} lies between them")
    bias_shape: tuple[int, ...] = (channels,)
    over_bias: tuple[int, ...] = (0,)
    spread: tuple[int, ...] = ()
    name = f"{found.prefix}{'pointwise_kernel' if found.class_name in SEPARABLE else 'kernel'}"
    kernel = part(path, layer, name, fates)
    last = len(kernel.shape) - 1
    over: tuple[int, ...] = (last,)
    fields: Config = {"use_bias": True}
    own = part(path, layer, f"{found.prefix}bias", fates) if found.biased else None
    if found.class_name == "EinsumDense":
        over, fields, bias_shape, over_bias, spread = _einsum_behind(path, found, axis, rank, kernel.shape)
    elif axis != found.channel_axis(rank):
        raise Unfoldable(f"it works on axis {axis}, which is not that of the channels of {path}")
    elif found.class_name in TRANSPOSED:
        over = (last - 1,)
    elif found.class_name in DEPTHWISE:
        over = (last - 1, last)
    if channels != prod(kernel.shape[one] for one in over):
        raise Unfoldable(f"{path} gives {prod(kernel.shape[one] for one in over)} channels, but it has {channels}")
    rule = FoldAfter(shape=kernel.shape, role="kernel", own=kernel, norm=norm, over=over)
    layer = settled(layer, name, rule, _source(norm, kernel))
    bias = FoldAfter(shape=bias_shape, role="bias", own=own, norm=norm, over=over_bias, spread=spread)
    return _with_bias(found.changed(layer, **fields), found, bias, norm, kernel)


def _with_bias(layer: Layer, found: View, rule: FoldAfter | FoldBefore, norm: Norm, kernel: Part) -> Layer:
    first = (norm.mean, norm.beta, norm.variance, norm.gamma)
    return settled(
        layer, f"{found.prefix}bias", rule, _source(norm, *(one for one in first if one is not None), kernel)
    )


def _source(norm: Norm, *parts: Part) -> StoreKey | None:
    """The array that a merged one is said to come from: the first that lies in a source."""
    given = (*parts, *(one for one in norm.parts() if one is not None))
    return next((one.source for one in given if one.source is not None), None)


def _einsum_behind(
    path: str, found: View, axis: int, rank: int, kernel: tuple[int, ...]
) -> tuple[tuple[int, ...], Config, tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Axes of the kernel, config, shape of the bias, its axes, and how the old bias lies in it."""
    _, inside, out = labels(str(found.config.get("equation")))
    label = _label(out, axis - found.lift, rank - found.lift)
    if label is None or label not in inside:
        raise Unfoldable(f"no axis of the kernel of {path} belongs to its channels alone")
    names, (tail, shape), spread = _bias_labels(path, found, label, kernel)
    return (inside.index(label),), {"bias_axes": names}, shape, (tail.index(label),), spread


def _label(spec: str, axis: int, rank: int) -> str | None:
    """The label of an axis of a tensor of that rank; `...` stands for as many as are left."""
    left, dots, right = spec.partition("...")
    if not dots:
        return spec[axis] if axis < len(spec) else None
    if axis < len(left):
        return left[axis]
    return right[axis - rank] if axis >= rank - len(right) else None


def _bias_labels(path: str, found: View, wanted: str, kernel: tuple[int, ...]) -> tuple[str, Any, Any]:
    """Labels of the bias with `wanted` among them, its shape, and the shape that spreads the old one over it."""
    _, inside, out = labels(str(found.config.get("equation")))
    had = str(found.config.get("bias_axes") or "")
    if out.endswith("..."):
        raise Unfoldable(f"the equation of {path} ends in axes without names")
    names = [label for label in out.replace("...", "") if label in had or label in wanted]
    sizes = {label: kernel[place] for place, label in enumerate(inside)}
    if any(label not in sizes for label in names):
        raise Unfoldable(f"the bias of {path} has an axis that its kernel does not have")
    # Keras keeps axes of length 1 behind the first label of the bias
    first = out.replace("...", "").index(names[0])
    tail = out.replace("...", "")[first:]
    shape = tuple(sizes[label] if label in names else 1 for label in tail)
    spread = tuple(sizes[label] if label in had else 1 for label in tail) if had else ()
    return "".join(names), (tail, shape), spread


def folded_in_front(
    path: str, layer: Layer, axis: int, given: Shape, around: tuple[int, int], norm: Norm, fates: Fates
) -> Layer:
    """The layer with a normalization of the `axis` of its input made part of it. Raises `Unfoldable`."""
    found = linear(layer)
    assert found is not None
    refuse_kind(path, layer, found)
    if found.class_name != "EinsumDense" and axis != found.channel_axis(len(given)):
        raise Unfoldable(f"it works on axis {axis}, which is not that of the channels of {path}")
    _refuse_borders(path, found)
    name = f"{found.prefix}{'depthwise_kernel' if found.class_name in SEPARABLE else 'kernel'}"
    kernel = part(path, layer, name, fates)
    pointwise = part(path, layer, f"{found.prefix}pointwise_kernel", fates) if found.class_name in SEPARABLE else None
    own = part(path, layer, f"{found.prefix}bias", fates) if found.biased else None
    fields: Config = {"use_bias": True}
    equation = ""
    spread: tuple[int, ...] = ()
    kind: Any = "sum"
    groups = int(found.config.get("groups") or 1) if found.class_name in CONV else 1
    if found.class_name == "EinsumDense":
        kind = "einsum"
        equation, fields, shape, spread = _einsum_in_front(path, found, axis, len(given), kernel.shape)
    elif found.class_name in TRANSPOSED:
        kind, shape = "turned", kernel.shape[-2:-1]
    elif found.class_name in DEPTHWISE:
        kind, shape = "depthwise", (kernel.shape[-2] * kernel.shape[-1],)
    elif pointwise is not None:
        kind, shape = "depthwise", pointwise.shape[-1:]
    else:
        shape = kernel.shape[-1:]
    common: Config = {"kind": kind, "kernel": kernel, "norm": norm, "groups": groups, "around": around}
    scaled = FoldBefore(shape=kernel.shape, role="kernel", equation=equation, **common)
    moved = FoldBefore(
        shape=shape, role="bias", own=own, pointwise=pointwise, equation=equation, spread=spread, **common
    )
    layer = settled(layer, name, scaled, _source(norm, kernel))
    return _with_bias(found.changed(layer, **fields), found, moved, norm, kernel)


def _refuse_borders(path: str, found: View) -> None:
    """Raise `Unfoldable` where zeros around the map, or overlapping windows, keep the shift from being one number."""
    config = found.config
    if found.class_name in ("Dense", "EinsumDense"):
        return
    sizes = config.get("kernel_size", 1)
    single = all(size == 1 for size in (sizes if isinstance(sizes, (list, tuple)) else [sizes]))
    steps = config.get("strides", 1)
    dense = all(step == 1 for step in (steps if isinstance(steps, (list, tuple)) else [steps]))
    if found.class_name in TRANSPOSED:
        if not (single and dense):
            raise Unfoldable(
                f"{path} sums a varying number of overlapping taps, so a shift before it is not a constant after it"
            )
        return
    if config.get("padding", "valid") != "valid" and not single:
        raise Unfoldable(f"{path} pads its input with zeros (padding {config['padding']}), which would be shifted too")


def _einsum_in_front(
    path: str, found: View, axis: int, rank: int, kernel: tuple[int, ...]
) -> tuple[str, Config, tuple[int, ...], tuple[int, ...]]:
    """The equation for the rule, config, shape of the bias, and how the old bias lies in it."""
    given, inside, out = labels(str(found.config.get("equation")))
    label = _label(given, axis - found.lift, rank - found.lift)
    if label is None or label not in inside or label in out:
        raise Unfoldable(f"{path} does not sum over the axis that is normalized")
    if any(one not in inside and one not in out for one in given.replace("...", "")):
        raise Unfoldable(f"{path} also sums over an axis that its kernel does not have")
    kept = "".join(one for one in out.replace("...", "") if one in inside)
    if not kept:
        raise Unfoldable(f"{path} has no axis for a bias")
    names, (tail, shape), spread = _bias_labels(path, found, kept, kernel)
    if tail != names:
        raise Unfoldable(f"the bias of {path} would have gaps between its axes")
    return f"{inside}|{label}|{kept}", {"bias_axes": names}, shape, spread

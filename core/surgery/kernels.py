"""Kernels of layers that multiply and add, from the layout of one class to that of another.

Between them lies the kernel of a convolution, `(sizes..., channels of a group, filters)`, with its groups:

| class | kernel |
|---|---|
| Conv | that |
| ConvTranspose | flipped in its sizes, the last two axes exchanged |
| DepthwiseConv `(sizes..., c, m)` | `(sizes..., 1, c m)` with `c` groups |
| SeparableConv | the sum over `m` of depthwise `(sizes..., c, m)` times pointwise `(c m, filters)` |
| Dense, EinsumDense, Embedding `(rows, columns)` | one with all sizes 1 |
"""

from math import prod
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.layers.alike import activation_name
from core.layers.table import classes, row
from core.model.graph import Graph, Layer, Weight
from core.phrases import shape_words
from core.rules.initialize import Initialize
from core.rules.merged import Part, Settled
from core.rules.relaid import Relaid, Step
from core.surgery.held import Fates, Unfoldable, held, part
from core.surgery.linear import CONV, DEPTHWISE, LINEAR, SEPARABLE, TRANSPOSED, View, activated, refuse_kind
from core.surgery.quantized import labels

Config = dict[str, Any]
Sizes = tuple[int, ...]
_TABLES = classes(family="dense") | {"Embedding"}


class Made(Struct, frozen=True):
    """Arrays of the new layer, rules of weights without one; `exact`: it computes what the old one did.

    `open`: the kernel could be carried over, but the layer would compute something else, as `why` says.
    """

    made: tuple[Weight, ...] = ()
    rules: tuple[tuple[str, Any], ...] = ()
    exact: bool = False
    why: str = ""
    open: bool = False


class Kernel(Struct, frozen=True):
    """A kernel on its way: the arrays it is made of, what was done so far, its shape and groups."""

    own: Part
    shape: Sizes
    groups: int = 1
    steps: tuple[Step, ...] = ()
    other: Part | None = None

    def then(self, step: str, numbers: Sizes, shape: Sizes, groups: int | None = None) -> "Kernel":
        """With one more step."""
        groups = self.groups if groups is None else groups
        return replace(self, steps=(*self.steps, (step, numbers)), shape=shape, groups=groups)

    @property
    def single(self) -> bool:
        """Whether it looks at one place alone."""
        return all(size == 1 for size in self.shape[:-2])


def knows(found: View) -> bool:
    """Whether a layer has a kernel that this module can lay out."""
    return found.class_name in LINEAR or found.class_name == "Embedding"


def converted(path: str, old: Layer, was: View, new: Layer, now: View, how: str, level: Graph, fates: Fates) -> Made:
    """The new layer's kernel and bias. Raises `Unfoldable` where its kernel cannot be that of the old layer."""
    refuse_kind(path, old, was)
    refuse_kind(path, new, now)
    if was.class_name in DEPTHWISE | SEPARABLE and now.class_name in SEPARABLE:
        return _to_separable(path, old, was, now, fates)
    kernel = _laid(_plain(path, old, was, fates), was, now)
    target = "embeddings" if now.class_name == "Embedding" else "kernel"
    differs = _difference(was, now, kernel)
    if was.class_name in TRANSPOSED and now.class_name in TRANSPOSED:
        differs = differs or _other_geometry(was, now, kernel)
    turned = (was.class_name in TRANSPOSED) != (now.class_name in TRANSPOSED)
    if turned and differs and how != "meaning":
        return Made(why=differs, open=True)
    made = [_weight(old, was, now.prefix + target, kernel)]
    biased = was.biased if was.class_name != "Embedding" else False
    keeps = now.biased if now.class_name != "Embedding" else False
    if biased and keeps:
        made.append(_bias(path, old, was, now, kernel, fates))
    same = not differs and not (biased and not keeps) and _same_activation(was.config, now.config)
    starts = keeps and not biased and now.config.get("bias_initializer") not in (None, "zeros", _ZEROS)
    table = (was.class_name == "Embedding") != (now.class_name == "Embedding")
    return Made(tuple(made), exact=same and not starts and not table, why=differs)


_ZEROS: Config = {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": None}


def _plain(path: str, layer: Layer, was: View, fates: Fates) -> Kernel:
    """The kernel as a convolution has it."""
    if was.class_name in SEPARABLE:
        depthwise = part(path, layer, f"{was.prefix}depthwise_kernel", fates)
        pointwise = part(path, layer, f"{was.prefix}pointwise_kernel", fates)
        shape = (*depthwise.shape[:-1], pointwise.shape[-1])
        return Kernel(depthwise, shape, steps=(("times", ()),), other=pointwise)
    name = "embeddings" if was.class_name == "Embedding" else "kernel"
    own = part(path, layer, was.prefix + name, fates)
    kernel = Kernel(own, own.shape)
    if was.class_name in CONV:
        return replace(kernel, groups=int(was.config.get("groups") or 1))
    if was.class_name in DEPTHWISE:
        *sizes, channels, times = own.shape
        shape = (*sizes, 1, channels * times)
        return kernel.then("reshape", shape, shape, channels)
    if was.class_name == "EinsumDense":
        order, rows, columns = _einsum(was.config, own.shape)
        turned = tuple(own.shape[axis] for axis in order)
        return kernel.then("transpose", order, turned).then("reshape", (rows, columns), (rows, columns))
    return kernel


def _turned(kernel: Kernel) -> Kernel:
    """From a convolution's layout to a transposed one's, or back."""
    rank = len(kernel.shape)
    order = (*range(rank - 2), rank - 1, rank - 2)
    shape = tuple(kernel.shape[axis] for axis in order)
    if not kernel.single:
        kernel = kernel.then("flip", tuple(range(rank - 2)), kernel.shape)
    return kernel.then("transpose", order, shape)


def _laid(kernel: Kernel, was: View, now: View) -> Kernel:
    """The kernel in the layout of the new layer."""
    rank = _rank(now)
    kernel = _ranked(kernel, rank, was.lift - now.lift)
    turned = (was.class_name in TRANSPOSED, now.class_name in TRANSPOSED)
    if turned == (True, False):
        kernel = _turned(kernel)
    if now.class_name in SEPARABLE:
        raise Unfoldable("its kernel is not, in general, the product of a depthwise and a pointwise kernel")
    if now.class_name in DEPTHWISE:
        channels, filters = kernel.groups, kernel.shape[-1]
        if kernel.shape[-2] != 1 or filters % channels:
            raise Unfoldable("each of its filters sees several channels, but a depthwise filter sees only one")
        shape = (*kernel.shape[:-2], channels, filters // channels)
        return kernel.then("reshape", shape, shape)
    groups = int(now.config.get("groups") or 1) if now.class_name in CONV else 1
    if kernel.groups != groups:
        if groups != 1:
            raise Unfoldable(f"it has {kernel.groups} groups but the new layer has {groups}")
        *sizes, inside, filters = kernel.shape
        kernel = kernel.then("grouped", (kernel.groups,), (*sizes, inside * kernel.groups, filters), 1)
    if turned == (False, True):
        return _turned(kernel)
    if now.class_name == "EinsumDense":
        return _to_einsum(kernel, now.config)
    return kernel


def _ranked(kernel: Kernel, rank: int, lift: int) -> Kernel:
    """The kernel with as many sizes as the new layer has; those that come or go are 1."""
    sizes, ends = kernel.shape[:-2], kernel.shape[-2:]
    if len(sizes) == rank:
        return kernel
    if kernel.single:
        made: Sizes = (*(1,) * rank, *ends)
    elif len(sizes) + lift == rank and lift > 0:
        made = (*(1,) * lift, *sizes, *ends)
    elif (
        len(sizes) + lift == rank
        and set(sizes[:-lift]) <= {1}
        and all(size == 1 for size in sizes[: len(sizes) - rank])
    ):
        made = (*sizes[len(sizes) - rank :], *ends)
    else:
        raise Unfoldable(f"its kernel has {len(sizes)} spatial axes but the new layer's kernel has {rank}")
    return kernel.then("reshape", made, made)


def _einsum(config: Config, shape: Sizes) -> tuple[Sizes, int, int]:
    """Axes of an EinsumDense kernel, those summed over first, and how many rows and columns that makes.

    Only where it acts as a Dense does: on the last axes of its input, which become the last axes of its output.
    """
    given, kernel, out = labels(str(config.get("equation")))
    summed = [label for label in kernel if label in given and label not in out]
    made = [label for label in kernel if label in out and label not in given]
    batch = given.replace("...", "")[: -len(summed) or None] if summed else given.replace("...", "")
    inside, outside = "".join(given.replace("...", "")), "".join(out.replace("...", ""))
    rows = [label for label in inside if label in summed]
    columns = [label for label in outside if label in made]
    plain = inside == batch + "".join(rows) and outside == batch + "".join(columns)
    if not plain or len(summed) + len(made) != len(kernel) or not summed or not made or given.endswith("..."):
        raise Unfoldable(f"its equation {config.get('equation')} is not equivalent to a Dense layer")
    order = tuple(kernel.index(label) for label in (*rows, *columns))
    sizes = [shape[axis] for axis in order]
    return order, prod(sizes[: len(rows)]), prod(sizes[len(rows) :])


def _to_einsum(kernel: Kernel, config: Config) -> Kernel:
    """A table of rows and columns as the kernel of an equation with one axis of each."""
    inside = labels(str(config.get("equation")))[1]
    order, _, _ = _einsum(config, (1,) * len(inside))
    if len(inside) != 2:
        raise Unfoldable(f"the kernel of the equation {config.get('equation')} has more axes than rows and columns")
    return kernel if order == (0, 1) else kernel.then("transpose", (1, 0), kernel.shape[::-1])


def _weight(old: Layer, was: View, name: str, kernel: Kernel) -> Weight:
    """The array of the new layer; one that is as it was stays a plain copy."""
    source = kernel.own.source
    if source is None:
        raise Unfoldable("its kernel holds no trained values")
    base = next(weight for weight in old.weights if weight.source == source)
    steps = tuple(
        (step, numbers)
        for step, numbers in kernel.steps
        if not (step == "transpose" and numbers == tuple(sorted(numbers)))
    )
    if not steps and not kernel.own.rules:
        return replace(base, name=name, key="")
    words = {"flip": "flipped", "transpose": "transposed", "grouped": "groups filled with zeros"}
    words = {**words, "times": "depthwise times pointwise", "reshape": "reshaped"}
    said = " + ".join(dict.fromkeys(words[step] for step, _ in steps)) or "as it was"
    rule = Relaid(shape=kernel.shape, own=kernel.own, steps=steps, other=kernel.other, words=said)
    return replace(base, name=name, key="", shape=kernel.shape, decode=rule, trainable=True)


def _bias(path: str, old: Layer, was: View, now: View, kernel: Kernel, fates: Fates) -> Weight:
    name = f"{was.prefix}bias"
    own, base = part(path, old, name, fates), held(old, name)
    if own.source is None or base is None:
        raise Unfoldable("its bias holds no trained values")
    steps: list[Step] = []
    if was.class_name == "EinsumDense":
        order, _, columns = _einsum(was.config, kernel.own.shape)
        sizes = tuple(kernel.own.shape[axis] for axis in order)
        while prod(sizes) > columns:
            sizes = sizes[1:]
        if own.shape != sizes:
            steps.append(("broadcast", sizes))
    size = prod(own.shape) if not steps else prod(steps[0][1])
    if not steps and len(own.shape) == 1 and not own.rules:
        return replace(base, name=f"{now.prefix}bias", key="")
    rule = Relaid(shape=(size,), own=own, steps=(*steps, ("reshape", (size,))), words="reshaped")
    if not steps and len(own.shape) == 1:
        return replace(
            base, name=f"{now.prefix}bias", key="", shape=own.shape, decode=Settled(shape=own.shape, own=own)
        )
    return replace(base, name=f"{now.prefix}bias", key="", shape=(size,), decode=rule)


def _to_separable(path: str, old: Layer, was: View, now: View, fates: Fates) -> Made:
    """A depthwise convolution followed by nothing, or a separable one by another name."""
    first = "depthwise_kernel" if was.class_name in SEPARABLE else "kernel"
    pairs = [(first, "depthwise_kernel"), ("pointwise_kernel", "pointwise_kernel"), ("bias", "bias")]
    made = []
    depthwise = part(path, old, was.prefix + first, fates)
    rank = int(now.class_name[-2])
    if len(depthwise.shape) != rank + 2:
        raise Unfoldable(
            f"its kernel has {len(depthwise.shape) - 2} spatial axes but the new layer's kernel has {rank}"
        )
    kernel = Kernel(depthwise, depthwise.shape)
    for name, target in pairs:
        weight = held(old, was.prefix + name)
        if weight is None or weight.source is None or (name == "bias" and not now.biased):
            continue
        own = part(path, old, weight.name, fates)
        decode = Settled(shape=own.shape, own=own) if own.rules else weight.decode
        made.append(replace(weight, name=now.prefix + target, key="", shape=own.shape, decode=decode))
    rules: tuple[tuple[str, Any], ...] = ()
    channels = depthwise.shape[-1] * depthwise.shape[-2]
    same = True
    if was.class_name in DEPTHWISE:
        rules = ((f"{now.prefix}pointwise_kernel", Initialize(initializer="identity")),)
        same = now.config.get("filters") == channels
        if not same:
            made = [one for one in made if not one.name.endswith("bias")]
            rules = ()
    differs = _difference(was, now, kernel)
    exact = same and not differs and (now.biased or not was.biased) and _same_activation(was.config, now.config)
    return Made(tuple(made), rules, exact, why=differs)


def _numbers(config: Config, key: str, rank: int) -> Sizes:
    value = config.get(key, 1)
    return tuple(int(one) for one in value) if isinstance(value, (list, tuple)) else (int(value or 1),) * rank


def _difference(was: View, now: View, kernel: Kernel) -> str:
    """What lets the two layers look at different places with the same kernel; empty where they look at the same."""
    rank = max(_rank(was), _rank(now), len(kernel.shape) - 2)
    old, new = _steps(was, rank), _steps(now, rank)
    if old[0] != new[0]:
        return f"its strides were {shape_words(old[0])} and are now {shape_words(new[0])}"
    first = [one.config.get("data_format") == "channels_first" for one in (was, now)]
    if first[0] != first[1] and not (was.class_name in _TABLES and now.class_name in _TABLES):
        return "its channels are now on a different axis"
    own = _rank(now)
    wanted = (*(1,) * (rank - own), *_numbers(now.config, "kernel_size", own))
    had = (*(1,) * (rank - len(kernel.shape) + 2), *kernel.shape[:-2])
    if now.class_name not in _TABLES and wanted != had:
        return f"its kernel size was {shape_words(had)} and is now {shape_words(wanted)}"
    if was.class_name == "EinsumDense" and len(kernel.own.shape) > 2:
        return "several axes are merged into one"
    turned = (was.class_name in TRANSPOSED) != (now.class_name in TRANSPOSED)
    if turned and any(step != 1 for step in old[0]):
        return "a transposed convolution with strides makes the map larger, a plain one makes it smaller"
    if kernel.single:
        return ""
    if old[1] != new[1]:
        return f"its dilation was {shape_words(old[1])} and is now {shape_words(new[1])}"
    if old[2] != new[2]:
        return f"its padding was {old[2]} and is now {new[2]}"
    if turned:
        if old[2] != "same":
            return "without padding, a transposed convolution makes the map larger and a plain one makes it smaller"
        if any(((size - 1) * wide + 1) % 2 == 0 for size, wide in zip(kernel.shape[:-2], old[1], strict=True)):
            return "with an even kernel size, a transposed convolution pads at the opposite end from a plain one"
    return ""


def _other_geometry(was: View, now: View, kernel: Kernel) -> str:
    old, new = (one.config.get("output_padding") for one in (was, now))
    return "" if old == new else "its output padding has changed"


def _rank(found: View) -> int:
    """Over how many axes the layer's class reaches."""
    return row(found.class_name).rank


def _steps(found: View, rank: int) -> tuple[Sizes, Sizes, str]:
    if found.class_name in _TABLES:
        return (1,) * rank, (1,) * rank, "valid"
    own = _rank(found)
    strides, wide = _numbers(found.config, "strides", own), _numbers(found.config, "dilation_rate", own)
    lead = (1,) * max(0, rank - own)
    return (*lead, *strides), (*lead, *wide), str(found.config.get("padding") or "valid")


def _same_activation(one: Config, other: Config) -> bool:
    if not activated(one) and not activated(other):
        return True
    mine, theirs = one.get("activation"), other.get("activation")
    return mine == theirs or (activation_name(mine) is not None and activation_name(mine) == activation_name(theirs))

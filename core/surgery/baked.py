"""Numbers that a model froze when it was built: padding by size parity, Reshape targets, positions, recomputed.

Keras Applications pad before strided convolutions by `correct_pad` (`keras.src.applications.imagenet_utils`): with
`k` the kernel and `size` what arrives, `(k // 2 - (1 - size % 2), k // 2)`. MobileNetV2 and V3, EfficientNet and NASNet
do so; built for 224 and used at 161 they would otherwise lose a row (measured: 5x5 instead of 6x6).
"""

import re
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.findings import Finding
from core.layers import table
from core.model.graph import Graph, Layer, Shape, TensorRef
from core.surgery.positions import holds_positions, position_finding, repositioned
from core.surgery.recording import configured

# Names under which Keras Applications use `correct_pad`; elsewhere symmetric padding is taken as meant.
_PARITY_NAMES = re.compile(
    r"(^Conv1_pad|^block_\d+_pad|stem_conv_pad|dwconv_pad|depthwise_?/?_?pad|^expanded_conv.*pad|"
    r"separable_conv_\d_pad.*|adjust_.*pad.*|^reduction_pad.*|^stem_pad)$"
)
# MobileNet (the first) pads by a constant ((0, 1), (0, 1)) under these names, whatever the size.
_CONSTANT_NAMES = re.compile(r"^conv_pad_\d+$")
_PADS = {name: table.row(name).rank for name in table.classes(kind="padding")}


class Padding(Struct, frozen=True):
    """A padding layer that follows size parity, with the kernel it pads for."""

    path: str
    kernel: tuple[int, ...]


def rebaked(before: Graph, after: Graph) -> Graph:
    """`after` with the constants of `before` recomputed for the shapes that now arrive. The same object if none differ.

    Both graphs carry shapes. Changing an early padding changes what arrives later, so the caller follows the shapes
    again and asks until the answer is the same object.
    """
    known = parity_paddings(before)
    old_layers = before.by_path()
    olds = before.levels()

    def level(graph: Graph, prefix: str) -> Graph:
        layers = []
        for layer in graph.layers:
            path = prefix + layer.name
            if layer.inner is not None:
                inner = level(layer.inner, path + "/")
                layers.append(layer if inner is layer.inner else replace(layer, inner=inner))
                continue
            new = layer
            if path in known:
                new = _repadded(layer, graph)
            elif layer.class_name == "Reshape" and path in old_layers:
                new = _reshaped(layer, graph, before, path)
            elif path in old_layers and holds_positions(layer) and prefix in olds:
                new = repositioned(layer, old_layers[path], (olds[prefix], graph), (before, after))
            layers.append(new)
        if all(new is old for new, old in zip(layers, graph.layers, strict=True)):
            return graph
        return replace(graph, layers=tuple(layers))

    return level(after, "")


def baked_findings(before: Graph, after: Graph) -> tuple[Finding, ...]:
    """What was recomputed, and what could not be."""
    old_layers = before.by_path()
    olds, news = before.levels(), after.levels()
    found: list[Finding] = []
    for path, layer in after.walk():
        old = old_layers.get(path)
        if old is None or layer.class_name != old.class_name:
            continue
        if holds_positions(layer):
            prefix = path[: len(path) - len(layer.name)]
            sides = olds.get(prefix, before), news.get(prefix, after)
            told = position_finding(path, layer, old, sides, (before, after))
            found += [told] if told is not None else []
        if layer.class_name in _PADS and layer.config.get("padding") != old.config.get("padding"):
            text = f"{path} pads by size parity: {old.config['padding']} became {layer.config['padding']}."
            found.append(Finding("info", "baked.constant", path, text))
        elif layer.class_name == "Reshape" and target_of(layer) != target_of(old):
            text = f"{path} reshapes to {target_of(layer)} instead of {target_of(old)}, as its input's size changed."
            found.append(Finding("info", "baked.constant", path, text))
        elif layer.class_name == "Reshape" and layer.is_operation and target_of(layer)[:1] == [-1]:
            continue  # told for the whole recipe, as an error
        elif layer.class_name == "Reshape" and _bound(layer, before, after, path):
            text = (
                f"{path} reshapes to {target_of(layer)}, a size fixed when the model was built; the model runs only at "
                "that size, although its input allows any."
            )
            found.append(Finding("warning", "baked.constant", path, text))
        elif layer.class_name == "Reshape" and _stuck(layer, after, path):
            text = (
                f"{path} reshapes to {target_of(layer)}, a size fixed when the model was built; it now receives a "
                "different number of elements, and it is unclear how to arrange them."
            )
            found.append(Finding("warning", "baked.constant", path, text))
    return tuple(found)


def parity_paddings(graph: Graph) -> dict[str, Padding]:
    """Padding layers that follow `correct_pad`: they pad a strided valid convolution as it would at their size."""
    candidates: dict[str, tuple[Padding, bool]] = {}
    asymmetric = False

    def level(inner: Graph, prefix: str) -> None:
        nonlocal asymmetric
        users = inner.consumers()
        layers = inner.by_name()
        for layer in inner.layers:
            if layer.inner is not None:
                level(layer.inner, f"{prefix}{layer.name}/")
            if layer.class_name != "ZeroPadding2D" or not layer.calls or _CONSTANT_NAMES.search(layer.name):
                continue
            consumers = [layers[name] for name, _ in users.get(TensorRef(layer.name), ())]
            kernel = _strided_kernel(consumers)
            size = _sizes(inner, layer)
            if kernel is None or size is None:
                continue
            pads = _pads(layer)
            if pads == correct_pad(size, kernel):
                uneven = any(left != right for left, right in pads)
                asymmetric = asymmetric or uneven
                candidates[prefix + layer.name] = (Padding(prefix + layer.name, kernel), uneven)

    level(graph, "")
    return {
        path: padding
        for path, (padding, uneven) in candidates.items()
        if uneven or asymmetric or _PARITY_NAMES.search(path.rpartition("/")[2])
    }


def correct_pad(sizes: tuple[int | None, ...], kernel: tuple[int, ...]) -> list[tuple[int, int]]:
    """Padding before a strided valid convolution, per axis, as Keras Applications compute it."""
    unknown = any(size is None for size in sizes)
    adjust = [1 if unknown or size is None else 1 - size % 2 for size in sizes]
    # a kernel of one tap needs none, which the formula makes -1 of
    return [(max(0, taps // 2 - less), taps // 2) for taps, less in zip(kernel, adjust, strict=True)]


def _strided_kernel(consumers: list[Layer]) -> tuple[int, ...] | None:
    kernels = set()
    for layer in consumers:
        config = layer.config
        pools = "Pooling" in layer.class_name
        if not (pools or "Conv" in layer.class_name) or config.get("padding") != "valid":
            return None
        strides = config.get("strides") or 1
        if (max(strides) if isinstance(strides, (list, tuple)) else strides) < 2:
            return None
        size = config.get("pool_size" if pools else "kernel_size")
        kernels.add((size, size) if isinstance(size, int) else tuple(size or ()))
    return kernels.pop() if len(kernels) == 1 else None


def _sizes(level: Graph, layer: Layer) -> tuple[int | None, ...] | None:
    inputs = layer.calls[0].inputs()
    shape: Shape | None = level.spec(inputs[0]).shape if inputs else None
    if shape is None or len(shape) != 4:
        return None
    return shape[2:] if layer.config.get("data_format") == "channels_first" else shape[1:3]


def _pads(layer: Layer) -> list[tuple[int, int]]:
    value = layer.config.get("padding", 1)
    if isinstance(value, int):
        return [(value, value)] * 2
    return [(one, one) if isinstance(one, int) else (int(one[0]), int(one[1])) for one in value]


def _repadded(layer: Layer, level: Graph) -> Layer:
    """The padding for what arrives now and for the kernel that it now feeds, which an edit may have changed."""
    layers, size = level.by_name(), _sizes(level, layer)
    kernel = _strided_kernel([layers[name] for name, _ in level.consumers().get(TensorRef(layer.name), ())])
    if size is None or kernel is None:
        return layer
    pads = correct_pad(size, kernel)
    return layer if pads == _pads(layer) else configured(layer, padding=[list(pair) for pair in pads])


def target_of(layer: Layer) -> list[Any]:
    """The target of a Reshape layer or operation, as its config has it."""
    return list(layer.config.get("target_shape") or layer.config.get("newshape") or ())


def _arrives(graph: Graph, path: str) -> Shape | None:
    *around, name = graph.trail(path)
    level = graph.inside(tuple(around))
    inputs = level.layer(name).calls[0].inputs() if level.layer(name).calls else ()
    return level.spec(inputs[0]).shape if inputs else None


def _reshaped(layer: Layer, level: Graph, before: Graph, path: str) -> Layer:
    inputs = layer.calls[0].inputs() if layer.calls else ()
    new = level.spec(inputs[0]).shape if inputs else None
    old = _arrives(before, path)
    if new is None or old is None or new == old:
        return layer
    fresh = followed_target(before.find(path), old, new)
    key = "target_shape" if "target_shape" in layer.config else "newshape"
    return layer if fresh is None or fresh == target_of(layer) else configured(layer, **{key: fresh})


def followed_target(layer: Layer, old: Shape, new: Shape) -> list[Any] | None:
    """The target of a Reshape (layer or operation) for what arrives now, where it follows from what it was for `old`.

    An operation's target begins with the batch. A batch of -1 takes the leading axes of every sample as well where the
    others hold less than a sample; those may have any size.
    """
    target = target_of(layer)
    arrived = [int(size or 0) for size in old[1:]]
    arrives = list(new[1:])
    if None in old[1:] or len(old) != len(new):
        return None
    if not layer.is_operation:
        return retarget(arrived, arrives, target)
    if not target or not all(isinstance(size, int) for size in target):
        return None
    head, rest = target[0], target[1:]
    whole, part = prod(arrived), prod(rest)
    if head == -1 and part > 0 and part != whole:
        ahead = next((at for at in range(len(arrived)) if prod(arrived[at:]) == part), None)
        if ahead is None:
            return None
        arrived, arrives = arrived[ahead:], arrives[ahead:]
    found = retarget(arrived, arrives, rest)
    return None if found is None else [head, *found]


def retarget(old: list[int], new: list[int | None], target: list[int]) -> list[int] | None:
    """The target that means for `new` what `target` means for `old`, when it merges neighbouring axes; else `None`.

    `(7, 7, 512)` to `(49, 512)` becomes `(64, 512)` for `(8, 8, 512)`. A `-1` takes care of itself. Axes that keep
    their size may be cut in any way; of one that changes nobody knows which part is to grow.
    """
    sizes = list(target)
    if sizes.count(-1) > 1 or any(size < 1 and size != -1 for size in sizes):
        return None
    if -1 in sizes:
        rest = prod(size for size in sizes if size != -1)
        if prod(old) % rest:
            return None
        sizes[sizes.index(-1)] = prod(old) // rest
    if prod(old) != prod(sizes):
        return None
    result: list[int] = []
    at = place = 0
    while place < len(sizes):
        if sizes[place] == 1 and (at >= len(old) or old[at] != 1):
            result.append(target[place])
            place += 1
            continue
        start, begin = at, place
        at, place = at + 1, place + 1
        while prod(old[start:at]) != prod(sizes[begin:place]):
            if prod(old[start:at]) < prod(sizes[begin:place]):
                at += 1
            else:
                place += 1
        # sizes of 1 that follow belong to what was merged
        while at < len(old) and old[at] == 1 and (place >= len(sizes) or sizes[place] != 1):
            at += 1
        before, after = old[start:at], new[start:at]
        if before == after:
            result += target[begin:place]
        elif place - begin == 1 and target[begin] == -1:
            result.append(-1)
        elif place - begin == 1 and None not in after:
            result.append(prod(size or 0 for size in after))
        else:
            return None
    return result if at >= len(old) or all(size == 1 for size in new[at:]) else None


def source_of(olds: Mapping[str, Graph], prefix: str, layer: Layer) -> tuple[Graph | None, Layer | None]:
    """The level and the layer of the source that a layer at a level came from; `None` where it is new."""
    name = (layer.origin or layer.name).rpartition("/")[2]
    home = olds.get(prefix)
    found = home.by_name().get(name) if home is not None else None
    if found is None and layer.origin is not None:
        around = layer.origin.rpartition("/")[0]
        home = olds.get(f"{around}/" if around else "")
        found = home.by_name().get(name) if home is not None else None
    return home, found


def _arriving(layer: Layer, level: Graph) -> list[Shape | None]:
    """The shapes that reach a layer, call by call."""
    return [level.spec(ref).shape for call in layer.calls for ref in call.inputs()]


def recut(before: Graph, after: Graph) -> Iterator[tuple[str, Layer, Shape, Shape]]:
    """Reshapes with the batch in their target that no longer follow what reaches them: path, layer, old and new shape.

    Keras takes any number of elements there, so samples would be cut anew, and a larger one become several.
    """
    olds, news = before.levels(), after.levels()
    for prefix, level in news.items():
        for layer in level.layers:
            if layer.class_name != "Reshape" or not layer.is_operation or not layer.calls:
                continue
            home, old_layer = source_of(olds, prefix, layer)
            reshapes = old_layer is not None and old_layer.class_name == "Reshape"
            if home is None or old_layer is None or not reshapes or target_of(layer)[:1] != [-1]:
                continue
            for was, now in zip(_arriving(old_layer, home), _arriving(layer, level), strict=False):
                if was is None or now is None or was[1:] == now[1:]:
                    continue
                if followed_target(old_layer, was, now) != target_of(layer):
                    yield prefix + layer.name, layer, was, now
                    break


def _bound(layer: Layer, before: Graph, after: Graph, path: str) -> bool:
    """Whether a target of whole numbers now meets a size that may be any."""
    old, new = _arrives(before, path), _arrives(after, path)
    target = target_of(layer) if not layer.is_operation else target_of(layer)[1:]
    fixed = all(isinstance(size, int) and size > 0 for size in target)
    return fixed and old is not None and None not in old[1:] and new is not None and None in new[1:]


def _stuck(layer: Layer, graph: Graph, path: str) -> bool:
    arrives = _arrives(graph, path)
    target = target_of(layer)
    target = target if not layer.is_operation else target[1:]
    if arrives is None or None in arrives[1:] or -1 in target or not all(isinstance(size, int) for size in target):
        return False
    count = prod(int(size or 0) for size in arrives[1:])
    return count != prod(int(size) for size in target)

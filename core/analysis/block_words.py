"""What people call a block of layers, from what is in it: a bottleneck, an inverted bottleneck, a transformer block."""

from collections.abc import Sequence

from core.layers.table import row
from core.model.graph import Layer, leaves

_ATTENTION = ("Attention",)
_DEPTHWISE = ("DepthwiseConv2D", "DepthwiseConv1D", "SeparableConv2D", "SeparableConv1D")


def block_words(layers: Sequence[Layer]) -> str:
    """The name of a kind of block; of an unknown kind, the class that stands for it."""
    if len(layers) == 1:
        return layers[0].class_name
    classes = [layer.class_name for layer in layers]
    inside = {layer.name for layer in layers}
    convolutions = [layer for layer in layers if row(layer).family == "convolution"]
    skips = any(name == "Add" for name in classes)
    if any(name.endswith(_ATTENTION) for name in classes):
        return "transformer block" if "Dense" in classes or "EinsumDense" in classes else "attention block"
    if any(name in _DEPTHWISE for name in classes):
        return _depthwise(classes, convolutions, skips=skips)
    if convolutions:
        return _convolutional(layers, convolutions, inside, skips=skips)
    if any(row(layer).family == "recurrent" for layer in layers):
        return "recurrent block"
    if skips and any(layer.class_name == "Dense" for layer in layers):
        return "residual block"
    main = next((layer for layer in layers if layer.weights or layer.inner is not None), layers[0])
    return f"{main.class_name} block"


def _depthwise(classes: list[str], convolutions: list[Layer], *, skips: bool) -> str:
    if "Multiply" in classes:
        return "MBConv block"
    plain = [layer for layer in convolutions if layer.class_name not in _DEPTHWISE]
    if len(plain) == 2 and len(convolutions) == 3:
        return "inverted bottleneck"
    return "separable residual block" if skips else "separable block"


def _convolutional(layers: Sequence[Layer], convolutions: list[Layer], inside: set[str], *, skips: bool) -> str:
    joined = next((layer for layer in layers if layer.class_name == "Concatenate"), None)
    if skips:
        sizes = [_size(layer) for layer in convolutions]
        narrow = len(sizes) == 3 and sizes[0] == 1 and sizes[2] == 1 and sizes[1] > 1
        if "Multiply" in [layer.class_name for layer in layers]:
            return "MBConv block"
        return "bottleneck" if narrow else "residual block"
    if joined is not None:
        sources = {ref.layer for call in joined.calls for ref in leaves([call.args, call.kwargs])}
        return "densely connected block" if sources - inside else "inception block"
    return f"{convolutions[0].class_name} block"


def _size(layer: Layer) -> int:
    """The largest side of a convolution's kernel."""
    size = layer.config.get("kernel_size", 1)
    sides = size if isinstance(size, (list, tuple)) else (size,)
    return max((side for side in sides if isinstance(side, int)), default=1)

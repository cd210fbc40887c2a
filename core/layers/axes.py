"""What the axes of a weight mean, by the class of its layer and the weight's name. Keras's own layouts."""

from typing import Any, Literal

from msgspec import Struct

from core.model.graph import Layer

Owns = Literal["channels", "filters", "kernel", "flat", "positions", "all"]


class Axes(Struct, frozen=True):
    """What each axis of a weight means for its layer.

    `spatial` are kernel axes, `channels` the axis that follows the layer's input channels, `filters` the one that
    follows its outputs, `positions` the rows of a table. `kind` says how the numbers act: `kernel` multiplies and is
    summed over `channels`; `depthwise` multiplies channel by channel; `scale`, `shift`, `mean`, `variance` are
    per-channel vectors;
    `bias` is per filter; `table` is a table of positions or classes; `other` is anything else.
    `groups` is the layer's group count, `strides` its steps along the spatial axes.
    """

    kind: str = "other"
    spatial: tuple[int, ...] = ()
    channels: int | None = None
    filters: int | None = None
    groups: int = 1
    positions: int | None = None
    strides: tuple[int, ...] = ()

    def owned(self, owner: Owns, rank: int) -> tuple[int, ...]:
        """The axes of a weight of that rank that rules of `owner` may change."""
        if owner == "kernel":
            return self.spatial
        if owner == "all":
            return tuple(range(rank))
        axis = {"channels": self.channels, "flat": self.channels, "filters": self.filters, "positions": self.positions}[
            owner
        ]
        return () if axis is None else (axis,)


_VECTORS = {
    "gamma": "scale",
    "beta": "shift",
    "moving_mean": "mean",
    "moving_variance": "variance",
    "mean": "mean",
    "variance": "variance",
    "scale": "scale",
}
_CONV = {f"Conv{n}D": n for n in (1, 2, 3)}
_TRANSPOSE = {f"Conv{n}DTranspose": n for n in (1, 2, 3)}
_DEPTHWISE = {f"DepthwiseConv{n}D": n for n in (1, 2)}
_SEPARABLE = {f"SeparableConv{n}D": n for n in (1, 2)}
_CONV_LSTM = {f"ConvLSTM{n}D": n for n in (1, 2, 3)}
_NORMS = {
    "BatchNormalization",
    "LayerNormalization",
    "GroupNormalization",
    "UnitNormalization",
    "RMSNormalization",
    "Normalization",
    "LayerScale",
}
_RECURRENT = {"LSTM", "GRU", "SimpleRNN", "RNN", "LSTMCell", "GRUCell", "SimpleRNNCell"}
WRAPPERS = {"TimeDistributed": "layer", "Bidirectional": "layer", "SpectralNormalization": "layer"}
_OTHER = Axes()


def leaf_class(layer: Layer) -> tuple[str, dict[str, Any]]:
    """Class name and config of the layer that really holds the weights: a wrapper's inside, or the layer itself."""
    class_name, config = layer.class_name, layer.config
    while class_name in WRAPPERS:
        inside = config.get(WRAPPERS[class_name])
        if not isinstance(inside, dict) or "class_name" not in inside:
            break
        class_name, config = inside["class_name"], inside.get("config", {})
    return class_name, config


def axes_of(layer: Layer, weight_name: str, shape: tuple[int, ...]) -> Axes:
    """The meaning of each axis of one weight of a built-in layer.

    Layers without known layout (custom classes) give a table of positions for what looks like one (rank 2, or rank 3
    with a leading 1) and `kind="other"` for the rest.
    """
    class_name, config = leaf_class(layer)
    name = weight_name.rpartition("/")[2]
    rank = len(shape)
    if name == "bias" and rank == 1:
        if class_name in _DEPTHWISE:
            return Axes(kind="shift", channels=0, filters=0)  # one number per channel that goes in
        recurrent = class_name in _RECURRENT or class_name in _CONV_LSTM
        groups = int(config.get("groups") or 1) if class_name in _CONV else 1
        return Axes(kind="bias", filters=None if recurrent else 0, groups=groups)
    if name == "vector_u" and layer.class_name == "SpectralNormalization" and rank == 2:
        return Axes(kind="bias", filters=1, groups=int(config.get("groups") or 1) if class_name in _CONV else 1)
    if class_name in _NORMS:
        return Axes(kind=_VECTORS[name], channels=rank - 1, filters=rank - 1) if name in _VECTORS and rank else _OTHER
    found = _convolution(class_name, config, name, rank)
    if found is not None:
        return found
    if class_name in _RECURRENT and name == "kernel" and rank == 2:
        if not _first_cell(layer, weight_name):
            return _OTHER  # it takes what the cell before it gives
        return Axes(kind="kernel", channels=0)
    if class_name in ("Dense", "EinsumDense") and name == "kernel" and rank >= 2:
        return Axes(kind="kernel", channels=0, filters=rank - 1)
    if class_name == "MultiHeadAttention" and name == "kernel" and rank == 3 and "output" not in weight_name:
        return Axes(kind="kernel", channels=0)
    if class_name == "PReLU" and rank:
        return Axes(kind="scale", channels=rank - 1, filters=rank - 1)
    if class_name == "Embedding" and rank == 2:
        return Axes(kind="table", positions=0, filters=1)
    return _custom(layer, rank, shape)


def _first_cell(layer: Layer, weight_name: str) -> bool:
    """Whether a weight is not one of a stacked cell behind the first."""
    head, cells, rest = weight_name.partition("cells/")
    if not cells:
        return True
    stacked = (weight.name for weight in layer.weights if weight.name.startswith(head + cells))
    first = next(stacked, weight_name)
    return first[len(head + cells) :].partition("/")[0] == rest.partition("/")[0]


def _convolution(class_name: str, config: dict[str, Any], name: str, rank: int) -> Axes | None:
    strides = _tuple(config.get("strides", 1), max(rank - 2, 0))
    if class_name in _CONV and name == "kernel" and rank == _CONV[class_name] + 2:
        groups = int(config.get("groups") or 1)
        return Axes("kernel", tuple(range(rank - 2)), rank - 2, rank - 1, groups, strides=strides)
    if class_name in _TRANSPOSE and name == "kernel" and rank == _TRANSPOSE[class_name] + 2:
        return Axes("kernel", tuple(range(rank - 2)), rank - 1, rank - 2, strides=strides)
    if class_name in _DEPTHWISE and name in ("kernel", "depthwise_kernel"):
        return Axes("depthwise", tuple(range(rank - 2)), rank - 2, None, strides=strides)
    if class_name in _SEPARABLE and name == "depthwise_kernel":
        return Axes("depthwise", tuple(range(rank - 2)), rank - 2, None, strides=strides)
    if class_name in _SEPARABLE and name == "pointwise_kernel":
        return Axes("kernel", (), rank - 2, rank - 1)
    if class_name in _CONV_LSTM and name == "kernel" and rank == _CONV_LSTM[class_name] + 2:
        return Axes("kernel", tuple(range(rank - 2)), rank - 2, None, strides=strides)
    return None


def _custom(layer: Layer, rank: int, shape: tuple[int, ...]) -> Axes:
    if (layer.module or "").partition(".")[0] == "keras":
        return _OTHER
    if rank == 2:
        return Axes(kind="table", positions=0, filters=1)
    if rank == 3 and shape[0] == 1:
        return Axes(kind="table", positions=1, filters=2)
    return _OTHER


def _tuple(value: Any, length: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (int(value),) * length

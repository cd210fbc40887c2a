"""Shapes of convolutions, pooling, padding, cropping and upsampling."""

from collections.abc import Callable
from typing import Any

from core.model.graph import Shape

Config = dict[str, Any]
Rule = Callable[[Config, list[Shape]], Any]
Dim = int | None


def numbers(value: Any, rank: int, default: int = 1) -> tuple[int, ...]:
    """A setting that may be one number for all axes."""
    if value is None:
        return (default,) * rank
    if isinstance(value, (list, tuple)):
        return tuple(int(item) for item in value)
    return (int(value),) * rank


def is_first(config: Config) -> bool:
    """Whether channels come before the spatial axes."""
    return config.get("data_format") == "channels_first"


def split(shape: Shape, config: Config) -> tuple[Dim, tuple[Dim, ...], Dim]:
    """Batch, spatial axes and channels of a shape."""
    if is_first(config):
        return shape[0], shape[2:], shape[1]
    return shape[0], shape[1:-1], shape[-1]


def join(batch: Dim, spatial: tuple[Dim, ...], channels: Dim, config: Config) -> Shape:
    """The inverse of `split`."""
    return (batch, channels, *spatial) if is_first(config) else (batch, *spatial, channels)


def window(length: Dim, kernel: int, stride: int, padding: str, dilation: int = 1) -> Dim:
    """How many windows fit along one axis (TensorFlow's SAME and VALID)."""
    if length is None:
        return None
    reach = dilation * (kernel - 1) + 1
    if padding in ("same", "causal"):
        return -(-length // stride)
    return (length - reach) // stride + 1


def _conv(rank: int, filters: Callable[[Config, Dim], Dim]) -> Rule:
    def rule(config: Config, shapes: list[Shape]) -> Shape:
        batch, spatial, channels = split(shapes[0], config)
        kernel = numbers(config["kernel_size"], rank)
        strides = numbers(config.get("strides"), rank)
        dilation = numbers(config.get("dilation_rate"), rank)
        padding = str(config.get("padding", "valid")).lower()
        out = tuple(
            window(length, k, s, padding, d) for length, k, s, d in zip(spatial, kernel, strides, dilation, strict=True)
        )
        return join(batch, out, filters(config, channels), config)

    return rule


def _transpose(rank: int) -> Rule:
    def rule(config: Config, shapes: list[Shape]) -> Shape:
        batch, spatial, _ = split(shapes[0], config)
        kernel = numbers(config["kernel_size"], rank)
        strides = numbers(config.get("strides"), rank)
        dilation = numbers(config.get("dilation_rate"), rank)
        extra = config.get("output_padding")
        extras: tuple[int | None, ...] = (None,) * rank if extra is None else numbers(extra, rank)
        padding = str(config.get("padding", "valid")).lower()
        out = tuple(
            _transposed(length, k, s, padding, d, e)
            for length, k, s, d, e in zip(spatial, kernel, strides, dilation, extras, strict=True)
        )
        return join(batch, out, int(config["filters"]), config)

    return rule


def _transposed(length: Dim, kernel: int, stride: int, padding: str, dilation: int, extra: int | None) -> Dim:
    """`keras.src.backend.common.backend_utils.compute_conv_transpose_output_shape`."""
    if length is None:
        return None
    reach = dilation * (kernel - 1) + 1
    if extra is None:
        return length * stride + (max(reach - stride, 0) if padding == "valid" else 0)
    if padding == "same":
        return (length - 1) * stride + reach - 2 * (reach // 2) + extra
    return (length - 1) * stride + reach + extra


def _pool(rank: int) -> Rule:
    def rule(config: Config, shapes: list[Shape]) -> Shape:
        batch, spatial, channels = split(shapes[0], config)
        size = numbers(config.get("pool_size", 2), rank)
        strides = size if config.get("strides") is None else numbers(config["strides"], rank)
        padding = str(config.get("padding", "valid")).lower()
        out = tuple(window(length, k, s, padding) for length, k, s in zip(spatial, size, strides, strict=True))
        return join(batch, out, channels, config)

    return rule


def _global_pool(config: Config, shapes: list[Shape]) -> Shape:
    batch, spatial, channels = split(shapes[0], config)
    if config.get("keepdims"):
        return join(batch, (1,) * len(spatial), channels, config)
    return (batch, channels)


def _adaptive(rank: int) -> Rule:
    def rule(config: Config, shapes: list[Shape]) -> Shape:
        batch, _, channels = split(shapes[0], config)
        return join(batch, numbers(config["output_size"], rank), channels, config)

    return rule


def _pairs(value: Any, rank: int) -> list[tuple[int, int]]:
    if isinstance(value, int):
        return [(value, value)] * rank
    if rank == 1 and all(isinstance(item, int) for item in value):
        return [(int(value[0]), int(value[1]))]
    return [(int(item), int(item)) if isinstance(item, int) else (int(item[0]), int(item[1])) for item in value]


def _grow(rank: int, field: str, sign: int) -> Rule:
    def rule(config: Config, shapes: list[Shape]) -> Shape:
        batch, spatial, channels = split(shapes[0], config)
        pairs = _pairs(config.get(field, 1), rank)
        out = tuple(
            None if length is None else length + sign * sum(pair) for length, pair in zip(spatial, pairs, strict=True)
        )
        return join(batch, out, channels, config)

    return rule


def _upsample(rank: int) -> Rule:
    def rule(config: Config, shapes: list[Shape]) -> Shape:
        batch, spatial, channels = split(shapes[0], config)
        size = numbers(config.get("size", 2), rank)
        out = tuple(None if length is None else length * s for length, s in zip(spatial, size, strict=True))
        return join(batch, out, channels, config)

    return rule


def _filters(config: Config, channels: Dim) -> Dim:
    return int(config["filters"])


def _multiplied(config: Config, channels: Dim) -> Dim:
    return None if channels is None else channels * int(config.get("depth_multiplier", 1))


def _resized(config: Config, shapes: list[Shape]) -> Shape:
    shape, size = shapes[0], (int(config["height"]), int(config["width"]))
    if is_first(config):
        return (*shape[:-2], *size)
    return (*shape[:-3], *size, shape[-1])


RULES: dict[str, Rule] = {
    **{f"Conv{n}D": _conv(n, _filters) for n in (1, 2, 3)},
    **{f"SeparableConv{n}D": _conv(n, _filters) for n in (1, 2)},
    **{f"DepthwiseConv{n}D": _conv(n, _multiplied) for n in (1, 2)},
    **{f"Conv{n}DTranspose": _transpose(n) for n in (1, 2, 3)},
    **{f"{kind}Pooling{n}D": _pool(n) for n in (1, 2, 3) for kind in ("Max", "Average")},
    **{f"Global{kind}Pooling{n}D": _global_pool for n in (1, 2, 3) for kind in ("Max", "Average")},
    **{f"Adaptive{kind}Pooling{n}D": _adaptive(n) for n in (1, 2, 3) for kind in ("Max", "Average")},
    **{f"ZeroPadding{n}D": _grow(n, "padding", 1) for n in (1, 2, 3)},
    **{f"Cropping{n}D": _grow(n, "cropping", -1) for n in (1, 2, 3)},
    **{f"UpSampling{n}D": _upsample(n) for n in (1, 2, 3)},
    "Resizing": _resized,
    "CenterCrop": _resized,
    "RandomCrop": _resized,
}

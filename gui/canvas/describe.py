"""The few words that a card shows of a layer: its shape and its most telling arguments."""

from collections.abc import Callable, Mapping
from typing import Any

from core.layers.table import family, row
from core.model.graph import Layer, TensorSpec
from core.phrases import TIMES, sample_words, shape_words
from gui.models.digest import count_words

DOT = "\u2009\u00b7\u2009"


def outputs_text(outputs: tuple[TensorSpec, ...] | None) -> str:
    """The shapes of a call's outputs, at most two of them written out."""
    if not outputs:
        return ""
    texts = [sample_words(spec.shape, "") for spec in outputs]
    return texts[0] if len(texts) == 1 else f"{texts[0]}  +{len(texts) - 1}"


def _sizes(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return shape_words(value) if value else ""
    return "" if value is None else str(value)


def _uniform(value: Any) -> str:
    """`[2, 2]` as `2`, `[1, 2]` as `1x2`."""
    if isinstance(value, (list, tuple)) and len(set(map(str, value))) == 1:
        return str(value[0])
    return _sizes(value)


def named(value: Any) -> str:
    """An activation or other serialised object, by its name."""
    if isinstance(value, Mapping):
        inner = value.get("config")
        if value.get("class_name") in (None, "function") and isinstance(inner, str):
            return inner
        return str(value.get("class_name") or "")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(named(item) for item in value)
    return "" if value is None else str(value)


def _conv(config: Mapping[str, Any]) -> str:
    kernel = _sizes(config.get("kernel_size"))
    filters = config.get("filters")
    words = [str(filters)] if filters else []
    strides, dilation = _uniform(config.get("strides")), _uniform(config.get("dilation_rate"))
    tail = kernel
    tail += f" /{strides}" if strides not in ("", "1") else ""
    tail += f" d{dilation}" if dilation not in ("", "1") else ""
    return DOT.join([*words, tail] if tail else words)


def _pool(config: Mapping[str, Any]) -> str:
    size, strides = _sizes(config.get("pool_size")), _uniform(config.get("strides"))
    return f"{size} /{strides}" if size and strides else size


def _padding(config: Mapping[str, Any]) -> str:
    """`[[3, 3], [3, 3]]` as `3`, `[[0, 1], [0, 1]]` as `0:1`."""
    pads = config.get("padding", config.get("cropping"))
    if not isinstance(pads, (list, tuple)):
        return "" if pads is None else str(pads)
    pairs = [list(pad) if isinstance(pad, (list, tuple)) else [pad] for pad in pads]
    texts = [str(pair[0]) if len(set(pair)) == 1 else ":".join(map(str, pair)) for pair in pairs]
    return texts[0] if len(set(texts)) == 1 else TIMES.join(texts)


def _reshape(config: Mapping[str, Any]) -> str:
    return _sizes(config.get("target_shape") or config.get("dims"))


def _first(*keys: str) -> Callable[[Mapping[str, Any]], str]:
    def text(config: Mapping[str, Any]) -> str:
        return next((named(config[key]) for key in keys if config.get(key) is not None), "")

    return text


def _embedding(config: Mapping[str, Any]) -> str:
    return f"{config.get('input_dim', '?')} \u2192 {config.get('output_dim', '?')}"


def _heads(config: Mapping[str, Any]) -> str:
    heads, size = config.get("num_heads"), config.get("key_dim")
    return f"{heads} heads{DOT}{size}" if heads and size else ""


def _resize(config: Mapping[str, Any]) -> str:
    return _sizes(config.get("size") or [config.get("height", "?"), config.get("width", "?")])


def _most(config: Mapping[str, Any]) -> str:
    most = config.get("max_value")
    return f"max {most:g}" if isinstance(most, (int, float)) else ""


def _factor(config: Mapping[str, Any]) -> str:
    """A number or several; normalizations say by a flag whether they have one."""
    return "" if isinstance(config["scale"], bool) else named(config["scale"])


_RULES: tuple[tuple[tuple[str, ...], Callable[[Mapping[str, Any]], str]], ...] = (
    (("kernel_size",), _conv),
    (("pool_size",), _pool),
    (("cropping",), _padding),
    (("target_shape",), _reshape),
    (("dims",), _reshape),
    (("num_heads",), _heads),
    (("input_dim", "output_dim"), _embedding),
    (("size",), _resize),
    (("height", "width"), _resize),
    (("rate",), _first("rate")),
    (("stddev",), _first("stddev")),
    (("n",), _first("n")),
    (("units",), _first("units")),
    (("scale",), _factor),
    (("max_value",), _most),
    (("negative_slope",), _first("negative_slope")),
    (("padding",), lambda config: "" if isinstance(config["padding"], str) else _padding(config)),
)
"""What a layer tells of itself, by the settings that it has: the first of which it has all."""


def detail_text(layer: Layer) -> str:
    """The most telling arguments of a layer, such as `64 . 7x7 /2` for a convolution; `""` if there are none."""
    if layer.inner is not None:
        count = sum(1 for _ in layer.inner.walk())
        return f"{count} layers{DOT}{count_words(layer.num_params())}"
    config = layer.config
    text = next((rule(config) for settings, rule in _RULES if config.keys() >= set(settings)), "")
    if row(layer).acts == "joining" and config.get("axis") is not None:
        text = f"axis {config['axis']}"
    activation = named(config.get("activation"))
    if activation and (activation != "linear" or family(layer) == "activation"):
        text = DOT.join([text, activation]) if text else activation
    return text if len(text) <= 34 else text[:33] + "\u2026"

"""The built-in layer classes with their constructors' arguments, read off their signatures."""

import inspect
from functools import cache
from typing import Any

import keras

from core.layers.descriptions import Argument, ArgumentKind, LayerClass
from core.layers.table import classes

_LEFT_OUT = classes(offered=False)
_CAUSAL = classes(family="convolution", kind=("plain", "separable", "depthwise"), rank=1)
_MAIN = frozenset({
    "filters", "kernel_size", "strides", "padding", "activation", "use_bias", "dilation_rate", "groups", "units",
    "rate", "pool_size", "axis", "depth_multiplier", "size", "height", "width", "target_shape", "n", "dims", "momentum",
    "epsilon", "scale", "offset", "interpolation", "cropping", "input_dim", "output_dim", "num_heads", "key_dim",
    "dropout", "return_sequences", "go_backwards", "stddev", "factor", "layer", "max_value", "negative_slope",
    "threshold", "alpha", "mask_value", "equation", "output_shape", "keepdims",
})  # fmt: skip
_CHOICES: dict[str, tuple[str, ...]] = {
    "padding": ("valid", "same"),
    "data_format": ("channels_last", "channels_first"),
    "interpolation": ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"),
    "dtype": ("float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16"),
    "fill_mode": ("constant", "nearest", "reflect", "wrap"),
    "merge_mode": ("concat", "sum", "mul", "ave"),
}
_NEVER = frozenset({"name", "trainable", "kwargs", "args", "activity_regularizer"})
_SIZES = frozenset({"kernel_size", "pool_size", "target_shape", "strides", "size", "cropping", "dims", "dilation_rate"})
_WHOLE = frozenset({"units", "filters", "n", "input_dim", "output_dim", "num_heads", "key_dim", "height", "width"})
_FAMILIES = ("convolutional", "core", "pooling", "normalization", "activations", "regularization", "reshaping",
             "merging", "rnn", "attention", "preprocessing")  # fmt: skip


@cache
def layer_classes() -> tuple[LayerClass, ...]:
    """Every public layer class that a recipe can put in, by name."""
    found: dict[str, LayerClass] = {}
    for name in dir(keras.layers):
        value = getattr(keras.layers, name)
        if not (inspect.isclass(value) and issubclass(value, keras.layers.Layer)):
            continue
        if name in _LEFT_OUT or name != value.__name__:
            continue
        found[name] = LayerClass(name, _family(value), _purpose(value), _arguments(value))
    return tuple(found[name] for name in sorted(found))


def _family(value: type) -> str:
    parts = value.__module__.split(".")
    return next((part for part in parts if part in _FAMILIES), "other")


def _purpose(value: type) -> str:
    """The first sentence of the class's documentation."""
    text = inspect.getdoc(value) or ""
    first = " ".join(text.split("\n\n")[0].split()).replace("`", "")
    return first.split(". ")[0].rstrip(".") + "." if first else ""


def _arguments(value: type) -> tuple[Argument, ...]:
    found = []
    for name, parameter in inspect.signature(value).parameters.items():
        if name in _NEVER or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        required = parameter.default is parameter.empty
        default = None if required else _plain(parameter.default)
        options = _options(value.__name__, name, default)
        found.append(
            Argument(
                name,
                _kind(name, default, options),
                default,
                required=required,
                main=required or name in _MAIN,
                optional=not required and parameter.default is None,
                options=options,
            )
        )
    return tuple(found)


def _plain(default: Any) -> Any:
    """A default as JSON has it."""
    if isinstance(default, tuple):
        return [_plain(one) for one in default]
    return default if default is None or isinstance(default, bool | int | float | str | list) else None


def _options(class_name: str, name: str, default: Any) -> tuple[str, ...]:
    if name == "padding" and "Padding" in class_name:
        return ()
    if name == "padding" and class_name in _CAUSAL:
        return (*_CHOICES["padding"], "causal")
    if name in ("activation", "recurrent_activation"):
        return _names(keras.activations)
    if name.endswith("_initializer"):
        return _names(keras.initializers)
    if name.endswith("_regularizer"):
        return ("l1", "l2", "l1_l2")
    if name.endswith("_constraint"):
        return ("max_norm", "non_neg", "unit_norm", "min_max_norm")
    return _CHOICES.get(name, ())


def _names(module: Any) -> tuple[str, ...]:
    """Names that `module.get` takes, without their aliases."""
    skipped = {"get", "serialize", "deserialize"}
    names = [name for name in dir(module) if name.islower() and not name.startswith("_") and name not in skipped]
    return tuple(sorted(name for name in names if callable(getattr(module, name))))


def _kind(name: str, default: Any, options: tuple[str, ...]) -> ArgumentKind:
    if options:
        return "choice"
    if isinstance(default, bool):
        return "flag"
    if name in _SIZES or isinstance(default, list):
        return "sizes"
    if isinstance(default, int) or name in _WHOLE:
        return "whole"
    if isinstance(default, float) or name in ("rate", "scale", "stddev", "alpha"):
        return "number"
    if isinstance(default, str):
        return "text"
    return "json"

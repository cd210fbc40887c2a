"""Shapes of recurrent layers and their wrappers."""

from collections.abc import Callable
from typing import Any

from core.layers import table
from core.layers.shapes.convs import is_first, numbers, split, window
from core.model.graph import Shape, TensorSpec

Config = dict[str, Any]


def _states(class_name: str, config: Config) -> list[int]:
    if class_name == "RNN":
        return _cell_states(config["cell"])
    return [int(config["units"])] * table.row(class_name).states


def _cell_states(cell: Config) -> list[int]:
    fields = cell["config"]
    if cell["class_name"] == "StackedRNNCells":
        return [state for inner in fields["cells"] for state in _cell_states(inner)]
    return [int(fields["units"])] * (table.row(str(cell["class_name"])).states or 1)


def _width(class_name: str, config: Config) -> int:
    if class_name != "RNN":
        return int(config["units"])
    cell = config["cell"]
    while cell["class_name"] == "StackedRNNCells":
        cell = cell["config"]["cells"][-1]
    return int(cell["config"]["units"])


def _recurrent(class_name: str) -> Callable[[Config, list[Shape]], Any]:
    def rule(config: Config, shapes: list[Shape]) -> Any:
        batch, steps = shapes[0][0], shapes[0][1]
        width = _width(class_name, config)
        out: Shape = (batch, steps, width) if config.get("return_sequences") else (batch, width)
        if config.get("return_state"):
            return [out, *((batch, units) for units in _states(class_name, config))]
        return out

    return rule


def _conv_lstm(rank: int) -> Callable[[Config, list[Shape]], Any]:
    def rule(config: Config, shapes: list[Shape]) -> Any:
        shape = shapes[0]
        batch, steps = shape[0], shape[1]
        _, spatial, _ = split((shape[0], *shape[2:]), config)
        kernel, strides = numbers(config["kernel_size"], rank), numbers(config.get("strides"), rank)
        dilation = numbers(config.get("dilation_rate"), rank)
        padding = str(config.get("padding", "valid"))
        inner = tuple(
            window(n, k, s, padding, d) for n, k, s, d in zip(spatial, kernel, strides, dilation, strict=True)
        )
        filters = int(config["filters"])
        tail = (filters, *inner) if is_first(config) else (*inner, filters)
        out = (batch, steps, *tail) if config.get("return_sequences") else (batch, *tail)
        return [out, (batch, *tail), (batch, *tail)] if config.get("return_state") else out

    return rule


def bidirectional(config: Config, shapes: list[Shape | None]) -> tuple[TensorSpec, ...] | None:
    """Both directions, merged as `merge_mode` says."""
    from core.layers.shapes.graph import compute_dtype

    if shapes[0] is None:
        return None
    wrapped = config["layer"]
    rule = RULES.get(wrapped["class_name"])
    if rule is None:
        return None
    found = rule(wrapped["config"], [shapes[0]])
    every = found if isinstance(found, list) else [found]
    out, states = every[0], every[1:]
    dtype = compute_dtype(wrapped["config"].get("dtype"))
    mode = config.get("merge_mode", "concat")
    if mode == "concat":
        first: list[Shape] = [(*out[:-1], None if out[-1] is None else out[-1] * 2)]
    elif mode is None:
        first = [out, out]
    else:
        first = [out]
    return tuple(TensorSpec(shape, dtype) for shape in (*first, *states, *states))


RULES: dict[str, Callable[[Config, list[Shape]], Any]] = {
    **{name: _recurrent(name) for name in table.classes(kind=("units", "cells"))},
    **{name: _conv_lstm(table.row(name).rank) for name in table.classes(family="recurrent", kind="map")},
}

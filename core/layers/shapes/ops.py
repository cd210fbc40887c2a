"""Shapes of `keras.ops` operation nodes that are common in saved models; `None` for the others."""

from collections.abc import Iterator
from typing import Any

from core.layers.shapes import moves as shape_moves
from core.layers.shapes.merges import broadcast, concatenated
from core.layers.shapes.others import reshaped
from core.model.graph import Call, Shape, TensorRef, TensorSpec

Config = dict[str, Any]

_ELEMENTWISE = frozenset(
    [
        "Absolute",
        "Abs",
        "Arccos",
        "Arcsin",
        "Arctan",
        "Ceil",
        "Cos",
        "Cosh",
        "Exp",
        "Expm1",
        "Floor",
        "Log",
        "Log10",
        "Log1p",
        "Log2",
        "Negative",
        "Reciprocal",
        "Round",
        "Sign",
        "Sin",
        "Sinh",
        "Sqrt",
        "Square",
        "Tan",
        "Tanh",
        "Clip",
        "Relu",
        "Relu6",
        "Sigmoid",
        "Softplus",
        "Softsign",
        "Silu",
        "LogSigmoid",
        "LeakyRelu",
        "HardSigmoid",
        "HardSilu",
        "Elu",
        "Selu",
        "Gelu",
        "Softmax",
        "LogSoftmax",
        "StopGradient",
        "Rsqrt",
        "Erf",
        "Flip",
        "Roll",
        "Cumsum",
        "Normalize",
        "ZerosLike",
        "OnesLike",
        "LogicalNot",
        "Isnan",
        "Isfinite",
        "Identity",
        "Cumprod",
    ]
)
_BROADCAST = frozenset(
    [
        "Add",
        "Subtract",
        "Multiply",
        "Divide",
        "TrueDivide",
        "Power",
        "Maximum",
        "Minimum",
        "Mod",
        "FloorDivide",
        "Arctan2",
        "DivideNoNan",
        "Where",
    ]
)
_COMPARE = frozenset(
    ["Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "LogicalXor"]
)
_REDUCE = frozenset(["Mean", "Sum", "Max", "Min", "Prod", "Std", "Var", "Any", "All", "Logsumexp"])


def outputs(name: str, config: Config, call: Call, specs: dict[TensorRef, TensorSpec]) -> tuple[TensorSpec, ...] | None:
    """The output tensors of one operation call; `None` when unknown."""
    inputs = [specs.get(ref, TensorSpec(None)) for ref in call.inputs()]
    if not inputs or any(spec.shape is None for spec in inputs):
        return None
    shapes = list(_shapes((call.args, call.kwargs), specs))
    moved = shape_moves.RULES.get(name)
    found = moved(config, shapes) if moved else _shape(name, config, call, shapes)
    if found is None:
        return None
    dtype = _dtype(name, config, call, [spec.dtype for spec in inputs])
    return tuple(TensorSpec(shape, dtype) for shape in (found if isinstance(found, list) else [found]))


def _shapes(value: Any, specs: dict[TensorRef, TensorSpec]) -> Iterator[Shape]:
    """Shapes of the tensors and constant arrays among a call's arguments, in order."""
    if isinstance(value, TensorRef):
        yield specs[value].shape or ()
    elif isinstance(value, dict) and value.get("class_name") in ("__numpy__", "__tensor__"):
        yield _depth(value.get("config", {}).get("value"))
    elif isinstance(value, dict) and "class_name" not in value:
        for item in value.values():
            yield from _shapes(item, specs)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _shapes(item, specs)


def _depth(value: Any) -> Shape:
    shape: list[int | None] = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _dtype(name: str, config: Config, call: Call, dtypes: list[str]) -> str:
    if name in _COMPARE or name in ("LogicalNot", "Isnan", "Isfinite", "Any", "All"):
        return "bool"
    if name == "Cast":
        return str(config.get("dtype") or argument(call, 1, "dtype") or dtypes[0])
    if name == "OneHot":
        return str(config.get("dtype") or "float32")
    if name in ("Argmax", "Argmin"):
        return "int32"
    return dtypes[-1] if name == "Where" else dtypes[0]


def argument(call: Call, position: int, name: str, config: Config | None = None) -> Any:
    """A call's argument by name, position or the operation's own config."""
    if name in call.kwargs:
        return plain(call.kwargs[name])
    if position < len(call.args):
        return plain(call.args[position])
    return plain((config or {}).get(name))


def plain(value: Any) -> Any:
    """A serialised tuple as a list."""
    if isinstance(value, dict) and value.get("class_name") == "__tuple__":
        return value.get("config", {}).get("value", value.get("items"))
    return value


def _shape(name: str, config: Config, call: Call, shapes: list[Shape]) -> Shape | None:
    first = shapes[0]
    if name in _ELEMENTWISE or name == "Cast":
        return first
    if name in _BROADCAST or name in _COMPARE:
        return broadcast(shapes)
    if name in _REDUCE:
        return _reduced(first, argument(call, 1, "axis", config), bool(argument(call, 2, "keepdims", config)))
    if name == "Concatenate":
        return concatenated(
            shapes,
            int(argument(call, 1, "axis", config) or 0) if "axis" in config or len(call.args) > 1 or call.kwargs else 0,
        )
    if name == "ExpandDims":
        axis = int(argument(call, 1, "axis", config))
        axis %= len(first) + 1
        return (*first[:axis], 1, *first[axis:])
    if name == "Squeeze":
        return _squeezed(first, argument(call, 1, "axis", config))
    if name == "Transpose":
        axes = argument(call, 1, "axes", config)
        return tuple(first[int(axis)] for axis in axes) if axes else tuple(reversed(first))
    if name == "Reshape":
        target = argument(call, 1, "newshape", config)
        return reshaped(first, list(target)) if isinstance(target, list) else None
    if name == "OneHot":
        return (*first, int(argument(call, 1, "num_classes", config)))
    if name == "ExtractPatches" and len(first) == 4 and config.get("data_format") == "channels_last":
        return _patches(first, config)
    if name == "GetItem":
        return sliced(first, argument(call, 1, "key"))
    if name == "Matmul" and len(shapes) == 2 and min(len(shape) for shape in shapes) >= 2:
        return (
            (*broadcast([shapes[0][:-2], shapes[1][:-2]]), shapes[0][-2], shapes[1][-1])
            if len(first) > 2
            else (first[0], shapes[1][-1])
        )
    return None


def _patches(shape: Shape, config: Config) -> Shape | None:
    size, strides, rate = config.get("size"), config.get("strides"), config.get("dilation_rate", 1)
    if not isinstance(size, list) or not isinstance(strides, list) or len(size) != 2 or len(strides) != 2:
        return None
    rates = rate if isinstance(rate, list) else [rate, rate]
    edge = [0 if config.get("padding") == "same" else (size[axis] - 1) * rates[axis] for axis in (0, 1)]
    maps = [None if n is None else -((edge[axis] - n) // strides[axis]) for axis, n in enumerate(shape[1:3])]
    return (shape[0], *maps, None if shape[3] is None else shape[3] * size[0] * size[1])


def _reduced(shape: Shape, axis: Any, keepdims: bool) -> Shape:
    rank = len(shape)
    axes = (
        set(range(rank))
        if axis is None
        else {int(item) % rank for item in (axis if isinstance(axis, list) else [axis])}
    )
    if keepdims:
        return tuple(1 if index in axes else size for index, size in enumerate(shape))
    return tuple(size for index, size in enumerate(shape) if index not in axes)


def _squeezed(shape: Shape, axis: Any) -> Shape:
    if axis is None:
        return tuple(size for size in shape if size != 1)
    axes = {int(item) % len(shape) for item in (axis if isinstance(axis, list) else [axis])}
    return tuple(size for index, size in enumerate(shape) if index not in axes)


def sliced(shape: Shape, key: Any) -> Shape | None:
    """The shape behind `x[key]`, `key` in Keras 3's serialised form; `None` for anything but numbers and slices."""
    parts = key if isinstance(key, list) else [key]
    out: list[int | None] = []
    axis = 0
    for part in parts:
        if part is None:
            out.append(1)
            continue
        if isinstance(part, dict) and part.get("class_name") == "__ellipsis__":
            skipped = len(shape) - axis - sum(1 for later in parts[parts.index(part) + 1 :] if later is not None)
            out.extend(shape[axis : axis + skipped])
            axis += skipped
            continue
        if isinstance(part, int):
            axis += 1
            continue
        if not (isinstance(part, dict) and part.get("class_name") == "__slice__"):
            return None
        fields = part["config"]
        out.append(_range(shape[axis], fields))
        axis += 1
    return (*out, *shape[axis:])


def _range(size: int | None, fields: Config) -> int | None:
    bounds = (fields.get("start"), fields.get("stop"), fields.get("step"))
    if bounds == (None, None, None):
        return size
    if size is None or not all(item is None or isinstance(item, int) for item in bounds):
        return None
    return len(range(*slice(*bounds).indices(size)))

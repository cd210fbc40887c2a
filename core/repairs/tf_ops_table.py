"""TensorFlow functions as `keras.ops` operations: for each, how its arguments become an operation's config and call.

Where the two libraries differ (a smaller epsilon, another default), the value that TensorFlow uses is written out.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

Fields = dict[str, Any]


class Op(Struct, frozen=True):
    """One operation node: class and module of `keras.ops`, its constructor's config, the arguments of its call."""

    class_name: str
    module: str
    config: Fields = {}
    args: tuple[Any, ...] = ()
    kwargs: Fields = {}


class Previous(Struct, frozen=True):
    """Stands for the output of the operation before, in a chain."""


class Unsupported(Exception):
    """These arguments have no counterpart."""


Make = Callable[[Any, Fields], list[Op]]
NUMPY, NN, CORE = "keras.src.ops.numpy", "keras.src.ops.nn", "keras.src.ops.core"
MATH, LINALG, IMAGE = "keras.src.ops.math", "keras.src.ops.linalg", "keras.src.ops.image"


def array_of(value: Any) -> Any:
    """A nested list of numbers as Keras serialises an array, in float32; anything else as it is."""
    if isinstance(value, list) and value and _is_numeric(value):
        return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}
    return value


def _is_numeric(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_numeric(item) for item in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def whole_numbers(value: Any) -> list[int]:
    """A list of sizes. Raises `Unsupported` where a tensor of the model gives one, which no config can hold."""
    if not isinstance(value, list) or not all(isinstance(one, int) and not isinstance(one, bool) for one in value):
        raise Unsupported
    return list(value)


def _unary(class_name: str, module: str, **config: Any) -> Make:
    return lambda x, given: [Op(class_name, module, dict(config), (x,))]


def _binary(class_name: str, second: str = "y", first: str = "x") -> Make:
    def make(x: Any, given: Fields) -> list[Op]:
        return [Op(class_name, NUMPY, {}, (array_of(x), array_of(given[second])))]

    return make


def _reduce(class_name: str, module: str = NUMPY) -> Make:
    def make(x: Any, given: Fields) -> list[Op]:
        axis = given.get("axis", given.get("reduction_indices"))
        keep = bool(given.get("keepdims", given.get("keep_dims")) or False)
        return [Op(class_name, module, {"axis": axis, "keepdims": keep}, (x,))]

    return make


def _arg(class_name: str) -> Make:
    def make(x: Any, given: Fields) -> list[Op]:
        axis = given.get("axis", given.get("dimension"))
        op = Op(class_name, NUMPY, {"axis": 0 if axis is None else axis, "keepdims": False}, (x,))
        wanted = given.get("output_type", "int64")
        return [op, Op("Cast", CORE, {"dtype": wanted}, (Previous(),))]

    return make


def _cast(x: Any, given: Fields) -> list[Op]:
    return [Op("Cast", CORE, {"dtype": given["dtype"]}, (x,))]


def _one_hot(x: Any, given: Fields) -> list[Op]:
    if given.get("on_value") not in (None, 1, 1.0) or given.get("off_value") not in (None, 0, 0.0):
        raise Unsupported
    axis = given.get("axis")
    dtype = given.get("dtype") or "float32"
    config = {"num_classes": given["depth"], "axis": -1 if axis is None else axis, "dtype": dtype}
    return [Op("OneHot", NN, config, (x,))]


def _reshape(x: Any, given: Fields) -> list[Op]:
    shape = given["shape"]
    if not isinstance(shape, list):
        raise Unsupported
    unknown = [size for size in shape if not isinstance(size, int)]
    if len(unknown) > 1 or (unknown and -1 in shape):
        raise Unsupported
    return [Op("Reshape", NUMPY, {"newshape": [size if isinstance(size, int) else -1 for size in shape]}, (x,))]


def _axis(class_name: str, default: Any, module: str = NUMPY) -> Make:
    def make(x: Any, given: Fields) -> list[Op]:
        axis = given.get("axis", default)
        return [Op(class_name, module, {"axis": default if axis is None else axis}, (x,))]

    return make


def _transpose(x: Any, given: Fields) -> list[Op]:
    if given.get("conjugate"):
        raise Unsupported
    return [Op("Transpose", NUMPY, {"axes": given.get("perm")}, (x,))]


def _matmul(x: Any, given: Fields) -> list[Op]:
    flags = ("transpose_a", "adjoint_a", "adjoint_b", "a_is_sparse", "b_is_sparse", "output_type")
    if any(given.get(flag) for flag in flags):
        raise Unsupported
    second = given["b"]
    if not given.get("transpose_b"):
        return [Op("Matmul", NUMPY, {}, (x, array_of(second)))]
    return [
        Op("Swapaxes", NUMPY, {"axis1": -1, "axis2": -2}, (array_of(second),)),
        Op("Matmul", NUMPY, {}, (x, Previous())),
    ]


def _clip(x: Any, given: Fields) -> list[Op]:
    low, high = given["clip_value_min"], given["clip_value_max"]
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        raise Unsupported
    return [Op("Clip", NUMPY, {"x_min": low, "x_max": high}, (x,))]


def _where(x: Any, given: Fields) -> list[Op]:
    if given.get("x") is None or given.get("y") is None:
        raise Unsupported
    return [Op("Where", NUMPY, {}, (x, array_of(given["x"]), array_of(given["y"])))]


def _pad(x: Any, given: Fields) -> list[Op]:
    mode = str(given.get("mode", "CONSTANT")).lower()
    kwargs = {"constant_values": given.get("constant_values") or 0} if mode == "constant" else {}
    config = {"pad_width": [list(pair) for pair in given["paddings"]], "mode": mode}
    return [Op("Pad", NUMPY, config, (x,), kwargs)]


def _split(x: Any, given: Fields) -> list[Op]:
    parts = given["num_or_size_splits"]
    axis = given.get("axis") or 0
    if isinstance(parts, list):
        bounds = [sum(parts[: index + 1]) for index in range(len(parts) - 1)]
        return [Op("Split", NUMPY, {"indices_or_sections": bounds, "axis": axis}, (x,))]
    return [Op("Split", NUMPY, {"indices_or_sections": parts, "axis": axis}, (x,))]


def _unstack(x: Any, given: Fields) -> list[Op]:
    return [Op("Unstack", CORE, {"num": given.get("num"), "axis": given.get("axis") or 0}, (x,))]


def _gather(x: Any, given: Fields) -> list[Op]:
    if given.get("batch_dims"):
        raise Unsupported
    indices = given["indices"]
    if isinstance(indices, list):
        indices = {"class_name": "__numpy__", "config": {"value": indices, "dtype": "int32"}}
    return [Op("Take", NUMPY, {"axis": given.get("axis") or 0}, (x, indices))]


def _get_item(x: Any, given: Fields) -> list[Op]:
    spec = given["slice_spec"]
    parts = spec if isinstance(spec, list) else [spec]
    return [Op("GetItem", NUMPY, {}, (x, [_slice(part) for part in parts]))]


def _slice(part: Any) -> Any:
    if isinstance(part, dict) and "start" in part:
        if any(not isinstance(value, (int, type(None))) for value in part.values()):
            raise Unsupported
        return slice_of(part.get("start"), part.get("stop"), part.get("step"))
    if part is None or isinstance(part, int) or (isinstance(part, dict) and part.get("class_name") == "__ellipsis__"):
        return {"class_name": "__ellipsis__", "config": {}} if isinstance(part, dict) else part
    raise Unsupported


def slice_of(start: Any, stop: Any, step: Any = None) -> Any:
    """A slice as Keras serialises it."""
    return {"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": step}}


def _tf_slice(x: Any, given: Fields) -> list[Op]:
    begin, size = given["begin"], given["size"]
    if not (_is_numeric(begin) and _is_numeric(size)):
        raise Unsupported
    parts = [
        slice_of(first or None, None if length == -1 else first + length)
        for first, length in zip(begin, size, strict=True)
    ]
    return [Op("GetItem", NUMPY, {}, (x, parts))]


def _add_n(x: Any, given: Fields) -> list[Op]:
    ops = [Op("Add", NUMPY, {}, (x[0], x[1]))]
    return ops + [Op("Add", NUMPY, {}, (Previous(), item)) for item in x[2:]]


def _difference(x: Any, given: Fields) -> list[Op]:
    return [Op("Subtract", NUMPY, {}, (x, array_of(given["y"]))), Op("Square", NUMPY, {}, (Previous(),))]


def _l2_normalize(x: Any, given: Fields) -> list[Op]:
    epsilon = given.get("epsilon")
    config = {"axis": given.get("axis"), "order": 2, "epsilon": (1e-12 if epsilon is None else epsilon) ** 0.5}
    return [Op("Normalize", NN, config, (x,))]


def _norm(x: Any, given: Fields) -> list[Op]:
    order = given.get("ord", "euclidean")
    axis = given.get("axis")
    if order not in ("euclidean", 2, 1) or axis is None or (isinstance(axis, list) and len(axis) > 1):
        raise Unsupported
    config = {"ord": 2 if order == "euclidean" else order, "axis": axis, "keepdims": bool(given.get("keepdims"))}
    return [Op("Norm", LINALG, config, (x,))]


def _resize(x: Any, given: Fields) -> list[Op]:
    method = given.get("method") or "bilinear"
    if given.get("preserve_aspect_ratio") or method not in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"):
        raise Unsupported
    config = {
        "size": whole_numbers(given["size"]),
        "interpolation": method,
        "antialias": bool(given.get("antialias")),
        "data_format": "channels_last",
    }
    return [Op("Resize", IMAGE, config, (x,))]


def _pool(class_name: str) -> Make:
    def make(x: Any, given: Fields) -> list[Op]:
        if given.get("data_format") not in (None, "NHWC"):
            raise Unsupported
        sizes = [_spatial(given[name]) for name in ("ksize", "strides")]
        padding = str(given["padding"]).lower()
        config = {"pool_size": sizes[0], "strides": sizes[1], "padding": padding, "data_format": "channels_last"}
        return [Op(class_name, NN, config, (x,))]

    return make


def _spatial(value: Any) -> list[int]:
    if isinstance(value, int):
        return [value, value]
    return list(value[1:3]) if len(value) == 4 else list(value)


def _bias(x: Any, given: Fields) -> list[Op]:
    if given.get("data_format") not in (None, "NHWC", "N...C"):
        raise Unsupported
    return [Op("Add", NUMPY, {}, (x, array_of(given["bias"])))]


def _cumulative(class_name: str) -> Make:
    def make(x: Any, given: Fields) -> list[Op]:
        if given.get("exclusive") or given.get("reverse"):
            raise Unsupported
        return [Op(class_name, NUMPY, {"axis": given.get("axis") or 0}, (x,))]

    return make


_PLAIN = {
    "negative": ("Negative", NUMPY), "exp": ("Exp", NUMPY), "square": ("Square", NUMPY), "sqrt": ("Sqrt", NUMPY),
    "abs": ("Absolute", NUMPY), "log": ("Log", NUMPY), "log1p": ("Log1p", NUMPY), "expm1": ("Expm1", NUMPY),
    "round": ("Round", NUMPY), "sign": ("Sign", NUMPY), "floor": ("Floor", NUMPY), "ceil": ("Ceil", NUMPY),
    "sin": ("Sin", NUMPY), "cos": ("Cos", NUMPY), "tan": ("Tan", NUMPY), "sinh": ("Sinh", NUMPY),
    "cosh": ("Cosh", NUMPY),
    "asin": ("Arcsin", NUMPY), "acos": ("Arccos", NUMPY), "atan": ("Arctan", NUMPY), "tanh": ("Tanh", NUMPY),
    "reciprocal": ("Reciprocal", NUMPY), "logical_not": ("LogicalNot", NUMPY), "rsqrt": ("Rsqrt", MATH),
    "erf": ("Erf", MATH),
    "sigmoid": ("Sigmoid", NN), "softplus": ("Softplus", NN), "relu": ("Relu", NN), "relu6": ("Relu6", NN),
    "silu": ("Silu", NN), "swish": ("Silu", NN), "elu": ("Elu", NN), "selu": ("Selu", NN), "softsign": ("Softsign", NN),
    "is_nan": ("Isnan", NUMPY), "is_finite": ("Isfinite", NUMPY), "stop_gradient": ("StopGradient", CORE),
    "zeros_like": ("ZerosLike", NUMPY), "ones_like": ("OnesLike", NUMPY),
}  # fmt: skip
_BINARY = {
    "add": "Add", "subtract": "Subtract", "multiply": "Multiply", "truediv": "TrueDivide", "divide": "TrueDivide",
    "pow": "Power", "maximum": "Maximum", "minimum": "Minimum", "floormod": "Mod", "mod": "Mod", "atan2": "Arctan2",
    "divide_no_nan": "DivideNoNan", "greater": "Greater", "greater_equal": "GreaterEqual", "less": "Less",
    "less_equal": "LessEqual", "equal": "Equal", "not_equal": "NotEqual", "logical_and": "LogicalAnd",
    "logical_or": "LogicalOr", "floor_div": "FloorDivide", "floordiv": "FloorDivide", "AddV2": "Add", "sub": "Subtract",
    "mul": "Multiply", "div": "TrueDivide", "RealDiv": "TrueDivide",
}  # fmt: skip

TABLE: dict[str, Make] = {
    **{name: _unary(op, module) for name, (op, module) in _PLAIN.items()},
    **{name: _binary(op) for name, op in _BINARY.items()},
    **{
        f"reduce_{name}": _reduce(name.capitalize())
        for name in ("mean", "sum", "max", "min", "prod", "std", "any", "all")
    },
    "reduce_variance": _reduce("Var"),
    "reduce_logsumexp": _reduce("Logsumexp", MATH),
    "argmax": _arg("Argmax"),
    "argmin": _arg("Argmin"),
    "cast": _cast,
    "one_hot": _one_hot,
    "reshape": _reshape,
    "concat": _axis("Concatenate", 0),
    "stack": _axis("Stack", 0),
    "expand_dims": _axis("ExpandDims", -1),
    "squeeze": _axis("Squeeze", None),
    "softmax": _axis("Softmax", -1, NN),
    "log_softmax": _axis("LogSoftmax", -1, NN),
    "reverse": _axis("Flip", None),
    "transpose": _transpose,
    "matmul": _matmul,
    "clip_by_value": _clip,
    "where": _where,
    "pad": _pad,
    "split": _split,
    "unstack": _unstack,
    "gather": _gather,
    "getitem": _get_item,
    "slice": _tf_slice,
    "add_n": _add_n,
    "squared_difference": _difference,
    "l2_normalize": _l2_normalize,
    "norm": _norm,
    "resize": _resize,
    "avg_pool2d": _pool("AveragePool"),
    "max_pool2d": _pool("MaxPool"),
    "bias_add": _bias,
    "cumsum": _cumulative("Cumsum"),
    "cumprod": _cumulative("Cumprod"),
    "tile": lambda x, given: [Op("Tile", NUMPY, {"repeats": whole_numbers(given["multiples"])}, (x,))],
    "repeat": lambda x, given: [Op("Repeat", NUMPY, {"repeats": given["repeats"], "axis": given.get("axis")}, (x,))],
    "gelu": lambda x, given: [Op("Gelu", NN, {"approximate": bool(given.get("approximate"))}, (x,))],
    "leaky_relu": lambda x, given: [Op("LeakyRelu", NN, {"negative_slope": given.get("alpha", 0.2)}, (x,))],
    "depth_to_space": lambda x, given: [Op("DepthToSpace", NN, {"block_size": given["block_size"]}, (x,))],
    "space_to_depth": lambda x, given: [Op("SpaceToDepth", NN, {"block_size": given["block_size"]}, (x,))],
    "identity": lambda x, given: [Op("Identity", "keras.layers", {}, (x,))],
}
"""By the last part of the function's name: `math.reduce_mean` and `compat.v1.reduce_mean` are the same here."""


def operations(function: str, first: Any, given: Fields, table: Mapping[str, Make] = TABLE) -> list[Op] | None:
    """The operations that do what a TensorFlow function does with these arguments; `None` when there are none."""
    make = table.get(function.rsplit(".", 1)[-1])
    if make is None:
        return None
    try:
        return make(first, {key: value for key, value in given.items() if key != "name"})
    except (Unsupported, KeyError, TypeError, IndexError, ValueError):
        return None

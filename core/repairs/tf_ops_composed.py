"""More TensorFlow functions as `keras.ops` operations: those that take several steps, or that are rarely met."""

from typing import Any

from core.repairs.tf_ops_table import (
    IMAGE,
    LINALG,
    MATH,
    NN,
    NUMPY,
    Fields,
    Make,
    Op,
    Previous,
    Unsupported,
    array_of,
    slice_of,
    whole_numbers,
)


def _cumsum(x: Any, given: Fields) -> list[Op]:
    """An exclusive sum is the sum without the element itself; a reversed one runs over the turned tensor."""
    axis = given.get("axis") or 0
    total = Op("Cumsum", NUMPY, {"axis": axis}, (x,))
    if given.get("reverse"):
        if given.get("exclusive"):
            raise Unsupported
        turned = [Op("Flip", NUMPY, {"axis": axis}, (x,)), Op("Cumsum", NUMPY, {"axis": axis}, (Previous(),))]
        return [*turned, Op("Flip", NUMPY, {"axis": axis}, (Previous(),))]
    return [total, Op("Subtract", NUMPY, {}, (Previous(), x))] if given.get("exclusive") else [total]


def _tensordot(x: Any, given: Fields) -> list[Op]:
    return [Op("Tensordot", NUMPY, {"axes": given["axes"]}, (x, array_of(given["b"])))]


def _sort(x: Any, given: Fields) -> list[Op]:
    axis = given.get("axis", -1)
    if given.get("direction", "ASCENDING") == "ASCENDING":
        return [Op("Sort", NUMPY, {"axis": axis}, (x,))]
    return [Op("Sort", NUMPY, {"axis": axis}, (x,)), Op("Flip", NUMPY, {"axis": axis}, (Previous(),))]


def _band(x: Any, given: Fields) -> list[Op]:
    lower, upper = given["num_lower"], given["num_upper"]
    if (lower, upper) == (-1, 0):
        return [Op("Tril", NUMPY, {"k": 0}, (x,))]
    if (lower, upper) == (0, -1):
        return [Op("Triu", NUMPY, {"k": 0}, (x,))]
    raise Unsupported


def _one_hot(x: Any, given: Fields) -> list[Op]:
    on, off = given.get("on_value"), given.get("off_value")
    high, low = 1.0 if on is None else float(on), 0.0 if off is None else float(off)
    axis = given.get("axis")
    config = {
        "num_classes": given["depth"],
        "axis": -1 if axis is None else axis,
        "dtype": given.get("dtype") or "float32",
    }
    ops = [Op("OneHot", NN, config, (x,))]
    if (high, low) != (1.0, 0.0):
        ops += [Op("Multiply", NUMPY, {}, (Previous(), high - low)), Op("Add", NUMPY, {}, (Previous(), low))]
    return ops


def _gather(x: Any, given: Fields) -> list[Op]:
    """Every sample of a batch has indices of its own (`batch_dims=1`, one row of them)."""
    if given.get("batch_dims") != 1 or given.get("axis") not in (None, 1) or isinstance(given["indices"], list):
        raise Unsupported
    return [
        Op("ExpandDims", NUMPY, {"axis": -1}, (given["indices"],)),
        Op("TakeAlongAxis", NUMPY, {"axis": 1}, (x, Previous())),
    ]


def _broadcast(x: Any, given: Fields) -> list[Op]:
    shape = given["shape"]
    if not isinstance(shape, list) or not all(isinstance(size, int) for size in shape):
        raise Unsupported
    return [Op("BroadcastTo", NUMPY, {"shape": shape}, (x,))]


def _gray(x: Any, given: Fields) -> list[Op]:
    """The weights of TensorFlow's `rgb_to_grayscale`, `(0.2989, 0.587, 0.114)`."""
    weights = array_of([[0.2989], [0.587], [0.114]])
    return [Op("Matmul", NUMPY, {}, (x, weights))]


def _convolution(x: Any, given: Fields) -> list[Op]:
    kernel = given.get("filters", given.get("filter"))
    if given.get("data_format") not in (None, "NHWC") or not isinstance(given["padding"], str):
        raise Unsupported
    config = {
        "strides": _pair(given.get("strides")),
        "padding": given["padding"].lower(),
        "data_format": "channels_last",
        "dilation_rate": _pair(given.get("dilations")),
    }
    return [Op("Conv", NN, config, (x, array_of(kernel)))]


def _patches(x: Any, given: Fields) -> list[Op]:
    sizes, strides, rates = (whole_numbers(given[name]) for name in ("sizes", "strides", "rates"))
    config = {
        "size": sizes[1:3],
        "strides": strides[1:3],
        "dilation_rate": rates[1:3] if rates[1:3] != [1, 1] else 1,
        "padding": str(given["padding"]).lower(),
        "data_format": "channels_last",
    }
    return [Op("ExtractPatches", IMAGE, config, (x,))]


def _response(x: Any, given: Fields) -> list[Op]:
    """Local response normalization, `x / (bias + alpha * sum of squares of 2r + 1 channels) ** beta` (AlexNet)."""
    radius, bias, alpha, beta = (
        default if given.get(name) is None else given[name]
        for name, default in (("depth_radius", 5), ("bias", 1), ("alpha", 1), ("beta", 0.5))
    )
    width = 2 * int(radius) + 1
    pool = {"pool_size": [1, 1, width], "strides": [1, 1, 1], "padding": "valid", "data_format": "channels_last"}
    edges = [[0, 0], [0, 0], [0, 0], [int(radius), int(radius)]]
    return [
        Op("Square", NUMPY, {}, (x,)),
        Op("Pad", NUMPY, {"pad_width": edges, "mode": "constant"}, (Previous(),), {"constant_values": 0}),
        Op("ExpandDims", NUMPY, {"axis": -1}, (Previous(),)),
        Op("AveragePool", NN, pool, (Previous(),)),
        Op("Squeeze", NUMPY, {"axis": -1}, (Previous(),)),
        Op("Multiply", NUMPY, {}, (Previous(), float(alpha) * width)),
        Op("Add", NUMPY, {}, (Previous(), float(bias))),
        Op("Power", NUMPY, {}, (Previous(), -float(beta))),
        Op("Multiply", NUMPY, {}, (x, Previous())),
    ]


def _pool(class_name: str) -> Make:
    def make(x: Any, given: Fields) -> list[Op]:
        if given.get("data_format") not in (None, "NHWC") or not isinstance(given["padding"], str):
            raise Unsupported
        sizes = [_pair(given[name]) for name in ("ksize", "strides")]
        padding = given["padding"].lower()
        config = {"pool_size": sizes[0], "strides": sizes[1], "padding": padding, "data_format": "channels_last"}
        return [Op(class_name, NN, config, (x,))]

    return make


def _crop(x: Any, given: Fields) -> list[Op]:
    top, left, height, width = whole_numbers(
        [given[name] for name in ("offset_height", "offset_width", "target_height", "target_width")]
    )
    parts = [{"class_name": "__ellipsis__", "config": {}}, slice_of(top, top + height), slice_of(left, left + width)]
    return [Op("GetItem", NUMPY, {}, (x, [*parts, slice_of(None, None)]))]


def _pair(value: Any) -> list[int]:
    if value is None:
        return [1, 1]
    if isinstance(value, int):
        return [value, value]
    return list(value[1:3]) if len(value) == 4 else [int(item) for item in value]


MORE: dict[str, Make] = {
    "is_inf": lambda x, given: [Op("Isinf", NUMPY, {}, (x,))],
    "log_sigmoid": lambda x, given: [Op("LogSigmoid", NN, {}, (x,))],
    "tensordot": _tensordot,
    "cumsum": _cumsum,
    "sort": _sort,
    "roll": lambda x, given: [Op("Roll", NUMPY, {"shift": given["shift"], "axis": given.get("axis")}, (x,))],
    "top_k": lambda x, given: [
        Op("TopK", MATH, {"k": given.get("k", 1), "sorted": bool(given.get("sorted", True))}, (x,))
    ],
    "band_part": _band,
    "atan2": lambda x, given: [Op("Arctan2", NUMPY, {}, (array_of(x), array_of(given["x"])))],
    "one_hot": _one_hot,
    "gather": _gather,
    "broadcast_to": _broadcast,
    "flip_left_right": lambda x, given: [Op("Flip", NUMPY, {"axis": -2}, (x,))],
    "flip_up_down": lambda x, given: [Op("Flip", NUMPY, {"axis": -3}, (x,))],
    "rgb_to_grayscale": _gray,
    "conv2d": _convolution,
    "extract_patches": _patches,
    "local_response_normalization": _response,
    "lrn": _response,
    "max_pool": _pool("MaxPool"),
    "avg_pool": _pool("AveragePool"),
    "crop_to_bounding_box": _crop,
    "grayscale_to_rgb": lambda x, given: [Op("Repeat", NUMPY, {"repeats": 3, "axis": -1}, (x,))],
    "ensure_shape": lambda x, given: [Op("Identity", "keras.layers", {}, (x,))],
    "reduce_euclidean_norm": lambda x, given: [
        Op("Square", NUMPY, {}, (x,)),
        Op("Sum", NUMPY, {"axis": given.get("axis"), "keepdims": bool(given.get("keepdims"))}, (Previous(),)),
        Op("Sqrt", NUMPY, {}, (Previous(),)),
    ],
    "det": lambda x, given: [Op("Det", LINALG, {}, (x,))],
}
"""Tried where the first table has no answer."""

"""`TensorFlowOpLayer`: one operation of a TensorFlow graph inside a model, as TensorFlow 2.0 to 2.3 wrote `x + 1`.

The layer keeps the graph node (`node_def`) and its constant inputs by position. Both become the function and the
arguments that later versions write, so that one table serves both.
"""

from typing import Any

from core.model.calls import is_leaf
from core.repairs.base import Config
from core.repairs.nodes import tensor

_TWO = ("x", "y")
_FUNCTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        name: (name.lower(), ("x",))
        for name in ("Relu", "Relu6", "Elu", "Selu", "Sigmoid", "Tanh", "Exp", "Log", "Sqrt")
    },
    **{
        name: (name.lower(), ("x",))
        for name in ("Square", "Rsqrt", "Softplus", "Softsign", "Sin", "Cos", "Floor", "Ceil")
    },
    **{
        name: (name.lower(), ("x",))
        for name in ("Abs", "Erf", "Sign", "Round", "Softmax", "Log1p", "Expm1", "Reciprocal")
    },
    **{name: (name.lower(), _TWO) for name in ("Sub", "Mul", "Maximum", "Minimum", "Pow", "Greater", "Less", "Equal")},
    "Neg": ("negative", ("x",)),
    "LogSoftmax": ("log_softmax", ("x",)),
    "Identity": ("identity", ("x",)),
    "Add": ("add", _TWO),
    "AddV2": ("add", _TWO),
    "BiasAdd": ("bias_add", ("value", "bias")),
    "RealDiv": ("truediv", _TWO),
    "Div": ("truediv", _TWO),
    "FloorDiv": ("floor_div", _TWO),
    "FloorMod": ("floormod", _TWO),
    "DivNoNan": ("divide_no_nan", _TWO),
    "SquaredDifference": ("squared_difference", _TWO),
    "GreaterEqual": ("greater_equal", _TWO),
    "LessEqual": ("less_equal", _TWO),
    "NotEqual": ("not_equal", _TWO),
    **{name: (f"reduce_{name.lower()}", ("x", "axis")) for name in ("Mean", "Sum", "Max", "Min", "Prod", "Any", "All")},
    "Reshape": ("reshape", ("x", "shape")),
    "ExpandDims": ("expand_dims", ("x", "axis")),
    "Squeeze": ("squeeze", ("x",)),
    "Transpose": ("transpose", ("x", "perm")),
    "Tile": ("tile", ("x", "multiples")),
    "Pad": ("pad", ("x", "paddings")),
    "PadV2": ("pad", ("x", "paddings", "constant_values")),
    "MirrorPad": ("pad", ("x", "paddings")),
    "MatMul": ("matmul", ("a", "b")),
    "BatchMatMul": ("matmul", ("a", "b")),
    "BatchMatMulV2": ("matmul", ("a", "b")),
    "ClipByValue": ("clip_by_value", ("x", "clip_value_min", "clip_value_max")),
    "Cast": ("cast", ("x",)),
    "StridedSlice": ("getitem", ("x", "begin", "end", "strides")),
    "ConcatV2": ("concat", ()),
    "Pack": ("stack", ()),
    "AddN": ("add_n", ()),
    "GatherV2": ("gather", ("x", "indices", "axis")),
    "ResizeBilinear": ("resize", ("x", "size")),
    "ResizeNearestNeighbor": ("resize", ("x", "size")),
    "ArgMax": ("argmax", ("x", "axis")),
    "DepthToSpace": ("depth_to_space", ("x",)),
    "SpaceToDepth": ("space_to_depth", ("x",)),
    "LeakyRelu": ("leaky_relu", ("x",)),
}
"""Operation of a graph: the function in later files, and what its inputs are called there."""

_DTYPES = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_HALF": "float16",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
}
_DTYPES |= {"DT_BOOL": "bool", "DT_UINT8": "uint8"}


def function_call(config: Config, node: Any) -> tuple[str, Any, Config] | None:
    """Function, first argument and the others of a TensorFlowOpLayer's call; `None` for what is not known."""
    definition = config.get("node_def")
    if not isinstance(definition, dict) or definition.get("op") not in _FUNCTIONS:
        return None
    function, names = _FUNCTIONS[definition["op"]]
    items = [node] if is_leaf(node) else node
    if not isinstance(items, list) or not all(is_leaf(item) for item in items):
        return None
    inputs = _in_order([tensor(*item[:3]) for item in items], config.get("constants") or {})
    attributes = {key: _plain(value) for key, value in (definition.get("attr") or {}).items()}
    given = dict(zip(names[1:], inputs[1:], strict=False))
    first: Any = inputs[0]
    if function == "concat":
        first, given = inputs[:-1], {"axis": inputs[-1]}
    elif function in ("stack", "add_n"):
        first, given = inputs, {"axis": attributes.get("axis", 0)} if function == "stack" else {}
    elif function == "getitem":
        spec = _slices(given, attributes)
        if spec is None:
            return None
        given = {"slice_spec": spec}
    elif function == "resize":
        if not attributes.get("half_pixel_centers") or attributes.get("align_corners"):
            return None  # the older ways to place pixels have no counterpart
        given["method"] = "bilinear" if definition["op"] == "ResizeBilinear" else "nearest"
    return function, first, {**given, **_from_attributes(function, definition["op"], attributes)}


def _in_order(tensors: list[Any], constants: Config) -> list[Any]:
    """All inputs of the node: constants at their positions, tensors in the places between."""
    left = iter(tensors)
    places = (str(place) for place in range(len(tensors) + len(constants)))
    return [constants[place] if place in constants else next(left, None) for place in places]


def _from_attributes(function: str, op: str, attributes: Config) -> Config:
    if function.startswith("reduce_"):
        return {"keepdims": bool(attributes.get("keep_dims"))}
    if function == "squeeze":
        return {"axis": attributes.get("squeeze_dims") or None}
    if function == "cast":
        return {"dtype": _DTYPES[str(attributes.get("DstT"))]}
    if function == "matmul":
        flags = attributes.get("transpose_b") or attributes.get("adj_y")
        return {
            "transpose_a": bool(attributes.get("transpose_a") or attributes.get("adj_x")),
            "transpose_b": bool(flags),
        }
    if function == "pad" and op == "MirrorPad":
        return {"mode": str(attributes.get("mode") or "REFLECT")}
    if function in ("depth_to_space", "space_to_depth"):
        return {"block_size": attributes["block_size"]}
    if function == "leaky_relu":
        return {"alpha": attributes.get("alpha", 0.2)}
    return {}


def _plain(value: Any) -> Any:
    """An attribute's value; protobuf's JSON writes 64-bit numbers as text."""
    if not isinstance(value, dict):
        return value
    if "list" in value:
        inner = value["list"]
        return [int(item) for item in inner.get("i", [])] if isinstance(inner, dict) else []
    for kind, convert in (("i", int), ("f", float), ("b", bool), ("type", str), ("s", str)):
        if kind in value:
            return convert(value[kind])
    return None


def _slices(given: Config, attributes: Config) -> list[Any] | None:
    """A strided slice's numbers and bit masks as the slices they mean."""
    parts = [given.get(name) for name in ("begin", "end", "strides")]
    if not all(isinstance(part, list) for part in parts):
        return None
    masks = {
        name: int(attributes.get(f"{name}_mask") or 0)
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    spec: list[Any] = []
    for place, (start, stop, step) in enumerate(zip(*parts, strict=True)):
        bit = 1 << place
        if masks["ellipsis"] & bit:
            spec.append({"class_name": "__ellipsis__", "config": {}})
        elif masks["new_axis"] & bit:
            spec.append(None)
        elif masks["shrink_axis"] & bit:
            spec.append(start)
        else:
            spec.append(
                {
                    "start": None if masks["begin"] & bit else start,
                    "stop": None if masks["end"] & bit else stop,
                    "step": step,
                }
            )
    return spec

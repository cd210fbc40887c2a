"""What functions of Keras's backend, of TensorFlow and of `keras.ops` are in Keras 3, argument by argument."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from core.bytecode.constants import NotConstant, constant
from core.bytecode.symbols import Const, Expression, Name

Bound = dict[str, Expression]
Fields = dict[str, Any]
_N, _NN, _LAYERS = "keras.src.ops.numpy", "keras.src.ops.nn", "keras.layers"
_PREFIXES = {
    "tf.keras.backend.": "K", "tensorflow.keras.backend.": "K", "keras.backend.": "K", "backend.": "K", "K.": "K",
    "keras.ops.": "ops", "ops.": "ops", "tensorflow.": "tf", "tf.": "tf",
}  # fmt: skip
_INSIDE_TF = ("math.", "nn.", "linalg.")
REQUIRED = object()


class Recipe(Struct, frozen=True):
    """A function by its parameters (`REQUIRED` or a default), and the operation or layer that it is in Keras 3.

    `tensors` are the parameters that get tensors (`lists`: lists of them), `fields` makes the operation's config of
    the others and answers `None` where they mean something else. `before` is an operation with a number that the old
    function does first. `certain` is false where versions of the library differ.
    """

    parameters: tuple[tuple[str, Any], ...]
    module: str
    class_name: str
    fields: Callable[[Fields], Fields | None] = dict
    tensors: tuple[str, ...] = ("x",)
    lists: tuple[str, ...] = ()
    before: tuple[str, float] | None = None
    certain: bool = True

    def bind(self, args: tuple[Expression, ...], kwargs: tuple[tuple[str, Expression], ...]) -> Bound | None:
        """The call's arguments by name, defaults filled in; `None` where they do not fit."""
        names = [name for name, _ in self.parameters]
        if len(args) > len(names):
            return None
        bound: Bound = dict(zip(names, args, strict=False))
        for name, value in kwargs:
            if name == "name":
                continue
            # the first parameter has many names: x, input, a, t, tensor, input_tensor, values
            own = name if name in names else names[0] if name in _FIRST and names[0] not in bound else ""
            if not own or own in bound:
                return None
            bound[own] = value
        for name, default in self.parameters:
            if name not in bound:
                if default is REQUIRED:
                    return None
                bound[name] = Const(value=default)
        return bound

    def config(self, rest: Bound) -> Fields | None:
        """The operation's config from the arguments that are no tensors."""
        try:
            return self.fields({name: _field(value) for name, value in rest.items()})
        except (NotConstant, TypeError, ValueError):
            return None


_FIRST = ("input", "input_tensor", "a", "t", "tensor", "values", "inputs", "features", "logits", "images")


def resolve(dotted: str) -> tuple[str, str]:
    """Family (`K`, `tf`, `ops`, or `""` for a bare name) and the function's own name."""
    for prefix, family in _PREFIXES.items():
        if dotted.startswith(prefix):
            word = dotted[len(prefix) :]
            inner = next((part for part in _INSIDE_TF if family == "tf" and word.startswith(part)), "")
            return family, word[len(inner) :]
    return "", dotted


def find_recipe(family: str, word: str) -> Recipe | None:
    """The recipe for a function, if it is known."""
    return _RECIPES.get((family, word))


def _field(value: Expression) -> Any:
    """A constant, or the name of a dtype."""
    if isinstance(value, Name):
        head, _, tail = value.dotted.rpartition(".")
        if head in ("tf", "np", "tf.dtypes") and tail in _DTYPES:
            return tail
        raise NotConstant
    return _listed(constant(value))


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value


_DTYPES = ("float16", "float32", "float64", "int32", "int64", "uint8", "bool", "int8", "int16")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31


def _axes(value: Any) -> bool:
    return value is None or _whole(value) or (isinstance(value, list) and bool(value) and all(map(_whole, value)))


def _reduction(fields: Fields) -> Fields | None:
    keep = fields["keepdims"] if fields.get("keep_dims") is None else fields["keep_dims"]
    if not _axes(fields["axis"]) or not isinstance(keep, bool):
        return None
    return {"axis": fields["axis"], "keepdims": keep}


def _one_axis(fields: Fields) -> Fields | None:
    return {"axis": fields["axis"]} if _whole(fields["axis"]) else None


def _any_axes(fields: Fields) -> Fields | None:
    axis = fields["axis"]
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    return {"axis": axis} if _axes(axis) else None


def _shape(fields: Fields) -> Fields | None:
    shape = fields["shape"]
    return {"newshape": shape} if isinstance(shape, list) and all(map(_whole, shape)) else None


def _order(fields: Fields) -> Fields | None:
    axes = fields["axes"]
    return {"axes": axes} if axes is None or (isinstance(axes, list) and all(map(_whole, axes))) else None


def _limits(fields: Fields) -> Fields | None:
    low, high = fields["low"], fields["high"]
    return {"x_min": low, "x_max": high} if all(isinstance(one, (int, float)) for one in (low, high)) else None


def _unit(fields: Fields) -> Fields | None:
    if not _whole(fields["axis"]):
        return None
    # TensorFlow limits the square, Keras 3 the norm
    return {"axis": fields["axis"], "order": 2, "epsilon": float(fields["epsilon"]) ** 0.5}


def _dtype(fields: Fields) -> Fields | None:
    return {"dtype": fields["dtype"]} if fields["dtype"] in _DTYPES else None


def _upsampling(fields: Fields) -> Fields | None:
    size = [fields["height"], fields["width"]]
    if not all(_whole(one) and one > 0 for one in size) or fields["data_format"] not in (
        "channels_last",
        "channels_first",
    ):
        return None
    return {"size": size, "data_format": fields["data_format"], "interpolation": fields["interpolation"]}


def _resizing(fields: Fields) -> Fields | None:
    size, method = fields["size"], fields["method"]
    if not isinstance(size, list) or len(size) != 2 or not all(_whole(one) and one > 0 for one in size):
        return None
    return {"height": size[0], "width": size[1], "interpolation": method} if method in _METHODS else None


_METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5")
_X = (("x", REQUIRED),)
_TWO = (("x", REQUIRED), ("y", REQUIRED))


def _nothing(fields: Fields) -> Fields:
    return {}


def _elementwise() -> dict[tuple[str, str], Recipe]:
    names = {
        "abs": "Absolute", "square": "Square", "exp": "Exp", "log": "Log", "sin": "Sin", "cos": "Cos", "tanh": "Tanh",
        "sign": "Sign", "floor": "Floor", "ceil": "Ceil", "negative": "Negative", "sqrt": "Sqrt", "log1p": "Log1p",
    }  # fmt: skip
    activations = {
        "relu": "Relu", "sigmoid": "Sigmoid", "softplus": "Softplus", "softsign": "Softsign", "relu6": "Relu6",
        "silu": "Silu", "swish": "Silu", "elu": "Elu", "selu": "Selu",
    }  # fmt: skip
    table = {}
    for family in ("K", "tf", "ops"):
        for name, class_name in names.items():
            first = ("Maximum", 0.0) if (family, name) == ("K", "sqrt") else None  # K.sqrt takes no negative numbers
            table[family, name] = Recipe(_X, _N, class_name, _nothing, before=first)
        for name, class_name in activations.items():
            table[family, name] = Recipe(_X, _NN, class_name, _nothing)
        table[family, "stop_gradient"] = Recipe(_X, "keras.src.ops.core", "StopGradient", _nothing)
        table[family, "rsqrt"] = Recipe(_X, "keras.src.ops.math", "Rsqrt", _nothing)
    table["", "abs"] = table["tf", "abs"]
    return table


def _reductions() -> dict[tuple[str, str], Recipe]:
    names = {"mean": "Mean", "sum": "Sum", "max": "Max", "min": "Min", "prod": "Prod", "std": "Std", "var": "Var"}
    parameters = (("x", REQUIRED), ("axis", None), ("keepdims", False))
    table = {}
    for name, class_name in names.items():
        table["K", name] = table["ops", name] = Recipe(parameters, _N, class_name, _reduction)
        old = {"std": "reduce_std", "var": "reduce_variance"}.get(name, f"reduce_{name}")
        table["tf", old] = Recipe((*parameters, ("keep_dims", None)), _N, class_name, _reduction)
    return table


def _pairs() -> dict[tuple[str, str], Recipe]:
    names = {
        "maximum": "Maximum", "minimum": "Minimum", "pow": "Power", "add": "Add", "subtract": "Subtract",
        "multiply": "Multiply", "divide": "TrueDivide", "truediv": "TrueDivide", "power": "Power",
    }  # fmt: skip
    table = {
        (family, name): Recipe(_TWO, _N, class_name, _nothing, ("x", "y"))
        for family in ("K", "tf", "ops")
        for name, class_name in names.items()
    }
    table["tf", "matmul"] = table["ops", "matmul"] = Recipe(_TWO, _N, "Matmul", _nothing, ("x", "y"))
    return table


def _shapes() -> dict[tuple[str, str], Recipe]:
    axis, axes = ("axis", REQUIRED), ("axes", None)
    table = {
        ("K", "expand_dims"): Recipe((*_X, ("axis", -1)), _N, "ExpandDims", _one_axis),
        ("tf", "expand_dims"): Recipe((*_X, axis), _N, "ExpandDims", _one_axis),
        ("K", "squeeze"): Recipe((*_X, axis), _N, "Squeeze", _one_axis),
        ("tf", "squeeze"): Recipe((*_X, ("axis", None)), _N, "Squeeze", _any_axes),
        ("K", "reshape"): Recipe((*_X, ("shape", REQUIRED)), _N, "Reshape", _shape),
        ("K", "permute_dimensions"): Recipe((*_X, ("axes", REQUIRED)), _N, "Transpose", _order),
        ("tf", "transpose"): Recipe((*_X, axes), _N, "Transpose", _order),
        ("K", "concatenate"): Recipe((*_X, ("axis", -1)), _N, "Concatenate", _one_axis, lists=("x",)),
        ("tf", "concat"): Recipe((*_X, axis), _N, "Concatenate", _one_axis, lists=("x",)),
        ("K", "stack"): Recipe((*_X, ("axis", 0)), _N, "Stack", _one_axis, lists=("x",)),
        ("K", "batch_flatten"): Recipe(_X, _LAYERS, "Flatten", _nothing),
    }
    table["tf", "reshape"] = table["ops", "reshape"] = table["K", "reshape"]
    table["tf", "stack"] = table["ops", "stack"] = table["K", "stack"]
    table["ops", "expand_dims"] = table["tf", "expand_dims"]
    table["ops", "squeeze"] = table["tf", "squeeze"]
    table["ops", "transpose"] = table["tf", "transpose"]
    return table


def _others() -> dict[tuple[str, str], Recipe]:
    limits = (("x", REQUIRED), ("low", REQUIRED), ("high", REQUIRED))
    unit = (("x", REQUIRED), ("axis", None), ("epsilon", 1e-12))
    up = (*_X, ("height", REQUIRED), ("width", REQUIRED), ("data_format", REQUIRED), ("interpolation", "nearest"))
    resize = (*_X, ("size", REQUIRED), ("method", "bilinear"))
    table = {
        ("K", "clip"): Recipe(limits, _N, "Clip", _limits),
        ("tf", "clip_by_value"): Recipe(limits, _N, "Clip", _limits),
        ("K", "l2_normalize"): Recipe(unit[:2], _NN, "Normalize", lambda found: _unit({**found, "epsilon": 1e-12})),
        ("tf", "l2_normalize"): Recipe(unit, _NN, "Normalize", _unit),
        ("K", "softmax"): Recipe((*_X, ("axis", -1)), _NN, "Softmax", _one_axis),
        ("K", "cast"): Recipe((*_X, ("dtype", REQUIRED)), "keras.src.ops.core", "Cast", _dtype),
        ("K", "resize_images"): Recipe(up, _LAYERS, "UpSampling2D", _upsampling),
        # TensorFlow 1 put the corners elsewhere
        ("tf", "image.resize"): Recipe(resize, _LAYERS, "Resizing", _resizing, certain=False),
    }
    table["tf", "softmax"] = table["ops", "softmax"] = table["K", "softmax"]
    table["tf", "cast"] = table["ops", "cast"] = table["K", "cast"]
    table["ops", "clip"] = table["K", "clip"]
    return table


_RECIPES = {**_elementwise(), **_reductions(), **_pairs(), **_shapes(), **_others()}

"""What operations do to channels, by class, and the layers that matter to it; indices in plain numbers."""

from typing import Any

import numpy as np

from core.layers.table import classes
from core.model.graph import Layer, TensorRef

CONVOLUTIONS = classes(family="convolution", kind=("plain", "transposed", "separable"))
DEPTHWISE = classes(kind="depthwise")
MIXING = classes(acts="mixing")
TOKENS = classes(acts="tokens")
ACTIVATIONS = classes(family="activation", acts="number") - {"Activation"}
ZERO_AT_ZERO = frozenset(
    {"relu", "relu6", "tanh", "elu", "selu", "celu", "gelu", "silu", "swish", "leaky_relu", "softsign", "mish"}
    | {"hard_silu", "hard_swish", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink"}
)
"""Activations by name that give zero for zero."""
ELSEWHERE = frozenset(
    {"sigmoid", "hard_sigmoid", "softplus", "exponential", "log_sigmoid", "squareplus", "threshold"}
) | {
    "sparse_plus",
    "sparse_sigmoid",
}
"""Activations by name that act number by number and give something else for zero."""
ACROSS = frozenset({"softmax", "log_softmax", "sparsemax"})
"""Activations that are taken over the last axis at once."""

LINEAR_OPS = frozenset(
    {"Negative", "Cast", "SaturateCast", "Copy", "StopGradient", "ConvertToTensor", "Deg2rad", "Rad2deg"}
)
ZERO_OPS = frozenset(
    {"Relu", "Relu6", "Silu", "Gelu", "Elu", "Selu", "Celu", "LeakyRelu", "HardSilu", "HardTanh", "HardShrink"}
    | {
        "SoftShrink",
        "TanhShrink",
        "Softsign",
        "Absolute",
        "Abs",
        "Fabs",
        "Square",
        "Sqrt",
        "Cbrt",
        "Tanh",
        "Sinh",
        "Sin",
    }
    | {"Tan", "Arcsin", "Arctan", "Arcsinh", "Arctanh", "Expm1", "Log1p", "Sign", "Floor", "Ceil", "Round", "Trunc"}
    | {"Erf", "Erfinv", "NanToNum", "Clip", "Conj", "Conjugate", "Real", "Imag"}
)
OTHER_OPS = frozenset(
    {"Sigmoid", "SparseSigmoid", "Softplus", "SparsePlus", "Squareplus", "LogSigmoid", "HardSigmoid", "Threshold"}
    | {"Exp", "Exp2", "Log", "Log2", "Log10", "Cos", "Cosh", "Arccos", "Arccosh", "Reciprocal", "Rsqrt", "Erfc"}
    | {"LogicalNot", "Isfinite", "Isinf", "Isnan", "Sinc"}
)
"""Operations on one tensor, number by number: linear ones, those with zero at zero, and the others."""
ALONE_OPS = LINEAR_OPS | ZERO_OPS | OTHER_OPS
"""Operations on one tensor, number by number."""
TOGETHER_OPS = frozenset({"Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Power", "Maximum", "Minimum"})
"""Arithmetic on several tensors, number by number."""
TOGETHER = (
    classes(kind="together")
    | TOGETHER_OPS
    | {"Where", "Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr"}
    | {"FloorDivide", "Mod", "Logaddexp"}
)
"""Layers and operations that combine tensors number by number."""
SUMS = frozenset({"Add", "Subtract", "Average"})
REDUCING = frozenset(
    {"Mean", "Max", "Min", "Amax", "Amin", "Sum", "Prod", "Any", "All", "Std", "Var", "Median", "Logsumexp"}
)
GRAY_KEPT = frozenset({"Mean", "Max", "Min", "Amax", "Amin", "Median", "Average"})
"""Reductions that give of equal channels what each of them is, however many there are."""


def constant(value: Any) -> Any:
    """A constant of a config or call as a NumPy array, or `None` where it is no number."""
    if isinstance(value, dict):
        value = (
            value.get("config", {}).get("value")
            if value.get("class_name") == "__numpy__" or "config" in value
            else None
        )
    if value is None or isinstance(value, (str, TensorRef)):
        return None
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return array


def spread_over(array: Any, rank: int, axis: int) -> tuple[int, bool] | None:
    """How many numbers a constant has along `axis` of a tensor of `rank`, and whether it differs along others too."""
    if array.ndim > rank:
        return None
    shape = (1,) * (rank - array.ndim) + array.shape
    return shape[axis], any(size != 1 for place, size in enumerate(shape) if place != axis)


def normalised(axes: Any, rank: int) -> tuple[int, ...]:
    """One axis or several as numbers from 0."""
    many = axes if isinstance(axes, (list, tuple)) else (axes,)
    return tuple(int(one) % rank for one in many)


def indexed(key: Any, rank: int, axis: int) -> tuple[int | None, Any] | None:
    """Where `axis` lies after `x[key]` (`None`: it is taken away), and what is taken along it; `None` if not known.

    What is taken is a `slice` or a number.
    """
    parts = [_part(one) for one in (key if isinstance(key, (list, tuple)) else [key])]
    if any(part is _UNKNOWN for part in parts):
        return None
    real = [part for part in parts if part is not None and part is not Ellipsis]
    if len(real) > rank or sum(part is Ellipsis for part in parts) > 1:
        return None
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    at = parts.index(Ellipsis)
    parts = [*parts[:at], *[slice(None)] * (rank - len(real)), *parts[at + 1 :]]
    old, new = 0, 0
    for part in parts:
        if part is None:
            new += 1
            continue
        if old == axis:
            return (None if isinstance(part, int) else new), part
        if old == 0 and part != slice(None):
            return None  # the batch
        new += not isinstance(part, int)
        old += 1
    return None


def _part(value: Any) -> Any:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, dict) and value.get("class_name") == "__ellipsis__":
        return Ellipsis
    if isinstance(value, dict) and value.get("class_name") == "__slice__":
        fields = value.get("config", {})
        ends = [fields.get(name) for name in ("start", "stop", "step")]
        return slice(*ends) if all(one is None or isinstance(one, int) for one in ends) else _UNKNOWN
    return _UNKNOWN


_UNKNOWN = object()


def operands(layer: Layer, number: int) -> list[Any]:
    """Everything that goes into a call, in order: tensors and constants; a list of tensors counts as its parts."""
    call = layer.calls[number]
    found: list[Any] = []
    for value in (*call.args, *call.kwargs.values()):
        many = isinstance(value, (list, tuple)) and any(isinstance(one, TensorRef) for one in value)
        found += list(value) if many else [value]
    return found

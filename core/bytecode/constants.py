"""Numbers inside expressions: what is constant, and what is a straight line (`x * scale + offset`)."""

import math
from collections.abc import Callable
from operator import add, mul, sub, truediv
from typing import Any

from core.bytecode.symbols import Arg, Binary, Called, Const, Expression, Name, Negative, Sequence

Number = float | tuple[float, ...]
"""One number, or one for each channel."""

_ARRAYS = {"np.array", "np.asarray", "numpy.array", "numpy.asarray", "tf.constant", "K.constant", "K.variable"}
_EPSILON = {"K.epsilon", "backend.epsilon", "keras.backend.epsilon", "tf.keras.backend.epsilon"}


_OPERATIONS: dict[str, Callable[[float, float], Any]] = {"+": add, "-": sub, "*": mul, "/": truediv, "**": pow}


class NotConstant(Exception):
    """The expression has no value known beforehand."""


def constant(one: Expression) -> Any:
    """The value of an expression without tensors: numbers, text, tuples of such. Raises `NotConstant`."""
    if isinstance(one, Const):
        return _plain(one.value)
    if isinstance(one, Sequence):
        return tuple(constant(item) for item in one.items)
    if isinstance(one, Negative):
        return combine("-", 0.0, numbers(one.of)) if not _is_whole(one.of) else -constant(one.of)
    if isinstance(one, Binary):
        left, right = constant(one.left), constant(one.right)
        if isinstance(left, int) and isinstance(right, int) and one.operator in "+-*":
            return {"+": left + right, "-": left - right, "*": left * right}[one.operator]
        return combine(one.operator, _numbers(left), _numbers(right))
    if isinstance(one, Called) and isinstance(one.function, Name):
        if one.function.dotted in _ARRAYS and len(one.args) == 1 and {name for name, _ in one.kwargs} <= {"dtype"}:
            return numbers(one.args[0])
        if one.function.dotted in _EPSILON and not one.args and not one.kwargs:
            return 1e-7
    raise NotConstant


def numbers(one: Expression) -> Number:
    """The expression as a number or one for each channel. Raises `NotConstant`."""
    return _numbers(constant(one))


def _is_whole(one: Expression) -> bool:
    return isinstance(one, Const) and isinstance(one.value, int)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is None or value is Ellipsis or isinstance(value, (bool, int, float, str)):
        return value
    raise NotConstant


def _numbers(value: Any) -> Number:
    if isinstance(value, tuple) and value and len(value) <= 4096 and all(map(_is_number, value)):
        return tuple(float(item) for item in value)
    if _is_number(value):
        return float(value)
    raise NotConstant


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e30


def combine(operator: str, left: Number, right: Number) -> Number:
    """Two numbers, or numbers for each channel, combined. Raises `NotConstant` where that has no finite result."""
    if isinstance(left, tuple) or isinstance(right, tuple):
        count = len(left) if isinstance(left, tuple) else len(right) if isinstance(right, tuple) else 0
        lefts = left if isinstance(left, tuple) else (left,) * count
        rights = right if isinstance(right, tuple) else (right,) * count
        if len(lefts) != len(rights):
            raise NotConstant
        pairs = zip(lefts, rights, strict=True)
        return tuple(_single(operator, one, other) for one, other in pairs)
    return _single(operator, left, right)


def _single(operator: str, left: float, right: float) -> float:
    try:
        if operator == "**" and (abs(left) > 1e6 or abs(right) > 64):
            raise NotConstant
        value: Any = _OPERATIONS[operator](left, right)
    except (KeyError, ZeroDivisionError, OverflowError):
        raise NotConstant from None
    if isinstance(value, complex) or not math.isfinite(value):
        raise NotConstant
    return float(value)


def line(one: Expression, name: str) -> tuple[Number, Number] | None:
    """Scale and offset when the expression is `argument * scale + offset`, however it is written; else `None`."""
    try:
        return _line(one, name)
    except NotConstant:
        return None


def _line(one: Expression, name: str) -> tuple[Number, Number]:
    if isinstance(one, Arg) and one.name == name:
        return 1.0, 0.0
    if isinstance(one, Negative):
        scale, offset = _line(one.of, name)
        return combine("*", scale, -1.0), combine("*", offset, -1.0)
    if isinstance(one, Called):
        return _called(one, name)
    if not isinstance(one, Binary) or one.operator not in ("+", "-", "*", "/"):
        raise NotConstant
    return _combined(one.operator, one.left, one.right, name)


_WORDS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "truediv": "/"}


def _called(one: Called, name: str) -> tuple[Number, Number]:
    """`tf.subtract(x, 1.0)` and its like."""
    word = one.function.dotted if isinstance(one.function, Name) else ""
    head, _, tail = word.rpartition(".")
    if head in ("tf", "tf.math", "ops", "keras.ops") and tail in _WORDS and len(one.args) == 2 and not one.kwargs:
        return _combined(_WORDS[tail], *one.args, name)
    raise NotConstant


def _combined(operator: str, left: Expression, right: Expression, name: str) -> tuple[Number, Number]:
    try:
        known = numbers(right)
    except NotConstant:
        known = numbers(left)
        if operator == "/":
            raise
        scale, offset = _line(right, name)
        if operator == "*":
            return combine("*", scale, known), combine("*", offset, known)
        sign = -1.0 if operator == "-" else 1.0
        return combine("*", scale, sign), combine("+", known, combine("*", offset, sign))
    scale, offset = _line(left, name)
    if operator in ("*", "/"):
        return combine(operator, scale, known), combine(operator, offset, known)
    return scale, combine(operator, offset, known)

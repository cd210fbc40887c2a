"""Expressions as values, and as Python writes them."""

from typing import Any

from msgspec import Struct


class Expression(Struct, frozen=True, eq=False, kw_only=True):
    """Base of all expressions; `size` counts its parts."""

    size: int = 1


class Const(Expression, frozen=True, eq=False):
    """A value: a number, text, `None`, a tuple or list of such."""

    value: Any


class Arg(Expression, frozen=True, eq=False):
    """An argument that gets a tensor (or a list of tensors) when the function is called."""

    name: str


class Name(Expression, frozen=True, eq=False):
    """A global name or an attribute of one, dotted: `K.mean`, `tf.math.square`."""

    dotted: str


class Binary(Expression, frozen=True, eq=False):
    """`left operator right`, as Python writes it."""

    operator: str
    left: Expression
    right: Expression


class Negative(Expression, frozen=True, eq=False):
    """`-of`."""

    of: Expression


class Item(Expression, frozen=True, eq=False):
    """`of[key]`."""

    of: Expression
    key: Expression


class Slice(Expression, frozen=True, eq=False):
    """`start:stop:step` inside brackets."""

    start: Expression
    stop: Expression
    step: Expression


class Sequence(Expression, frozen=True, eq=False):
    """A tuple or list made of expressions."""

    items: tuple[Expression, ...]


class Called(Expression, frozen=True, eq=False):
    """`function(*args, **kwargs)`."""

    function: Expression
    args: tuple[Expression, ...]
    kwargs: tuple[tuple[str, Expression], ...] = ()


def text(one: Expression) -> str:
    """The expression as Python writes it, brackets where they are needed."""
    return _text(one)[0]


def _text(one: Expression) -> tuple[str, int]:
    """The text, and how tightly it holds together (3: like a name, 0: like a sum)."""
    if isinstance(one, Const):
        return _value(one.value), 3
    if isinstance(one, Arg):
        return one.name, 3
    if isinstance(one, Name):
        return one.dotted, 3
    if isinstance(one, Binary):
        strength = {"+": 0, "-": 0, "**": 2}.get(one.operator, 1)
        left, right = _inside(one.left, strength), _inside(one.right, strength + (one.operator != "**"))
        return f"{left} {one.operator} {right}", strength
    if isinstance(one, Negative):
        return f"-{_inside(one.of, 2)}", 1
    if isinstance(one, Item):
        key = one.key
        inner = text(key)
        if isinstance(key, Sequence) or (isinstance(key, Const) and isinstance(key.value, tuple)):
            inner = inner[1:-1]
        return f"{_inside(one.of, 3)}[{inner}]", 3
    if isinstance(one, Slice):
        parts = ["" if _is_none(part) else text(part) for part in (one.start, one.stop)]
        return ":".join(parts) + ("" if _is_none(one.step) else f":{text(one.step)}"), 3
    if isinstance(one, Sequence):
        return "[" + ", ".join(text(item) for item in one.items) + "]", 3
    assert isinstance(one, Called)
    given = [*(text(arg) for arg in one.args), *(f"{name}={text(value)}" for name, value in one.kwargs)]
    return f"{_inside(one.function, 3)}({', '.join(given)})", 3


def _inside(one: Expression, strength: int) -> str:
    written, own = _text(one)
    return written if own >= strength else f"({written})"


def _is_none(one: Expression) -> bool:
    return isinstance(one, Const) and one.value is None


def _value(value: Any) -> str:
    if value is Ellipsis:
        return "..."
    if isinstance(value, slice):
        return "slice"
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, bytes):
        return repr(value.decode("utf-8", "replace"))
    return repr(value)

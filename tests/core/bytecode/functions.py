"""Functions of many shapes, for reading back what Python makes of them; never called."""

# mypy: ignore-errors

from typing import Any


def straight(x: Any) -> Any:
    return x / 127.5 - 1


def several(x: Any, scale: float = 2.0, *, offset: float = 0.5) -> Any:
    """A docstring is a constant."""
    y, z = x
    return (y * scale + z[:, 1:3, ..., None]) ** 2 - offset


def branching(x: Any) -> Any:
    if x is None:
        return []
    return [y for y in x if y > 3]


def variadic(*args: Any, **kwargs: Any) -> Any:
    try:
        return f"{args} {kwargs!r}"
    finally:
        kwargs.clear()


def closing(a: Any) -> Any:
    b = 3 + 4j

    def inner(x: Any) -> Any:
        return x + a * b

    return inner


def constants() -> Any:
    return ("é", b"raw", -(2**40), 1e300, (1, (2, (3, None))), Ellipsis, True, 10**30)


def long(x: Any) -> Any:
    return [x + number for number in (1, 2, 3)] + [
        x.a0, x.a1, x.a2, x.a3, x.a4, x.a5, x.a6, x.a7, x.a8, x.a9, x.b0, x.b1, x.b2, x.b3, x.b4, x.b5, x.b6, x.b7
    ]  # fmt: skip


ALL = (straight, several, branching, variadic, closing, constants, long)

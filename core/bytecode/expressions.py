"""What a small function computes, as an expression: its instructions followed with symbols instead of values.

Only code that runs straight from start to end has an expression; a branch, a loop, an assignment to anything but a
local, or an instruction nobody knows here means that there is none.
"""

from collections.abc import Mapping
from typing import Any

from core.bytecode.instructions import Instruction, instructions, name_index, operand, sure_versions
from core.bytecode.marshal_reader import Code
from core.bytecode.opcodes import BINARY_OP, OPERATORS
from core.bytecode.symbols import (
    Arg,
    Binary,
    Called,
    Const,
    Expression,
    Item,
    Name,
    Negative,
    Sequence,
    Slice,
    text,
)

MAX_SIZE = 400
"""Parts of one expression, each counted as often as it is used."""


class NoExpression(Exception):
    """The code is more than an expression."""


_NULL = Const(value=None)
_NONE = Const(value=None)


def expression_of(code: Code, bound: Mapping[str, Any], captured: tuple[Any, ...] = ()) -> Expression | None:
    """What the function returns. `bound` are arguments with known values, `captured` those of its closure.

    `None` when it is not straight code, or when two Pythons would understand its instructions differently.
    """
    if code.variadic or len(code.args) < 1:
        return None
    found: list[Expression] = []
    for version in sure_versions(code):
        try:
            found.append(_Machine(code, version, bound, captured).run())
        except (NoExpression, IndexError, ValueError):
            return None
    texts = {text(one) for one in found}
    return found[0] if len(texts) == 1 else None


class _Machine:
    """A stack of expressions."""

    def __init__(self, code: Code, version: str, bound: Mapping[str, Any], captured: tuple[Any, ...]) -> None:
        self.code = code
        self.version = version
        self.stack: list[Expression] = []
        self.local: dict[str, Expression] = {
            name: Const(value=bound[name]) if name in bound else Arg(name=name) for name in code.args
        }
        for name in code.varnames[len(code.args) :]:
            if name in bound:  # keyword-only
                self.local[name] = Const(value=bound[name])
        self.captured = {name: Const(value=value) for name, value in zip(code.free, captured, strict=False)}
        self.keywords: tuple[str, ...] = ()

    def run(self) -> Expression:
        for one in instructions(self.code, self.version):
            if one.name in ("RETURN_VALUE", "RETURN_CONST"):
                result = self.const(one) if one.name == "RETURN_CONST" else self.pop()
                if self.stack:
                    raise NoExpression
                return result
            self.step(one)
        raise NoExpression

    def pop(self) -> Expression:
        return self.stack.pop()

    def pops(self, count: int) -> tuple[Expression, ...]:
        if count > len(self.stack):
            raise NoExpression
        taken = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return taken

    def push(self, value: Expression) -> None:
        if value.size > MAX_SIZE or len(self.stack) > MAX_SIZE:
            raise NoExpression
        self.stack.append(value)

    def const(self, one: Instruction) -> Expression:
        value = self.code.consts[one.argument or 0]
        if isinstance(value, Code):
            raise NoExpression
        return Const(value=value)

    def load(self, name: str) -> Expression:
        if name not in self.local:
            raise NoExpression
        return self.local[name]

    def step(self, one: Instruction) -> None:
        name, argument = one.name, one.argument or 0
        word = operand(self.code, one, self.version)
        if name in ("RESUME", "CACHE", "NOP", "COPY_FREE_VARS", "PRECALL"):
            return
        if name in ("LOAD_FAST", "LOAD_FAST_CHECK"):
            self.push(self.load(word))
        elif name == "LOAD_FAST_LOAD_FAST":
            for part in word.split(", "):
                self.push(self.load(part))
        elif name == "LOAD_CONST":
            self.push(self.const(one))
        elif name == "STORE_FAST":
            self.local[word] = self.pop()
        elif name == "STORE_FAST_STORE_FAST":
            for part in word.split(", "):
                self.local[part] = self.pop()
        elif name == "STORE_FAST_LOAD_FAST":
            first, second = word.split(", ")
            self.local[first] = self.pop()
            self.push(self.load(second))
        elif name == "LOAD_DEREF":
            if word not in self.captured:
                raise NoExpression
            self.push(self.captured[word])
        elif name in ("LOAD_GLOBAL", "LOAD_NAME"):
            self.load_global(one, argument)
        elif name in ("LOAD_ATTR", "LOAD_METHOD"):
            self.attribute(one, argument)
        elif name == "PUSH_NULL":
            self.push(_NULL)
        elif name == "KW_NAMES":
            self.keywords = tuple(self.code.consts[argument])
        else:
            self.arrange(name, argument)

    def load_global(self, one: Instruction, argument: int) -> None:
        word = self.code.names[name_index(one, self.version)]
        known = {"True": True, "False": False, "None": None}
        value: Expression = Const(value=known[word]) if word in known else Name(dotted=word)
        null = self.version in ("3.11", "3.12", "3.13") and bool(argument & 1)
        for part in _callable(value, null, self.version):
            self.push(part)

    def attribute(self, one: Instruction, argument: int) -> None:
        owner = self.pop()
        if not isinstance(owner, Name):
            raise NoExpression  # a method of a tensor
        value = Name(dotted=f"{owner.dotted}.{self.code.names[name_index(one, self.version)]}", size=owner.size + 1)
        method = one.name == "LOAD_METHOD" or (self.version in ("3.12", "3.13") and bool(argument & 1))
        for part in _callable(value, method, self.version):
            self.push(part)

    def arrange(self, name: str, argument: int) -> None:
        """Everything that only works on the stack."""
        operator = BINARY_OP[argument % len(BINARY_OP)] if name == "BINARY_OP" else _operator(name)
        if operator is not None:
            left, right = self.pops(2)
            if name in ("BINARY_DIVIDE", "INPLACE_DIVIDE") and _may_be_whole(left, right):
                raise NoExpression  # Python 2 divides whole numbers without a rest
            self.push(Binary(operator=operator, left=left, right=right, size=left.size + right.size + 1))
        elif name == "UNARY_NEGATIVE":
            of = self.pop()
            self.push(Negative(of=of, size=of.size + 1))
        elif name == "BINARY_SUBSCR":
            of, key = self.pops(2)
            self.push(Item(of=of, key=key, size=of.size + key.size + 1))
        elif name == "BINARY_SLICE":
            of, start, stop = self.pops(3)
            self.cut(of, start, stop, _NONE)
        elif name.startswith("SLICE+"):
            kind = int(name[-1])
            stop = self.pop() if kind & 2 else _NONE
            start = self.pop() if kind & 1 else _NONE
            self.cut(self.pop(), start, stop, _NONE)
        elif name == "BUILD_SLICE":
            parts = self.pops(argument)
            start, stop, step = (*parts, _NONE)[:3]
            self.push(Slice(start=start, stop=stop, step=step, size=start.size + stop.size + step.size))
        elif name in ("BUILD_TUPLE", "BUILD_LIST"):
            items = self.pops(argument)
            self.push(Sequence(items=items, size=1 + sum(item.size for item in items)))
        elif name == "LIST_EXTEND" and argument == 1:
            first, more = self.pops(2)
            if not isinstance(first, Sequence) or first.items or not isinstance(more, Const):
                raise NoExpression
            self.push(more)
        elif name == "UNPACK_SEQUENCE":
            of = self.pop()
            for place in reversed(range(argument)):
                self.push(Item(of=of, key=Const(value=place), size=of.size + 2))
        else:
            self.shuffle(name, argument)

    def cut(self, of: Expression, start: Expression, stop: Expression, step: Expression) -> None:
        key = Slice(start=start, stop=stop, step=step, size=start.size + stop.size + step.size)
        self.push(Item(of=of, key=key, size=of.size + key.size + 1))

    def shuffle(self, name: str, argument: int) -> None:
        stack = self.stack
        if name == "DUP_TOP":
            self.push(stack[-1])
        elif name == "COPY" and 0 < argument <= len(stack):
            self.push(stack[-argument])
        elif name == "ROT_TWO" and len(stack) > 1:
            stack[-2:] = [stack[-1], stack[-2]]
        elif name == "ROT_THREE" and len(stack) > 2:
            stack[-3:] = [stack[-1], stack[-3], stack[-2]]
        elif name == "SWAP" and 0 < argument <= len(stack):
            stack[-argument], stack[-1] = stack[-1], stack[-argument]
        else:
            self.call(name, argument)

    def call(self, name: str, argument: int) -> None:
        keywords: tuple[str, ...] = ()
        pairs: list[tuple[str, Expression]] = []
        if name == "CALL_FUNCTION" and self.version in ("2.7", "3.5"):
            for _ in range(argument >> 8):
                key, value = self.pops(2)
                pairs.insert(0, (_keyword(key), value))
            args = self.pops(argument & 255)
        elif name in ("CALL_FUNCTION_KW", "CALL_KW") and self.version != "2.7":
            keywords = _keywords(self.pop())
            args = self.pops(argument)
        elif name in ("CALL_FUNCTION", "CALL_METHOD", "CALL"):
            keywords, self.keywords = self.keywords, ()
            args = self.pops(argument)
        else:
            raise NoExpression
        if len(keywords) > len(args):
            raise NoExpression
        if keywords:
            args, values = args[: -len(keywords)], args[-len(keywords) :]
            pairs = list(zip(keywords, values, strict=True))
        function = self.pop()
        if name in ("CALL", "CALL_KW", "CALL_METHOD"):
            other = self.pop()
            function = other if function is _NULL else function
            if (function is _NULL) or (other is not _NULL and other is not function):
                raise NoExpression
        size = 1 + function.size + sum(one.size for one in args) + sum(value.size for _, value in pairs)
        self.push(Called(function=function, args=args, kwargs=tuple(pairs), size=size))


def _callable(value: Expression, null: bool, version: str) -> tuple[Expression, ...]:
    """A function as the stack holds it before a call: with an empty place beside it where the version wants one."""
    if not null:
        return (value,)
    return (value, _NULL) if version == "3.13" else (_NULL, value)


def _operator(name: str) -> str | None:
    prefix, _, rest = name.partition("_")
    return OPERATORS.get(rest) if prefix in ("BINARY", "INPLACE") else None


def _may_be_whole(left: Expression, right: Expression) -> bool:
    """Whether neither side is a tensor or a number with a point."""
    kinds = (left, right)
    return not any(isinstance(one, Const) and isinstance(one.value, float) for one in kinds) and not any(
        _has_argument(one) for one in kinds
    )


def _has_argument(one: Expression) -> bool:
    if isinstance(one, Arg):
        return True
    values = [getattr(one, field) for field in one.__struct_fields__]
    parts = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return any(_has_argument(part) for part in parts if isinstance(part, Expression))


def _keyword(key: Expression) -> str:
    value = key.value if isinstance(key, Const) else None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        raise NoExpression
    return value


def _keywords(names: Expression) -> tuple[str, ...]:
    value = names.value if isinstance(names, Const) else None
    if not isinstance(value, tuple):
        raise NoExpression
    return tuple(_keyword(Const(value=one)) for one in value)

"""A reader of marshalled code objects that makes plain values of them: nothing is loaded, nothing can run.

Python's `marshal` format, from `Python/marshal.c` of versions 2.7 and 3.4 to 3.13: every object is a type byte (its
top bit: "remember me for later references") and its content. Code objects have one of four layouts, which the stream
does not name, so they are tried in turn: only one reads to the last byte with every field of the right type.
"""

import struct
from collections.abc import Callable
from typing import Any

from msgspec import Struct

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_SIZE = 100_000
"""Objects in one value with every shared one counted as often as it appears, so that nothing grows when shown."""

_REMEMBER = 0x80
_VARARGS, _VARKEYWORDS = 0x04, 0x08


class BytecodeError(ValueError):
    """The bytes are no code object of a Python this reader knows; the message is a clause."""


class Code(Struct, frozen=True, eq=False):
    """A code object as a value. `layout` tells which Pythons write it so: `2.7`, `3.4-3.7`, `3.8-3.10`, `3.11+`.

    `args` are the names of its positional arguments, `varnames` those of all locals (arguments first), `cells` those
    that `LOAD_DEREF` counts, captured ones last, `free` the captured ones.
    """

    layout: str
    name: str
    filename: str
    first_line: int
    args: tuple[str, ...]
    flags: int
    code: bytes
    consts: tuple[Any, ...]
    names: tuple[str, ...]
    varnames: tuple[str, ...]
    cells: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    keyword_only: int = 0

    @property
    def variadic(self) -> bool:
        """Whether it takes `*args` or `**kwargs`."""
        return bool(self.flags & (_VARARGS | _VARKEYWORDS))


class Unknown(Struct, frozen=True, eq=False):
    """A value that constants may hold and that means nothing here."""

    kind: str


def read_code(data: bytes) -> Code:
    """The code object in marshalled bytes. Raises `BytecodeError` for anything else."""
    if len(data) > MAX_BYTES:
        raise BytecodeError(f"it is larger than {MAX_BYTES >> 10} KiB")
    if not data or data[0] & ~_REMEMBER != ord("c"):
        raise BytecodeError("it is not a code object")
    # Python 3.4 and later set the top bit of the first byte, Python 2 never does
    layouts = ("3.11+", "3.8-3.10", "3.4-3.7") if data[0] & _REMEMBER else ("2.7", "3.4-3.7", "3.8-3.10", "3.11+")
    reasons: list[tuple[int, str]] = []
    for layout in layouts:
        reader = _Reader(data, layout)
        try:
            return reader.whole()
        except BytecodeError as error:
            reasons.append((reader.at, str(error)))
        except (struct.error, ValueError, OverflowError, TypeError):
            reasons.append((reader.at, "its values are invalid"))
    # the layout that came farthest is most likely the right one
    raise BytecodeError(max(reasons, key=lambda pair: pair[0])[1])


class _Reader:
    """One attempt at one layout."""

    def __init__(self, data: bytes, layout: str) -> None:
        self.data = data
        self.layout = layout
        self.at = 0
        self.depth = 0
        self.total = 0
        self.remembered: list[tuple[Any, int] | None] = []
        self.interned: list[Any] = []

    def whole(self) -> Code:
        value = self.value()
        if self.at != len(self.data):
            raise BytecodeError("it is followed by extra bytes")
        assert isinstance(value, Code)
        return value

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise BytecodeError("it is truncated")
        self.at += count
        return self.data[self.at - count : self.at]

    def long(self) -> int:
        return int.from_bytes(self.take(4), "little", signed=True)

    def short(self) -> int:
        return int.from_bytes(self.take(2), "little", signed=True)

    def byte(self) -> int:
        return self.take(1)[0]

    def value(self) -> Any:
        return self.sized()[0]

    def sized(self) -> tuple[Any, int]:
        """The next object and how many objects are in it, itself included."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise BytecodeError("it is nested too deeply")
        kind = self.byte()
        remember = bool(kind & _REMEMBER) and self.layout != "2.7"
        kind &= ~_REMEMBER
        slot = len(self.remembered)
        if remember:
            self.remembered.append(None)
        before, self.total = self.total, 0
        value = self.content(chr(kind))
        size = self.total + 1
        if before + size > MAX_SIZE:
            raise BytecodeError("it holds too many values")
        self.total = before + size
        if remember:
            self.remembered[slot] = (value, size)
        self.depth -= 1
        return value, size

    def content(self, kind: str) -> Any:
        if kind in _SIMPLE:
            return _SIMPLE[kind]
        reader = _READERS.get(kind)
        if reader is None:
            raise BytecodeError(f"it holds a value of unknown kind {kind!r}")
        return reader(self)

    def text(self) -> str:
        """A name: text, or in Python 2 a byte string."""
        value = self.value()
        if isinstance(value, bytes) and self.layout == "2.7":
            return value.decode("utf-8", "replace")
        if not isinstance(value, str):
            raise BytecodeError("a name in it is not text")
        return value

    def raw(self) -> bytes:
        value = self.value()
        if not isinstance(value, bytes):
            raise BytecodeError("its instructions are not bytes")
        return value

    def texts(self) -> tuple[str, ...]:
        values = self.value()
        if not isinstance(values, tuple):
            raise BytecodeError("a list of names in it is not a tuple")
        found = [v.decode("utf-8", "replace") if isinstance(v, bytes) and self.layout == "2.7" else v for v in values]
        if not all(isinstance(name, str) for name in found):
            raise BytecodeError("a name in it is not text")
        return tuple(found)

    def constants(self) -> tuple[Any, ...]:
        values = self.value()
        if not isinstance(values, tuple):
            raise BytecodeError("its list of constants is not a tuple")
        return values

    def item_count(self, count: int) -> int:
        """How many items follow, each at least one byte long."""
        if not 0 <= count <= len(self.data) - self.at:
            raise BytecodeError("it is truncated")
        return count

    def items(self, count: int) -> tuple[Any, ...]:
        return tuple(self.value() for _ in range(self.item_count(count)))

    def reference(self) -> Any:
        index = self.long()
        if not 0 <= index < len(self.remembered) or self.remembered[index] is None:
            raise BytecodeError("a reference in it points to nothing")
        found = self.remembered[index]
        assert found is not None
        self.total += found[1]
        return found[0]

    def interned_reference(self) -> Any:
        index = self.long()
        if not 0 <= index < len(self.interned):
            raise BytecodeError("a reference in it points to nothing")
        return self.interned[index]

    def intern(self) -> Any:
        raw = self.take(self.long())
        if self.layout == "2.7":
            self.interned.append(raw)
            return raw
        return raw.decode("utf-8", "surrogatepass")

    def big_integer(self) -> int:
        count = self.long()
        raw = self.take(2 * self.item_count(abs(count)))
        if abs(count) > 100:
            raise BytecodeError("a number in it is too long")
        digits = (int.from_bytes(raw[place : place + 2], "little") for place in range(0, len(raw), 2))
        total = sum(digit << (15 * place) for place, digit in enumerate(digits))
        return -total if count < 0 else total

    def mapping(self) -> Unknown:
        # ends with a null instead of a key
        while self.data[self.at : self.at + 1] != b"0":
            self.value()
            self.value()
        self.at += 1
        return Unknown("dict")

    def code(self) -> Code:
        if self.layout == "3.11+":
            return self.new_code()
        positional = self.long()
        if self.layout == "3.8-3.10":
            self.long()  # of these, positional-only
        keyword_only = self.long() if self.layout != "2.7" else 0
        self.long()  # number of locals
        self.long()  # size of the stack
        flags = self.long()
        code, consts = self.raw(), self.constants()
        names, varnames, free, cell = self.texts(), self.texts(), self.texts(), self.texts()
        filename, name, line = self.text(), self.text(), self.long()
        self.raw()  # line numbers
        fields = (name, filename, line, _arguments(varnames, positional), flags, code, consts, names, varnames)
        return Code(self.layout, *fields, (*cell, *free), free, keyword_only)

    def new_code(self) -> Code:
        positional, _, keyword_only, _ = self.long(), self.long(), self.long(), self.long()
        flags = self.long()
        code, consts, names, local = self.raw(), self.constants(), self.texts(), self.texts()
        kinds = self.raw()
        filename, name, _ = self.text(), self.text(), self.text()
        line = self.long()
        self.raw()  # line numbers
        self.raw()  # exception table
        if len(kinds) != len(local):
            raise BytecodeError("its list of local variables is invalid")
        free = tuple(one for one, bits in zip(local, kinds, strict=True) if bits & 0x80)
        fields = (name, filename, line, _arguments(local, positional), flags, code, consts, names, local)
        # since 3.11 LOAD_DEREF counts through all locals
        return Code(self.layout, *fields, local, free, keyword_only)


def _arguments(varnames: tuple[str, ...], count: int) -> tuple[str, ...]:
    if not 0 <= count <= len(varnames):
        raise BytecodeError("its list of arguments is invalid")
    return varnames[:count]


def _text_of(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


_SIMPLE: dict[str, Any] = {
    "N": None, "T": True, "F": False, ".": Ellipsis, "S": Unknown("StopIteration"),
}  # fmt: skip
_READERS: dict[str, Callable[[_Reader], Any]] = {
    "i": _Reader.long,
    "I": lambda reader: int.from_bytes(reader.take(8), "little", signed=True),
    "l": _Reader.big_integer,
    "f": lambda reader: float(reader.take(reader.byte())),
    "g": lambda reader: struct.unpack("<d", reader.take(8))[0],
    "x": lambda reader: complex(float(reader.take(reader.byte())), float(reader.take(reader.byte()))),
    "y": lambda reader: complex(*struct.unpack("<dd", reader.take(16))),
    "s": lambda reader: reader.take(reader.long()),
    "t": _Reader.intern,
    "u": lambda reader: _text_of(reader.take(reader.long())),
    "a": lambda reader: reader.take(reader.long()).decode("latin-1"),
    "A": lambda reader: reader.take(reader.long()).decode("latin-1"),
    "z": lambda reader: reader.take(reader.byte()).decode("latin-1"),
    "Z": lambda reader: reader.take(reader.byte()).decode("latin-1"),
    "(": lambda reader: reader.items(reader.long()),
    ")": lambda reader: reader.items(reader.byte()),
    "[": lambda reader: list(reader.items(reader.long())),
    "<": lambda reader: (reader.items(reader.long()), Unknown("set"))[1],
    ">": lambda reader: (reader.items(reader.long()), Unknown("frozenset"))[1],
    "{": _Reader.mapping,
    "r": _Reader.reference,
    "R": _Reader.interned_reference,
    "c": _Reader.code,
}

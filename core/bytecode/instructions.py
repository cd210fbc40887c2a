"""Bytecode as instructions and as text, without running it."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from core.bytecode.marshal_reader import BytecodeError, Code
from core.bytecode.opcodes import BINARY_OP, CACHES, HAVE_ARGUMENT, OPCODES

MAX_INSTRUCTIONS = 20_000
MAX_LINES = 400
_BY_LAYOUT = {
    "2.7": ("2.7",),
    "3.4-3.7": ("3.7", "3.5"),
    "3.8-3.10": ("3.10",),
    "3.11+": ("3.12", "3.11", "3.13"),
}
_ALIEN = 1_000_000
_LAST = ("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "JUMP_ABSOLUTE", "JUMP_BACKWARD")


class Instruction(Struct, frozen=True):
    """One instruction. `argument` has its extensions folded in; `name` is `""` for a number nobody knows here."""

    offset: int
    number: int
    name: str
    argument: int | None


def version_of(code: Code) -> str:
    """The Python whose instructions the code looks most like, a key of `opcodes.OPCODES`. Raises `BytecodeError`.

    The layout leaves up to three; instructions that exist, arguments that point somewhere and the cache entries behind
    them tell which.
    """
    best = min(_BY_LAYOUT[code.layout], key=lambda version: _strangeness(code, version))
    if _strangeness(code, best) >= _ALIEN:
        raise BytecodeError("its instructions are from an unknown version of Python")
    return best


def sure_versions(code: Code) -> tuple[str, ...]:
    """The Pythons by whose rules nothing in the code is strange; short code can be of several."""
    return tuple(version for version in _BY_LAYOUT[code.layout] if not _strangeness(code, version))


def _strangeness(code: Code, version: str) -> int:
    """How little the code looks like that version's: what is unknown, leads nowhere or has the wrong cache entries."""
    try:
        found = instructions(code, version)
    except BytecodeError:
        return _ALIEN
    strange = sum(1 for one in found if not one.name or not _leads_somewhere(code, one, version))
    last = next((one.name for one in reversed(found) if one.name != "CACHE"), "")
    strange += 0 if last in _LAST else 1
    caches = CACHES.get(version)
    if caches is not None:
        strange += 0 if any(one.name == "RESUME" for one in found) else _ALIEN
        strange += sum(1 for one, count in _cached(found) if caches.get(one.name, count) != count)
    return strange


def _cached(found: list[Instruction]) -> Iterator[tuple[Instruction, int]]:
    """Every instruction with the number of cache entries behind it."""
    owner, count = None, 0
    for one in found:
        if one.name == "CACHE":
            count += 1
            continue
        if owner is not None:
            yield owner, count
        owner, count = one, 0
    if owner is not None:
        yield owner, count


def _leads_somewhere(code: Code, one: Instruction, version: str) -> bool:
    return operand(code, one, version) != "?"


def instructions(code: Code, version: str) -> list[Instruction]:
    """The instructions in order. Raises `BytecodeError` when they are cut short or too many."""
    stream = _old(code.code, version) if version in ("2.7", "3.5") else _words(code.code, version)
    found = []
    for one in stream:
        found.append(one)
        if len(found) > MAX_INSTRUCTIONS:
            raise BytecodeError("it has too many instructions")
    return found


def _words(raw: bytes, version: str) -> Iterator[Instruction]:
    """Since 3.6: two bytes each, `EXTENDED_ARG` brings higher bits."""
    if len(raw) % 2:
        raise BytecodeError("its instructions are truncated")
    names, threshold, extended = OPCODES[version], HAVE_ARGUMENT.get(version, 90), 0
    for place in range(0, len(raw), 2):
        number, low = raw[place], raw[place + 1]
        name = names.get(number, "")
        if name == "EXTENDED_ARG":
            extended = ((extended | low) << 8) & 0xFFFFFFFF
            continue
        takes = number >= threshold
        yield Instruction(place, number, name, extended | low if takes else None)
        extended = 0


def _old(raw: bytes, version: str) -> Iterator[Instruction]:
    """Up to 3.5: one byte, or three with an argument."""
    names, place, extended = OPCODES[version], 0, 0
    while place < len(raw):
        number, start = raw[place], place
        name = names.get(number, "")
        place += 1
        if number < HAVE_ARGUMENT.get(version, 90):
            yield Instruction(start, number, name, None)
            continue
        if place + 2 > len(raw):
            raise BytecodeError("its instructions are truncated")
        argument = int.from_bytes(raw[place : place + 2], "little") | extended
        place += 2
        if name == "EXTENDED_ARG":
            extended = (argument << 16) & 0xFFFFFFFF
            continue
        extended = 0
        yield Instruction(start, number, name, argument)


def name_index(one: Instruction, version: str) -> int:
    """Which name a LOAD_GLOBAL, LOAD_ATTR and the like mean: newer Pythons keep a flag in the lowest bit."""
    argument = one.argument or 0
    if one.name == "LOAD_GLOBAL" and version in ("3.11", "3.12", "3.13"):
        return argument >> 1
    if one.name == "LOAD_ATTR" and version in ("3.12", "3.13"):
        return argument >> 1
    return argument


def operand(code: Code, one: Instruction, version: str) -> str:
    """What an argument stands for, in words; `?` when it leads nowhere, nothing when it is just a number."""
    argument = one.argument or 0
    if one.name in ("LOAD_CONST", "RETURN_CONST", "KW_NAMES"):
        return shown(code.consts[argument]) if argument < len(code.consts) else "?"
    if one.name in ("LOAD_FAST", "STORE_FAST", "LOAD_FAST_CHECK"):
        return code.varnames[argument] if argument < len(code.varnames) else "?"
    if one.name in ("LOAD_FAST_LOAD_FAST", "STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST"):
        first, second = argument >> 4, argument & 15
        known = max(first, second) < len(code.varnames)
        return f"{code.varnames[first]}, {code.varnames[second]}" if known else "?"
    if one.name in ("LOAD_GLOBAL", "LOAD_ATTR", "LOAD_METHOD", "LOAD_NAME", "IMPORT_NAME", "IMPORT_FROM", "STORE_ATTR"):
        index = name_index(one, version)
        return code.names[index] if index < len(code.names) else "?"
    if one.name in ("LOAD_DEREF", "LOAD_CLOSURE", "STORE_DEREF"):
        return code.cells[argument] if argument < len(code.cells) else "?"
    if one.name == "BINARY_OP":
        return BINARY_OP[argument % len(BINARY_OP)] if argument < 2 * len(BINARY_OP) else "?"
    return ""


def shown(value: Any, limit: int = 120) -> str:
    """A constant in few words."""
    text = f"<code {value.name}>" if isinstance(value, Code) else repr(_plain(value, 6))
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_plain(item, depth - 1) for item in value[:20]) if depth else "..."
    if isinstance(value, (str, bytes)):
        return value[:200]
    return value if isinstance(value, (int, float, complex, bool)) or value is None else f"<{type(value).__name__}>"


def disassemble(code: Code) -> str:
    """The instructions as text, one a line, with the functions inside after it. Never raises."""
    lines: list[str] = []
    _write(code, lines, 0)
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], f"... {len(lines) - MAX_LINES} lines more"]
    return "\n".join(lines)


def _write(code: Code, lines: list[str], depth: int, version: str = "") -> None:
    try:
        version = version or version_of(code)
        found = instructions(code, version)
    except BytecodeError as error:
        lines.append(f"{_line(code.name)}: {len(code.code)} bytes of instructions; {error}")
        return
    lines.append(
        f"{_line(code.name)}({', '.join(map(_line, code.args))}), from {_line(code.filename)}:{code.first_line}, "
        f"Python {_range(version)}"
    )
    for one in found:
        if one.name == "CACHE":
            continue
        what = one.name or f"instruction {one.number}"
        argument = "" if one.argument is None else str(one.argument)
        meaning = operand(code, one, version)
        lines.append(f"{one.offset:6} {what:22} {argument:>5} {f'({_line(meaning)})' if meaning else ''}".rstrip())
        if len(lines) > 10 * MAX_LINES:
            return
    if depth < 3:
        for const in code.consts:
            if isinstance(const, Code):
                lines.append("")
                _write(const, lines, depth + 1, version)


def _range(version: str) -> str:
    return {"3.5": "3.4 or 3.5", "3.7": "3.6 or 3.7", "3.10": "3.8 to 3.10"}.get(version, version)


def _line(text: str) -> str:
    """A name from the file that stays on its line."""
    clean = "".join(char if char.isprintable() else "?" for char in text)
    return clean if len(clean) <= 120 else clean[:117] + "..."

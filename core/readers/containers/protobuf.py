"""Just enough of protocol buffers' wire format to read TensorFlow's own files, with every length checked."""

from collections.abc import Iterator

Field = tuple[int, int | bytes]


class Malformed(ValueError):
    """The bytes are no protocol buffer message."""


def varint(data: bytes, position: int) -> tuple[int, int]:
    """A base-128 number and where it ends."""
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise Malformed
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def fields(data: bytes) -> Iterator[Field]:
    """`(field number, value)` in order: numbers for varints and fixed widths, bytes for everything with a length."""
    position = 0
    while position < len(data):
        tag, position = varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = varint(data, position)
            yield number, value
            continue
        if wire == 2:
            length, position = varint(data, position)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise Malformed
        if position + length > len(data):
            raise Malformed
        chunk = data[position : position + length]
        position += length
        yield number, chunk if wire == 2 else int.from_bytes(chunk, "little")


def messages(data: bytes, number: int) -> list[bytes]:
    """All values of a repeated message (or text) field."""
    return [value for found, value in fields(data) if found == number and isinstance(value, bytes)]


def message(data: bytes, number: int) -> bytes:
    """The last value of a message (or text) field, empty when absent."""
    found = messages(data, number)
    return found[-1] if found else b""


def number(data: bytes, wanted: int, default: int = 0) -> int:
    """The last value of a number field."""
    result = default
    for found, value in fields(data):
        if found == wanted and isinstance(value, int):
            result = value
    return result


def text(data: bytes, wanted: int) -> str:
    """A text field."""
    return message(data, wanted).decode("utf8", "replace")


def signed(value: int) -> int:
    """A varint as a signed 64-bit number."""
    return value - (1 << 64) if value >= 1 << 63 else value

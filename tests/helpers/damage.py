"""Damage that ends a process: HDF5 crashes on it, whoever lets it read."""

import re

_TEXT = re.compile(rb"\x19\x01[\x00\x01]\x00\x10\x00\x00\x00")
"""How HDF5 says that an attribute is a text of any length."""


def without_text_types(data: bytes) -> bytes:
    """The file with one byte of each such header changed, to a type of number that there is none of."""
    found = bytearray(data)
    for match in _TEXT.finditer(data):
        found[match.start() + 1] = 0xFF
    assert found != data
    return bytes(found)

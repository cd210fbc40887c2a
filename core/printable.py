"""Text out of files and recipes, made fit for a terminal: a name must not move the cursor or turn text about."""

import re

_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls but for tab and newline: ESC, BEL, CSI, ...
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, embeddings, overrides and isolates of direction
    "\u2028\u2029\ufeff\ufff9-\ufffb\ud800-\udfff]"  # separators, byte order marks, annotations, halves of characters
)


def printable(text: str) -> str:
    """The text with every character that would act on a terminal as the escape that JSON and Python have for it."""
    return text if text.isascii() and text.isprintable() else _HARMFUL.sub(_written, text)


def _written(found: "re.Match[str]") -> str:
    return f"\\u{ord(found.group()):04x}"

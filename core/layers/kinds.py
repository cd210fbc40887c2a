"""Which class of Keras a class of the person's code derives from, so that old files of it are read like Keras's own.

A subclass of LSTM has an LSTM's settings and arrays, in whatever form the version that saved it gave them. Its code is
known only where it was run (`core.engine.trust`), so the reader is told by name.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from core.layers.known import LAYERS

STEP = "derives"
"""The step (see `core.readers.arrays.array_notes`) that tells the reader of arrays what a class derives from."""


class Kind(Struct, frozen=True):
    """The nearest class of Keras above a class, and the settings that its own constructors name."""

    base: str
    fields: frozenset[str] = frozenset()


Kinds = Mapping[str, Kind]
"""Kinds by class name, registered (`package>Name`) or bare."""


def kind_of(kinds: Kinds, item: Mapping[str, Any]) -> Kind | None:
    """The kind of a serialised layer; `None` where nothing is known of its class."""
    registered, bare = str(item.get("registered_name") or ""), str(item.get("class_name"))
    return kinds.get(registered) or (kinds.get(bare) if bare not in LAYERS else None)


def bases(steps: Iterable[Any]) -> dict[str, str]:
    """Classes of Keras by the names of the classes that derive from them, from the notes on one layer's arrays."""
    return {str(note.step["own"]): str(note.step["class"]) for note in steps if note.step["do"] == STEP}

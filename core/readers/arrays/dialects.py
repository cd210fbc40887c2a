"""Which Keras wrote the arrays of a file, and what therefore has to be done to them before Keras 3 uses them.

An architecture and its arrays may come from different versions: what the arrays need (gates joined, kernels turned,
slopes) depends on who wrote them, and on what the layer that takes them does with them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from core.layers.kinds import STEP, Kind, bases
from core.model.graph import Graph, Layer
from core.readers.arrays.array_notes import Note, Notes, take_notes
from core.repairs.base import Dialect
from core.repairs.registry import with_array_steps

_OF_ARRAYS = ("keras1_gates", "kernel", "hard_sigmoid")
"""Steps that depend on who wrote the arrays; the others on what the layer was."""


def version_of_arrays(version: str | None, names: Iterable[str]) -> int:
    """The major version that wrote the arrays of an HDF5 file: as it says, else 1 where names have no layer in them."""
    if version and version[0].isdigit():
        return int(version[0])
    known = list(names)
    return 1 if known and not any("/" in name for name in known) else 2


def notes_for(graph: Graph, notes: Notes, major: int) -> Notes:
    """The notes of an architecture, as arrays need them that Keras `major` wrote."""
    found = dict(notes)
    for layer in graph.layers:
        own = [note for path, steps in notes.items() if path[0] == layer.name for note in steps]
        for path, fresh in layer_notes(layer, major, bases(own)).items():
            known = notes.get(path, ())
            others = [note for note in known if note.step["do"] not in (*_OF_ARRAYS, STEP)]
            kind = [note for note in fresh if note.step["do"] == STEP]
            slopes = [note for note in fresh if note.step["do"] == "hard_sigmoid"]
            found[path] = (*kind, *others, *_ordered(known, fresh, major), *slopes)
    return found


def _ordered(known: tuple[Note, ...], fresh: tuple[Note, ...], major: int) -> list[Note]:
    """Steps that join gates and turn kernels: the architecture's own, if it is of the arrays' version."""
    own = [note for note in known if note.step["do"] in ("keras1_gates", "kernel")]
    if major == 1:
        told = [note for note in own if note.step["do"] == "keras1_gates" or note.step["keras1"]]
        return told or [note for note in fresh if note.step["do"] in ("keras1_gates", "kernel")]
    if major == 2:
        return [Note(one.prefix, {**one.step, "first": False, "keras1": False}) for one in own if "flipped" in one.step]
    return []


def layer_notes(layer: Layer, major: int, known: Mapping[str, str]) -> Notes:
    """The notes of one layer and of all inside it; `known` are Keras's classes by those that derive from them."""
    inside = [] if layer.inner is None else [((layer.name, *path.split("/")), one) for path, one in layer.inner.walk()]
    found: Notes = {}
    for path, one in [((layer.name,), layer), *inside]:
        if one.is_operation or one.is_input or one.inner is not None:
            continue
        dialect = Dialect(major, kinds={name: Kind(base) for name, base in {**known, **one.bases}.items()})
        entry: dict[str, Any] = {"class_name": one.class_name, "config": one.config, "name": one.name}
        entry = with_array_steps({**entry, "registered_name": one.registered_name}, dialect)
        model = {"class_name": "Sequential", "config": {"layers": [entry]}}
        found[path] = take_notes(model)[1].get((one.name,), ())
    return found


def slopes(layer: Layer) -> list[tuple[str, ...]]:
    """The paths of a layer, and of those inside it, whose arrays act through `hard_sigmoid`."""
    return [
        path
        for path, steps in layer_notes(layer, 2, layer.bases).items()
        if any(note.step["do"] == "hard_sigmoid" for note in steps)
    ]

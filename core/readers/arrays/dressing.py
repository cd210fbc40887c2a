"""Arrays of a file of weights alone on one layer that takes them: by storage key, by attribute, by name, by order.

A file of weights knows no classes. What its arrays are, and what is to be done to them, only the layer tells that is
to have them: its class says which arrays there are, and its settings whether they act through `hard_sigmoid`.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.layers.weight_table import slots
from core.model.graph import Graph, Layer, StoreKey, Weight
from core.readers.arrays.array_notes import Note
from core.readers.arrays.assign_legacy import fill
from core.readers.arrays.assign_v3 import assign_layer, tree_of
from core.readers.arrays.dialects import layer_notes
from core.readers.arrays.identity import needs_code
from core.readers.arrays.legacy_arrays import StoredWeight, modern
from core.readers.arrays.transforms import made_key, parse_key
from core.readers.containers.array_info import ArrayInfo
from core.readers.formats.checkpoint import by_attribute

_NEWEST = 3


class Dressed(Struct, frozen=True):
    """A layer with arrays of another file, those it lacks (by path inside it), and the file's that are left over."""

    layer: Layer
    missing: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def dressed(mine: Layer, theirs: Layer, major: int | None) -> Dressed:
    """`mine` with the arrays of a layer of a weights file that Keras `major` wrote, its own forgotten."""
    bare = replace(mine, weights=())
    if bare.inner is not None:
        bare = replace(bare, inner=bare.inner.replace_layers(lambda _, one: replace(one, weights=())))
    stored = [
        StoredWeight(weight.key or weight.name, weight.source.key, ArrayInfo(weight.shape, weight.dtype))
        for weight in theirs.weights
        if weight.source is not None and not weight.state
    ]
    notes = layer_notes(bare, major or _NEWEST, mine.bases)
    if all("vars/" in item.name for item in stored):
        group = tree_of({item.name: item.info for item in stored}, {})
        keys = {item.name: item.key for item in stored}
        made, missing, left = assign_layer(bare, group, notes)
        return Dressed(_rekeyed(made, keys), missing, tuple(keys[name] for name in left))
    if bare.inner is None:
        named = by_attribute(bare, {item.name: item for item in stored}, mine.bases)
        if named is not None:
            own = notes.get((mine.name,), ())
            done = modern(named, own)
            listed = slots(mine.class_name, mine.config, mine.bases)
            weights = tuple(_weight(slot, done[slot.name]) for slot in listed)
            used = {item.key for item in named.values()}
            others = [item for item in stored if item.key not in used]
            if needs_code(mine):  # what its code adds to its base class
                weights += tuple(
                    Weight(item.name, item.info.shape, item.info.dtype, key=item.name, source=StoreKey(item.key))
                    for item in others
                )
                others = []
            return Dressed(replace(bare, weights=weights), (), tuple(item.key for item in others))
    made, missing, left = fill(bare, tuple(stored), notes)
    return Dressed(made, missing, left)


def _weight(slot: Any, item: StoredWeight) -> Weight:
    info = item.info
    return Weight(slot.name, info.shape, info.dtype, slot.trainable, slot.key, source=StoreKey(item.key))


def _rekeyed(layer: Layer, keys: dict[str, str]) -> Layer:
    """Made of an index whose names stand for the store's keys: those in their place."""

    def one(weight: Weight) -> Weight:
        if weight.source is None:
            return weight
        return replace(weight, source=StoreKey(_with_keys(weight.source.key, keys)))

    graph = Graph("", layers=(layer,)).replace_layers(
        lambda _, inside: replace(inside, weights=tuple(map(one, inside.weights))) if inside.weights else inside
    )
    return graph.layers[0]


def _with_keys(key: str, keys: dict[str, str]) -> str:
    made = parse_key(key)
    if made is None:
        return keys.get(key, key)
    rest = {name: value for name, value in made.items() if name not in ("do", "of")}
    inner = made["of"]
    of = [_with_keys(one, keys) for one in inner] if isinstance(inner, list) else _with_keys(inner, keys)
    return made_key(made["do"], of, **rest)


def in_slope(mine: Layer, weight: Weight) -> str:
    """The key of an array of a described layer, for the activations of the layer that takes it.

    What was scaled because it acts through `hard_sigmoid` is taken as it was saved where it now acts through another.
    """
    key = weight.source.key if weight.source is not None else ""
    made = parse_key(key)
    if made is None or made["do"] != "scale_blocks":
        return key
    wanted = {
        int(block)
        for note in layer_notes(replace(mine, inner=None), 2, mine.bases).get((mine.name,), ())
        if _is_slope(note) and weight.name.startswith(note.prefix)
        for block in note.step["blocks"]
    }
    blocks = [block for block in made["blocks"] if block in wanted]
    return made_key("scale_blocks", made["of"], **{**_rest(made), "blocks": blocks}) if blocks else str(made["of"])


def _rest(made: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in made.items() if name not in ("do", "of")}


def _is_slope(note: Note) -> bool:
    return bool(note.step["do"] == "hard_sigmoid")

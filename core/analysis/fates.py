"""What happens to every weight: the decision, made from what the source has and what the edited layer needs. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.layers.axes import axes_of
from core.model.graph import Graph, Layer, StoreKey, Weight
from core.model.plan import Fate
from core.readers.arrays.identity import needs_code, paired
from core.readers.arrays.transforms import plain_keys
from core.rules import acts, chain_name, refusal
from core.rules.initialize import LAYER
from core.rules.quantization import Quantize
from core.surgery.quantized import encoded

QUANTIZED = "quantized numbers cannot be adapted."
"""The note of a fate that dequantizing settles."""


class Origins(Struct, frozen=True):
    """What an array is called where it comes from: `own` are the source's by where they lie, `others` those of each
    further file by its number, under the stored arrays' keys. `files` are the files' names by number; 0 has one only if
    the source's arrays lie apart from its architecture.
    """

    own: Mapping[StoreKey, str] = {}
    others: Mapping[int, Mapping[str, str]] = {}
    files: Mapping[int, str] = {}

    def of(self, weight: Weight) -> dict[str, Any]:
        """What a fate says of the array that `weight` has: its path, its shape, its file."""
        key = weight.source
        if key is None:
            return {}
        if not key.file:
            name = self.own.get(key, weight.name)
        else:
            held = self.others.get(key.file, {})
            name = next((held[one] for one in (key.key, *plain_keys(key.key)) if one in held), weight.name)
        file, shape = self.files.get(key.file, ""), weight.shape
        return {"source": name, "source_shape": shape, "file": file, "further": key.file != 0}


class Move(Struct, frozen=True):
    """A fate with everything that execution needs: the source array, the rules, the storage key inside the layer."""

    fate: Fate
    layer: str
    key: str
    name: str
    source: StoreKey | None = None
    rules: tuple[Any, ...] = ()


def layer_moves(
    path: str,
    layer: Layer,
    needed: Iterable[Weight],
    trainable: bool,
    names: Origins | Mapping[StoreKey, str],
) -> Iterator[Move]:
    """The fate of each array that the layer at `path` needs. `names` says what arrays are called in their files."""
    names = names if isinstance(names, Origins) else Origins(names)
    needed = tuple(needed)
    held = {weight.name: weight for weight in layer.weights if weight.source is not None}
    wanted = {need.name for need in needed}
    # A variable that its class left unnamed has another name in each run; its storage key says which it is.
    unnamed = {weight.key: weight for weight in held.values() if weight.name not in wanted}
    own = paired(needed, held.values()) if not layer.opaque and held and needs_code(layer) else None
    # A wrapper that lists a variable of the layer inside stores it twice.
    twins = {
        name.rpartition("/")[2]: held[name] for name in (need.name for need in needed if need.state) if name in held
    }
    codes = encoded(layer, {need.name: need for need in needed}, held)
    for need in needed:
        if need.name in codes:
            name, rule = codes[need.name]
            yield _quantized(path, layer, need, held.get(name), rule, trainable, names)
            continue
        have = held.get(need.name) or unnamed.get(need.key) or twins.get(need.name)
        if own is not None:
            have = own.get(need.name) or twins.get(need.name)
        renamed = replace(need, name=have.name) if have is not None else need
        yield _move(path, layer, renamed, have, layer.rules_for(renamed.name), trainable, names)


def _move(
    path: str,
    layer: Layer,
    need: Weight,
    have: Weight | None,
    rules: tuple[Any, ...],
    trainable: bool,
    names: Origins,
) -> Move:
    common: dict[str, Any] = {
        "weight": f"{path}/{need.name}",
        "shape": need.shape,
        "dtype": need.dtype,
        "trainable": need.trainable and trainable and not need.state,
    }
    place = (path, need.key, need.name)
    if have is not None and have.decode is not None:
        rules = (have.decode, *rules)
    if any(rule.name == "initialize" for rule in rules) or (have is None and not any(rule.makes for rule in rules)):
        fresh = tuple(rule for rule in rules if rule.name == "initialize")
        fate = Fate(fate="initialized", rule=chain_name(fresh) or None, **common)
        own = any(getattr(rule, "initializer", "") == LAYER for rule in fresh)
        return Move(fate, *place, None, () if own else fresh)
    shape = have.shape if have else None
    origin = names.of(have) if have is not None else {}
    source = have.source if have else None
    if have is not None and _stays_raw(have, need, rules):
        return Move(Fate(fate="mismatched", note=QUANTIZED, **common, **origin), *place, source)
    if shape != need.shape and not rules and _belongs_to_raw(layer, need.name):
        return Move(Fate(fate="initialized", note=QUANTIZED, **common, **origin), *place, source)
    if not acts(shape, need.shape, rules):
        return Move(Fate(fate="transferred" if origin.get("file") else "copied", **common, **origin), *place, source)
    why = refusal(shape, need.shape, axes_of(layer, need.name, shape or need.shape), rules)
    if why is None:
        return Move(Fate(fate="adapted", rule=chain_name(rules), **common, **origin), *place, source, rules)
    return Move(Fate(fate="mismatched", note=why, **common, **origin), *place, source)


def _stays_raw(have: Weight, need: Weight, rules: tuple[Any, ...]) -> bool:
    """Whether quantized numbers would be taken for what they stand for."""
    if have.dtype not in ("int8", "uint8") or have.decode is not None:
        return False
    return acts(have.shape, need.shape, rules) or need.dtype.startswith(("float", "bfloat"))


def _belongs_to_raw(layer: Layer, name: str) -> bool:
    """Whether an array is a scale (or a zero, or the like) of quantized numbers, which says what has to be settled."""
    prefix = name.rpartition("/")[0]
    last = name.rpartition("/")[2]
    return last not in ("bias", "kernel", "embeddings", "reverse_embeddings") and any(
        one.dtype in ("int8", "uint8") and one.decode is None and one.name.rpartition("/")[0] == prefix
        for one in layer.weights
    )


def _quantized(
    path: str,
    layer: Layer,
    need: Weight,
    have: Weight | None,
    rule: Quantize,
    trainable: bool,
    names: Origins,
) -> Move:
    """The fate of an array that is quantized now, made of the float array `have` or of first values."""
    common: dict[str, Any] = {
        "weight": f"{path}/{need.name}",
        "shape": need.shape,
        "dtype": need.dtype,
        "trainable": need.trainable and trainable and not need.state,
    }
    place = (path, need.key, need.name)
    if have is None or any(one.name == "initialize" for one in rule.inner):
        start = next((number for number, one in enumerate(rule.inner) if one.name == "initialize"), 0)
        fresh = replace(rule, inner=rule.inner[start:])
        return Move(Fate(fate="initialized", rule=fresh.name, **common), *place, None, (fresh,))
    origin = names.of(have) or {"source": have.name, "source_shape": have.shape}
    why = refusal(have.shape, rule.shape, rule.axes, rule.inner)
    if why is None:
        return Move(Fate(fate="adapted", rule=rule.name, **common, **origin), *place, have.source, (rule,))
    # told once, of the floats: that is the shape that has to be settled
    common["shape"] = rule.shape if rule.part == "values" else need.shape
    fate: Any = "mismatched" if rule.part == "values" else "initialized"
    return Move(Fate(fate=fate, note=why, **common, **origin), *place, have.source)


def merged_arrays(moves: Iterable[Move], names: Mapping[StoreKey, str]) -> tuple[tuple[str, str], ...]:
    """`(source array, new weight)` for each array that goes into a weight beside the weight's own."""
    moves = tuple(moves)
    own = {move.source for move in moves}
    pairs = (
        (names[key], move.fate.weight)
        for move in moves
        if move.rules and move.source is not None and move.fate.fate == "adapted"
        for rule in move.rules
        for key in rule.reads()
        if key in names and key not in own
    )
    return tuple(dict.fromkeys(pairs))


def file_names(graph: Graph) -> dict[str, str]:
    """The path of each array of a further file, by the keys of the stored arrays that it is made of."""
    names: dict[str, str] = {}
    for key, name in source_names(graph).items():
        for stored in (key.key, *plain_keys(key.key)):
            names.setdefault(stored, name)
    return names


def source_names(graph: Graph) -> dict[StoreKey, str]:
    """The path of each array of the source (`layer/weight`), by where it lies."""
    names: dict[StoreKey, str] = {}
    for path, layer in graph.walk():
        for weight in layer.weights:
            if weight.source is not None:
                names.setdefault(weight.source, f"{path}/{weight.name}")
    for weight in graph.weights:
        if weight.source is not None:
            names.setdefault(weight.source, weight.name)
    return names

"""Words and the rows that stand for them: what each index of a lookup means, and which layers take that index."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct

from core.layers.table import classes, family
from core.model.graph import Call, Graph, Layer, TensorRef
from core.model.levels import owner

LOOKUPS = classes(kind="lookup") | {"IndexLookup"}
Kind = Literal["table", "count", "rows", "unknown"]
SAME_IDS = (
    classes(idle=True)
    | classes(acts="moving")
    | classes(kind="masking")
    | classes(kind=("cropping", "padding"), rank=1)
    | {"Cast", "ExpandDims", "Squeeze", "GetItem", "Copy"}
)
_SAME_COUNTS = classes(idle=True) | {"Cast", "Copy"}


class User(Struct, frozen=True):
    """A layer that takes what a lookup gives.

    `kind`: `table` looks a row up (Embedding), `count` is as long as the vocabulary (one-hot, multi-hot), `rows` has a
    row of its kernel for each word (a Dense behind those), `unknown` does something else with the numbers.
    """

    path: str
    kind: Kind


def special_tokens(layer: Layer) -> list[Any]:
    """What a lookup puts before its words: the mask (for whole numbers only), then what is in no vocabulary.

    As Keras's IndexLookup counts: `_oov_start_index` and `_token_start_index`.
    """
    config = layer.config
    texts = layer.class_name == "TextVectorization"
    counted = config.get("output_mode") not in (None, "int")
    mask = "" if texts else config.get("mask_token")
    unknown = config.get("oov_token", -1 if holds_numbers(layer) else "[UNK]")
    count = 1 if texts else int(config.get("num_oov_indices", 1))
    return [*([] if mask is None or counted else [mask]), *[unknown] * count]


def holds_numbers(layer: Layer) -> bool:
    """Whether a lookup's words are whole numbers."""
    return layer.class_name == "IntegerLookup" or "int" in str(layer.config.get("vocabulary_dtype") or "")


def vocabulary(layer: Layer) -> tuple[Any, ...] | None:
    """The words of a lookup without special ones; `None` where its config does not hold them."""
    words = layer.config.get("vocabulary")
    if layer.class_name not in LOOKUPS or not isinstance(words, (list, tuple)):
        return None
    special = special_tokens(layer)
    words = list(words)
    return tuple(words[len(special) :] if words[: len(special)] == special else words)


def index_count(layer: Layer, words: Sequence[Any]) -> int:
    """How many indices a lookup with these words gives, special ones included."""
    count = len(special_tokens(layer)) + len(words)
    padded = layer.config.get("pad_to_max_tokens") and layer.config.get("output_mode") not in (None, "int")
    return max(count, int(layer.config.get("max_tokens") or 0)) if padded else count


def kept_rows(layer: Layer, old: Sequence[Any], new: Sequence[Any]) -> tuple[int | None, ...]:
    """For each new index the old one of the same word; `None` for a word that is new."""
    start = len(special_tokens(layer))
    places = {word: start + number for number, word in enumerate(old)}
    return (*range(start), *(places.get(word) for word in new))


def users(graph: Graph, path: str) -> tuple[User, ...]:
    """Every layer that takes the indices of the lookup at `path`, through what hands them on and nested models."""
    prefix, level = owner(graph, path)
    layer = graph.find(path)
    counted = layer.config.get("output_mode") not in (None, "int")
    found: dict[str, User] = {}
    start = {TensorRef(layer.name, number): counted for number in range(max(1, len(layer.calls)))}
    leaving = _follow(level, prefix, start, found)
    while prefix and leaving:  # what leaves a nested model goes on around it
        name = prefix[:-1].rpartition("/")[2]
        prefix = prefix[: -len(name) - 1]
        level = graph.find(prefix[:-1]).inner or graph if prefix else graph
        around = level.layer(name)
        start = {
            TensorRef(name, number, output): counted
            for number in range(max(1, len(around.calls)))
            for output, counted in leaving.items()
        }
        leaving = _follow(level, prefix, start, found)
    return tuple(found.values())


def _follow(graph: Graph, prefix: str, start: dict[TensorRef, bool], found: dict[str, User]) -> dict[int, bool]:
    """Note the users of some tensors (true: counts), and say which outputs of the model they reach."""
    layers, consumers = graph.by_name(), graph.consumers()
    seen, queue = dict(start), list(start)
    while queue:
        ref = queue.pop()
        for name, number in consumers.get(ref, ()):
            layer = layers[name]
            for out, counted in _through(layer, prefix, layer.calls[number], number, ref, seen[ref], found):
                if out not in seen:
                    seen[out] = counted
                    queue.append(out)
    return {place: seen[ref] for place, ref in enumerate(graph.output_refs()) if ref in seen}


def _through(
    layer: Layer, prefix: str, call: Call, number: int, ref: TensorRef, counted: bool, found: dict[str, User]
) -> Iterator[tuple[TensorRef, bool]]:
    path = prefix + layer.name
    if layer.is_model and layer.inner is not None and not layer.inner.opaque:
        ports = layer.inner.input_refs()
        inside = {port: counted for port, given in zip(ports, call.inputs(), strict=False) if given == ref}
        for place, one in _follow(layer.inner, path + "/", inside, found).items():
            yield TensorRef(layer.name, number, place), one
        return
    kind = layer.class_name
    if not counted and family(kind) == "embedding":
        found[path] = User(path, "table")
    elif not counted and kind in ("CategoryEncoding", "OneHot"):
        found[path] = User(path, "count")
        yield TensorRef(layer.name, number), True
    elif counted and kind == "Dense":
        found[path] = User(path, "rows")
    elif kind in (_SAME_COUNTS if counted else SAME_IDS):
        yield TensorRef(layer.name, number), counted
    elif path not in found:
        found[path] = User(path, "unknown")

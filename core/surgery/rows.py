"""Where the rows of a later kernel come from when what feeds it got another number of channels.

A click that adapts a kernel by the number of its rows alone puts them where they do not belong as soon as channels are
joined, flattened or turned round on the way. So the way back is walked first, to what makes the channels.
"""

from core.layers import channel_ops as known
from core.layers.leaves import leaf
from core.layers.table import classes
from core.model.graph import Graph, Layer, Shape, TensorRef
from core.surgery.baked import source_of

Take = tuple[int | None, ...]
_MAKES = (known.MIXING - {"MultiHeadAttention"}) | {"Embedding", "InputLayer"}
_ALONE = (
    classes(acts=("number", "channel", "map"))
    | classes(kind="sample")
    | known.LINEAR_OPS
    | known.ZERO_OPS
    | known.OTHER_OPS
)
_DEEPEST = 64


def rows_of(path: str, after: Graph, before: Graph) -> Take | None:
    """For each row that the kernel at `path` needs now, the row of the source's that belongs there (`None`: a new one).

    `None` altogether where the way back to what makes the channels is not known.
    """
    layer = after.find(path)
    news, olds = after.levels(), before.levels()
    prefix = path[: len(path) - len(layer.name)]
    home, old = source_of(olds, prefix, layer)
    refs = layer.calls[0].inputs() if layer.calls else ()
    earlier = old.calls[0].inputs() if old is not None and old.calls else ()
    first = leaf(layer).config.get("data_format") == "channels_first"
    if prefix not in news or home is None or not refs or not earlier or first:
        return None
    return _made(news[prefix], refs[0], home, earlier[0], 0)


def _made(level: Graph, ref: TensorRef, old_level: Graph, old_ref: TensorRef, depth: int) -> Take | None:
    new, old = _width(level.spec(ref).shape), _width(old_level.spec(old_ref).shape)
    if new is None or old is None or depth > _DEEPEST:
        return None
    if new == old:
        return tuple(range(old))
    layer, earlier = level.by_name().get(ref.layer), old_level.by_name().get(old_ref.layer)
    if layer is None or earlier is None or layer.inner is not None or layer.opaque:
        return None
    kind = leaf(layer).class_name
    if kind in _MAKES:
        return tuple(place if place < old else None for place in range(new))
    refs, before = layer.calls[ref.call].inputs(), earlier.calls[old_ref.call].inputs()
    if kind != leaf(earlier).class_name or len(refs) != len(before):
        return None
    if kind == "Concatenate" and _last(layer, level, refs):
        return _joined(level, refs, old_level, before, depth)
    alone = len(refs) == 1 and kind in _ALONE
    softmax = kind == "Activation" and leaf(layer).config.get("activation") in known.ACROSS
    if not alone or softmax or leaf(layer).config.get("data_format") == "channels_first":
        return None
    return _made(level, refs[0], old_level, before[0], depth + 1)


def _joined(
    level: Graph, refs: tuple[TensorRef, ...], old_level: Graph, before: tuple[TensorRef, ...], depth: int
) -> Take | None:
    found: list[int | None] = []
    start = 0
    for ref, old_ref in zip(refs, before, strict=True):
        part = _made(level, ref, old_level, old_ref, depth + 1)
        size = _width(old_level.spec(old_ref).shape)
        if part is None or size is None:
            return None
        found += [None if row is None else row + start for row in part]
        start += size
    return tuple(found)


def _last(layer: Layer, level: Graph, refs: tuple[TensorRef, ...]) -> bool:
    rank = len(level.spec(refs[0]).shape or ()) if refs else 0
    return bool(rank) and int(layer.config.get("axis", -1)) % rank == rank - 1


def _width(shape: Shape | None) -> int | None:
    return shape[-1] if shape else None

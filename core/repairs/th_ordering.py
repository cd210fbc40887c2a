"""Kernels in Keras 1's order `(filters, channels, rows, columns)`, and Theano's, which are turned round.

The repair leaves a note to the reader of arrays; the config stays `channels_first`, which Keras 3 still knows.
"""

from core.layers.table import classes, row
from core.repairs.base import Change, Config, Dialect, Repair

_RANKS = {
    name: row(name).rank for name in classes(family="convolution", kind="plain") | {"Conv2DTranspose", "ConvLSTM2D"}
}


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    rank = _RANKS.get(layer["class_name"])
    if rank is None or dialect.major > 2 or any(step["do"] == "kernel" for step in layer.get("arrays", [])):
        return None
    old = dialect.major == 1
    first = old and layer["config"].get("data_format") == "channels_first"
    flipped = dialect.backend == "theano"
    if not (old or flipped):
        return None
    step = {
        "do": "kernel",
        "rank": rank,
        "first": first,
        "keras1": old,
        "flipped": flipped,
        "recurrent": row(layer["class_name"]).kind == "map",
        "transposed": row(layer["class_name"]).kind == "transposed",
        "filters": layer["config"].get("filters"),
        "size": _size(layer["config"].get("kernel_size"), rank),
    }
    said = [
        "its kernel was transposed from (filters, channels, rows, columns)" if first and rank > 1 else "",
        "its kernel was flipped, because Theano computes a true convolution" if flipped else "",
    ]
    text = " and ".join(part for part in said if part)
    return Change({**layer, "arrays": [*layer.get("arrays", []), step]}, text)


def _size(value: object, rank: int) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value] * rank


REPAIR = Repair("th ordering", "Old kernel layouts", _apply)

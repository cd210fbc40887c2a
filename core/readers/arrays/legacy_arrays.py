"""Arrays of older Keras versions as Keras 3 holds them: gates joined, kernels turned, CuDNN layouts, other slopes.

Formulas: Keras 2's own loader of Keras 1 files (`preprocess_weights_for_loading`), TensorFlow's CuDNN converter.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from core.layers.weight_table import Slot
from core.readers.arrays.array_notes import Note
from core.readers.arrays.transforms import made_key
from core.readers.containers.array_info import ArrayInfo


class StoredWeight(Struct, frozen=True):
    """One array of a file: the name it was saved under, the store's key, shape and dtype."""

    name: str
    key: str
    info: ArrayInfo


Named = dict[str, StoredWeight]
_GATES = {"LSTM": ("i", "c", "f", "o"), "GRU": ("z", "r", "h")}
_JOINED = {"LSTM": ("i", "f", "c", "o"), "GRU": ("z", "r", "h")}
_PARTS = {"W": "kernel", "U": "recurrent_kernel", "b": "bias"}


def old_slots(slots: tuple[Slot, ...], notes: tuple[Note, ...]) -> tuple[Slot, ...]:
    """The slots of Keras 1's recurrent layers where each gate has arrays of its own."""
    for note in notes:
        gates = _GATES.get(str(note.step.get("class")))
        if note.step["do"] != "keras1_gates" or gates is None:
            continue
        head = f"{note.prefix}/cell" if note.prefix else "cell"
        mine = [slot for slot in slots if slot.name.startswith(head + "/")]
        made = [Slot(f"{head}/{part}_{gate}", "") for gate in gates for part in _PARTS]
        first = slots.index(mine[0])
        slots = (*slots[:first], *made, *(slot for slot in slots[first:] if slot not in mine))
    return slots


def modern(found: Named, notes: tuple[Note, ...]) -> Named:
    """Stored arrays by slot name, changed as the notes say."""
    for note in notes:
        rule = _RULES.get(note.step["do"])
        if rule is not None:
            found = rule(found, note.prefix, note.step)
    return found


def _changed(item: StoredWeight, shape: tuple[int, ...], do: str, fields: dict[str, Any] | None = None) -> StoredWeight:
    return StoredWeight(item.name, made_key(do, item.key, **(fields or {})), ArrayInfo(shape, item.info.dtype))


def _own(found: Named, prefix: str) -> dict[str, str]:
    """Names of the arrays below a prefix, by their last part."""
    head = f"{prefix}/" if prefix else ""
    return {name.rsplit("/", 1)[-1]: name for name in found if name.startswith(head)}


def _gates(found: Named, prefix: str, step: dict[str, Any]) -> Named:
    order = _JOINED.get(str(step["class"]))
    head = f"{prefix}/cell" if prefix else "cell"
    if order is None or f"{head}/W_{order[0]}" not in found:
        return found
    result = {name: item for name, item in found.items() if not name.startswith(head + "/")}
    for part, name in _PARTS.items():
        items = [found[f"{head}/{part}_{gate}"] for gate in order]
        shape = (*items[0].info.shape[:-1], sum(item.info.shape[-1] for item in items))
        key = made_key("concatenate", [item.key for item in items], axis=-1)
        result[f"{head}/{name}"] = StoredWeight(items[0].name, key, ArrayInfo(shape, items[0].info.dtype))
    return result


def _kernel(found: Named, prefix: str, step: dict[str, Any]) -> Named:
    names = _own(found, prefix)
    result = dict(found)
    for part in ("kernel", "recurrent_kernel") if step.get("recurrent") else ("kernel",):
        name = names.get(part)
        if name is not None:
            result[name] = _turned(found[name], step)
    return result


def _turned(item: StoredWeight, step: dict[str, Any]) -> StoredWeight:
    rank = int(step["rank"])
    shape = item.info.shape
    if rank == 1 and len(shape) == 4:
        if shape[1] != 1:
            shape = (shape[2], shape[3], shape[1], shape[0])
            item = _changed(item, shape, "transpose", {"axes": [2, 3, 1, 0]})
        item = _changed(item, (shape[0], *shape[2:]), "reshape", {"shape": [shape[0], *shape[2:]]})
    elif step.get("keras1") and len(shape) == rank + 2 and (axes := _axes(shape, rank, step)) is not None:
        item = _changed(item, tuple(shape[axis] for axis in axes), "transpose", {"axes": axes})
    if step["flipped"]:
        item = _changed(item, item.info.shape, "flip", {"axes": list(range(rank))})
    return item


def _axes(shape: tuple[int, ...], rank: int, step: dict[str, Any]) -> list[int] | None:
    """How a kernel of Keras 1 is turned: stored `(filters, channels, ...)`, or `(..., channels, filters)`.

    The layer's own size and filters say which it is, where only one of the two fits; else the ordering of its model.
    """
    size = tuple(step.get("size") or ())
    theano = shape[2:] == size and shape[0] == step.get("filters")
    tensorflow = shape[:rank] == size and shape[-1] == step.get("filters")
    first = theano if theano != tensorflow else bool(step["first"])
    spatial = range(2, rank + 2) if first else range(rank)
    channels, filters = (1, 0) if first else (rank, rank + 1)
    axes = [*spatial, filters, channels] if step.get("transposed") else [*spatial, channels, filters]
    return None if axes == list(range(rank + 2)) else axes


def _cudnn(found: Named, prefix: str, step: dict[str, Any]) -> Named:
    names = _own(found, prefix)
    count = 4 if step["class"] == "CuDNNLSTM" else 3
    result = dict(found)
    for part in ("kernel", "recurrent_kernel"):
        item = found[names[part]]
        result[names[part]] = _changed(item, item.info.shape, "cudnn", {"count": count, "recurrent": part != "kernel"})
    item = found[names["bias"]]
    length = item.info.shape[0] // 2
    if step["class"] == "CuDNNLSTM":
        result[names["bias"]] = _changed(item, (length,), "sum_halves")
    else:
        result[names["bias"]] = _changed(item, (2, length), "reshape", {"shape": [2, length]})
    return result


def _hard_sigmoid(found: Named, prefix: str, step: dict[str, Any]) -> Named:
    names = _own(found, prefix)
    result = dict(found)
    for part in ("kernel", "recurrent_kernel", "pointwise_kernel", "bias"):
        if part in names:
            item = found[names[part]]
            result[names[part]] = _changed(
                item, item.info.shape, "scale_blocks", {"count": step["count"], "blocks": step["blocks"], "factor": 1.2}
            )
    return result


_RULES: dict[str, Callable[[Named, str, dict[str, Any]], Named]] = {
    "keras1_gates": _gates,
    "kernel": _kernel,
    "cudnn": _cudnn,
    "hard_sigmoid": _hard_sigmoid,
}

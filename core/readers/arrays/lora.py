"""Low-rank updates in legacy HDF5 files of Keras 3, which keep them beside the kernel they belong to, not added to it.

`.keras` and `.weights.h5` hold the sum already. The sum is what the graph gets from either, so that a layer has the
same arrays whatever file it came from.
"""

from core.model.graph import Layer
from core.model.names import leaf
from core.readers.arrays.legacy_arrays import StoredWeight
from core.readers.arrays.transforms import made_key
from core.readers.containers.array_info import ArrayInfo


def with_lora_added(stored: tuple[StoredWeight, ...], layer: Layer) -> tuple[StoredWeight, ...]:
    """The arrays of a layer (or a nested model) with every `lora_kernel_a` and `_b` added to its kernel."""
    if not any(leaf(item.name).startswith("lora_") for item in stored):
        return stored
    by_name = {item.name: item for item in stored}
    gone: set[str] = set()
    changed: dict[str, StoredWeight] = {}
    for item in stored:
        head, _, last = item.name.rpartition("/")
        if not (last.startswith("lora_") and last.endswith("_a")):
            continue
        part = last.removeprefix("lora_").removesuffix("_a")
        base, other = by_name.get(f"{head}/{part}"), by_name.get(f"{head}/lora_{part}_b")
        if base is None or other is None or not item.info.shape or item.info.shape[-1] != other.info.shape[0]:
            continue
        rank = item.info.shape[-1]
        key = made_key("lora", [base.key, item.key, other.key], scale=_alpha(layer, head, rank) / rank)
        changed[base.name] = StoredWeight(base.name, key, ArrayInfo(base.info.shape, base.info.dtype))
        gone |= {item.name, other.name}
    return tuple(changed.get(item.name, item) for item in stored if item.name not in gone)


def _alpha(layer: Layer, head: str, rank: int) -> float:
    """`lora_alpha` of the layer that these arrays belong to; Keras's default is the rank."""
    name = head.rpartition("/")[2]
    owners = [layer] if layer.inner is None else [one for _, one in layer.inner.walk() if one.name == name]
    value = owners[0].config.get("lora_alpha") if owners else None
    return float(value) if isinstance(value, (int, float)) else float(rank)

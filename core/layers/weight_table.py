"""Which arrays each built-in Keras 3 layer owns: their names, storage keys and order, from its config alone.

Recorded from Keras 3.15's own saving code and checked against it in the tests. The order is that of `layer.weights`;
legacy HDF5 files list the trainable ones first (`legacy_order`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from core.layers import table
from core.layers.rows import flag
from core.model.names import snake_case

Config = dict[str, Any]


class Slot(Struct, frozen=True):
    """One array a layer owns: canonical name, storage key inside the layer, whether training changes it.

    `doubled` marks an array that Keras stores twice (a wrapper and the layer inside share the variable).
    """

    name: str
    key: str
    trainable: bool = True
    doubled: bool = False


Child = tuple[str, str, Config]


def slots(class_name: str, config: Config, bases: Mapping[str, str] | None = None) -> tuple[Slot, ...]:
    """The arrays of a layer, in the order of Keras's `layer.weights`; empty for layers without any.

    `bases` are Keras's classes by the names of others that derive from them.
    """
    class_name = (bases or {}).get(class_name, class_name)
    row = table.row(class_name)
    head = f"{row.held}/" if row.held else ""
    own = [] if row.held and row.inside else _own(class_name, config)
    found = [Slot(f"{head}{name}", f"{head}vars/{index}", trainable) for index, (name, trainable) in enumerate(own)]
    nested: list[Slot] = []
    for prefix, child_class, child_config in _children(class_name, config):
        nested.extend(
            Slot(f"{prefix}/{slot.name}", f"{prefix}/{slot.key}", slot.trainable)
            for slot in slots(child_class, child_config, bases)
        )
    if class_name == "SpectralNormalization":
        return _spectral(nested)
    return (*found, *nested)


def learns(class_name: str, config: Config) -> bool:
    """Whether a layer has arrays that training changes."""
    return any(slot.trainable for slot in slots(class_name, config))


def legacy_order(found: tuple[Slot, ...], trainable: bool = True) -> tuple[Slot, ...]:
    """The order in legacy HDF5 files: trainable arrays, then the others; a frozen layer keeps its own order."""
    if not trainable:
        return found
    return tuple(sorted(found, key=lambda slot: not slot.trainable))


def _spectral(nested: list[Slot]) -> tuple[Slot, ...]:
    """The wrapper lists the wrapped kernel as its own variable 0, then `vector_u`; the kernel is also stored inside."""
    kernel = next((slot for slot in nested if slot.name in ("layer/kernel", "layer/embeddings")), None)
    if kernel is None:
        return tuple(nested)
    rest = [slot for slot in nested if slot is not kernel]
    first = Slot(kernel.name, kernel.key, True, doubled=True)
    return (first, Slot("vector_u", "vars/1", False), *rest)


def _listed(class_name: str, config: Config) -> list[tuple[str, bool]]:
    """The arrays that a layer of floats has, with whether training changes them."""
    arrays = table.row(class_name).arrays
    return [(array.name, array.trainable) for array in arrays if array.when is None or array.when(config)]


def _kernel(found: list[tuple[str, bool]], config: Config, zero: str = "kernel_zero") -> list[tuple[str, bool]]:
    mode = _quantization(config)
    if mode in ("gptq", "awq"):
        names = ["kernel", "kernel_scale", zero, *(["awq_scales"] if mode == "awq" else []), "g_idx"]
        return found[1:] + [(name, False) for name in names]
    if mode == "float8":
        names = ["inputs_scale", "inputs_amax_history", "kernel_scale", "kernel_amax_history"]
        return found + [(name, True) for name in [*names, "outputs_grad_scale", "outputs_grad_amax_history"]]
    return _quantized(found, mode, "kernel", _blocks(config))


def _einsum(found: list[tuple[str, bool]], config: Config) -> list[tuple[str, bool]]:
    return _kernel(found, config, "kernel_zero" if _quantization(config) == "int4" else "zero_point")


def _embedding(found: list[tuple[str, bool]], config: Config) -> list[tuple[str, bool]]:
    return _quantized(found, _quantization(config), "embeddings", _blocks(config))


def _quantized(found: list[tuple[str, bool]], mode: str | None, main: str, blocks: bool) -> list[tuple[str, bool]]:
    if mode not in ("int8", "int4"):
        return found
    fixed = [(name, trainable and name != main) for name, trainable in found]
    extra = [f"{main}_scale", f"{main}_zero", "g_idx"] if mode == "int4" and blocks else [f"{main}_scale"]
    return fixed + [(name, False) for name in extra]


def _blocks(config: Config) -> bool:
    """Whether int4 numbers are scaled in blocks of rows (`int4/128`), which takes a zero for each."""
    last = _policy(config).rpartition("/")[2].partition("_")[0]
    return last.isdigit()


def _quantization(config: Config) -> str | None:
    name = _policy(config)
    return next((mode for mode in ("int8", "int4", "float8", "gptq", "awq") if name.startswith(mode)), None)


def _policy(config: Config) -> str:
    """The name of a dtype policy, or the mode of a quantized one."""
    dtype = config.get("dtype")
    name = ""
    if isinstance(dtype, dict) and isinstance(dtype.get("config"), dict):
        fields = dtype["config"]
        name = str(fields.get("mode") or fields.get("name") or "")
    elif isinstance(dtype, str):
        name = dtype
    return name


def _reversible(found: list[tuple[str, bool]], config: Config) -> list[tuple[str, bool]]:
    forward, backward = _embedding(found[:1], config), found[1:]
    if not backward or _quantization(config) not in ("int8", "int4"):
        return forward + backward
    names = ["reverse_embeddings", "reverse_embeddings_scale"]
    if len(forward) > 2:
        names.append("reverse_embeddings_zero")
    return forward + [(name, False) for name in names]


_QUANTIZED: dict[str, Callable[[list[tuple[str, bool]], Config], list[tuple[str, bool]]]] = {
    "Dense": _kernel,
    "EinsumDense": _einsum,
    "Embedding": _embedding,
    "ReversibleEmbedding": _reversible,
}
"""Classes whose dtype policy adds arrays."""


def _own(class_name: str, config: Config) -> list[tuple[str, bool]]:
    found = _listed(class_name, config)
    return _QUANTIZED[class_name](found, config) if class_name in _QUANTIZED else found


def _children(class_name: str, config: Config) -> list[Child]:
    """The layers inside a layer, with the attribute Keras stores them under, in the order they are tracked."""
    row = table.row(class_name)
    if not row.parts and not row.inside:
        return []
    dense = {"bias_axes": "de" if flag("use_bias")(config) else None}
    found: list[Child] = [(part, "EinsumDense", dense) for part in row.parts]
    for field, attribute in row.inside:
        value = config.get(field)
        if field == "backward_layer":
            value = value or config.get("layer")
        found += _numbered(attribute, value) if isinstance(value, list) else _serialised(attribute, value)
    return found


def _serialised(prefix: str, value: Any) -> list[Child]:
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        return [(prefix, str(value.get("class_name")), value["config"])]
    return []


def _numbered(prefix: str, values: list[Any]) -> list[Child]:
    found: list[Child] = []
    used: dict[str, int] = {}
    for value in values:
        for _, child_class, config in _serialised("", value):
            name = snake_case(child_class)
            count = used[name] = used.get(name, -1) + 1
            found.append((f"{prefix}/{name}_{count}" if count else f"{prefix}/{name}", child_class, config))
    return found

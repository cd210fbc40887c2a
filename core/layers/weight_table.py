"""Which arrays each built-in Keras 3 layer owns: their names, storage keys and order, from its config alone.

Recorded from Keras 3.15's own saving code and checked against it in the tests. The order is that of `layer.weights`;
legacy HDF5 files list the trainable ones first (`legacy_order`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

Config = dict[str, Any]


class Slot(Struct, frozen=True):
    """One array a layer owns: canonical name, storage key inside the layer, whether training changes it.

    `doubled` marks an array that Keras stores twice (a wrapper and the layer inside share the variable).
    """

    name: str
    key: str
    trainable: bool = True
    doubled: bool = False


Own = Callable[[Config], list[tuple[str, bool]]]
Child = tuple[str, str, Config]


def slots(class_name: str, config: Config, bases: Mapping[str, str] | None = None) -> tuple[Slot, ...]:
    """The arrays of a layer, in the order of Keras's `layer.weights`; empty for layers without any.

    `bases` are Keras's classes by the names of others that derive from them.
    """
    class_name = (bases or {}).get(class_name, class_name)
    own = _own(class_name, config)
    found = [Slot(name, f"vars/{index}", trainable) for index, (name, trainable) in enumerate(own)]
    nested: list[Slot] = []
    for prefix, child_class, child_config in _children(class_name, config):
        nested.extend(
            Slot(f"{prefix}/{slot.name}", f"{prefix}/{slot.key}", slot.trainable)
            for slot in slots(child_class, child_config, bases)
        )
    if class_name == "SpectralNormalization":
        return _spectral(nested)
    return (*found, *nested)


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


def _flag(config: Config, name: str, default: bool = True) -> bool:
    value = config.get(name, default)
    return default if value is None else bool(value)


def _with_bias(*names: str) -> Own:
    def own(config: Config) -> list[tuple[str, bool]]:
        listed = [*names, "bias"] if _flag(config, "use_bias") else list(names)
        return [(name, True) for name in listed]

    return own


def _kernel(config: Config, zero: str = "kernel_zero") -> list[tuple[str, bool]]:
    mode = _quantization(config)
    found = _with_bias("kernel")(config)
    if mode in ("gptq", "awq"):
        names = ["kernel", "kernel_scale", zero, *(["awq_scales"] if mode == "awq" else []), "g_idx"]
        return found[1:] + [(name, False) for name in names]
    if mode == "float8":
        names = ["inputs_scale", "inputs_amax_history", "kernel_scale", "kernel_amax_history"]
        return found + [(name, True) for name in [*names, "outputs_grad_scale", "outputs_grad_amax_history"]]
    return _quantized(found, mode, "kernel", _blocks(config))


def _einsum(config: Config) -> list[tuple[str, bool]]:
    own = {**config, "use_bias": config.get("bias_axes") is not None}
    return _kernel(own, "kernel_zero" if _quantization(config) == "int4" else "zero_point")


def _embedding(config: Config) -> list[tuple[str, bool]]:
    return _quantized([("embeddings", True)], _quantization(config), "embeddings", _blocks(config))


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


def _batch_normalization(config: Config) -> list[tuple[str, bool]]:
    names = [("moving_mean", False), ("moving_variance", False)]
    if _flag(config, "renorm", default=False):
        names += [("moving_stddev", False), ("renorm_mean", False), ("renorm_stddev", False)]
    return _scale_center(config) + names


def _scale_center(config: Config) -> list[tuple[str, bool]]:
    found = [("gamma", True)] if _flag(config, "scale") else []
    return [*found, ("beta", True)] if _flag(config, "center") else found


def _layer_normalization(config: Config) -> list[tuple[str, bool]]:
    return [("gamma", True)] if _flag(config, "rms_scaling", default=False) else _scale_center(config)


def _normalization(config: Config) -> list[tuple[str, bool]]:
    if config.get("mean") is not None:
        return []
    return [("mean", False), ("variance", False), ("count", False)]


def _attention(config: Config) -> list[tuple[str, bool]]:
    found = [("scale", True)] if _flag(config, "use_scale", default=False) else []
    return [*found, ("concat_score_weight", True)] if config.get("score_mode") == "concat" else found


def _additive_attention(config: Config) -> list[tuple[str, bool]]:
    return [("scale", True)] if _flag(config, "use_scale") else []


def _reversible(config: Config) -> list[tuple[str, bool]]:
    found = _embedding(config)
    if _flag(config, "tie_weights"):
        return found
    fixed = _quantization(config) in ("int8", "int4")
    further = ["reverse_embeddings", "reverse_embeddings_scale"] if fixed else ["reverse_embeddings"]
    if fixed and len(found) > 2:
        further.append("reverse_embeddings_zero")
    return found + [(name, not fixed) for name in further]


def _spectrogram(config: Config) -> list[tuple[str, bool]]:
    names = {"real": ["real_kernel"], "imag": ["imag_kernel"]}.get(
        str(config.get("mode", "log")), ["real_kernel", "imag_kernel"]
    )
    return [(name, False) for name in names]


_OWN: dict[str, Own] = {
    "Dense": _kernel,
    "EinsumDense": _einsum,
    "Embedding": _embedding,
    "ReversibleEmbedding": _reversible,
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "GroupNormalization": _scale_center,
    "RMSNormalization": lambda config: [("scale", True)],
    "PReLU": lambda config: [("alpha", True)],
    "LayerScale": lambda config: [("gamma", True)],
    "Normalization": _normalization,
    "Attention": _attention,
    "AdditiveAttention": _additive_attention,
    "STFTSpectrogram": _spectrogram,
    **{f"Conv{n}D": _with_bias("kernel") for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": _with_bias("kernel") for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": _with_bias("kernel") for n in (1, 2)},
    **{f"SeparableConv{n}D": _with_bias("depthwise_kernel", "pointwise_kernel") for n in (1, 2)},
    **{
        cell: _with_bias("kernel", "recurrent_kernel")
        for cell in ("LSTMCell", "GRUCell", "SimpleRNNCell", "ConvLSTMCell")
    },
}

_CELLS = {
    "LSTM": "LSTMCell",
    "GRU": "GRUCell",
    "SimpleRNN": "SimpleRNNCell",
    "ConvLSTM1D": "ConvLSTMCell",
    "ConvLSTM2D": "ConvLSTMCell",
    "ConvLSTM3D": "ConvLSTMCell",
}


def _own(class_name: str, config: Config) -> list[tuple[str, bool]]:
    rule = _OWN.get(class_name)
    return rule(config) if rule else []


def _children(class_name: str, config: Config) -> list[Child]:
    """The layers inside a layer, with the attribute Keras stores them under, in the order they are tracked."""
    if class_name in _CELLS:
        return [("cell", _CELLS[class_name], config)]
    if class_name == "RNN":
        return _serialised("cell", config.get("cell"))
    if class_name == "StackedRNNCells":
        return _numbered("cells", config.get("cells"))
    if class_name in ("TimeDistributed", "SpectralNormalization", "Wrapper"):
        return _serialised("layer", config.get("layer"))
    if class_name == "Bidirectional":
        forward = config.get("layer")
        return _serialised("forward_layer", forward) + _serialised(
            "backward_layer", config.get("backward_layer") or forward
        )
    if class_name in ("MultiHeadAttention", "GroupQueryAttention"):
        prefix = "_" if class_name == "GroupQueryAttention" else ""
        dense = {"bias_axes": "de" if _flag(config, "use_bias") else None}
        return [(f"{prefix}{part}_dense", "EinsumDense", dense) for part in ("query", "key", "value", "output")]
    return []


def _serialised(prefix: str, value: Any) -> list[Child]:
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        return [(prefix, str(value.get("class_name")), value["config"])]
    return []


def _numbered(prefix: str, values: Any) -> list[Child]:
    from core.model.names import snake_case

    found: list[Child] = []
    used: dict[str, int] = {}
    for value in values if isinstance(values, list) else []:
        for _, child_class, config in _serialised("", value):
            name = snake_case(child_class)
            count = used[name] = used.get(name, -1) + 1
            found.append((f"{prefix}/{name}_{count}" if count else f"{prefix}/{name}", child_class, config))
    return found

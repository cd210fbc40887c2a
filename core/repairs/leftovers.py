"""Fields that Keras 3's constructor does not take: harmless ones go, others go too but are named with their value."""

import json
from typing import Any

from core.layers import table
from core.repairs.base import Change, Config, Dialect, Repair, with_config, without

_HARMLESS: dict[str, tuple[Any, ...]] = {
    "batch_input_shape": (),
    "input_shape": (),
    "input_dim": (),
    "input_length": (),
    "input_dtype": (),
    "dynamic": (False, None),
    "ragged": (False, None),
    "sparse": (False, None),
    "implementation": (),
    "fused": (),
    "virtual_batch_size": (None,),
    "adjustment": (None,),
    "renorm": (False, None),
    "renorm_clipping": (None, {}),
    "renorm_momentum": (),
    "unroll": (False,),
    "time_major": (False,),
    "groups": (1, None),
    "output_padding": (None,),
    "dilation_rate": (1, [1], [1, 1], [1, 1, 1]),
    "quantization_config": (None,),
    "noise_shape": (None,),
    "kernel_initializer": (),
    "kernel_regularizer": (None,),
    "kernel_constraint": (None,),
    "filters": (None,),
    "weights": (None,),
    "force_generator": (False, None),
    "rng_type": (),
    "query_shape": (),
    "key_shape": (),
    "value_shape": (),
    "softmax_robust_masking": (False, None),
    "type_spec": (None,),
    "experimental_autocast": (),
    "keepdims": (False,),
    "data_format": (),
    "supports_masking": (),
    "build_input_shape": (),
    "lora_rank": (None,),
    "value_range": (),
    "num_bins": (None,),
    "sparse_update": (),
    "_use_v2_behavior": (),
    "trainable": (),
    "autocast": (),
    "activity_regularizer": (None,),
    "attention_axes": (None,),
    "gate_activation": (),
    "has_input_vocabulary": (),
}
"""Old fields with the values that change nothing (none listed: any value)."""


def foreign_fields(layer: Config) -> list[str]:
    """The fields of a built-in layer's config that its constructor does not take."""
    known = table.fields(layer["class_name"])
    if known is None or layer.get("module") not in ("keras.layers",):
        return []
    own = layer["own"].fields if "own" in layer else frozenset()
    return [field for field in layer["config"] if field not in known and field not in own]


def _is_harmless(field: str, value: Any) -> bool:
    return field in _HARMLESS and (not _HARMLESS[field] or value in _HARMLESS[field])


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    fields = [field for field in foreign_fields(layer) if _is_harmless(field, layer["config"][field])]
    if not fields:
        return None
    said = ", ".join(f"{field}={_short(layer['config'][field])}" for field in fields)
    return Change(with_config(layer, without(layer["config"], *fields)), f"{said} removed, because it has no effect")


def _apply_unknown(layer: Config, dialect: Dialect) -> Change | None:
    fields = foreign_fields(layer)
    if not fields or "own" in layer:  # what a class of the person's does with its settings is its own affair
        return None
    said = ", ".join(f"{field}={_short(layer['config'][field])}" for field in fields)
    return Change(with_config(layer, without(layer["config"], *fields)), f"{said} removed as unknown to Keras 3")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


REPAIR = Repair("leftovers", "Leftover fields", _apply)
UNKNOWN = Repair("unknown fields", "Unknown fields", _apply_unknown, severity="warning")

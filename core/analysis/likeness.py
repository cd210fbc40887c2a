"""Whether two configs of one class mean the same: what a file leaves out is what Keras 3 puts there.

Every version of Keras writes its own set of fields, and writes some of them in another form: a dtype or its policy, an
axis from the front or from the back, an initializer by name or with its settings.
"""

from collections.abc import Iterator, Mapping
from math import isclose
from typing import Any

from core.layers import table
from core.rules.initializers import canonical

_DEFAULTS: tuple[tuple[Any, str], ...] = (
    (None, "activation data_format dtype"),
    (0.0, "addition_factor dropout fill_value l1 l2 offset recurrent_dropout threshold threshold_factor"),
    (True, "center reset_after scale tie_weights unit_forget_bias use_bias use_scale trainable autocast"),
    (1.0, "alpha sigma"),
    (
        False,
        "antialias crop_to_aspect_ratio expand_dims go_backwards invert keepdims mask_zero normalize optional "
        "pad_to_aspect_ratio pad_to_max_tokens periodic ragged renorm rms_scaling return_sequences return_state sparse "
        "stateful synchronized unroll use_gate zero_output_for_mask",
    ),
    (-1, "axis"),
    (1, "depth_multiplier dilation_rate groups num_oov_indices power_iterations strides"),
    ("zeros", "alpha_initializer beta_initializer bias_initializer moving_mean_initializer"),
    ("ones", "gamma_initializer moving_variance_initializer"),
    ("glorot_uniform", "depthwise_initializer kernel_initializer pointwise_initializer"),
    ("orthogonal", "recurrent_initializer"),
    ("uniform", "embeddings_initializer"),
    ("utf-8", "encoding"),
    (0.001, "epsilon"),
    (0.99, "momentum renorm_momentum"),
    ("reflect", "fill_mode"),
    ("bilinear", "interpolation"),
    ("concat", "merge_mode"),
    (2, "pool_size size"),
    ("floormod", "oov_method"),
    ("int", "output_mode"),
    ("valid", "padding"),
    ("sigmoid", "recurrent_activation"),
    ("dot", "score_mode"),
    ("whitespace", "split"),
    ("lower_and_strip_punctuation", "standardize"),
    ((0, 255), "value_range"),
    ("int64", "vocabulary_dtype"),
    ("auto", "use_cudnn"),
)
_COMMON: dict[str, Any] = {name: value for value, names in _DEFAULTS for name in names.split()}
_NONE = {"activation": "linear", "data_format": "channels_last", "dtype": "float32", "sparse": False, "ragged": False}
"""What no value means where it means something."""
_BUILD = ("build_config", "compile_config", "build_input_shape", "batch_input_shape")


def default(class_name: str, field: str) -> Any:
    """What Keras 3 takes for a field that a config leaves out."""
    return table.row(class_name).defaults.get(field, _COMMON.get(field))


def differing(
    class_name: str, a: Mapping[str, Any], b: Mapping[str, Any], rank: int | None = None
) -> Iterator[tuple[str, Any, Any]]:
    """The fields in which two configs of a class mean something else, with both values as people should see them.

    `rank` is that of what reaches the layer, batch counted; with it an axis is the same from the front and the back.
    """
    for field in dict.fromkeys((*a, *b)):
        if field in ("name", "trainable", *_BUILD):
            continue  # the name is the path, and whether it trains is told of the layer
        one, two = (side.get(field, default(class_name, field)) for side in (a, b))
        if field == "backward_layer":
            one, two = (_backward(side) if value is None else value for side, value in ((a, one), (b, two)))
        if not alike(field, one, two, rank):
            shown = _shown(field, one), _shown(field, two)
            yield field, *(shown if shown[0] != shown[1] else (_whole(one), _whole(two)))


def alike(field: str, a: Any, b: Any, rank: int | None = None) -> bool:
    """Whether two values of a field mean the same."""
    if field == "dtype" and not any(isinstance(one, dict) and "policy_map" in str(one) for one in (a, b)):
        return policy_name(a) == policy_name(b)
    a, b = (_NONE.get(field) if value is None else value for value in (a, b))
    if a == b:
        return True
    if isinstance(a, dict) or isinstance(b, dict) or field.endswith("_initializer"):
        return _same_object(a, b)
    if field == "axis" and rank:
        return _axes(a, rank) == _axes(b, rank)
    return _same_numbers(a, b)


def policy_name(value: Any) -> str:
    """The name of a dtype or dtype policy: `float32`, `mixed_float16`, `int8_from_float32`."""
    if isinstance(value, dict):
        fields = value.get("config")
        fields = fields if isinstance(fields, dict) else {}
        mode, source = fields.get("mode"), fields.get("source_name")
        if value.get("class_name") == "DTypePolicyMap":
            return f"DTypePolicyMap({policy_name(fields.get('default_policy'))})"
        return f"{mode}_from_{source}" if mode and source else str(fields.get("name") or "float32")
    return str(value) if value else "float32"


def _backward(config: Mapping[str, Any]) -> Any:
    """The copy of its layer that a Bidirectional makes where it is given none for the way back."""
    layer = config.get("layer")
    if not isinstance(layer, dict) or not isinstance(layer.get("config"), dict):
        return None
    fields = layer["config"]
    return {**layer, "config": {**fields, "go_backwards": not fields.get("go_backwards")}}


def _same_object(a: Any, b: Any) -> bool:
    """Two serialised objects, either of which may be given by its name alone."""
    names = [str(one.get("class_name")) if isinstance(one, dict) else one for one in (a, b)]
    if not all(isinstance(name, str) for name in names) or canonical(names[0]) != canonical(names[1]):
        return False
    if not isinstance(a, dict) or not isinstance(b, dict):
        return True
    one, two = a.get("config"), b.get("config")
    if not isinstance(one, dict) or not isinstance(two, dict):
        return bool(one == two)
    if one.get("name") != two.get("name") and "layers" in one:
        return False
    return not any(True for _ in differing(names[0], one, two))


def _axes(value: Any, rank: int) -> list[Any]:
    listed = value if isinstance(value, (list, tuple)) else [value]
    return [one % rank if isinstance(one, int) else one for one in listed]


def _same_numbers(a: Any, b: Any) -> bool:
    """Numbers up to float32's precision; a number and a list of it, for every axis the same; lists item by item."""
    lists = [isinstance(one, (list, tuple)) for one in (a, b)]
    if all(lists):
        return len(a) == len(b) and all(alike("", one, two) for one, two in zip(a, b, strict=True))
    if any(lists):
        many, one = (a, b) if lists[0] else (b, a)
        return bool(many) and not isinstance(one, str) and all(_same_numbers(one, item) for item in many)
    if isinstance(a, float) and isinstance(b, float):
        return isclose(a, b, rel_tol=1e-6)
    return bool(a == b)


def _shown(field: str, value: Any) -> Any:
    """A value in few words: an initializer as its class."""
    if field == "dtype":
        return policy_name(value)
    return value["class_name"] if isinstance(value, dict) and "class_name" in value else value


def _whole(value: Any) -> Any:
    """A serialised object with its settings."""
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        return value
    told = ", ".join(f"{key}={item}" for key, item in value["config"].items() if item is not None)
    return f"{value.get('class_name')}({told})"

"""What a layer computes under several names: activations, dropouts, normalizations per instance."""

from typing import Any

from core.model.graph import Layer

_ALIASES = {"swish": "silu", "hard_swish": "hard_silu", "linear": "linear", "identity": "linear"}
ACTIVATION_FIELDS = ("activation", "recurrent_activation")
_OPERATIONS = {
    "Silu": "silu",
    "Swish": "silu",
    "Relu": "relu",
    "Relu6": "relu6",
    "Gelu": "gelu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Elu": "elu",
    "Selu": "selu",
    "Softplus": "softplus",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "HardSwish": "hard_silu",
    "Mish": "mish",
}
"""Operations of `keras.ops` that are activations, when nothing else is given to them."""
TRAINING_FIELDS = frozenset(
    {"rate", "stddev", "momentum", "seed", "noise_shape", "name", "l1", "l2", "dropout", "recurrent_dropout"}
    | {"trainable", "synchronized", "lora_rank", "lora_alpha"}
)
"""Arguments that make no difference to a model that answers."""
_TRAINING_ENDINGS = ("_initializer", "_regularizer", "_constraint")


def activation_name(given: Any) -> str | None:
    """The name of an activation as a config holds it, one name for what is the same; `None` for other code."""
    if isinstance(given, dict):
        given = given.get("config") if given.get("class_name") == "function" else given.get("class_name")
    if given is None:
        return "linear"
    if not isinstance(given, str):
        return None
    short = given.rpartition(">")[2].rpartition(".")[2]
    return _ALIASES.get(short, short)


def as_activation(layer: Layer) -> str | None:
    """The activation that a layer or operation is, when it is nothing else."""
    if layer.is_operation:
        name = _OPERATIONS.get(layer.class_name)
        plain = all(len(call.inputs()) == 1 and len(call.args) <= 1 and not call.kwargs for call in layer.calls)
        odd = {key: value for key, value in layer.config.items() if key not in ("name", "dtype", "approximate")}
        return name if plain and not odd else None
    if layer.class_name == "ReLU":
        fields = ("max_value", "negative_slope", "threshold")
        ceiling, slope, threshold = (layer.config.get(field) for field in fields)
        if slope or threshold:
            return None
        return "relu" if ceiling is None else "relu6" if ceiling == 6 else None
    if layer.class_name.rpartition(">")[2] in ("Swish", "SiLU"):
        return "silu"
    return None


def trains_alone(field: str) -> bool:
    """Whether an argument only matters while a model is trained."""
    return field in TRAINING_FIELDS or field.endswith(_TRAINING_ENDINGS)

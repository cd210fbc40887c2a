"""Wrappers of the TensorFlow Model Optimization Toolkit (tfmot) around layers: the layers inside them.

What the wrappers hold is read in tfmot's `pruning_wrapper.py`, `quantize_wrapper.py` and `quantize_layer.py`. A pruning
wrapper runs the layer inside with its weights as they are stored (the mask is applied to them in training). A
quantizing wrapper rounds weights and activations while it runs; the floats that it rounds are what it stores. A
QuantizeAnnotate only marks a layer for a later `quantize_apply` and computes nothing (`quantize_annotate.py`).
"""

from typing import Any

from core.repairs.base import Change, Config, Dialect, Repair, is_serialised

_PRUNING = frozenset({"PruneLowMagnitude"})
_QUANTIZING = frozenset({"QuantizeWrapper", "QuantizeWrapperV2"})
_MARKING = frozenset({"QuantizeAnnotate"})
_KEPT = ("name", "batch_shape", "batch_input_shape")


def _unwrapped(layer: Config) -> Config | None:
    """The layer inside under the wrapper's name, which is what other layers and the arrays' groups know it by."""
    inside = layer["config"].get("layer")
    if not is_serialised(inside):
        return None
    config = {**inside["config"], **{key: layer["config"][key] for key in _KEPT if key in layer["config"]}}
    if "activation" in config:
        config["activation"] = _activation(config["activation"])
    mine = ("build_config", "arrays", "module", "registered_name")
    outer = {key: value for key, value in layer.items() if key not in mine}
    steps = [*layer.get("arrays", ()), *inside.get("arrays", ())]
    own = {key: inside.get(key) for key in ("class_name", "module", "registered_name") if key in inside}
    return {**outer, **own, "config": config, **({"arrays": steps} if steps else {})}


def _activation(value: Any) -> Any:
    """The activation that tfmot rounds the results of."""
    if not isinstance(value, dict):
        return "linear" if value == "NoOpActivation" else value
    name, config = value.get("class_name"), value.get("config")
    if name == "QuantizeAwareActivation" and isinstance(config, dict):
        return _activation(config.get("activation"))
    return "linear" if name == "NoOpActivation" else value


def _prune(layer: Config, dialect: Dialect) -> Change | None:
    inside = _unwrapped(layer) if layer["class_name"] in _PRUNING else None
    if inside is None:
        return None
    said = f"{inside['class_name']} keeps its pruned weights; mask, threshold and step (used only in training) are not"
    return Change(inside, said)


def _quantize(layer: Config, dialect: Dialect) -> Change | None:
    if layer["class_name"] == "QuantizeLayer":
        base = {key: layer["config"][key] for key in ("name", "trainable", "dtype") if key in layer["config"]}
        said = "QuantizeLayer, which rounds the model's input, is now Identity; its ranges are not kept"
        fresh = {"class_name": "Identity", "module": "keras.layers", "registered_name": None, "config": base}
        return Change({**layer, **fresh}, said)
    inside = _unwrapped(layer) if layer["class_name"] in _QUANTIZING else None
    if inside is None:
        return None
    said = (
        f"{inside['class_name']} keeps its float weights; nothing is rounded now, so outputs differ slightly, "
        "and the ranges (min, max) are not kept"
    )
    return Change(inside, said)


def _unmark(layer: Config, dialect: Dialect) -> Change | None:
    inside = _unwrapped(layer) if layer["class_name"] in _MARKING else None
    if inside is None:
        return None
    return Change(inside, f"{inside['class_name']} is kept; the annotation that it should be quantized is removed")


MARKING = Repair("marked", "Quantization annotations of tfmot removed", _unmark)
PRUNING = Repair("pruned", "Pruning wrappers of tfmot removed", _prune)
QUANTIZING = Repair("rounded", "Quantization wrappers of tfmot removed", _quantize, severity="warning")

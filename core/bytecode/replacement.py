"""A formula as something Keras 3 has: a Rescaling, or a small model of operations in the Lambda's place."""

import math
from typing import Any

from core.bytecode.constants import Number
from core.bytecode.formulas import Formula, Ref, Step

Config = dict[str, Any]
_INPUT = "input"


def replacement(found: Formula, name: str, dtype: Any = None) -> Config:
    """The serialised layer named `name` that computes the formula: `{"module", "class_name", "config", ...}`."""
    if found.line is not None:
        scale, offset = (_tidy(value) for value in found.line)
        if (scale, offset) == (1.0, 0.0) and not found.steps:
            return _layer("Identity", {"name": name}, dtype)
        return _layer("Rescaling", {"name": name, "scale": scale, "offset": offset}, dtype)
    return _model(found, name)


def described(entry: Config) -> str:
    """A replacement in few words: `Rescaling(scale=0.0039, offset=0)`, `a model of Subtract and Absolute`."""
    config = entry["config"]
    if entry["class_name"] == "Rescaling":
        return f"Rescaling(scale={_short(config['scale'])}, offset={_short(config['offset'])})"
    if entry["class_name"] != "Functional":
        return str(entry["class_name"])
    names = [layer["class_name"] for layer in config["layers"] if layer["class_name"] != "InputLayer"]
    if not names:
        return "a model that returns its input unchanged"
    return f"the operation {names[0]}" if len(names) == 1 else f"the operations {', '.join(names)}"


def _layer(class_name: str, config: Config, dtype: Any) -> Config:
    fields = {**config, "dtype": dtype} if dtype is not None else config
    return {"module": "keras.layers", "class_name": class_name, "config": fields, "registered_name": None}


def _model(found: Formula, name: str) -> Config:
    inputs = max(1, found.inputs)
    names = [f"{_INPUT}_{number}" if inputs > 1 else _INPUT for number in range(inputs)]
    taken = {_INPUT: 1}
    steps = []
    for step in found.steps:
        base = _snake(step.class_name)
        taken[base] = taken.get(base, 0) + 1
        steps.append(base if taken[base] == 1 else f"{base}_{taken[base] - 1}")

    def history(ref: Ref) -> list[Any]:
        return [names[-1 - ref.step] if ref.step < 0 else steps[ref.step], 0, 0]

    layers = [_input(one) for one in names]
    layers += [_entry(step, own, history) for step, own in zip(found.steps, steps, strict=True)]
    ports = [[one, 0, 0] for one in names]
    config = {
        "name": name,
        "trainable": True,
        "layers": layers,
        "input_layers": ports if found.inputs else ports[0],
        "output_layers": history(found.output),
    }
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "registered_name": "Functional",
    }


def _input(name: str) -> Config:
    # shape and dtype are those of whatever reaches it
    config = {"batch_shape": None, "dtype": None, "sparse": False, "ragged": False, "name": name, "optional": False}
    entry = {"module": "keras.layers", "class_name": "InputLayer", "config": config, "registered_name": None}
    return {**entry, "name": name, "inbound_nodes": []}


def _entry(step: Step, name: str, history: Any) -> Config:
    def value(arg: Any) -> Any:
        if isinstance(arg, Ref):
            fields = {"shape": None, "dtype": None, "keras_history": history(arg)}
            return {"class_name": "__keras_tensor__", "config": fields}
        return [value(item) for item in arg] if isinstance(arg, list) else arg

    layer = step.module == "keras.layers"
    return {
        "module": step.module,
        "class_name": step.class_name,
        "config": {"name": name, **step.config},
        "registered_name": None if layer else step.class_name,
        "name": name,
        "inbound_nodes": [{"args": [value(arg) for arg in step.args], "kwargs": {}}],
    }


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() and place else char.lower() for place, char in enumerate(name))


def _tidy(value: Number) -> Any:
    if isinstance(value, tuple):
        return [_tidy(item) for item in value]
    return 0.0 if value == 0 else value  # no minus zero


def _short(value: Any) -> str:
    if isinstance(value, list):
        shown = ", ".join(map(_short, value[:4]))
        return f"[{shown}, ...]" if len(value) > 4 else f"[{shown}]"
    return str(int(value)) if math.isfinite(value) and value == int(value) else f"{value:.6g}"

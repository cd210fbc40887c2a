"""Files as old versions of Keras wrote them, made from what tf-keras writes or from layers given by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

KERAS_222 = "2.2.2"
_MODERN = ("module", "registered_name", "build_config")


def with_lists(item: Any) -> Any:
    """A config of tf-keras as Keras 2.2.2 wrote it: every Sequential is a bare list without names and input layers."""
    if isinstance(item, list):
        return [with_lists(one) for one in item]
    if not isinstance(item, dict):
        return item
    old = {key: with_lists(value) for key, value in item.items() if key not in _MODERN}
    if old.get("class_name") == "Functional":
        old["class_name"] = "Model"
    if old.get("class_name") == "Sequential":
        old["config"] = _bare(old["config"]["layers"])
    return old


def _bare(layers: list[Any]) -> list[Any]:
    if not layers or layers[0]["class_name"] != "InputLayer":
        return layers
    shape = layers[0]["config"]["batch_input_shape"]
    first, *rest = layers[1:]
    if first["class_name"] not in ("Model", "Sequential"):
        first = {**first, "config": {**first["config"], "batch_input_shape": shape}}
    return [first, *rest]


def write_keras_222(model: Any, path: Path) -> tuple[Path, Path, Path]:
    """A tf-keras model as Keras 2.2.2 saved it: a whole file, its JSON, and a file of weights."""
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = with_lists(json.loads(file.attrs["model_config"]))
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = file["model_weights"].attrs["keras_version"] = KERAS_222.encode()
    architecture, weights = path.with_suffix(".json"), path.with_name(f"{path.stem}_weights.h5")
    architecture.write_text(json.dumps({**config, "keras_version": KERAS_222, "backend": "tensorflow"}))
    model.save_weights(weights)
    return path, architecture, weights


def write_keras_1(
    path: Path, config: Any, groups: Mapping[str, Sequence[tuple[str, Any]]], version: str = "1.2.2"
) -> Path:
    """A whole-model file of Keras 1: `config` is the serialised model, `groups` the named arrays of each layer."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = version.encode()
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in groups]
        for name, arrays in groups.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = np.array([one.encode() for one, _ in arrays], dtype="S40")
            for one, array in arrays:
                group[one] = array
    return path

"""Keras objects out of graph layers: the one place where configs become code, and only Keras's own code.

Keras is asked to deserialise a config only when every class that the config names is Keras's. A layer whose code is
missing, untrusted or stored in the file itself (Lambda) is `opaque` and never gets here.
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras

from core.graph import Layer
from core.writers.config import layer_config, model_config

_SHARED_ID = re.compile(r'"shared_object_id": \d+(, )?')


class UnknownCode(Exception):
    """A config names a class that is not Keras's own. `name` is that class."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def foreign_classes(config: Any) -> Iterator[str]:
    """Class names in a serialised config that would need somebody else's code (registered and trusted ones excepted)."""
    if isinstance(config, dict):
        if "class_name" in config and "config" in config:
            module = config.get("module")
            name = str(config["class_name"])
            registered = config.get("registered_name")
            known = registered and keras.saving.get_registered_object(registered) is not None
            if name in {"__lambda__", "function"} and not _is_keras(module):
                if name == "__lambda__" or module != "builtins":
                    yield name
            elif module is not None and not _is_keras(module) and not known:
                yield name
        for value in config.values():
            yield from foreign_classes(value)
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from foreign_classes(value)


def _is_keras(module: Any) -> bool:
    return isinstance(module, str) and (module in {"keras", "builtins"} or module.startswith("keras."))


def config_key(layer: Layer) -> str:
    """What of a layer decides shapes and arrays: everything but its name and flags. The same text, the same behaviour."""
    config = {key: value for key, value in layer.config.items() if key not in {"name", "trainable"}}
    text = json.dumps([layer.module, layer.class_name, config], sort_keys=True, default=repr)
    return _SHARED_ID.sub("", text)


def make_layer(layer: Layer) -> Any:
    """A fresh Keras layer or operation, unbuilt. Raises `UnknownCode`, or whatever Keras says of the config."""
    entry = layer_config(layer, _NO_GRAPH) if layer.inner is None or layer.inner_key is None else _wrapper(layer)
    for name in foreign_classes(entry):
        raise UnknownCode(name)
    return keras.saving.deserialize_keras_object(entry, safe_mode=True)


def _wrapper(layer: Layer) -> dict[str, Any]:
    assert layer.inner is not None
    entry = layer_config(layer, _NO_GRAPH)
    entry["config"] = {**entry["config"], str(layer.inner_key): model_config(layer.inner)}
    return entry


_NO_GRAPH: Any = None

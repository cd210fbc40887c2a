"""Keras objects out of graph layers: the one place where configs become code, and only Keras's own code.

Keras is asked to deserialise a config only when every class that the config names is Keras's. A layer whose code is
missing, untrusted or stored in the file itself (Lambda) is `opaque` and never gets here.
"""

import copy
import json
import os
import re
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras

from core.graph import Graph, Layer
from core.readers.foreign import foreign_code
from core.writers.config import layer_config, model_config

_SHARED_ID = re.compile(r'"shared_object_id": \d+(, )?')


class UnknownCode(Exception):
    """A config names a class that is not Keras's own. `name` is that class."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def foreign_classes(config: Any) -> Iterator[str]:
    """Names in a serialised config that need code which is neither Keras's nor registered by the person."""
    return foreign_code(config, registered)


def registered(name: str) -> bool:
    """Whether the person's code has defined this name."""
    return keras.saving.get_registered_object(name) is not None


def config_key(layer: Layer) -> str:
    """What of a layer decides shapes and arrays: everything but its name and flags."""
    config = {key: value for key, value in layer.config.items() if key not in {"name", "trainable"}}
    if layer.inner is not None:
        config["\0inner"] = model_config(layer.inner)
    text = json.dumps([layer.module, layer.class_name, config], sort_keys=True, default=repr)
    return _SHARED_ID.sub("", text)


def make_layer(layer: Layer) -> Any:
    """A fresh Keras layer or operation, unbuilt. Raises `UnknownCode`, or whatever Keras says of the config.

    Bytecode is loaded only for a Lambda that was made buildable (`core.engine.trust`), never below it.
    """
    return deserialize(layer_config(layer, Graph("")), layer.class_name == "Lambda" and not layer.opaque)


def deserialize(entry: dict[str, Any], bytecode: bool = False) -> Any:
    """A Keras object from its serialised form. Raises `UnknownCode` if it needs code that is not here."""
    for name in foreign_classes(entry):
        if not (bytecode and name in ("__lambda__", "Lambda")):
            raise UnknownCode(name)
    # Some of Keras's own `from_config` take entries out of the config they are given.
    return keras.saving.deserialize_keras_object(copy.deepcopy(entry), safe_mode=not bytecode)

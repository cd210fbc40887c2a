"""Keras objects out of graph layers: the one place where configs become code, and only Keras's own code.

Keras is asked to deserialise a config only when every class that the config names is Keras's. A layer whose code is
missing, untrusted or stored in the file itself (Lambda) is `opaque` and never gets here. Trust is a layer's own: it
lists the code that the person trusts by digest, so that nothing which a recipe brings is run under it.
"""

import copy
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras

from core.layers.foreign import code_marks, foreign_code
from core.model.graph import Graph, Layer
from core.writers.config import layer_config, model_config

_SHARED_ID = re.compile(r'"shared_object_id": \d+(, )?')


STORED = frozenset({"__lambda__", "Lambda"})
"""What `foreign_code` calls stored functions and the layers that bring them."""
STORED_CODE = "stored Python code"
"""What `UnknownCode` names where code from the file itself may not run."""


NO_KEYS = frozenset({"name", "trainable"})
"""Fields of a config that decide neither shapes nor arrays."""


class UnknownCode(Exception):
    """A config needs code that is not here or may not run. `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(f"it needs {name}, which is not {'trusted' if name == STORED_CODE else 'available'}")
        self.name = name


def foreign_classes(config: Any) -> Iterator[str]:
    """Names in a serialised config that need code which is neither Keras's nor registered by the person."""
    return foreign_code(config, registered)


def registered(name: str) -> bool:
    """Whether the person's code has defined this name."""
    return keras.saving.get_registered_object(name) is not None


def config_key(layer: Layer) -> str:
    """What of a layer decides shapes and arrays: everything but its name and flags."""
    config = {key: value for key, value in layer.config.items() if key not in NO_KEYS}
    if layer.inner is not None:
        config["\0inner"] = model_config(layer.inner)
    parts = [layer.module, layer.class_name, config, *sorted(layer.trusted)]
    text = json.dumps(parts, sort_keys=True, default=repr)
    return _SHARED_ID.sub("", text)


def make_layer(layer: Layer) -> Any:
    """A fresh Keras layer or operation, unbuilt. Raises `UnknownCode`, or whatever Keras says of the config."""
    trusted = layer.trusted
    if layer.inner is not None:
        refuse_untrusted(layer.inner)
        trusted = trusted.union(*(one.trusted for _, one in layer.inner.walk()))
    return deserialize(layer_config(layer, Graph("")), trusted)


def deserialize(entry: dict[str, Any], trusted: frozenset[str] = frozenset()) -> Any:
    """A Keras object from its serialised form. Raises `UnknownCode` if it needs code that is not here.

    Stored bytecode is loaded only when every piece of it is among `trusted`, the digests of what the person trusts.
    """
    needed = set(foreign_classes(entry))
    if needed - STORED:
        raise UnknownCode(min(needed - STORED))
    stored = code_marks(entry) if needed else frozenset()
    if not stored <= trusted:
        raise UnknownCode(STORED_CODE)
    # Some of Keras's own `from_config` take entries out of the config they are given.
    return keras.saving.deserialize_keras_object(copy.deepcopy(entry), safe_mode=not stored)


def make_model(graph: Graph, change: Callable[[dict[str, Any]], dict[str, Any]] | None = None) -> Any:
    """The Keras model that a graph describes, its config changed by `change` at the very end.

    Raises `UnknownCode`, or whatever Keras says of it.
    """
    refuse_untrusted(graph)
    entry = model_config(graph)
    if not code_marks(entry) <= frozenset().union(*(layer.trusted for _, layer in graph.walk())):
        raise UnknownCode(STORED_CODE)
    entry = change(entry) if change is not None else entry
    return deserialize(entry, code_marks(entry))


def refuse_untrusted(graph: Graph) -> None:
    """Raise `UnknownCode` for stored code that is trusted in another layer than the one it is in."""
    for _, layer in graph.walk():
        if not marks_of(layer) <= layer.trusted:
            raise UnknownCode(STORED_CODE)


def marks_of(layer: Layer) -> frozenset[str]:
    """The digests of all stored code in a layer, layers inside it left out, and in the arguments of its calls."""
    entry = {"class_name": layer.class_name, "config": layer.config}
    return code_marks([entry, *((call.args, call.kwargs) for call in layer.calls)])

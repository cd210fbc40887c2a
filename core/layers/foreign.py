"""Which code a serialised object refers to that is not Keras's own modelling code: names only, nothing is imported.

Keras resolves `module` and `class_name` by importing; whatever is not on the list here never gets that far.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from core.layers.known import (
    ACTIVATIONS,
    APPLICATION_LAYERS,
    CODE_LAYERS,
    CONSTRAINTS,
    FILE_FIELDS,
    INITIALIZERS,
    LAYERS,
    MODELS,
    REGULARIZERS,
)
from core.model.graph import Call, Graph

_VALUES = frozenset(
    {
        "__keras_tensor__",
        "__tensor__",
        "__numpy__",
        "__bytes__",
        "__ellipsis__",
        "__slice__",
        "__tuple__",
        "TensorShape",
    }
)
"""Forms of plain values; `__lambda__` and `__typespec__` are not among them, they lead to code."""
_MODULES = (
    "keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.activations",
    "keras.models", "keras.dtype_policies", "keras.ops", "keras.losses", "keras.metrics", "keras.optimizers",
    "keras.quantizers", "keras.random", "keras.src.layers", "keras.src.ops", "keras.src.models",
    "keras.src.initializers", "keras.src.regularizers", "keras.src.constraints", "keras.src.dtype_policies",
    "keras.src.applications",
    "keras.src.losses", "keras.src.metrics", "keras.src.optimizers", "keras.src.quantizers", "keras.src.random",
    "keras.src.activations",
)  # fmt: skip
_FUNCTIONS = (
    "keras.activations", "keras.src.activations", "keras.ops", "keras.losses", "keras.metrics", "keras.src.losses",
    "keras.src.metrics",
)  # fmt: skip
_NAMES = frozenset({*LAYERS, *APPLICATION_LAYERS, *INITIALIZERS, *REGULARIZERS, *CONSTRAINTS, *MODELS}) | {
    "DTypePolicy", "FloatDTypePolicy", "Policy", "SeedGenerator", "LSTMCell", "GRUCell", "SimpleRNNCell",
    "QuantizedDTypePolicy", "DTypePolicyMap",
}  # fmt: skip
_LAYER_ROOMS = ("keras.layers", "keras.src.layers")
_TYPES = frozenset({"TypeSpec", "CompositeTensor"})
"""What Keras's reader of HDF5 files makes of dicts that have one of these class names, a config or none."""
_MODELLING = frozenset({"get", "serialize", "deserialize"})
"""Functions of Keras's modelling modules that make objects out of what they are given."""
LAMBDA_FIELDS = ("function", "output_shape", "mask", "arguments")

Known = Callable[[str], bool]


def nobody(name: str) -> bool:
    """No name is known beyond Keras's own."""
    return False


def foreign_code(value: Any, known: Known = nobody) -> Iterator[str]:
    """What a serialised value needs that is not Keras's, by name; `known` says which names the person's code defines.

    Stored functions are named `__lambda__`, files that would be read `a file`.
    """
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (list, tuple)):
            waiting.extend(item)
        if not isinstance(item, dict):
            continue
        if "class_name" in item and "config" in item:
            yield from _object(item, known)
        elif item.get("class_name") in _TYPES:
            yield str(item["class_name"])
        waiting.extend(item.values())


def _object(item: dict[str, Any], known: Known) -> Iterator[str]:
    name, module = str(item["class_name"]), item.get("module")
    if name in ("__lambda__", "__typespec__"):
        yield name
        return
    if name in _VALUES and module is None:
        return
    if name == "function":
        if not _is_function(item, known):
            yield str(item["config"])[:200]
        return
    # Keras looks a class up by this name first, and by its module after that
    if known(str(item.get("registered_name", name))):
        return
    if name == "Lambda" and _is_class("Layer", module) and named_function(item["config"], known):
        return
    if name in CODE_LAYERS or not _is_class(name, module):
        yield name
    elif name in FILE_FIELDS and isinstance(item["config"], dict):
        yield from _files(name, item["config"])


def named_function(config: Any, known: Known) -> bool:
    """Whether a Lambda names a function that the person's code defines, instead of bringing one."""
    function = config.get("function") if isinstance(config, dict) else None
    return isinstance(function, dict) and _names_function(function) and known(function["config"])


def _names_function(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "function" and isinstance(value.get("config"), str)


def _is_function(item: dict[str, Any], known: Known) -> bool:
    name, module = item["config"], item.get("module")
    if not isinstance(name, str):
        return False
    if known(name):
        return True
    if module in (None, "builtins"):
        return name in ACTIVATIONS
    return module in _FUNCTIONS and name.isidentifier() and not name.startswith("_") and name not in _MODELLING


def _is_class(name: str, module: Any) -> bool:
    if module is None or module == "keras":
        return name in _NAMES
    if not isinstance(module, str) or not name.isidentifier() or not name[:1].isupper():
        return False
    if _within(module, _LAYER_ROOMS):
        return name in _NAMES or name in FILE_FIELDS
    return _within(module, _MODULES)


def _within(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == one or module.startswith(one + ".") for one in rooms)


def _files(class_name: str, config: dict[str, Any]) -> Iterator[str]:
    """Lookup layers read their vocabulary from a file when it is a path, wherever that is."""
    if any(config.get(field) and not isinstance(config[field], (list, tuple)) for field in FILE_FIELDS[class_name]):
        yield "a file"


def layer_code(class_name: str, config: Any, known: Known = nobody) -> list[str]:
    """What a layer of a known class needs beside that class: custom activations, initializers, wrapped layers."""
    if not isinstance(config, dict):
        return []
    found = list(foreign_code(config, known))
    if class_name in FILE_FIELDS:
        found += _files(class_name, config)
    for field, value in config.items():
        if field.endswith("activation") and isinstance(value, str) and value not in ACTIVATIONS and not known(value):
            found.append(value[:200])
    return list(dict.fromkeys(found))


def call_code(call: Call, known: Known = nobody) -> list[str]:
    """What the constants among a call's arguments need; they are serialised objects too."""
    return list(dict.fromkeys(foreign_code([call.args, call.kwargs], known)))


def code_marks(value: Any) -> frozenset[str]:
    """One digest for every piece of stored code in a serialised value: a Lambda as a whole, a function elsewhere.

    A Lambda's digest is that of all its functions and of the arguments that they get; so what was trusted is
    recognised, and nothing else is.
    """
    found: set[str] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (list, tuple)):
            waiting.extend(item)
        if not isinstance(item, dict):
            continue
        name, config = item.get("class_name"), item.get("config")
        if name == "Lambda" and isinstance(config, dict):
            whole = [config.get(field) for field in LAMBDA_FIELDS]
            if not _names_function(whole[0]) or code_marks(whole):
                found.add(_digest(whole))
            waiting.extend(one for field, one in config.items() if field not in LAMBDA_FIELDS)
            waiting.extend(one for field, one in item.items() if field != "config")
            continue
        if name == "__lambda__":
            found.add(_digest(config))
        waiting.extend(item.values())
    return frozenset(found)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=repr).encode()).hexdigest()


def foreign_models(graph: Graph, known: Known = nobody) -> list[tuple[str, str]]:
    """Path (`""` for the whole) and class of every model made of layers whose class is not Keras's."""
    found = [] if _is_model(graph, known) else [("", graph.class_name)]
    for path, layer in graph.walk():
        if layer.inner is not None and not layer.inner.opaque and layer.is_model and not _is_model(layer.inner, known):
            found.append((path, layer.class_name))
    return [] if graph.opaque else found


def _is_model(graph: Graph, known: Known) -> bool:
    own = graph.module is None or graph.module.split(".", 1)[0] == "keras"
    return (graph.class_name in MODELS and own) or known(graph.class_name) or known(str(graph.registered_name))

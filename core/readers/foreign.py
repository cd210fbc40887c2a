"""Which code a serialised object refers to that is not Keras's own modelling code: names only, nothing is imported.

Keras resolves `module` and `class_name` by importing; whatever is not on the list here never gets that far.
"""

from collections.abc import Callable, Iterator
from typing import Any

from core.graph import Call, Graph
from core.readers.known import (
    ACTIVATIONS,
    APPLICATION_LAYERS,
    CODE_LAYERS,
    CONSTRAINTS,
    INITIALIZERS,
    LAYERS,
    MODELS,
    REGULARIZERS,
)

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
_LOOKUPS = frozenset({"StringLookup", "IntegerLookup", "TextVectorization", "Hashing"})

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
    if known(str(item.get("registered_name"))) or known(name):
        return
    if name in CODE_LAYERS or not _is_class(name, module):
        yield name
    elif name in _LOOKUPS and isinstance(item["config"], dict):
        yield from _files(item["config"])


def _is_function(item: dict[str, Any], known: Known) -> bool:
    name, module = item["config"], item.get("module")
    if not isinstance(name, str):
        return False
    if known(name) or known(str(item.get("registered_name"))):
        return True
    if module in (None, "builtins"):
        return name in ACTIVATIONS
    return module in _FUNCTIONS and name.isidentifier() and not name.startswith("_")


def _is_class(name: str, module: Any) -> bool:
    if module is None or module == "keras":
        return name in _NAMES
    if not isinstance(module, str) or not name.isidentifier():
        return False
    return any(module == one or module.startswith(one + ".") for one in _MODULES)


def _files(config: dict[str, Any]) -> Iterator[str]:
    """Lookup layers read their vocabulary from a file when it is a path."""
    if any(isinstance(config.get(field), str) and config[field] for field in ("vocabulary", "idf_weights")):
        yield "a file"


def layer_code(class_name: str, config: Any, known: Known = nobody) -> list[str]:
    """What a layer of a known class needs beside that class: custom activations, initializers, wrapped layers."""
    if not isinstance(config, dict):
        return []
    found = list(foreign_code(config, known))
    if class_name in _LOOKUPS:
        found += _files(config)
    for field, value in config.items():
        if field.endswith("activation") and isinstance(value, str) and value not in ACTIVATIONS and not known(value):
            found.append(value[:200])
    return list(dict.fromkeys(found))


def call_code(call: Call, known: Known = nobody) -> list[str]:
    """What the constants among a call's arguments need; they are serialised objects too."""
    return list(dict.fromkeys(foreign_code([call.args, call.kwargs], known)))


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

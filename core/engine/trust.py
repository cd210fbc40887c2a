"""Code that is not Keras's: loaded only in this process, only when the person named the file or trusts the model.

Nothing here runs by itself. `load_code` executes a Python file the person pointed at; `trust_layers` lets layers be
built whose classes became known that way, or, for a file the person trusts, from the bytecode stored in it.
"""

import contextlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

import keras
from msgspec.structs import replace

from core.engine.gate import marks_of
from core.engine.specs import sentence
from core.errors import FileError
from core.findings import Finding
from core.layers.foreign import call_code, layer_code
from core.layers.kinds import Kind
from core.layers.known import LAYERS
from core.model.graph import Graph, Layer
from core.readers.config_graph import is_known

_BYTECODE = frozenset({"Lambda", "__lambda__"})


def load_code(path: str | Path) -> tuple[str, ...]:
    """Run a Python file and register the layers, models and functions it defines; returns the names of its classes.

    Raises `FileError` with the reason when the file cannot be run or defines nothing that Keras could use.
    """
    file = Path(path)
    if not file.is_file():
        raise FileError(f"{file} does not exist; name the Python file that defines the classes.", path=str(file))
    spec = importlib.util.spec_from_file_location(f"suture_code_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise FileError(f"{file.name} is not a Python file; name the one that defines the classes.", path=str(file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        # What the file prints must not get between the answers of the command line.
        with contextlib.redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise FileError(
            f"{file.name} does not run: {type(error).__name__}: {sentence(error)}", path=str(file)
        ) from error
    found = [
        (name, thing)
        for name, thing in vars(module).items()
        if (inspect.isclass(thing) and issubclass(thing, (keras.Layer, keras.Model, keras.initializers.Initializer)))
        or (inspect.isfunction(thing) and thing.__module__ == module.__name__)
    ]
    own = [(name, thing) for name, thing in found if not thing.__module__.startswith("keras.")]
    if not own:
        raise FileError(f"{file.name} defines no Keras layer, model or function.", path=str(file))
    for name, thing in own:
        keras.saving.get_custom_objects()[name] = thing
    return tuple(name for name, thing in own if inspect.isclass(thing))


def kinds() -> dict[str, Kind]:
    """What every layer class that the person's code registered derives from, by its names; Keras's own are left out."""
    found: dict[str, Kind] = {}
    for name, thing in keras.saving.get_custom_objects().items():
        if not (inspect.isclass(thing) and issubclass(thing, keras.Layer)):
            continue
        above = list(thing.__mro__)
        base = next((number for number, one in enumerate(above) if one.__module__.startswith("keras.")), len(above))
        if base == len(above) or above[base].__name__ not in LAYERS or above[base] is keras.Layer:
            continue
        own = {field for one in above[:base] if "__init__" in vars(one) for field in inspect.signature(one).parameters}
        found[name] = found[name.rpartition(">")[2]] = Kind(above[base].__name__, frozenset(own))
    return found


def registered(name: str | None) -> bool:
    """Whether the person's code has defined this class."""
    return bool(name) and keras.saving.get_registered_object(str(name)) is not None


def trust_layers(graph: Graph, bytecode: bool = False) -> Graph:
    """The graph with layers made buildable whose code is here; Lambda layers only where `bytecode` says so."""
    bases = {name: kind.base for name, kind in kinds().items()}

    def known(path: str, layer: Layer) -> Layer:
        made = buildable(path, layer)
        return made if made is layer or not bases else replace(made, bases=bases)

    def buildable(_: str, layer: Layer) -> Layer:
        if not layer.opaque:
            return layer
        layer = replace(layer, config=_findable(layer.config))
        layer = replace(layer, trusted=marks_of(layer)) if bytecode else layer
        missing = set(layer_code(layer.class_name, layer.config, registered))
        missing.update(name for call in layer.calls for name in call_code(call, registered))
        if missing - _BYTECODE or (missing and not bytecode):
            return layer
        if layer.class_name in _BYTECODE:
            # a Lambda without stored code names a function, which the person's code defines
            named = not missing and isinstance(layer.config.get("function"), dict)
            return replace(layer, opaque=False) if bytecode or named else layer
        if registered(layer.registered_name) or registered(layer.class_name):
            name = layer.registered_name if registered(layer.registered_name) else layer.class_name
            return replace(layer, opaque=False, registered_name=name)
        return replace(layer, opaque=False) if is_known(layer.module, layer.class_name) else layer

    return graph if graph.opaque else graph.replace_layers(known)


def with_own_classes(before: Graph, after: Graph) -> Graph:
    """The graph with layers that an edit brought found among the person's classes, by registered or bare name.

    Names of Keras's own classes stay Keras's. Arrays of a layer that was there go to the new class by name alone.
    """
    own = {name: thing for name, thing in keras.saving.get_custom_objects().items() if inspect.isclass(thing)}
    if not own:
        return after
    olds = {id(layer.config) for _, layer in before.walk()}
    bases = {name: kind.base for name, kind in kinds().items()}
    classes = {weight.source: layer.class_name for _, layer in before.walk() for weight in layer.weights}

    def known(_: str, layer: Layer) -> Layer:
        if id(layer.config) in olds or layer.opaque or layer.is_model or layer.is_input or layer.is_operation:
            return layer
        layer = replace(layer, config=_findable(layer.config), bases=bases)
        thing = own.get(str(layer.registered_name)) or own.get(layer.class_name)
        if thing is None or (layer.registered_name is None and is_known("keras.layers", layer.class_name)):
            return layer
        stays = all(classes.get(weight.source) == thing.__name__ for weight in layer.weights)
        return replace(
            layer,
            class_name=thing.__name__,
            module=None,
            registered_name=keras.saving.get_registered_name(thing),
            weights=layer.weights if stays else tuple(replace(weight, key="") for weight in layer.weights),
        )

    return after.replace_layers(known)


def _findable(value: Any) -> Any:
    """A config whose parts name the person's classes as Keras looks them up: by registered name, never by module."""
    if isinstance(value, (list, tuple)):
        return type(value)(_findable(item) for item in value)
    if not isinstance(value, dict):
        return value
    found = {key: _findable(item) for key, item in value.items()}
    name = found.get("class_name")
    other = found.get("registered_name")
    if isinstance(name, str) and "config" in found and registered(name) and not registered(other):
        found["registered_name"] = name
    return found


def settled_findings(findings: tuple[Finding, ...], graph: Graph) -> tuple[Finding, ...]:
    """The source's findings once code was named or trusted: a layer that runs now is told as such."""
    alive = {path for path, layer in graph.walk() if not layer.opaque}
    return tuple(
        Finding("info", one.code, one.layer, f"{one.layer} runs code that is not part of Keras.", detail=one.detail)
        if one.severity == "warning" and one.code in _CODES and one.layer in alive
        else one
        for one in findings
    )


_CODES = ("code.lambda", "code.custom", "layer.unknown")

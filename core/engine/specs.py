"""What Keras says of one layer: the shapes that come out of it and the arrays it needs, without allocating any.

Both are cached by the layer's config (its name aside) and by the shapes that reach it, so that after an edit only
what changed is asked again. Weight shapes of most layers depend on the channel axis alone; the cache key knows.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.saving import saving_lib
from keras.src.utils.python_utils import is_default
from msgspec import Struct
from msgspec.structs import replace

from core.caches import IdentityCache
from core.engine.corrections import corrected
from core.engine.gate import NO_KEYS, config_key, deserialize, make_layer
from core.engine.low_rank import beside_update, has_update, without_update
from core.layers.table import classes
from core.model.graph import Call, Layer, Shape, TensorRef, TensorSpec, Weight, map_leaves

_CHANNEL_ONLY = classes(sized="channels")
_WEIGHTLESS = classes(sized="nothing")
_RATED = classes(kind=("dropout", "noise"), acts="number")
_LAST_ONLY = classes(sized="last")
_MOST_KEYS = 60_000


class LayerAnswer(Struct, frozen=True):
    """Output tensors of one call, or the reason (`error`) why Keras refuses it.

    `bad_config` says that Keras refuses the layer itself, whatever reaches it.
    """

    outputs: tuple[TensorSpec, ...] = ()
    error: str | None = None
    bad_config: bool = False


class WeightsAnswer(Struct, frozen=True):
    """Arrays that a layer needs at some input shapes, or the reason why it cannot be built there."""

    weights: tuple[Weight, ...] = ()
    error: str | None = None


class _Recorder(saving_lib.H5IOStore):
    """Stands in for a weights file: Keras's saving code writes into it, and it keeps keys and variables only."""

    def __init__(self) -> None:
        self.mode = "w"
        self.prefix = ""
        self.found: list[tuple[str, Any]] = []

    def __bool__(self) -> bool:
        return True

    def make(self, path: str, metadata: Any = None) -> "_Recorder":
        self.prefix = f"{path}/vars/" if path else "vars/"
        return self

    def __setitem__(self, key: str, value: Any) -> None:
        self.found.append((self.prefix + key, value))


def recorded_weights(layer: Any) -> tuple[Weight, ...]:
    """The arrays Keras would save for a built layer, in the order of `layer.weights`, with canonical names."""
    order = {id(variable): number for number, variable in enumerate(getattr(layer, "weights", ()))}
    seen: set[int] = set()
    weights = []
    for key, variable in sorted(recorded_variables(layer), key=lambda pair: order.get(id(pair[1]), len(order))):
        folder = key.rpartition("vars/")[0]
        last = str(getattr(variable, "path", key)).rpartition("/")[2]
        weights.append(
            Weight(
                name=folder + last,
                shape=tuple(int(size) for size in variable.shape),
                dtype=keras.backend.standardize_dtype(variable.dtype),
                trainable=bool(getattr(variable, "trainable", False)),
                key=key,
                state=id(variable) not in order or id(variable) in seen,
                unpacked=_unpacked(layer, folder, last),
            )
        )
        seen.add(id(variable))
    return tuple(weights)


def _unpacked(layer: Any, folder: str, name: str) -> tuple[int, ...] | None:
    """The shape of the floats in an array that holds two numbers a byte, as its layer remembers it."""
    for part in folder.split("/")[:-1]:
        layer = getattr(layer, part, None)
    if getattr(layer, "quantization_mode", None) != "int4":
        return None
    if name == "kernel":
        shape = getattr(layer, "original_kernel_shape", None)
        return tuple(shape or (layer._orig_input_dim, layer._orig_output_dim))
    if name in ("embeddings", "reverse_embeddings"):
        sizes = (int(layer.input_dim), int(layer.output_dim))
        return sizes if name == "embeddings" else sizes[::-1]
    return None


def recorded_variables(layer: Any) -> list[tuple[str, Any]]:
    """`(storage key inside the layer, variable)` for everything Keras saves of a built layer, in storage order."""
    recorder = _Recorder()
    saving_lib._save_state(layer, recorder, None, "", set())
    return recorder.found


@contextlib.contextmanager
def unallocated() -> Iterator[None]:
    """Layers built in here get variables with shapes but no values.

    Keras keeps a list of such variables and would fill them at the end of its next scope, so what was added is removed.
    """
    before = len(global_state.get_global_attribute("uninitialized_variables", []))
    with keras.StatelessScope(initialize_variables=False):
        yield
    waiting = global_state.get_global_attribute("uninitialized_variables", [])
    global_state.set_global_attribute("uninitialized_variables", waiting[:before])


def _traced(layer: keras.Layer) -> bool:
    """Whether Keras can tell this layer's output only by calling it, which needs its variables."""
    return is_default(layer.compute_output_shape) and type(layer).compute_output_spec is keras.Layer.compute_output_spec


class Specs:
    """The cache. One per engine; it holds no weights and no tensors."""

    def __init__(self) -> None:
        self._layers: dict[str, Any] = {}
        self._keys: IdentityCache[str] = IdentityCache(_MOST_KEYS)
        self._deep_keys: IdentityCache[str] = IdentityCache(_MOST_KEYS)
        self._shape_keys: dict[str, str] = {}
        self._outputs: dict[Any, LayerAnswer] = {}
        self._weights: dict[Any, WeightsAnswer] = {}

    def key(self, layer: Layer) -> str:
        """`config_key`, remembered per config object (configs are never changed in place)."""
        objects = (layer.config, layer.inner)
        return self._keys.get(objects, lambda: self._deep_key(layer), (layer.class_name, layer.trusted))

    def _deep_key(self, layer: Layer) -> str:
        """`config_key`, remembered by what is in the config: a flag that changes makes a config of the same things."""
        parts = {key: value for key, value in layer.config.items() if key not in NO_KEYS}
        objects = (*parts.values(), layer.inner)
        also = (*parts, layer.class_name, layer.module, layer.trusted)
        return self._deep_keys.get(objects, lambda: config_key(layer), also)

    def instance(self, layer: Layer) -> Any:
        """An unbuilt Keras layer with this config, shared by all of the same config. Raises what Keras raises."""
        key = self.key(layer)
        if key not in self._layers:
            try:
                self._layers[key] = make_layer(layer)
            except Exception as error:  # noqa: BLE001 - whatever a config provokes in Keras is an answer here
                self._layers[key] = error
        found = self._layers[key]
        if isinstance(found, Exception):
            raise found
        return found

    def outputs(self, layer: Layer, call: Call, specs: dict[TensorRef, TensorSpec]) -> LayerAnswer:
        """What comes out of one call whose input tensors have `specs`."""
        inputs = tuple(specs[ref] for ref in call.inputs())
        key = (self._shape_key(layer), inputs, _shape_of_arguments(call))
        answer = self._outputs.get(key)
        if answer is None:
            answer = self._outputs[key] = self._ask_outputs(layer, call, specs)
        return answer

    def _shape_key(self, layer: Layer) -> str:
        """What of a layer decides its outputs. Big models have a hundred Dropouts that differ in their rates alone."""
        whole = self.key(layer)
        if layer.class_name not in _RATED or layer.module != "keras.layers":
            return whole
        try:
            self.instance(layer)
        except Exception:  # noqa: BLE001 - a rate that Keras refuses is reported for this very layer
            return whole
        known = self._shape_keys.get(whole)
        if known is None:
            config = {key: value for key, value in layer.config.items() if key not in ("rate", "seed")}
            known = self._shape_keys[whole] = config_key(replace(layer, config=config))
        return known

    def _ask_outputs(self, layer: Layer, call: Call, specs: dict[TensorRef, TensorSpec]) -> LayerAnswer:
        try:
            keras_layer = self.instance(layer)
        except Exception as error:  # noqa: BLE001 - as in `instance`
            return LayerAnswer(error=sentence(error), bad_config=True)
        try:
            args, kwargs = symbolic_arguments(call, specs)
            if isinstance(keras_layer, keras.Layer):
                _check_rank(keras_layer, args)
                if _traced(keras_layer):
                    with unallocated():
                        result = make_layer(layer)(*args, **kwargs)
                else:
                    result = keras_layer.compute_output_spec(*args, **kwargs)
            else:
                result = keras_layer.compute_output_spec(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - Keras says "no" with any type of exception
            return LayerAnswer(error=sentence(error))
        result = corrected(keras_layer, args, kwargs, result)
        outputs = tuple(
            TensorSpec(tuple(tensor.shape), keras.backend.standardize_dtype(tensor.dtype))
            for tensor in keras.tree.flatten(result)
        )
        bad = next(
            (spec for spec in outputs if spec.shape and any(size is not None and size <= 0 for size in spec.shape)),
            None,
        )
        if bad is not None:
            return LayerAnswer(error=f"Computed output size would be negative or zero: {bad.shape}")
        return LayerAnswer(outputs)

    def weights(self, layer: Layer, call: Call, specs: dict[TensorRef, TensorSpec]) -> WeightsAnswer:
        """The arrays the layer needs when a call brings tensors with `specs`."""
        if layer.is_operation or layer.is_input:
            return WeightsAnswer()
        key = (self.key(layer), layer.trainable, self._relevant(layer, call, specs))
        answer = self._weights.get(key)
        if answer is None:
            answer = self._weights[key] = self._ask_weights(layer, call, specs)
        return answer

    def _relevant(self, layer: Layer, call: Call, specs: dict[TensorRef, TensorSpec]) -> Any:
        """As much of the input shapes as the layer's weight shapes can depend on."""
        shapes = tuple(specs[ref].shape for ref in call.inputs())
        try:
            instance = self.instance(layer)
        except Exception:  # noqa: BLE001 - reported by `outputs`
            return shapes
        if layer.class_name in _WEIGHTLESS or (is_default(instance.build) and not getattr(instance, "_layers", None)):
            return ()
        first = shapes[0] if shapes else None
        if layer.class_name == "Concatenate" and _alike_but_for(layer.config.get("axis", -1), shapes):
            return ()  # building it only checks this
        if first is None or len(shapes) != 1:
            return shapes
        if layer.class_name in _LAST_ONLY and layer.inner is None:
            return (len(first), first[-1])
        if layer.class_name in _CHANNEL_ONLY:
            axis = layer.config.get("axis", 1 if layer.config.get("data_format") == "channels_first" else -1)
            axis = axis[0] if isinstance(axis, (list, tuple)) and axis else axis
            if isinstance(axis, int) and -len(first) <= axis < len(first):
                return (len(first), first[axis])
        if layer.class_name == "LayerNormalization":
            axis = layer.config.get("axis", -1)
            axes = axis if isinstance(axis, (list, tuple)) else (axis,)
            return (len(first), tuple(first[int(one)] for one in axes))
        return shapes

    def _ask_weights(self, layer: Layer, call: Call, specs: dict[TensorRef, TensorSpec]) -> WeightsAnswer:
        try:
            fresh = make_layer(without_update(_stateless(layer)))
            if fresh.trainable != layer.trainable:  # else as Keras loads it: parts made inside know nothing of the flag
                fresh.trainable = layer.trainable
            if getattr(fresh, "idf_weights", None) is not None:
                return WeightsAnswer(recorded_weights(fresh))  # a plain array, which only its saving code knows of
            if is_default(fresh.build) and not getattr(fresh, "_layers", None):
                return WeightsAnswer()
            args, kwargs = symbolic_arguments(call, specs)
            with unallocated():
                tensors = keras.tree.flatten(args)
                if len(args) == 1 and len(tensors) == 1 and not kwargs and not is_default(fresh.build):
                    fresh.build(tuple(tensors[0].shape))
                else:
                    fresh(*args, **kwargs)
                found = recorded_weights(fresh)
                return WeightsAnswer(beside_update(found) if has_update(layer) else found)
        except Exception as error:  # noqa: BLE001 - as above
            return WeightsAnswer(error=sentence(error))


def _alike_but_for(axis: Any, shapes: tuple[Shape | None, ...]) -> bool:
    """Whether the shapes are known and the same everywhere but on one axis."""
    first = shapes[0] if shapes else None
    if first is None or not isinstance(axis, int) or not -len(first) <= axis < len(first):
        return False
    at = axis % len(first)
    return all(
        shape is not None
        and len(shape) == len(first)
        and shape[:at] == first[:at]
        and shape[at + 1 :] == first[at + 1 :]
        for shape in shapes
    )


def _stateless(layer: Layer) -> Layer:
    """A stateful recurrent layer makes its state as it is built, which needs memory; Keras never stores the state."""
    config = _without_state(layer.config)
    return layer if config is layer.config else replace(layer, config=config)


def _without_state(config: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {"stateful": False} if config.get("stateful") else {}
    for field in ("layer", "backward_layer"):
        inner = config.get(field)
        if isinstance(inner, dict) and isinstance(inner.get("config"), dict):
            clean = _without_state(inner["config"])
            if clean is not inner["config"]:
                changed[field] = {**inner, "config": clean}
    return {**config, **changed} if changed else config


def symbolic_arguments(call: Call, specs: dict[TensorRef, TensorSpec]) -> tuple[list[Any], dict[str, Any]]:
    """A call's arguments with symbolic tensors in place of references and Keras objects in place of their configs."""

    def tensor(ref: TensorRef) -> Any:
        spec = specs[ref]
        return keras.KerasTensor(spec.shape, dtype=spec.dtype)

    args = [_constants(map_leaves(tensor, value)) for value in call.args]
    return args, {key: _constants(map_leaves(tensor, value)) for key, value in call.kwargs.items()}


def _constants(value: Any) -> Any:
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return deserialize(value)
        return {key: _constants(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_constants(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_constants(item) for item in value)
    return value


def _shape_of_arguments(call: Call) -> str:
    """The nesting and the constants of a call, as text; which tensor it is does not matter."""
    if len(call.args) == 1 and isinstance(call.args[0], TensorRef) and not call.kwargs:
        return ""
    return repr(map_leaves(lambda _: "tensor", (call.args, call.kwargs)))


def _check_rank(layer: Any, args: list[Any]) -> None:
    """Keras checks the number of dimensions only when a layer is called; a plan must know it before."""
    spec = getattr(layer, "input_spec", None)
    tensors = keras.tree.flatten(args[0]) if args else []
    if spec is None or isinstance(spec, (list, tuple)) or len(tensors) != 1:
        return
    rank = len(tensors[0].shape)
    if (spec.ndim is not None and rank != spec.ndim) or (spec.min_ndim is not None and rank < spec.min_ndim):
        wanted = spec.ndim if spec.ndim is not None else f"at least {spec.min_ndim}"
        raise ValueError(f"expected an input with {wanted} dimensions, but found {rank} ({tuple(tensors[0].shape)})")


def sentence(error: Exception) -> str:
    """Keras's message as one line, without its appendix of arguments and what TensorFlow adds for terminals."""
    text = str(error).split("Exception encountered: ")[-1]
    text = text.split("\n\nArguments received")[0].split("Full object config")[0]
    text = _WHERE.sub(r"\1: ", text)
    for noise in _NOISE:
        text = noise.sub("", text)
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split()) or type(error).__name__


_WHERE = re.compile(r"Exception encountered when calling ([\w.]+)(\(\))?\.\s*")
_NOISE = (
    re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]"),  # colours
    re.compile(r"\{\{(function_)?node [^}]*\}\}:?"),
    re.compile(r"\[Op:\w+\](\s*name:\s*\S*)?"),
    re.compile(r"\[\[\{\{node [^}]*\}\}\]\]"),
)

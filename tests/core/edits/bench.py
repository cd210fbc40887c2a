"""A small executor for tests: Keras model -> graph -> edit -> Keras model, weights carried through their rules."""

import json
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras.src.saving import saving_lib
from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.engine.shapes import Shaper
from core.engine.specs import Specs, _Recorder, recorded_weights
from core.layers.axes import axes_of
from core.model.graph import Graph, Layer, StoreKey
from core.readers.config_graph import build_graph
from core.rules import acts, adapt, refusal, sibling_name
from core.writers.config import model_config


class Built:
    """A model with what became of each weight, by `path/name`."""

    def __init__(self, model: Any, fates: dict[str, str]) -> None:
        self.model = model
        self.fates = fates

    def __call__(self, *inputs: Any) -> Any:
        result = self.model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
        return keras.tree.map_structure(np.asarray, result)


class Bench:
    """A source model and its graph."""

    def __init__(self, model: Any, seed: int | None = 0) -> None:
        self.model = model
        if seed is not None:
            seeded(model, seed)
        self.arrays: dict[StoreKey, Any] = {}
        graph = build_graph(json.loads(json.dumps(keras.saving.serialize_keras_object(model), default=_plain)))
        self.graph = shaped(self._filled(graph, model, ""))

    def _filled(self, graph: Graph, model: Any, prefix: str) -> Graph:
        layers = []
        for layer in graph.layers:
            path = prefix + layer.name
            if layer.inner is not None:
                inside = model.get_layer(layer.name)
                inside = inside if layer.inner_key is None else getattr(inside, layer.inner_key)
                layers.append(replace(layer, inner=self._filled(layer.inner, inside, path + "/")))
                continue
            weights = []
            if not layer.is_input and not layer.is_operation:
                for weight, (_, variable) in _variables(model.get_layer(layer.name)):
                    key = StoreKey(f"{path}/{weight.name}")
                    self.arrays[key] = np.asarray(variable)
                    weights.append(replace(weight, source=key))
            layers.append(replace(layer, weights=tuple(weights)))
        return replace(graph, layers=tuple(layers))

    def old(self, *inputs: Any) -> Any:
        result = self.model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
        return keras.tree.map_structure(np.asarray, result)

    def outcome(self, edit: Edit, graph: Graph | None = None, sources: Any = None) -> Outcome:
        """What an edit makes of the model, or of a graph that earlier edits made of it."""
        context = Context(self.graph, files=sources or {}, shaped=shaped)
        return edit.apply(self.graph if graph is None else graph, context)

    def edited(self, *edits: Edit, sources: Any = None) -> Graph:
        graph = self.graph
        for edit in edits:
            graph = shaped(self.outcome(edit, graph, sources).graph)
        return graph

    def built(self, *edits: Edit, size: tuple[int | None, ...] | None = None, sources: Any = None) -> Built:
        """The model after the edits; with `size` the first input gets that shape (for checks at the old size)."""
        graph = self.edited(*edits, sources=sources)
        if size is not None:
            layer = graph.input_layers()[0]
            resized = replace(layer, config={**layer.config, "batch_shape": [None, *size]})
            graph = shaped(graph.with_layer(layer.name, resized))
        return self.build(graph)

    def build(self, graph: Graph) -> Built:
        config = json.loads(json.dumps(model_config(graph)))
        model = keras.saving.deserialize_keras_object(config, safe_mode=False)
        if not model.built:
            model.build(config["config"]["build_input_shape"])
        fates: dict[str, str] = {}
        self._fill(graph, model, "", fates)
        return Built(model, fates)

    def _fill(self, graph: Graph, model: Any, prefix: str, fates: dict[str, str]) -> None:
        for layer in graph.layers:
            path = prefix + layer.name
            if layer.inner is not None:
                inside = model.get_layer(layer.name)
                inside = inside if layer.inner_key is None else getattr(inside, layer.inner_key)
                self._fill(layer.inner, inside, path + "/", fates)
            elif not layer.is_input and not layer.is_operation:
                self._fill_layer(layer, model.get_layer(layer.name), path, fates)

    def _fill_layer(self, layer: Layer, built: Any, path: str, fates: dict[str, str]) -> None:
        held = {weight.name: weight for weight in layer.weights}
        by_key = {weight.key: weight for weight in layer.weights}
        others = {sibling_name(key): array for key, array in self.arrays.items()}
        own = {name: self.arrays[one.source] for name, one in held.items() if one.source in self.arrays}
        siblings = {**others, **own}
        for need, (_, variable) in _variables(built):
            have, rules = held.get(need.name), layer.rules_for(need.name)
            if have is not None and have.decode is not None:
                rules = (have.decode, *rules)
            if have is None and need.name.startswith("variable"):
                have = by_key.get(need.key)  # unnamed variables are numbered anew by every model
            if have is not None and have.decode is not None:
                rules = (have.decode, *rules)
            array = self.arrays.get(have.source) if have is not None and have.source is not None else None
            shape = have.shape if array is not None and have is not None else None
            name = f"{path}/{need.name}"
            if shape == need.shape and not acts(shape, need.shape, rules):
                fates[name] = "copied"
                variable.assign(array)
            elif array is None and not rules:
                fates[name] = "initialized"
            else:
                axes = axes_of(layer, need.name, shape or need.shape)
                reason = refusal(shape, need.shape, axes, rules)
                assert reason is None, f"{name}: {reason}"
                variable.assign(adapt(array, need.shape, axes, rules, siblings, need.dtype))
                fates[name] = "+".join(rule.name for rule in rules)
        if hasattr(built, "finalize_state"):
            built.finalize_state()


def shaped(graph: Graph) -> Graph:
    result = Shaper(_SPECS).shape(graph)
    return result.graph


def problems(graph: Graph) -> list[str]:
    return [f"{one.layer}: {one.error}" for one in Shaper(_SPECS).shape(graph).problems]


_SPECS = Specs()


def _variables(layer: Any) -> list[tuple[Any, tuple[str, Any]]]:
    recorder = _Recorder()
    saving_lib._save_state(layer, recorder, None, "", set())
    return list(zip(recorded_weights(layer), recorder.found, strict=True))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def seeded(model: Any, seed: int) -> None:
    """Random weights that make every layer matter; variances and scales positive."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        name = variable.path.rpartition("/")[2]
        if "seed" in name or variable.dtype in ("int32", "uint32", "int64"):
            continue
        if name in ("moving_variance", "variance", "gamma"):
            value = rng.uniform(0.5, 1.5, variable.shape)
        else:
            fan = max(1, int(np.prod(variable.shape[:-1])))
            value = rng.standard_normal(variable.shape) / np.sqrt(fan)
        variable.assign(value)
    for layer in model._flatten_layers():
        if type(layer).__name__ == "Normalization":
            layer.finalize_state()


def drift(new: Any, old: Any) -> float:
    """Largest difference, relative to the largest old value."""
    difference = np.abs(np.asarray(new, "float64") - np.asarray(old, "float64"))
    return float(np.max(difference) / (np.max(np.abs(old)) + 1e-12))

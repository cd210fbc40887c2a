"""The oracle's side of reader tests: a Keras 3 model from what a reader says, its weights set by name."""

from typing import Any

import keras
import numpy as np

from core.model.graph import Graph
from core.model.names import snake_case
from core.readers import Source, WeightStore, open_store
from core.writers.config import model_config


def rebuild(source: Source) -> Any:
    """The model of a source, every array read through its store."""
    model = keras.saving.deserialize_keras_object(model_config(source.graph))
    with open_store(source) as store:
        _fill(source.graph, model, store)
    return model


def _fill(graph: Graph, model: Any, store: WeightStore) -> None:
    layers = model._layers if isinstance(model, keras.Sequential) else model.operations
    found = {layer.name: layer for layer in layers}
    for layer in graph.layers:
        target = found[layer.name]
        if layer.inner is not None:
            _fill(layer.inner, target if layer.inner_key is None else getattr(target, layer.inner_key), store)
        for weight in layer.weights:
            if weight.source is not None and not weight.state:
                _variable(target, weight.name).assign(store.read(weight.source.key))
        if hasattr(target, "finalize_state"):
            target.finalize_state()


def _variable(layer: Any, name: str) -> Any:
    if isinstance(layer, keras.layers.Normalization):
        return {"mean": layer.adapt_mean, "variance": layer.adapt_variance, "count": layer.count}[name]
    found = layer
    for part in name.split("/"):
        if isinstance(found, (list, tuple)):
            found = _numbered(found, part)
        else:
            found = getattr(found, part, None) if hasattr(found, part) else getattr(found, "_" + part)
    return found


def _numbered(items: Any, part: str) -> Any:
    used: dict[str, int] = {}
    for item in items:
        name = snake_case(type(item).__name__)
        count = used[name] = used.get(name, -1) + 1
        if part == (f"{name}_{count}" if count else name):
            return item
    raise KeyError(part)


def random_inputs(model: Any, classes: int | None = None, seed: int = 0) -> Any:
    """Seeded inputs for every input of a model; whole numbers below `classes` where given."""
    generator = np.random.default_rng(seed)
    arrays = []
    for tensor in model.inputs:
        shape = [(2 if axis == 0 else 7) if size is None else size for axis, size in enumerate(tensor.shape)]
        array = generator.integers(0, classes, shape) if classes else generator.standard_normal(shape)
        arrays.append(array.astype("float32"))
    return arrays[0] if len(arrays) == 1 else arrays


def randomize(model: Any, seed: int = 0) -> None:
    """Give every float variable of a tf-keras model seeded values, variances positive."""
    generator = np.random.default_rng(seed)
    for variable in model.variables:
        if variable.dtype.name.startswith("float"):
            values = generator.uniform(0.1, 1, variable.shape)
            if "variance" not in variable.name:
                values = generator.standard_normal(variable.shape) / 2
            variable.assign(values.astype("float32"))


def difference(new: Any, old: Any) -> float:
    """The largest difference of two outputs, relative to the old one's largest value; infinite for other shapes."""
    first, second = np.asarray(new, np.float64), np.asarray(old, np.float64)
    if first.shape != second.shape:
        return float("inf")
    return float(np.abs(first - second).max() / max(1.0, np.abs(second).max())) if first.size else 0.0

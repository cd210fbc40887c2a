"""What one case of the class matrix is: a few inputs, and layers called on them (or a whole model)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class In(NamedTuple):
    """A model input without its batch axis. `kind` is `normal`, `image` (0 to 255), `positive`, `int` or `text`.

    `steps` are the last steps of each sample that are zero, so that masks have something to hide.
    """

    shape: tuple[int | None, ...]
    kind: str = "normal"
    limit: int = 10
    words: tuple[str, ...] = ()
    dtype: str | None = None
    steps: tuple[int, ...] = ()
    batch: int | None = None


class Case(NamedTuple):
    """`name` is `Class` or `Class/what is special`. `tolerance` is relative to the largest output.

    `call` gets the symbolic inputs; `model` makes a whole model instead. `doctor` changes the saved model config, to
    make what this tf-keras no longer writes. `oracle` is a model to compare with when the built one cannot run here.
    `training` draws new random numbers on every call, so only shapes are compared.
    `only` are the formats the case exists in.
    """

    name: str
    inputs: tuple[In, ...]
    call: Callable[..., Any] | None = None
    model: Callable[[], Any] | None = None
    tolerance: float = 1e-5
    doctor: Callable[[dict[str, Any]], None] | None = None
    oracle: Callable[[Any], Any] | None = None
    only: tuple[str, ...] = ()

    @property
    def class_name(self) -> str:
        return self.name.split("/", 1)[0]


def build(k: Any, case: Case) -> Any:
    """The case's model with seeded weights."""
    if case.model is not None:
        model = case.model()
    else:
        assert case.call is not None
        inputs = [symbolic(k, one) for one in case.inputs]
        model = k.Model(inputs, case.call(*inputs))
    seed_weights(model)
    return model


def symbolic(k: Any, one: In) -> Any:
    if one.batch is not None:
        return k.Input(batch_shape=(one.batch, *one.shape), dtype=_dtype(one))
    return k.Input(one.shape, dtype=_dtype(one))


def _dtype(one: In) -> str | None:
    return one.dtype or {"int": "int32", "text": "string"}.get(one.kind)


def seed_weights(model: Any) -> None:
    """Random values in every float weight, so that no array can be mistaken for another; variances are positive."""
    rng = np.random.default_rng(7)
    prepared = {
        id(weight)
        for layer in flat_layers(model)
        if type(layer).__name__ == "Normalization"
        for weight in layer.weights
    }
    for weight in model.weights:
        # tables of words are no numbers, and what was adapted stays what it is
        if id(weight) in prepared or not hasattr(weight, "assign") or "float" not in str(getattr(weight, "dtype", "")):
            continue
        if None in tuple(weight.shape):
            continue
        values = rng.normal(0.0, 0.4, tuple(weight.shape))
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.name or "stddev" in weight.name else values)


def flat_layers(model: Any) -> list[Any]:
    """Every layer, nested ones included, of tf-keras or Keras 3."""
    return list(model._flatten_layers(include_self=False))


def sample(one: In, seed: int, size: int = 3) -> Any:
    """A batch of seeded values for an input."""
    rng = np.random.default_rng(seed)
    shape = (one.batch or size, *(5 if length is None else length for length in one.shape))
    if one.kind == "text":
        return np.array(one.words, dtype=object)[rng.integers(0, len(one.words), shape)]
    if one.kind == "int":
        values = rng.integers(0, one.limit, shape).astype(one.dtype or "int32")
    elif one.kind == "image":
        values = rng.uniform(0, 255, shape).astype(one.dtype or "float32")
    elif one.kind == "positive":
        values = (rng.random(shape) + 0.1).astype(one.dtype or "float32")
    else:
        values = rng.normal(0, 1, shape).astype(one.dtype or "float32")
    for row, zeros in enumerate(one.steps[: shape[0]]):
        if zeros:
            values[row, -zeros:] = 0
    return values

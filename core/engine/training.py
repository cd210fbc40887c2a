"""How far a model in training is from the same model at inference, because of BatchNormalization.

In training a BatchNormalization layer that is not frozen divides by the statistics of the batch, at inference by the
moving ones it has gathered (Ioffe and Szegedy 2015). After surgery the moving ones may fit the new data badly, and the
two answers part: the reason why a model that learns well in `fit` can be wrong in `predict`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import keras

from core.engine.contracts import relative
from core.engine.running import numbers


def training_gap(model: Any, inputs: Any) -> float | None:
    """The largest relative difference of outputs between batch statistics and moving ones on `inputs`.

    `None` where no layer makes one: no BatchNormalization, or all of them frozen. Dropout and noise stay off, and the
    model's variables stay as they are. One sample alone has no statistics, so a batch of two or more tells more.
    """
    layers = [
        layer
        for layer in model._flatten_layers(include_self=False, recursive=True)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not layers:
        return None
    resting = numbers(model, inputs)
    with _on_batch_statistics(layers):
        moving = numbers(model, inputs)
    return max((relative(one, other) for one, other in zip(moving, resting, strict=True)), default=None)


@contextmanager
def _on_batch_statistics(layers: list[Any]) -> Iterator[None]:
    """These layers alone act as in training, for as long as the block lasts."""
    for layer in layers:
        layer.call = _in_training(layer.call)
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def _in_training(call: Any) -> Any:
    @wraps(call)
    def trained(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return call(inputs, training=True, mask=mask)

    return trained

"""New layers that a model does not notice until it is trained on."""

from typing import Any

from core.layers.table import tracks_batches
from core.model.graph import Layer
from core.rules.initialize import Initialize
from core.rules.initializers import canonical

_EPSILON = 1e-3
"""Keras's default for BatchNormalization."""
_STARTS = {
    "gamma_initializer": "ones",
    "beta_initializer": "zeros",
    "moving_mean_initializer": "zeros",
    "moving_variance_initializer": "ones",
}


def neutral_norm(layer: Layer) -> Layer | None:
    """A new BatchNormalization that gives what it gets at inference; `None` where its config starts it at other values.

    With mean 0 and variance 1 it divides by `sqrt(1 + epsilon)`, which its gamma makes up for, or its variance where it
    has no gamma.
    """
    if not tracks_batches(layer) or layer.weights:
        return None
    if any(_short(layer.config.get(key, start)) != start for key, start in _STARTS.items()):
        return None
    epsilon = layer.config.get("epsilon")
    epsilon = _EPSILON if epsilon is None else float(epsilon)
    if layer.config.get("scale", True):
        return layer.with_rules("gamma", (Initialize(initializer="constant", value=(1.0 + epsilon) ** 0.5),))
    if epsilon >= 1.0:
        return None
    return layer.with_rules("moving_variance", (Initialize(initializer="constant", value=1.0 - epsilon),))


def _short(initializer: Any) -> str:
    return canonical(str(initializer.get("class_name") if isinstance(initializer, dict) else initializer))

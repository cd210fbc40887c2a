"""Keras's initializers in NumPy, deterministic by seed: same distributions, not the same numbers."""

from collections.abc import Callable
from math import prod, sqrt
from typing import Any

import numpy as np

from core.errors import RuleError
from core.rules.base import Array

# The standard deviation of a normal distribution cut at two deviations, by which variance scaling divides.
_TRUNCATED = 0.87962566103423978


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Fan in and fan out, as Keras counts them: the last two axes are inputs and outputs, the others taps."""
    if not shape:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    taps = prod(shape[:-2])
    return float(shape[-2] * taps), float(shape[-1] * taps)


def _truncated(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    values = rng.standard_normal(shape)
    outside = np.abs(values) > 2.0
    while outside.any():
        values[outside] = rng.standard_normal(int(outside.sum()))
        outside = np.abs(values) > 2.0
    return values


def _scaling(mode: str, distribution: str, scale: float) -> Callable[..., Array]:
    def make(rng: np.random.Generator, shape: tuple[int, ...], **fields: Any) -> Array:
        fan_in, fan_out = fans(shape)
        factor = float(fields.get("scale", scale))
        size = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[fields.get("mode", mode)]
        variance = factor / max(1.0, size)
        kind = fields.get("distribution", distribution).lower()
        if kind == "uniform":
            limit = sqrt(3.0 * variance)
            return rng.uniform(-limit, limit, shape)
        if kind == "untruncated_normal":
            return rng.standard_normal(shape) * sqrt(variance)
        return _truncated(rng, shape) * (sqrt(variance) / _TRUNCATED)

    return make


def _orthogonal(rng: np.random.Generator, shape: tuple[int, ...], gain: float = 1.0) -> Array:
    if len(shape) < 2:
        raise RuleError("orthogonal needs a weight with at least two axes.")
    rows, columns = prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diagonal(r))
    result: Array = gain * (q if rows >= columns else q.T).reshape(shape)
    return result


def _identity(rng: np.random.Generator, shape: tuple[int, ...], gain: float = 1.0, groups: int = 1) -> Array:
    """The matrix, or the convolution, that passes inputs on: a one at the middle tap (leading rows when not square).

    With `groups` the leading rows of each run of rows.
    """
    if len(shape) < 2:
        raise RuleError("identity needs a weight with at least two axes.")
    result = np.zeros(shape)
    one = np.eye(shape[-2] // groups, shape[-1] // groups)
    result[tuple((size - 1) // 2 for size in shape[:-2])] = np.kron(np.eye(groups), one) * gain
    return result


def _constant(rng: np.random.Generator, shape: tuple[int, ...], value: float = 0.0) -> Array:
    return np.full(shape, float(value))


def _normal(rng: np.random.Generator, shape: tuple[int, ...], mean: float = 0.0, stddev: float = 0.05) -> Array:
    return mean + stddev * rng.standard_normal(shape)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], minval: float = -0.05, maxval: float = 0.05) -> Array:
    return rng.uniform(minval, maxval, shape)


def _truncated_normal(
    rng: np.random.Generator, shape: tuple[int, ...], mean: float = 0.0, stddev: float = 0.05
) -> Array:
    return mean + stddev * _truncated(rng, shape)


INITIALIZERS: dict[str, Callable[..., Array]] = {
    "zeros": lambda rng, shape: np.zeros(shape),
    "ones": lambda rng, shape: np.ones(shape),
    "constant": _constant,
    "glorot_uniform": _scaling("fan_avg", "uniform", 1.0),
    "glorot_normal": _scaling("fan_avg", "truncated_normal", 1.0),
    "he_uniform": _scaling("fan_in", "uniform", 2.0),
    "he_normal": _scaling("fan_in", "truncated_normal", 2.0),
    "lecun_uniform": _scaling("fan_in", "uniform", 1.0),
    "lecun_normal": _scaling("fan_in", "truncated_normal", 1.0),
    "variance_scaling": _scaling("fan_in", "truncated_normal", 1.0),
    "random_normal": _normal,
    "random_uniform": _uniform,
    "truncated_normal": _truncated_normal,
    "orthogonal": _orthogonal,
    "identity": _identity,
}
_FIELDS = {
    "constant": {"value"},
    "variance_scaling": {"scale", "mode", "distribution"},
    "random_normal": {"mean", "stddev"},
    "random_uniform": {"minval", "maxval"},
    "truncated_normal": {"mean", "stddev"},
    "orthogonal": {"gain"},
    "identity": {"gain", "groups"},
}


def canonical(name: str) -> str:
    """The short name of an initializer given as Keras writes it: `GlorotUniform`, `glorot_uniform`."""
    snake = "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")
    aliases = {"orthogonal_initializer": "orthogonal", "identity_initializer": "identity", "uniform": "random_uniform"}
    return aliases.get(snake, {"normal": "random_normal", "zero": "zeros", "one": "ones"}.get(snake, snake))


def initial(name: str, shape: tuple[int, ...], seed: int = 0, fields: dict[str, Any] | None = None) -> Array:
    """Fresh values in float64. Raises `RuleError` for a name that is no initializer."""
    short = canonical(name)
    if short not in INITIALIZERS:
        raise RuleError(f"There is no initializer {name!r}; the initializers are {', '.join(sorted(INITIALIZERS))}.")
    used = {key: value for key, value in (fields or {}).items() if key in _FIELDS.get(short, ()) and value is not None}
    return INITIALIZERS[short](np.random.default_rng(seed), tuple(shape), **used)

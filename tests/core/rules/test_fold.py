from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RuleError
from core.layers.axes import axes_of
from core.model.graph import Layer, StoreKey
from core.rules import adapt, refusal, sibling_name
from core.rules.fold import Affine, FoldChannels


@given(st.integers(1, 13), st.integers(0, 99))
def test_that_folded_statistics_answer_the_same_on_mapped_channels(new: Any, seed: Any) -> None:
    rng = np.random.default_rng(seed)
    mean, variance, scale = rng.standard_normal(3), rng.uniform(0.5, 2, 3), rng.uniform(0.5, 2, 3)
    key = StoreKey("norm/mean")
    steps = (
        Affine(kind="rescaling", scale=0.1, offset=-0.3),
        Affine(kind="normalization", mean=key, variance=tuple(variance)),
        Affine(kind="rescaling", scale=tuple(scale)),
    )
    kernel, bias = rng.standard_normal((3, 5)), rng.standard_normal(5)
    siblings = {sibling_name(key): mean, "kernel": kernel}
    dense = Layer("d", "Dense")
    rule = FoldChannels(steps=steps, source=3, new=new)
    folded = adapt(kernel, (new, 5), axes_of(dense, "kernel", (3, 5)), (rule,), siblings)
    shifted = adapt(bias, (5,), axes_of(dense, "bias", (5,)), (rule,), siblings)
    norm = Layer("n", "Normalization")
    fresh_mean = adapt(mean, (new,), axes_of(norm, "mean", (3,)), (rule,), siblings)
    fresh_variance = adapt(variance, (new,), axes_of(norm, "variance", (3,)), (rule,), siblings)
    fresh_scale = rule.picks(new, 3) @ scale

    x_new = rng.standard_normal((7, new))
    x_old = x_new @ rule.matrix(new, 3)
    old = ((x_old * 0.1 - 0.3 - mean) / np.sqrt(variance) * scale) @ kernel + bias
    z = (x_new * 0.1 - 0.3 - fresh_mean) / np.sqrt(fresh_variance) * fresh_scale
    assert np.allclose(z @ folded + shifted, old)


def test_that_fold_makes_a_bias_that_the_source_lacks() -> None:
    steps = (Affine(kind="normalization", mean=(1.0, 2.0, 3.0), variance=1.0),)
    kernel = np.array([[[[1.0, 0.0], [1.0, 0.0], [1.0, 5.0]]]], "float32")
    rule = FoldChannels(steps=steps, source=3, new=1)
    axes = axes_of(Layer("c", "Conv2D"), "bias", (2,))
    made = adapt(None, (2,), axes, (rule,), {"kernel": kernel})
    # -(1 + 2 + 3) and -3 * 5 before; after, with the mean of the means, -3 * 2 and -5 * 2: the bias takes the rest
    assert np.allclose(made, [0.0, -5.0])


def test_that_a_constant_that_divides_is_folded_as_one() -> None:
    steps = (Affine(kind="rescaling", divisor=(1.0, 2.0, 4.0)),)
    rule = FoldChannels(steps=steps, source=3, new=1)
    kernel = np.arange(1.0, 4.0).reshape(3, 1)
    folded = adapt(kernel, (1, 1), axes_of(Layer("d", "Dense"), "kernel", (3, 1)), (rule,), {})
    divisor = rule.picks(1, 3) @ np.array([1.0, 2.0, 4.0])  # what the constant becomes
    assert np.allclose(folded / divisor, 1 / 1 + 2 / 2 + 3 / 4)


def test_that_fold_without_statistics_is_refused() -> None:
    reason = refusal((3, 5), (1, 5), axes_of(Layer("d", "Dense"), "kernel", (3, 5)), (FoldChannels(),))
    assert reason is not None
    assert "mean and standard deviation" in reason


def test_that_an_array_that_cannot_be_read_is_named() -> None:
    rule = FoldChannels(steps=(Affine(kind="normalization", mean=StoreKey("norm/mean")),))
    with pytest.raises(RuleError, match="norm/mean"):
        adapt(np.ones((3, 5)), (1, 5), axes_of(Layer("d", "Dense"), "kernel", (3, 5)), (rule,), {})

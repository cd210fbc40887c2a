from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.layers.axes import axes_of
from core.model.graph import Layer
from core.rules import adapt, parse_rule, refusal
from core.rules.interpolation import resize_matrix

ODD = st.sampled_from([1, 3, 5, 7])
CONV = Layer("c", "Conv2D")


def kernel(size: Any, seed: Any = 0) -> Any:
    return np.random.default_rng(seed).standard_normal((size, size, 2, 3))


def resized(array: Any, size: Any, rule: Any) -> Any:
    return adapt(array, (size, size, *array.shape[2:]), axes_of(CONV, "kernel", array.shape), (parse_rule(rule),))


@given(ODD, ODD)
def test_that_center_growth_keeps_every_tap_and_shrinking_back_finds_them(small: Any, more: Any) -> None:
    large = small + more - 1
    array = kernel(small)
    grown = resized(array, large, "center")
    assert np.array_equal(resized(grown, small, "center"), array)
    assert np.isclose(np.abs(grown).sum(), np.abs(array).sum())


@pytest.mark.parametrize(("small", "large"), [(3, 4), (2, 3), (3, 5), (1, 3), (2, 5), (5, 8)])
def test_that_center_growth_is_exact_under_same_padding(small: Any, large: Any) -> None:
    import keras

    x = np.random.default_rng(1).standard_normal((1, 9, 12, 2)).astype("float32")
    array = kernel(small).astype("float32")
    grown = resized(array, large, "center")
    old = np.asarray(keras.ops.conv(x, array, padding="same"))
    assert np.allclose(np.asarray(keras.ops.conv(x, grown, padding="same")), old, atol=1e-5)


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("size", [15, 16])
def test_that_center_growth_from_odd_to_odd_is_exact_at_any_stride(step: Any, size: Any) -> None:
    import keras

    x = np.random.default_rng(2).standard_normal((1, size, size, 2)).astype("float32")
    array = kernel(3).astype("float32")
    old = np.asarray(keras.ops.conv(x, array, strides=step, padding="same"))
    new = np.asarray(keras.ops.conv(x, resized(array, 7, "center"), strides=step, padding="same"))
    assert np.allclose(new, old, atol=1e-5)


@given(st.integers(1, 9), st.integers(1, 9))
def test_that_resize_keeps_the_answer_to_a_constant(old: Any, new: Any) -> None:
    array = kernel(old)
    assert np.allclose(resized(array, new, "resize").sum(axis=(0, 1)), array.sum(axis=(0, 1)))


@given(st.integers(2, 8), st.integers(2, 8))
def test_that_resize_answers_as_the_old_kernel_on_the_resized_patch(old: Any, new: Any) -> None:
    array = kernel(old)
    patch = np.random.default_rng(5).standard_normal((new, new))
    matrix = resize_matrix(new, old)
    answer = np.einsum("hwcf,hw->cf", array, matrix @ patch @ matrix.T)
    assert np.allclose(np.einsum("hwcf,hw->cf", resized(array, new, "resize"), patch), answer)


@given(st.integers(2, 8), st.integers(0, 6))
def test_that_pi_resize_is_exact_on_patches_that_were_resized_up(old: Any, more: Any) -> None:
    new = old + more
    array = kernel(old)
    patch = np.random.default_rng(5).standard_normal((old, old))
    matrix = resize_matrix(old, new, "bicubic")
    answer = np.einsum("hwcf,hw->cf", array, patch)
    moved = np.einsum("hwcf,hw->cf", resized(array, new, "pi_resize"), matrix @ patch @ matrix.T)
    assert np.allclose(moved, answer)


def test_that_a_chain_changes_kernel_and_channels() -> None:
    array = kernel(7)
    axes = axes_of(CONV, "kernel", array.shape)
    result = adapt(array, (5, 5, 1, 3), axes, (parse_rule("center"), parse_rule("sum")))
    assert np.allclose(result[:, :, 0], array[1:6, 1:6].sum(axis=2))


def test_that_a_chain_that_leaves_an_axis_over_is_refused() -> None:
    axes = axes_of(CONV, "kernel", (7, 7, 3, 4))
    reason = refusal((7, 7, 3, 4), (5, 5, 1, 4), axes, (parse_rule("center"),))
    turned = "center turns 7\u00d77\u00d73\u00d74 into 5\u00d75\u00d73\u00d74"
    assert reason == f"{turned}, but 5\u00d75\u00d71\u00d74 is needed."


def test_that_a_kernel_rule_refuses_a_vector() -> None:
    axes = axes_of(CONV, "bias", (4,))
    assert "no spatial axes" in (refusal((4,), (5,), axes, (parse_rule("center"),)) or "")

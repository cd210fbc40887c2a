from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RuleError
from core.layers.axes import axes_of
from core.model.graph import Layer
from core.rules import adapt, parse_rule, refusal
from core.rules.channels import MapChannels, MeanChannels, RepeatChannels, SumChannels, ZeroExtraChannels

CONV = Layer("c", "Conv2D", config={"strides": [1, 1]})
RNG = np.random.default_rng(0)
KERNEL = RNG.standard_normal((3, 3, 3, 4)).astype("float32")
AXES = axes_of(CONV, "kernel", KERNEL.shape)


def to(channels: Any, rule: Any) -> Any:
    return adapt(KERNEL, (3, 3, channels, 4), AXES, (rule,))


def test_that_sum_is_the_sum_over_channels() -> None:
    assert np.allclose(to(1, SumChannels())[..., 0, :], KERNEL.sum(axis=2), atol=1e-6)


def test_that_sum_refuses_more_than_one_channel() -> None:
    reason = refusal(KERNEL.shape, (3, 3, 2, 4), AXES, (SumChannels(),))
    assert reason is not None
    assert "one channel, not 2" in reason


@given(st.integers(1, 16), st.integers(1, 16))
def test_that_repeat_keeps_the_gain_for_any_numbers_of_channels(old: Any, new: Any) -> None:
    kernel = np.random.default_rng(old).standard_normal((2, old, 3))
    axes = axes_of(Layer("c", "Conv1D"), "kernel", kernel.shape)
    result = adapt(kernel, (2, new, 3), axes, (RepeatChannels(),))
    assert np.allclose(result.sum(axis=1), kernel.sum(axis=1))


@given(st.integers(2, 13))
def test_that_every_rule_is_its_matrix(new: Any) -> None:
    x = np.random.default_rng(new).standard_normal((5, new))
    dense = np.random.default_rng(1).standard_normal((3, 7))
    axes = axes_of(Layer("d", "Dense"), "kernel", dense.shape)
    for rule in (MeanChannels(), RepeatChannels()):
        result = adapt(dense, (new, 7), axes, (rule,))
        assert np.allclose(x @ result, (x @ rule.matrix(new, 3)) @ dense)


def test_that_each_copy_is_divided_by_the_copies_of_its_own_channel() -> None:
    result = to(5, RepeatChannels())
    assert np.allclose(result[:, :, 0], KERNEL[:, :, 0] / 2)
    assert np.allclose(result[:, :, 4], KERNEL[:, :, 1] / 2)
    assert np.array_equal(result[:, :, 2], KERNEL[:, :, 2])


def test_that_zero_extra_copies_old_bands_bit_for_bit() -> None:
    result = to(5, ZeroExtraChannels())
    assert np.array_equal(result[:, :, :3], KERNEL)
    assert not result[:, :, 3:].any()


def test_that_mean_is_the_average() -> None:
    assert np.allclose(to(2, MeanChannels())[:, :, 1], KERNEL.mean(axis=2), atol=1e-7)


def test_that_map_takes_channels_by_name() -> None:
    rule = MapChannels(take=("R", "G", "B", "NIR <- R"), names=("R", "G", "B"))
    result = to(4, rule)
    assert np.allclose(result[:, :, 3], KERNEL[:, :, 0] / 2)
    assert np.array_equal(result[:, :, 1], KERNEL[:, :, 1])


def test_that_map_takes_a_matrix_of_its_own() -> None:
    rule = parse_rule({"rule": "map", "matrix_rows": [[0.5, 0, 0.5], [0, 1, 0]]})
    result = to(2, rule)
    assert np.allclose(result[:, :, 0], (KERNEL[:, :, 0] + KERNEL[:, :, 2]) / 2)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (MapChannels(take=(0, 7)), "channels 0 to 2"),
        (MapChannels(take=(0,)), "lists 1 channels, but the input has 2"),
        (MapChannels(), "either take"),
        (MapChannels(take=("X", "Y"), names=("R", "G", "B")), "not among the names (R, G, B)"),
    ],
)
def test_that_map_says_what_is_wrong(rule: Any, words: Any) -> None:
    with pytest.raises(RuleError, match="map") as caught:
        to(2, rule)
    assert words in caught.value.message


def test_that_statistics_are_averaged_not_summed() -> None:
    mean = np.array([1.0, 2.0, 6.0], "float32")
    axes = axes_of(Layer("n", "Normalization"), "mean", (3,))
    assert np.allclose(adapt(mean, (1,), axes, (SumChannels(),)), [3.0])


def test_that_a_variance_becomes_the_square_of_the_average_deviation() -> None:
    variance = np.array([1.0, 4.0, 9.0], "float32")
    axes = axes_of(Layer("n", "Normalization"), "variance", (3,))
    assert np.allclose(adapt(variance, (1,), axes, (SumChannels(),)), [4.0])


@given(st.integers(1, 6), st.integers(1, 7), st.integers(1, 4))
def test_that_interleaved_channels_of_a_flattened_image_are_found(pixels: Any, new: Any, units: Any) -> None:
    weights = np.random.default_rng(pixels).standard_normal((pixels, 3, units))
    axes = axes_of(Layer("d", "Dense"), "kernel", (pixels * 3, units))
    rule = RepeatChannels(source=3)
    result = adapt(weights.reshape(-1, units), (pixels * new, units), axes, (rule,))
    expected = np.einsum("nc,pcu->pnu", rule.matrix(new, 3), weights)
    assert np.allclose(result.reshape(pixels, new, units), expected)


@given(st.sampled_from(["float16", "float32", "float64"]))
def test_that_the_dtype_stays(dtype: Any) -> None:
    assert adapt(KERNEL.astype(dtype), (3, 3, 1, 4), AXES, (SumChannels(),)).dtype == dtype


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (MapChannels(take=("R", "NIR <- R", None), names=("R", "G")), "R <- R, NIR <- R, 2 <- zero"),
        (MapChannels(take=(2, 0), names=("R", "G", "B"), new_names=("a", "b")), "a <- B, b <- R"),
        (MapChannels(matrix_rows=((0.5, 0.5), (0.25, -1), (0, 0))), "0 <- mean, 1 <- 0.25 0 - 1 1, 2 <- zero"),
        (MapChannels(take=(0,) * 9), "0 <- 0, 1 <- 0, 2 <- 0, 3 <- 0, 4 <- 0, 5 <- 0 and 3 more"),
    ],
)
def test_that_a_map_is_told_in_words(rule: MapChannels, words: str) -> None:
    assert rule.words() == words

"""Previews of arrays, against NumPy's own statistics over the whole array."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.analysis.preview import CHUNK, SAMPLE, preview_weight, shrunk
from core.errors import FileError
from core.rules.base import Array


def test_that_statistics_equal_numpys_over_several_chunks() -> None:
    array = np.random.default_rng(0).normal(1e4, 1.0, CHUNK * 2 + 17)
    array[:5] = 0
    preview = preview_weight(array, "conv/kernel")
    assert preview.minimum == array.min()
    assert preview.maximum == array.max()
    assert preview.mean == pytest.approx(array.mean(), rel=1e-12)
    assert preview.std == pytest.approx(array.std(), rel=1e-9)
    assert preview.zeros == 5
    assert preview.not_finite == 0


def test_that_the_histogram_equals_numpys() -> None:
    array = np.random.default_rng(1).normal(size=(3, 3, 8, 16)).astype("float32")
    preview = preview_weight(array, "conv/kernel", bins=32)
    counts, edges = np.histogram(array.astype("float64"), bins=32)
    np.testing.assert_array_equal(preview.counts, counts)
    np.testing.assert_allclose(preview.edges, edges)


def test_that_a_huge_array_is_sampled_and_scaled() -> None:
    array = np.random.default_rng(2).uniform(size=SAMPLE * 3).astype("float32")
    preview = preview_weight(array, "conv/kernel", bins=10)
    assert preview.counts.sum() == pytest.approx(array.size, rel=1e-4)
    np.testing.assert_allclose(preview.counts, array.size / 10, rtol=0.02)


def test_that_nan_and_infinity_are_counted_and_left_out() -> None:
    array = np.array([[np.nan, np.inf, -np.inf], [1.0, 2.0, 0.0]], "float32")
    preview = preview_weight(array, "conv/kernel")
    assert (preview.not_finite, preview.zeros) == (3, 1)
    assert (preview.minimum, preview.maximum, preview.mean) == (0.0, 2.0, 1.0)
    assert preview.counts.sum() == 3
    assert np.isfinite(preview.images).all()


def test_that_an_array_of_nothing_but_nan_has_a_preview() -> None:
    preview = preview_weight(np.full(7, np.nan), "conv/kernel")
    assert preview.not_finite == 7
    assert preview.counts.sum() == 0
    assert preview.images is None


@pytest.mark.parametrize("value", [0.0, 1.0, -3e8, 1e-30])
def test_that_a_constant_lies_in_one_bin(value: float) -> None:
    preview = preview_weight(np.full((4, 4), value), "conv/kernel", bins=8)
    assert preview.counts.max() == 16
    assert preview.std == 0.0
    assert preview.edges[0] < value < preview.edges[-1]


def test_that_kernels_of_three_channels_are_pictures_in_colour() -> None:
    array = np.random.default_rng(3).normal(size=(7, 7, 3, 64)).astype("float32")
    preview = preview_weight(array, "conv/kernel", kernels=16)
    assert preview.images.shape == (16, 7, 7, 3)
    np.testing.assert_array_equal(preview.images[5], array[..., 5])


def test_that_other_kernels_show_the_channel_where_each_filter_is_strongest() -> None:
    array = np.random.default_rng(4).normal(size=(3, 3, 8, 4)).astype("float32") * 0.01
    array[:, :, 6, 2] += 5.0
    preview = preview_weight(array, "conv/kernel")
    assert preview.images.shape == (4, 3, 3)
    np.testing.assert_array_equal(preview.images[2], array[:, :, 6, 2])


def test_that_depthwise_kernels_show_every_channel() -> None:
    array = np.random.default_rng(5).normal(size=(3, 3, 32, 1)).astype("float32")
    preview = preview_weight(array, "conv/kernel")
    np.testing.assert_array_equal(preview.images[31], array[:, :, 31, 0])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((2048, 1000), (1, 160, 160)), ((10, 4), (1, 10, 4)), ((1, 1, 64, 256), (1, 64, 160)), ((64, 8, 32), (1, 64, 160)),
     ((5, 16, 12), (12, 5, 16)), ((3, 3, 3, 4, 6), (6, 3, 3)), ((7,), None), ((), None), ((0, 3), None)],
)  # fmt: skip
def test_that_each_shape_has_its_pictures(shape: tuple[int, ...], expected: tuple[int, ...] | None) -> None:
    images = preview_weight(np.ones(shape, "float32"), "conv/kernel").images
    assert (None if images is None else images.shape) == expected


def test_that_averaging_down_keeps_the_mean() -> None:
    matrix = np.random.default_rng(6).normal(size=(320, 480))
    small = shrunk(matrix, 160)
    np.testing.assert_allclose(small, matrix.reshape(160, 2, 160, 3).mean(axis=(1, 3)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32", "float16", "complex64"])
def test_that_every_type_of_number_has_a_preview(dtype: str) -> None:
    preview = preview_weight(np.ones((3, 3), dtype), "conv/kernel")
    assert (preview.minimum, preview.maximum, preview.dtype) == (1.0, 1.0, dtype)


def test_that_bfloat16_has_a_preview() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    preview = preview_weight(np.full((2, 2), 1.5, ml_dtypes.bfloat16), "conv/kernel")
    assert (preview.mean, preview.dtype) == (1.5, "bfloat16")


def test_that_text_is_refused_in_a_sentence() -> None:
    with pytest.raises(FileError, match="not numbers"):
        preview_weight(np.array(["a", "b"]), "conv/kernel")


@settings(max_examples=150, deadline=None)
@given(arrays.arrays(np.float32, arrays.array_shapes(min_dims=0, max_dims=5, max_side=9), elements=st.floats(width=32)))
def test_that_no_array_is_refused(array: Array) -> None:
    preview = preview_weight(array, "conv/kernel", kernels=3)
    assert preview.counts.sum() + preview.not_finite == array.size
    assert preview.images is None or np.isfinite(preview.images).all()


def test_that_the_largest_doubles_are_no_obstacle() -> None:
    preview = preview_weight(np.array([[1.7e308, -1.7e308], [1e308, 0.0]]), "conv/kernel")
    assert (preview.minimum, preview.maximum) == (-1.7e308, 1.7e308)
    assert preview.counts.sum() == 4
    assert np.isfinite(preview.images).all()

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.interpolation import resize_matrix

sizes = st.integers(1, 40)


@given(sizes, sizes, st.sampled_from(["bilinear", "bicubic"]))
def test_that_a_constant_stays_a_constant(old: Any, new: Any, method: Any) -> None:
    assert np.allclose(resize_matrix(old, new, method) @ np.ones(old), 1.0)


@given(sizes, st.sampled_from(["bilinear", "bicubic"]))
def test_that_the_same_size_changes_nothing(size: Any, method: Any) -> None:
    assert np.allclose(resize_matrix(size, size, method), np.eye(size))


@given(sizes, sizes)
def test_that_mirrored_points_give_mirrored_results(old: Any, new: Any) -> None:
    matrix = resize_matrix(old, new, "bicubic")
    assert np.allclose(matrix, matrix[::-1, ::-1])


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("old", "new"), [(14, 24), (24, 14), (7, 5), (5, 7), (16, 12), (3, 32)])
def test_that_resampling_equals_keras_with_antialiasing(method: Any, old: Any, new: Any) -> None:
    import keras

    image = np.random.default_rng(old * new).standard_normal((1, old, old, 1)).astype("float32")
    oracle = np.asarray(keras.ops.image.resize(image, (new, new), interpolation=method, antialias=True))[0, :, :, 0]
    matrix = resize_matrix(old, new, method)
    assert np.allclose(matrix @ image[0, :, :, 0].astype("float64") @ matrix.T, oracle, atol=2e-5)

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.layers.axes import axes_of
from core.model.graph import Layer
from core.rules import adapt, parse_rule, refusal
from core.rules.initializers import INITIALIZERS, initial

SHAPE = (3, 3, 64, 128)


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_that_every_initializer_is_deterministic_by_seed(name: Any) -> None:
    first, again, other = initial(name, (4, 6), 1), initial(name, (4, 6), 1), initial(name, (4, 6), 2)
    assert np.array_equal(first, again)
    assert np.array_equal(first, other) == (name in ("zeros", "ones", "constant", "identity"))


@pytest.mark.parametrize(
    "name",
    [
        "glorot_uniform",
        "glorot_normal",
        "he_uniform",
        "he_normal",
        "lecun_uniform",
        "lecun_normal",
        "truncated_normal",
        "random_normal",
        "random_uniform",
    ],
)
def test_that_distributions_are_those_of_keras(name: Any) -> None:
    import keras

    oracle = np.asarray(keras.initializers.get({"class_name": name, "config": {"seed": 1}})(SHAPE))
    mine = initial(name, SHAPE, 1)
    assert np.isclose(mine.std(), oracle.std(), rtol=0.02)
    assert np.isclose(np.abs(mine).max(), np.abs(oracle).max(), rtol=0.15)
    assert abs(mine.mean()) < 3 * mine.std() / np.sqrt(mine.size) + 1e-12


@given(st.integers(2, 9), st.integers(2, 9))
def test_that_orthogonal_matrices_are(rows: Any, columns: Any) -> None:
    matrix = initial("orthogonal", (rows, columns), 3)
    small = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    assert np.allclose(small, np.eye(min(rows, columns)))


def test_that_an_identity_convolution_passes_its_input_on() -> None:
    import keras

    x = np.random.default_rng(0).standard_normal((1, 5, 5, 4)).astype("float32")
    kernel = initial("identity", (3, 3, 4, 4)).astype("float32")
    assert np.allclose(np.asarray(keras.ops.conv(x, kernel, padding="same")), x)


def test_that_initialize_makes_a_weight_that_the_source_lacks() -> None:
    axes = axes_of(Layer("d", "Dense"), "kernel", (2, 2))
    rule = parse_rule({"rule": "initialize", "initializer": "Constant", "value": 0.25})
    assert adapt(None, (2, 2), axes, (rule,), dtype="float16").tolist() == [[0.25, 0.25], [0.25, 0.25]]


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"initializer": "glorot"}, "no initializer 'glorot'"), ({"seed": -1}, "0 or more"), ({"mode": "in"}, "fan_in")],
)
def test_that_fields_out_of_range_are_refused(fields: Any, words: Any) -> None:
    rule = parse_rule({"rule": "initialize", **fields})
    assert words in (refusal((2, 2), (2, 2), axes_of(Layer("d", "Dense"), "kernel", (2, 2)), (rule,)) or "")

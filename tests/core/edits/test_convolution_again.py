"""A convolution that changes more than once, and what follows it: padding, statistics, contracts."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import ReplaceFirstConv, SetRule
from core.errors import RecipeError
from tests.core.engine.drive import applied, assert_verified, outputs, plan
from tests.core.engine.small_models import chained

layers = keras.layers


@pytest.mark.parametrize("kernel", [1, 5])
def test_that_padding_by_parity_follows_a_kernel_down_to_one_tap(kernel: int, tmp_path: Path) -> None:
    source = chained(tmp_path, (8, 8, 2), layers.ZeroPadding2D(((0, 1), (0, 1))), layers.Conv2D(4, 3, strides=2))
    written, model = applied(source, tmp_path / "out.keras", ReplaceFirstConv(kernel_size=kernel))
    assert_verified(written.verification)
    assert model.output_shape == (None, 4, 4, 4)


@pytest.mark.parametrize(
    "steps",
    [
        ({"kernel_size": 1}, {"kernel_size": 3}),
        ({"kernel_size": 5, "kernel_rule": "resize"}, {"kernel_size": 7}),
        ({"kernel_size": 5, "kernel_rule": "initialize"}, {"kernel_size": 7}),
        ({"use_bias": False}, {"use_bias": True}),
        ({"filters": 12, "filters_rule": "widen"}, {"filters": 16}),
    ],
)
def test_that_a_second_change_of_a_convolution_is_exact_only_where_the_first_one_lasts(
    steps: tuple[dict[str, Any], ...], tmp_path: Path
) -> None:
    body = layers.Conv2D(8, 3, padding="same", bias_initializer="ones"), layers.Conv2D(4, 3)
    source = chained(tmp_path, (9, 9, 3), *body, layers.GlobalAveragePooling2D())
    written, _ = applied(source, tmp_path / "out.keras", *(ReplaceFirstConv(**fields) for fields in steps))
    assert_verified(written.verification)
    assert any("earlier steps" in finding.message for finding in written.plan.findings)


@pytest.mark.parametrize("widths", [(12, 16), (9, 11, 20), (8, 16)])
def test_that_a_convolution_is_widened_again(widths: tuple[int, ...], tmp_path: Path) -> None:
    body = layers.Conv2D(8, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(), layers.DepthwiseConv2D(3)
    source = chained(tmp_path, (9, 9, 3), *body, layers.Conv2D(4, 3), layers.GlobalAveragePooling2D())
    steps = [ReplaceFirstConv(filters=width, filters_rule="widen") for width in widths]
    written, model = applied(source, tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    assert [one.exact for one in written.plan.contracts] == [True] * len(widths)
    old, x = keras.saving.load_model(source), np.random.default_rng(1).random((2, 9, 9, 3), np.float32)
    np.testing.assert_allclose(outputs(model, x)[0], outputs(old, x)[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rule", ["project", "initialize"])
def test_that_fresh_filters_are_not_copied(rule: Any, tmp_path: Path) -> None:
    source = chained(tmp_path, (9, 9, 3), layers.Conv2D(8, 3), layers.Conv2D(4, 3))
    steps = ReplaceFirstConv(filters=12, filters_rule=rule), ReplaceFirstConv(filters=16, filters_rule="widen")
    with pytest.raises(RecipeError, match="set the number of filters in one step"):
        plan(source, *steps)


def test_that_a_kernel_that_grows_twice_stays_exact(tmp_path: Path) -> None:
    source = chained(tmp_path, (9, 9, 3), layers.Conv2D(8, 3, padding="same"), layers.GlobalAveragePooling2D())
    steps = ReplaceFirstConv(kernel_size=5), ReplaceFirstConv(kernel_size=7)
    written, _ = applied(source, tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    assert [one.exact for one in written.plan.contracts] == [True, True]


def test_that_statistics_started_anew_are_those_of_a_fresh_normalization(tmp_path: Path) -> None:
    body = layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="norm"), layers.Conv2D(2, 1, name="last")
    source = chained(tmp_path, (9, 9, 3), *body)
    edits: list[Any] = [ReplaceFirstConv(layer="conv", filters=6, filters_rule="slice")]
    for finding in plan(source, *edits).findings:
        fixes = [fix for fix in finding.fixes if fix.title == "Reinitialize it"]
        edits += [edit for fix in fixes for edit in fix.edits]
    written, model = applied(source, tmp_path / "out.keras", *edits)
    assert_verified(written.verification)
    ones, zeros = np.ones(6), np.zeros(6)
    for name, value in (("gamma", ones), ("beta", zeros), ("moving_mean", zeros), ("moving_variance", ones)):
        np.testing.assert_array_equal(getattr(model.get_layer("norm"), name), value)
    by_name = SetRule(weight="norm/moving_variance", rule="initialize")
    other = applied(source, tmp_path / "out.keras", *edits, by_name)[1]
    np.testing.assert_array_equal(other.get_layer("norm").moving_variance, ones)

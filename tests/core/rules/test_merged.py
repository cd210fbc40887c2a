from typing import Any

import numpy as np
import pytest

from core.layers.axes import Axes
from core.model.graph import StoreKey
from core.rules import adapt, sibling_name
from core.rules.channels import SumChannels
from core.rules.merged import FoldAfter, FoldBefore, LowRank, Norm, Part, Settled, UnitColumns

RNG = np.random.default_rng(0)
ARRAYS = {
    "kernel": RNG.normal(size=(3, 4)),
    "bias": RNG.normal(size=4),
    "gamma": RNG.uniform(0.5, 1.5, 4),
    "beta": RNG.normal(size=4),
    "mean": RNG.normal(size=4),
    "variance": RNG.uniform(0.5, 1.5, 4),
    "before mean": RNG.normal(size=3),
    "before variance": RNG.uniform(0.5, 1.5, 3),
}
SIBLINGS = {sibling_name(StoreKey(name)): array for name, array in ARRAYS.items()}


def part(name: str) -> Part:
    return Part(StoreKey(name), ARRAYS[name].shape, dtype="float64")


NORM = Norm(part("mean"), part("variance"), part("gamma"), part("beta"), epsilon=1e-3)


def normalized(y: Any) -> Any:
    """What a BatchNormalization gives at inference."""
    scale = ARRAYS["gamma"] / np.sqrt(ARRAYS["variance"] + 1e-3)
    return (y - ARRAYS["mean"]) * scale + ARRAYS["beta"]


def test_that_a_normalization_behind_a_product_is_the_product_of_folded_arrays() -> None:
    kernel = FoldAfter(shape=(3, 4), role="kernel", own=part("kernel"), norm=NORM, over=(1,))
    bias = FoldAfter(shape=(4,), role="bias", own=part("bias"), norm=NORM, over=(0,))
    x = RNG.normal(size=(5, 3))
    made = x @ kernel.merged(SIBLINGS) + bias.merged(SIBLINGS)
    assert np.allclose(made, normalized(x @ ARRAYS["kernel"] + ARRAYS["bias"]), atol=1e-12)


def test_that_a_missing_bias_is_made_of_the_normalization_alone() -> None:
    bias = FoldAfter(shape=(4,), role="bias", own=None, norm=NORM, over=(0,))
    assert np.allclose(bias.merged(SIBLINGS), normalized(np.zeros(4)), atol=1e-12)
    assert set(bias.needs()) == {StoreKey(name) for name in ("gamma", "beta", "mean", "variance")}
    assert bias.reads() == bias.needs()


@pytest.mark.parametrize("around", [(1, 1), (2, 1), (1, 2)])
def test_that_a_normalization_in_front_is_folded_row_by_row(around: tuple[int, int]) -> None:
    rows = 3 * around[0] * around[1]
    kernel = RNG.normal(size=(rows, 4))
    siblings = {**SIBLINGS, sibling_name(StoreKey("wide")): kernel}
    norm = Norm(part("before mean"), part("before variance"), epsilon=0.1)
    wide = Part(StoreKey("wide"), kernel.shape, dtype="float64")
    common: dict[str, Any] = {"kind": "sum", "kernel": wide, "norm": norm, "around": around}
    scaled = FoldBefore(shape=(rows, 4), role="kernel", **common)
    moved = FoldBefore(shape=(4,), role="bias", own=part("bias"), **common)
    x = RNG.normal(size=(around[0], 3, around[1]))
    mean, variance = (ARRAYS[name][None, :, None] for name in ("before mean", "before variance"))
    given = ((x - mean) / np.sqrt(variance + 0.1)).reshape(-1)
    made = x.reshape(-1) @ scaled.merged(siblings) + moved.merged(siblings)
    assert np.allclose(made, given @ kernel + ARRAYS["bias"], atol=1e-12)


def test_that_a_kernel_of_length_and_direction_is_their_product() -> None:
    made = UnitColumns(shape=(3, 4), direction=part("kernel"), length=part("gamma")).merged(SIBLINGS)
    assert np.allclose(np.linalg.norm(made, axis=0), ARRAYS["gamma"])
    assert np.allclose(made / np.linalg.norm(made, axis=0), ARRAYS["kernel"] / np.linalg.norm(ARRAYS["kernel"], axis=0))


def test_that_a_low_rank_update_is_added() -> None:
    down, up = RNG.normal(size=(3, 2)), RNG.normal(size=(2, 4))
    siblings = {**SIBLINGS, sibling_name(StoreKey("down")): down, sibling_name(StoreKey("up")): up}
    rule = LowRank(
        shape=(3, 4),
        kernel=part("kernel"),
        down=Part(StoreKey("down"), (3, 2), dtype="float64"),
        up=Part(StoreKey("up"), (2, 4), dtype="float64"),
        scale=0.5,
    )
    assert np.allclose(rule.merged(siblings), ARRAYS["kernel"] + 0.5 * down @ up)


def test_that_what_earlier_rules_make_of_an_array_is_what_is_merged() -> None:
    summed = Part(StoreKey("kernel"), (1, 4), (SumChannels(),), Axes(kind="kernel", channels=0, filters=1), "float64")
    rule = FoldAfter(shape=(1, 4), role="kernel", own=summed, norm=NORM, over=(1,))
    scale = ARRAYS["gamma"] / np.sqrt(ARRAYS["variance"] + 1e-3)
    made = adapt(ARRAYS["kernel"], (1, 4), Axes(), (rule,), SIBLINGS)
    assert np.allclose(made, ARRAYS["kernel"].sum(axis=0, keepdims=True) * scale)
    assert np.allclose(Settled(shape=(1, 4), own=summed).merged(SIBLINGS), ARRAYS["kernel"].sum(axis=0))
    assert Settled(shape=(1, 4), own=summed).name == "sum"

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RuleError
from core.layers.axes import axes_of
from core.model.graph import Layer
from core.rules import adapt, parse_rule, refusal, rules_that_fit
from core.rules.chain import chain_name

CONV = Layer("c", "Conv2D")
KERNEL = np.random.default_rng(0).standard_normal((3, 3, 2, 4))
AXES = axes_of(CONV, "kernel", KERNEL.shape)


def test_that_project_keeps_the_old_filters_first_and_starts_the_others_at_random() -> None:
    result = adapt(KERNEL, (3, 3, 2, 6), AXES, (parse_rule("project"),))
    assert np.array_equal(result[..., :4], KERNEL)
    assert np.abs(result[..., 4:]).max() > 0.01


def test_that_project_starts_a_bias_at_zero() -> None:
    result = adapt(np.arange(4.0), (6,), axes_of(CONV, "bias", (4,)), (parse_rule("project"),))
    assert result.tolist() == [0, 1, 2, 3, 0, 0]


@given(st.integers(4, 17))
def test_that_widened_filters_and_their_consumer_compute_the_same(width: Any) -> None:
    x = np.random.default_rng(1).standard_normal((5, 2))
    first, second = np.random.default_rng(2).standard_normal((2, 4)), np.random.default_rng(3).standard_normal((4, 3))
    axes = axes_of(Layer("d", "Dense"), "kernel", (2, 4))
    wide = adapt(first, (2, width), axes, (parse_rule("widen"),))
    shared = adapt(second, (width, 3), axes, (parse_rule("repeat"),))
    assert np.allclose(np.maximum(x @ wide, 0) @ shared, np.maximum(x @ first, 0) @ second)


def test_that_slice_keeps_the_classes_asked_for_in_their_order() -> None:
    result = adapt(KERNEL, (3, 3, 2, 2), AXES, (parse_rule({"rule": "slice", "keep": [3, 0]}),))
    assert np.array_equal(result, KERNEL[..., [3, 0]])


@pytest.mark.parametrize(
    ("rule", "target", "words"),
    [
        ("widen", (3, 3, 2, 3), "from 4 to 3"),
        ({"rule": "slice", "keep": [9]}, (3, 3, 2, 1), "0 to 3"),
        ("slice", (3, 3, 2, 5), "from 4 to 5"),
    ],
)
def test_that_a_filter_rule_says_why_it_cannot(rule: Any, target: Any, words: Any) -> None:
    assert words in (refusal(KERNEL.shape, target, AXES, (parse_rule(rule),)) or "")


def test_that_every_chain_offered_really_fits() -> None:
    target = (5, 5, 1, 6)
    chains = rules_that_fit(KERNEL.shape, target, AXES)
    assert len(chains) > 5
    for chain in chains:
        assert adapt(KERNEL, target, AXES, chain).shape == target
    assert chain_name(chains[0]) == "center + sum + widen"
    assert chain_name(chains[-1]) == "initialize"


def test_that_an_unknown_rule_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(RuleError, match="did you mean 'repeat'"):
        parse_rule("repeet")

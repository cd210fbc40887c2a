"""Layers that start at random values and are frozen are told: they would stay noise."""

from pathlib import Path
from typing import Any

import pytest

from core.findings import Finding
from tests.core.engine.drive import plan

HEAD: dict[str, Any] = {"do": "attach_head", "classes": 3}
NO_HEAD: dict[str, Any] = {"do": "remove_head"}
ALL: dict[str, Any] = {"do": "set_trainable", "layers": ["*"]}


def fresh(source: Path, *steps: dict[str, Any]) -> list[Finding]:
    return [one for one in plan(source, *steps).findings if one.code == "freeze.fresh"]


def test_that_a_new_head_that_is_frozen_is_told_and_one_click_trains_it(samples: Path) -> None:
    source = samples / "digits_residual.keras"
    (found,) = fresh(source, NO_HEAD, HEAD, ALL)
    assert found.message == ("2 layers have weights that start at random values but are frozen (first: head_hidden).")
    (fix,) = found.fixes
    (edit,) = fix.edits
    settled = plan(source, NO_HEAD, HEAD, ALL, {"do": "set_trainable", "layers": [*edit.layers], "trainable": True})
    assert not [one for one in settled.findings if one.code == "freeze.fresh"]
    assert {fate.weight for fate in settled.fates if fate.trainable} == {
        "head_hidden/kernel", "head_hidden/bias", "predictions/kernel", "predictions/bias",
    }  # fmt: skip


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((NO_HEAD, ALL, HEAD), id="the head comes after freezing"),
        pytest.param(({"do": "replace_first_conv", "filters": 24, "batch_norm": True}, ALL), id="values are known"),
        pytest.param((ALL,), id="nothing is new"),
    ],
)
def test_that_nothing_is_said_where_nothing_random_is_frozen(samples: Path, steps: tuple[dict[str, Any], ...]) -> None:
    assert fresh(samples / "digits_residual.keras", *steps) == []


def test_that_a_rule_that_starts_a_frozen_kernel_anew_is_told_by_its_layer(samples: Path) -> None:
    anew = {"do": "set_rule", "weight": "stem_conv/kernel", "rule": "initialize"}
    (found,) = fresh(samples / "digits_residual.keras", anew, ALL)
    assert (
        found.message == "stem_conv has weights that start at random values but are frozen, so they are never trained."
    )
    zeros = {"do": "set_rule", "weight": "stem_conv/kernel", "rule": {"rule": "initialize", "initializer": "zeros"}}
    assert fresh(samples / "digits_residual.keras", zeros, ALL) == []

from typing import Any

import numpy as np
import pytest

from core.edits import ChangeInput, SetRule
from core.errors import EditError, RecipeError
from core.recipes.recipe import from_json
from core.rules import Initialize, parse_rule


def test_that_a_rule_settles_one_weight(bench: Any) -> None:
    built = bench("sequential").built(
        SetRule(weight="hidden/kernel", rule=parse_rule({"rule": "initialize", "seed": 3, "initializer": "he_normal"}))
    )
    assert built.fates["hidden/kernel"] == "initialize"
    assert built.fates["hidden/bias"] == "copied"


def test_that_rules_for_other_axes_stay(bench: Any) -> None:
    graph = bench("flat").edited(ChangeInput(shape=(16, 16, 1)), SetRule(weight="stem/kernel", rule="center"))
    assert [rule.name for rule in graph.find("stem").rules_for("kernel")] == ["sum", "center"]
    graph = bench("flat").edited(ChangeInput(shape=(16, 16, 1)), SetRule(weight="stem/kernel", rule="mean"))
    assert [rule.name for rule in graph.find("stem").rules_for("kernel")] == ["mean"]


def test_that_weights_inside_nested_models_are_found(bench: Any) -> None:
    built = bench("nested").built(SetRule(weight="backbone/stem/kernel", rule="initialize"))
    assert built.fates["backbone/stem/kernel"] == "initialize"
    values = np.asarray(built.model.get_layer("backbone").get_layer("stem").kernel)
    assert np.abs(values).max() <= np.sqrt(6 / (3 * 3 * 3 + 3 * 3 * 8))


def test_that_a_rules_fields_may_stand_beside_it_in_json() -> None:
    text = '{"edits": [{"do": "set_rule", "weight": "dense/kernel", "rule": "initialize", "seed": 1}]}'
    assert from_json(text).edits == (SetRule(weight="dense/kernel", rule=Initialize(seed=1)),)
    text = '{"edits": [{"do": "set_rule", "weight": "dense/kernel", "rule": "center", "seed": 1}]}'
    with pytest.raises(RecipeError, match="Edit 1"):
        from_json(text)


@pytest.mark.parametrize(
    ("weight", "rule", "words"),
    [("stemm/kernel", "sum", "no layer"), ("stem/kernal", "sum", "has no weight"), ("stem/kernel", "sun", "'sum'")],
)
def test_that_what_is_not_there_is_refused(bench: Any, weight: Any, rule: Any, words: Any) -> None:
    with pytest.raises(EditError, match=words):
        bench("flat").edited(SetRule(weight=weight, rule=rule))

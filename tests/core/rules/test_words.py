"""Rules in words: every rule of a recipe has them, and its name stands beside them."""

from typing import get_args

import pytest

from core.edits import ChangeInput, SetRule
from core.findings import Action, EditStep, Fix
from core.recipes.words import action_words
from core.rules import RULES, Initialize, KeepRows, SumChannels
from core.rules.initialize import LAYER
from core.rules.words import EFFECTS, WORDS, rule_effect, rule_words


def test_that_every_rule_of_a_recipe_has_words() -> None:
    assert set(RULES) <= set(WORDS)
    assert len(set(WORDS.values())) == len(WORDS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sum", "Sum of the channels (sum)"),
        ("spatial_resize", "Resize the map (spatial_resize)"),
        ("center + sum", "Center the kernel + sum of the channels (center + sum)"),
        ("sum, then repeat", "Sum of the channels + repeat the channels (sum + repeat)"),
        ("fold_batch_norm", "Fold BatchNormalization"),
        ("sum + quantize to int8", "Sum of the channels + quantize to int8 (sum)"),
    ],
)
def test_that_a_fate_says_its_rules_in_words_and_by_the_names_of_recipes(name: str, words: str) -> None:
    assert rule_words(name) == words


def test_that_every_rule_says_what_it_does() -> None:
    assert set(EFFECTS) == set(RULES)
    assert rule_effect(SumChannels()) == EFFECTS["sum"]
    assert "new rows start at the mean of the others" in rule_effect(KeepRows(fresh="mean"))
    assert "at zeros values" in rule_effect(Initialize(initializer="zeros"))
    assert "the layer\u2019s own initial values" in rule_effect(Initialize(initializer=LAYER))


def test_that_an_action_says_what_it_does_and_what_the_recipe_then_says() -> None:
    one = SetRule(weight="dense/kernel", rule=("center", SumChannels()))
    assert action_words(Fix("Do it", (one,))) == (
        f"{EFFECTS['center']} {EFFECTS['sum']}\nAdds the step: dense/kernel: center + sum"
    )
    changed = ChangeInput(shape=(8, 8, 1))
    assert action_words(Fix("Smaller", (changed,), 2)).endswith(f"\nChanges step 2 to: {changed.summary()}")
    off = Fix("Disable this step", (ChangeInput(shape=(8, 8, 1), enabled=False),), 2)
    assert action_words(off) == "Keeps the step in the recipe, but does not apply it."
    others = [kind for kind in get_args(Action) if kind not in (Fix, EditStep)]
    said = [action_words(kind("a") if kind.__struct_fields__ else kind()) for kind in others]
    assert len(set(said)) == len(others)
    assert action_words(EditStep(1)) not in said

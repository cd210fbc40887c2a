"""Rules in words: every rule of a recipe has them, and its name stands beside them."""

import pytest

from core.rules import RULES
from core.rules.words import WORDS, rule_words


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

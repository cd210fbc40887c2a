"""A few letters find a command."""

import pytest

from gui.models.fuzzy import MISS, score

TEXTS = ("Freeze these", "Unfreeze these", "Freeze up to here", "Before", "Find layers", "Next found layer", "Export")


def best(query: str) -> list[str]:
    fits = [(score(query, text), text) for text in TEXTS]
    return [text for fit, text in sorted(fits, key=lambda pair: -pair[0]) if fit != MISS]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("fre", "Freeze these"),
        ("unf", "Unfreeze these"),
        ("up to", "Freeze up to here"),
        ("here up", "Freeze up to here"),
        ("futh", "Freeze up to here"),
        ("fl", "Find layers"),
        ("EXP", "Export"),
        ("xprt", None),
        ("exprt", "Export"),
        ("qqq", None),
    ],
)
def test_that_letters_find_what_begins_so_first(query: str, first: str | None) -> None:
    assert next(iter(best(query)), None) == first


def test_that_letters_inside_other_words_are_no_hit() -> None:
    assert "Before" not in best("fre")


def test_that_no_letters_fit_everything_alike() -> None:
    assert {score("", text) for text in TEXTS} == {0.0}

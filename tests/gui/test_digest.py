"""Numbers, drift and the fates of groups in words."""

import pytest

from core.model.plan import Fate
from gui.dialogs.export import drift_words
from gui.models import digest


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (None, "\u2013"),
        (0, "0"),
        (812, "812"),
        (1000, "1.0K"),
        (23_600, "23.6K"),
        (99_960, "100.0K"),
        (109_000, "109K"),
        (25_636_712, "25.6M"),
        (4_100_000_000, "4.1G"),
        (3_000_000_000_000, "3000G"),
    ],
)
def test_that_counts_read_as_people_say_them(number: int | None, words: str) -> None:
    assert digest.count_words(number) == words


def test_that_drift_is_told_in_words() -> None:
    assert drift_words(0.0, exact=True) == "exactly equal"
    assert drift_words(2e-7, exact=True) == "equal up to rounding (2.0e-07 relative)"
    assert drift_words(0.034, exact=False) == "drifts by 3.40% relative"


def test_that_a_weight_whose_name_has_a_slash_belongs_to_its_layer() -> None:
    fates = [Fate("body/lstm/cell/kernel", "adapted", (1,), rule="sum"), Fate("body/lstm/cell/bias", "copied", (1,))]
    around = {"body": "", "body/lstm": "body"}
    found = digest.badges([(digest.layer_of(fate.weight, around), fate) for fate in fates], around)
    assert set(found) == {"body", "body/lstm"}
    assert found["body/lstm"].words() == "1 adapted: Sum of the channels (sum), 1 copied"
    assert found["body"].fate == "adapted"

"""A shape is written in one way, and a name that is nearly right is answered with the right one."""

import pytest

from core.phrases import did_you_mean, sample_words, shape_words


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((32, 32, 3), "32\N{MULTIPLICATION SIGN}32\N{MULTIPLICATION SIGN}3"),
        ([3, 3, 1, 16], "3\N{MULTIPLICATION SIGN}3\N{MULTIPLICATION SIGN}1\N{MULTIPLICATION SIGN}16"),
        ((None, 224, 3), "any\N{MULTIPLICATION SIGN}224\N{MULTIPLICATION SIGN}3"),
        ((10,), "10"),
        ((), "scalar"),
        (None, "unknown"),
    ],
)
def test_that_a_shape_is_written_with_times_signs(shape: object, words: str) -> None:
    assert shape_words(shape) == words  # type: ignore[arg-type]


def test_that_the_shape_of_a_tensor_leaves_the_batch_out() -> None:
    assert sample_words((None, 224, None, 3)) == "224\N{MULTIPLICATION SIGN}any\N{MULTIPLICATION SIGN}3"
    assert sample_words((None,)) == "scalar"
    assert sample_words(None, "") == ""


def test_that_a_near_name_is_offered() -> None:
    assert did_you_mean("blok1", ("block1", "head")) == "; did you mean 'block1'?"


def test_that_a_name_that_is_near_to_none_ends_the_sentence_as_asked() -> None:
    assert did_you_mean("zzz", ("block1", "head")) == "."
    assert did_you_mean("zzz", ("block1",), "; known are block1.") == "; known are block1."

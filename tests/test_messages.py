"""Everything that Suture says in findings and errors: one page, read off the source, and what holds of every sentence.

`--update-messages` writes `resources/help/messages.md`.
"""

import re

import pytest

from tests.helpers.sentences import PAGE, page

ODD = ("whose number is another", "is no image", "made a mistake", "must lie in", "is another now", "is no code")
"""Turns of phrase that no native speaker uses for these facts."""


def _said() -> list[str]:
    first = page().split("\n# Findings and errors\n")[1].split("\n# ")[0]
    return [line.removeprefix("- ") for line in first.split("\n") if line.startswith("- ")]


def test_that_the_page_of_messages_is_what_the_source_says(request: pytest.FixtureRequest) -> None:
    now = page()
    if request.config.getoption("--update-messages"):
        PAGE.write_text(now, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == now, "write it anew: pytest tests/test_messages.py --update-messages"


def test_that_sentences_are_short_enough_to_be_read() -> None:
    assert [text for text in _said() if len(text) > 420] == []


def test_that_no_sentence_is_written_oddly() -> None:
    odd = [text for text in _said() if any(turn in text for turn in ODD) or "  " in text]
    assert odd == []


def test_that_no_sentence_ends_in_the_middle() -> None:
    """What starts like a sentence and has several ends with a full stop, a colon or something filled in."""
    several = [text for text in _said() if re.search(r"[a-z\])}]\. [A-Z]", text)]
    assert [text for text in several if text[-1] not in ".:}?)"] == []

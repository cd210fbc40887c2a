"""How well a few letters fit a name: words in any order, their beginnings best, letters with gaps last."""

import re

_STARTS = re.compile(r"(?<![a-z0-9])[a-z0-9]")
MISS = -1.0


def score(query: str, text: str) -> float:
    """0 for no query, more for a better fit, `MISS` for none: every word of the query must be found."""
    lower = text.lower()
    total = 0.0
    for word in query.lower().split():
        one = _word(word, lower)
        if one == MISS:
            return MISS
        total += one
    return total - len(lower) / 1000 if total else 0.0


def _word(word: str, text: str) -> float:
    at = text.find(word)
    while at > 0 and text[at - 1].isalnum():
        further = text.find(word, at + 1)
        if further < 0:
            break
        at = further
    if at == 0:
        return 10.0
    if at > 0:
        return 6.0 if text[at - 1].isalnum() else 8.0
    initials = "".join(_STARTS.findall(text))
    if len(word) > 1 and word in initials:
        return 5.0
    return _scattered(word, text)


def _scattered(word: str, text: str) -> float:
    """Letters in this order from the start of a word on, with gaps: short ones are better, long ones are a miss."""
    if len(word) < 3:
        return MISS
    best = MISS
    for found in _STARTS.finditer(text):
        at, gaps = found.start(), 0
        if text[at] != word[0]:
            continue
        for letter in word[1:]:
            after = text.find(letter, at + 1)
            if after < 0:
                return best
            gaps += after - at - 1
            at = after
        if gaps <= 2 * len(word):
            best = max(best, 4.0 - gaps / len(word))
    return best

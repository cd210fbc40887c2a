"""Answers remembered by identity."""

import gc
import weakref

from core.caches import IdentityCache


class Thing:
    """All are equal; none is another."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing)

    __hash__ = None  # type: ignore[assignment]


def test_that_the_same_object_is_answered_once_and_an_equal_one_by_itself() -> None:
    cache: IdentityCache[int] = IdentityCache(8)
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    one, other = Thing(), Thing()
    answers = [
        cache.get((one,), make),
        cache.get((one,), make),
        cache.get((other,), make),
        cache.get((one,), make, "x"),
    ]
    assert answers == [0, 0, 1, 2]


def test_that_the_oldest_answers_go_first_and_no_more_are_kept_than_allowed() -> None:
    cache: IdentityCache[str] = IdentityCache(3)
    things = [Thing() for _ in range(10)]
    for thing in things:
        cache.get((thing,), lambda: "made")
    assert len(cache) == 3
    assert cache.get((things[-1],), lambda: "anew") == "made"
    assert cache.get((things[0],), lambda: "anew") == "anew"


def test_that_an_object_lives_as_long_as_its_answer() -> None:
    """Else another object could get its id, and its answer."""
    cache: IdentityCache[int] = IdentityCache(1)
    thing = Thing()
    alive = weakref.ref(thing)
    cache.get((thing,), lambda: 1)
    del thing
    gc.collect()
    assert alive() is not None
    cache.get((Thing(),), lambda: 2)
    gc.collect()
    assert alive() is None

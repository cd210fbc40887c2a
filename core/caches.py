"""Answers remembered by the very objects they are about: as values never change, their answers do not either."""

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class IdentityCache(Generic[T]):
    """At most `most` answers by the identity of objects; the oldest go first.

    An entry keeps its objects alive, so that no other object gets their ids while it is known.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[Any, tuple[tuple[object, ...], T]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, objects: tuple[object, ...], make: Callable[[], T], also: Hashable = None) -> T:
        """The answer for these objects, and for what is equal to `also`; `make` finds it when it is not known."""
        key = (*map(id, objects), also)
        entry = self._known.get(key)
        if entry is None:
            answer = make()
            while len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            entry = self._known[key] = (objects, answer)
        return entry[1]

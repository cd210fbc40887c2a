"""Answers remembered by the very objects they are about: as values never change, their answers do not either."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

T = TypeVar("T")

_ALL: "WeakSet[IdentityCache[Any]]" = WeakSet()


class IdentityCache(Generic[T]):
    """At most `most` answers by the identity of objects; the oldest go first.

    An entry keeps its objects alive, so that no other object gets their ids while it is known.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # the first entry of a plain dict takes longer to find the more were deleted before it
        self._known: OrderedDict[Any, tuple[tuple[object, ...], T]] = OrderedDict()
        _ALL.add(self)

    def clear(self) -> None:
        """Let everything go."""
        self._known.clear()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, objects: tuple[object, ...], make: Callable[[], T], also: Hashable = None) -> T:
        """The answer for these objects, and for what is equal to `also`; `make` finds it when it is not known."""
        key = (*map(id, objects), also)
        entry = self._known.get(key)
        if entry is None:
            answer = make()
            while len(self._known) >= self._most:
                self._known.popitem(last=False)
            entry = self._known[key] = (objects, answer)
        return entry[1]


def forget_all() -> None:
    """Clear every cache of this process: a model is closed, and what they know of it keeps it alive."""
    for cache in list(_ALL):
        cache.clear()

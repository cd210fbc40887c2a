"""What a plan says of the arrays below one path, without a look at those of all other layers."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from core.caches import IdentityCache
from core.model.plan import Fate, Plan


class Below(Struct, frozen=True):
    """What happens at or below a path: to the weights there, and to arrays of the source that were there.

    `merged` pairs an array with the weight that it goes into.
    """

    weights: tuple[Fate, ...] = ()
    sources: tuple[Fate, ...] = ()
    merged: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()


class _Index(Struct, frozen=True):
    """The places of a plan's entries by each path that they are below."""

    weights: dict[str, list[int]]
    sources: dict[str, list[int]]
    merged: dict[str, list[int]]
    dropped: dict[str, list[int]]


_INDEX: IdentityCache[_Index] = IdentityCache(4)


def below(plan: Plan, path: str) -> Below:
    """The entries of a plan whose arrays are below a path, in the order of the plan."""
    index = _INDEX.get((plan,), lambda: _indexed(plan))
    return Below(
        tuple(plan.fates[at] for at in index.weights.get(path, ())),
        tuple(plan.fates[at] for at in index.sources.get(path, ())),
        tuple(plan.merged[at] for at in index.merged.get(path, ())),
        tuple(plan.dropped[at] for at in index.dropped.get(path, ())),
    )


def _indexed(plan: Plan) -> _Index:
    return _Index(
        _places(fate.weight for fate in plan.fates),
        _places(fate.source or "" for fate in plan.fates),
        _places(array for array, _ in plan.merged),
        _places(plan.dropped),
    )


def _places(names: Iterable[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        for path in _around(name):
            found.setdefault(path, []).append(number)
    return found


def _around(name: str) -> Iterator[str]:
    """`a` and `a/b` of `a/b/kernel`."""
    at = name.find("/")
    while at >= 0:
        yield name[:at]
        at = name.find("/", at + 1)

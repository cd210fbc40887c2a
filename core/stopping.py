"""Work that somebody may no longer want: loops over layers ask on their way whether to go on.

A plan is made of pure functions, so it can end anywhere: nothing half-done is kept. Who starts the work says when.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Superseded(BaseException):
    """The answer is not wanted any more. No `Exception`, since those are what Keras says of a layer."""


_STOP: list[Callable[[], bool]] = []


@contextmanager
def stoppable(stop: Callable[[], bool]) -> Iterator[None]:
    """What is done inside ends with `Superseded` at the first checkpoint at which `stop` says so."""
    _STOP.append(stop)
    try:
        yield
    finally:
        _STOP.pop()


def checkpoint() -> None:
    """A place to end. Raises `Superseded`; costs next to nothing where nobody asked to be able to stop."""
    if _STOP and _STOP[-1]():
        raise Superseded

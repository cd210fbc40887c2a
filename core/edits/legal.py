"""Which sizes a model takes: the smallest, the multiples that work, the layer that forbids a wanted one."""

from collections.abc import Callable

from msgspec import Struct

Obstacle = Callable[[int], str | None]
"""For a size: the path of the first layer that refuses it, or `None` when everything fits."""


class LegalSizes(Struct, frozen=True):
    """`smallest` size that works (`None`: none up to the limit), the step `multiple` from which all multiples work,
    the nearest legal sizes around the wanted one, and who forbids it (`None`: it is legal).
    """

    wanted: int
    forbidden_by: str | None
    smallest: int | None
    multiple: int
    below: int | None
    above: int | None

    def sentence(self) -> str:
        """For beside the input fields."""
        if self.smallest is None:
            return f"No size works: {self.forbidden_by} forbids {self.wanted}."
        step = f", multiples of {self.multiple}" if self.multiple > 1 else ""
        text = f"From {self.smallest}{step}."
        if self.forbidden_by is None:
            return text
        near = " or ".join(str(size) for size in (self.below, self.above) if size is not None)
        return f"{self.forbidden_by} forbids {self.wanted}; {near} works. {text}"


def legal_sizes(obstacle: Obstacle, wanted: int, limit: int = 1024) -> LegalSizes:
    """Search around `wanted` with a function that follows shapes. Asks it some dozens of times.

    The multiple is the smallest power of two (up to 128) of which the next three multiples all work, beginning near
    the wanted size; so a U-Net of five halvings says 32.
    """
    answers: dict[int, str | None] = {}

    def ask(size: int) -> str | None:
        if size not in answers:
            answers[size] = obstacle(size)
        return answers[size]

    forbidden = ask(wanted)
    multiple = next((step for step in _steps() if _all_work(ask, wanted, step, limit)), 0)
    smallest = _smallest(ask, max(multiple, 1), limit)
    if smallest is None:
        return LegalSizes(wanted, forbidden, None, max(multiple, 1), None, None)
    if forbidden is None:
        return LegalSizes(wanted, None, smallest, max(multiple, 1), wanted, wanted)
    step = max(multiple, 1)
    below = next((size for size in range(wanted - wanted % step, smallest - 1, -step) if ask(size) is None), None)
    first = wanted - wanted % step + step
    first = max(first, smallest)
    above = next((size for size in range(first, first + 8 * step, step) if ask(size) is None), None)
    return LegalSizes(wanted, forbidden, smallest, step, below, above)


def _steps() -> tuple[int, ...]:
    return (1, 2, 4, 8, 16, 32, 64, 128)


def _all_work(ask: Obstacle, wanted: int, step: int, limit: int) -> bool:
    start = max(step, wanted - wanted % step)
    for number in range(1, 4):
        size = start + number * step
        if size > limit + 4 * step or ask(size) is not None:
            return False
    return True


def _smallest(ask: Obstacle, step: int, limit: int) -> int | None:
    """The smallest multiple of `step` from which it works; what works at a size works at all larger multiples."""
    low, high = 0, 1
    while ask(high * step) is not None:
        low, high = high, high * 2
        if high * step > limit:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if ask(middle * step) is None:
            high = middle
        else:
            low = middle
    return high * step

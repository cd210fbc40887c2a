"""Which place on a tensor's channel axis belongs to which channel of the input that is followed.

The axis is a row of blocks: `(outer, channels, inner)` numbers for the followed channels, in some order, or so many
numbers that come from elsewhere. Flatten repeats channels place by place (`outer`), a depthwise convolution gives each
several (`inner`), a flip turns them round, Concatenate puts blocks side by side. The same blocks say where the numbers
lie for any number of channels, so a rule can take rows to where they belong.
"""

from math import prod
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.rules.channels import ChannelRule

UP, DOWN = "up", "down"


class Block(Struct, frozen=True):
    """Neighbours on a channel axis. `foreign` of them are no channels of the input; else `(outer, channels, inner)`.

    `order` is `up`, `down`, or the channels one by one. `outer` is `None` where the map's size is not known.
    """

    outer: int | None = 1
    inner: int = 1
    order: str | tuple[int, ...] = UP
    foreign: int = 0

    def width(self, channels: int) -> int | None:
        """How many numbers there are for so many channels."""
        if self.foreign:
            return self.foreign
        return None if self.outer is None else self.outer * channels * self.inner


Blocks = tuple[Block, ...]
WHOLE: Blocks = (Block(),)


def width(blocks: Blocks, channels: int) -> int | None:
    """How long the axis is for so many channels; `None` where a map's size is not known."""
    sizes = [block.width(channels) for block in blocks]
    return None if None in sizes else sum(size or 0 for size in sizes)


def regular(blocks: Blocks) -> bool:
    """Whether there is one block with the channels in order, which rules know by its `inner` alone."""
    return len(blocks) == 1 and not blocks[0].foreign and blocks[0].order == UP


def single(blocks: Blocks) -> bool:
    """Whether the axis holds every channel once and nothing else."""
    return len(blocks) == 1 and not blocks[0].foreign and blocks[0].outer == 1 and blocks[0].inner == 1


def multiplied(blocks: Blocks, by: int) -> Blocks:
    """Every number becomes `by` neighbours, as in a depthwise convolution."""
    return tuple(
        Block(foreign=block.foreign * by) if block.foreign else Block(block.outer, block.inner * by, block.order)
        for block in blocks
    )


def repeated(blocks: Blocks, times: int | None) -> Blocks | None:
    """The whole row so many times; `None` where that is not known and cannot be written down."""
    if len(blocks) == 1 and not blocks[0].foreign:
        block = blocks[0]
        outer = None if times is None or block.outer is None else block.outer * times
        return (Block(outer, block.inner, block.order),)
    return None if times is None or times * len(blocks) > _MOST else blocks * times


def flipped(blocks: Blocks) -> Blocks:
    """The row from its end."""
    return tuple(block if block.foreign else replace(block, order=_turned(block.order)) for block in reversed(blocks))


def _turned(order: str | tuple[int, ...]) -> str | tuple[int, ...]:
    if isinstance(order, str):
        return DOWN if order == UP else UP
    return tuple(reversed(order))


def grown(order: str | tuple[int, ...], channels: int) -> tuple[int, ...]:
    """The order for another number of channels: further ones come last, missing ones go."""
    if order == UP:
        return tuple(range(channels))
    if order == DOWN:
        return tuple(reversed(range(channels)))
    kept = tuple(int(one) for one in order if int(one) < channels)
    return (*kept, *(one for one in range(channels) if one not in kept))


def positions(blocks: Blocks, channels: int) -> tuple[int, ...]:
    """Where the channels lie, copy by copy: first those of the first copy in order, then the next one's."""
    found: list[Any] = []
    start = 0
    for block in blocks:
        size = block.width(channels)
        assert size is not None
        if not block.foreign:
            places = np.arange(start, start + size).reshape(block.outer or 1, channels, block.inner)
            where = np.argsort(np.asarray(grown(block.order, channels), dtype=int))
            found.append(places[:, where, :].transpose(0, 2, 1).reshape(-1))
        start += size
    return tuple(int(one) for one in np.concatenate(found)) if found else ()


def placed(rule: ChannelRule, blocks: Blocks, old: int, new: int) -> ChannelRule | None:
    """The rule for an axis that holds `blocks` of `old` channels now and is to hold `new`; `None` where it cannot be.

    A rule is told where the channels lie only when they are not simply in order.
    """
    if regular(blocks):
        return replace(rule, source=old, inner=blocks[0].inner, rows=(), places=())
    if width(blocks, old) is None:
        return None
    return replace(rule, source=old, inner=1, rows=positions(blocks, old), places=positions(blocks, new))


def mapped(array: Any, axis: int, blocks: Blocks, picks: Any) -> Any:
    """Numbers along `axis` for another number of channels, by the matrix `picks (new, old)`."""
    new, old = picks.shape
    rows, places = positions(blocks, old), positions(blocks, new)
    moved = np.moveaxis(np.asarray(array, dtype=np.float64), axis, 0)
    channels = moved[list(rows)].reshape(-1, old, *moved.shape[1:])
    fresh = np.einsum("nc,tc...->tn...", picks, channels).reshape(-1, *moved.shape[1:])
    rest = np.delete(moved, list(rows), axis=0)
    result = np.zeros((len(rest) + len(places), *moved.shape[1:]))
    result[list(places)] = fresh
    result[np.setdiff1d(np.arange(len(result)), places)] = rest
    return np.moveaxis(result, 0, axis)


def reshaped(
    blocks: Blocks, axis: int, shape: tuple[int | None, ...], target: tuple[int | None, ...]
) -> tuple[Blocks, int] | None:
    """Blocks and axis after a reshape that keeps the batch. `None` where channels would be mixed with other things."""
    before, after = _count(shape[1:axis]), _count(shape[axis + 1 :])
    size = shape[axis]
    if size is None:
        return None
    for place in range(1, len(target)):
        left, right = _count(target[1:place]), _count(target[place + 1 :])
        outer, inner = _ratio(before, left), _ratio(after, right)
        wanted = target[place]
        if inner == 1 and place > 1 and wanted == size:
            return blocks, place  # what is ahead of it is merged or split among itself
        if outer == -1 or inner == -1 or inner is None:
            continue
        if outer is None and (place > 1 or wanted is not None):
            continue
        if outer is not None and wanted is not None and wanted != outer * size * inner:
            continue
        found = repeated(multiplied(blocks, inner) if inner > 1 else blocks, outer)
        if found is not None and (inner == 1 or len(blocks) == 1):
            return found, place
    return None


def _count(sizes: tuple[int | None, ...]) -> int | None:
    return None if None in sizes else prod(size or 0 for size in sizes)


def _ratio(whole: int | None, part: int | None) -> int | None:
    """How many times a part goes into what is there; -1 where it does not, `None` where that is not known."""
    if whole is None:
        return None if part == 1 else -1
    if part is None or part == 0 or whole % part:
        return -1
    return whole // part


_MOST = 20_000

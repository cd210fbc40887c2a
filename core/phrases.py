"""The few phrases that every face uses: a shape in words, and a hint at what was meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

TIMES = "\N{MULTIPLICATION SIGN}"
DYNAMIC = "any"


def shape_words(shape: Iterable[object] | None, unknown: str = "unknown") -> str:
    """A shape, grid or kernel size as `32x32x3` with times signs; `any` stands for a dynamic size."""
    return unknown if shape is None else _words(tuple(shape))


def sample_words(shape: Iterable[object] | None, unknown: str = "unknown") -> str:
    """The shape of a tensor in words, the batch left out."""
    return unknown if shape is None else _words(tuple(shape)[1:])


def _words(sizes: tuple[object, ...]) -> str:
    try:
        return _joined(sizes)
    except TypeError:  # the configs of odd files hold lists where a size should be
        return _joined.__wrapped__(sizes)


@lru_cache(4096)
def _joined(sizes: tuple[object, ...]) -> str:
    """A model has few shapes, and every view asks for each of them again and again."""
    return TIMES.join(DYNAMIC if size is None else str(size) for size in sizes) or "scalar"


def did_you_mean(name: object, known: Iterable[object], otherwise: str = ".") -> str:
    """The end of a sentence about an unknown name: the nearest known one, or `otherwise` if none is near."""
    near = get_close_matches(str(name), [str(one) for one in known], n=1)
    return f"; did you mean {near[0]!r}?" if near else otherwise

"""Where a convolution's taps lie on its map, and where the old taps belong in a larger kernel so that nothing changes.

Output `o` of a convolution reads the map at `o * stride + tap * dilation - ahead`, where `ahead` zeros are put before
the map: none for `valid`, `(taps - 1) * dilation` for `causal`, and for `same` half of what is missing, rounded down
(TensorFlow puts the odd zero behind). A transposed convolution writes where that convolution reads. The old taps,
moved by `(ahead' - ahead) / dilation`, read what they read; where that is no whole number nothing is exact.
"""

from typing import Any

from msgspec import Struct

from core.layers import table
from core.model.graph import Layer
from core.rules.kernels import center_offset


class Window(Struct, frozen=True):
    """One spatial axis of a convolution. `pads` are zeros that a padding layer ahead of it adds."""

    taps: int
    stride: int = 1
    dilation: int = 1
    padding: str = "valid"
    transposed: bool = False
    output_padding: int | None = None
    pads: tuple[int, int] = (0, 0)

    @property
    def reach(self) -> int:
        """From the first tap to the last, both counted."""
        return (self.taps - 1) * self.dilation + 1

    def placed(self, size: int) -> tuple[int, int]:
        """`(ahead, how large the result is)` on a map of `size`."""
        if self.transposed:
            return self._written(size)
        size += sum(self.pads)
        if self.padding == "same":
            count = -(-size // self.stride)
            ahead = max((count - 1) * self.stride + self.reach - size, 0) // 2
        elif self.padding == "causal":
            ahead, count = self.reach - 1, (size - 1) // self.stride + 1
        else:
            ahead, count = 0, (size - self.reach) // self.stride + 1
        return ahead + self.pads[0], count

    def _written(self, size: int) -> tuple[int, int]:
        """The same for a transposed one, by the sizes that Keras gives its output."""
        same, more = self.padding == "same", self.output_padding
        if more is not None:
            large = (size - 1) * self.stride + self.reach + more - (2 * (self.reach // 2) if same else 0)
        else:
            large = size * self.stride + (0 if same else max(self.reach - self.stride, 0))
        missing = max((size - 1) * self.stride + self.reach - large, 0) if same else 0
        return missing // 2, large


def exact_offset(old: Window, new: Window, size: int | None) -> int | None:
    """At which tap of `new` the first tap of `old` gives what it gave; `None` where no place does.

    With an unknown `size` it must be the same for all sizes, which depends on what is left of them by the stride.
    """
    offsets = {_offset(old, new, one) for one in ([size] if size is not None else _sizes(old, new))}
    return offsets.pop() if len(offsets) == 1 else None


def _offset(old: Window, new: Window, size: int) -> int | None:
    (before, count), (after, larger) = old.placed(size), new.placed(size)
    offset, rest = divmod(after - before, new.dilation)
    fits = 0 <= offset <= new.taps - old.taps
    return offset if fits and not rest and count == larger else None


def _sizes(old: Window, new: Window) -> range:
    first = max(old.reach, new.reach)
    return range(first, first + max(old.stride, new.stride) + 1)


def nearest_offset(old: Window, new: Window) -> int:
    """Where the old taps go when nothing is exact: to the end where a convolution looks back, else to the middle."""
    return new.taps - old.taps if old.padding == "causal" else center_offset(old.taps, new.taps)


def windows(layer: Layer, taps: tuple[int, ...], pads: list[tuple[int, int]] | None = None) -> tuple[Window, ...]:
    """The spatial axes of a convolution (no wrapper) if it had so many taps."""
    rank = len(taps)
    more = layer.config.get("output_padding")
    return tuple(
        Window(
            count,
            _each(layer.config.get("strides") or 1, axis),
            _each(layer.config.get("dilation_rate") or 1, axis),
            str(layer.config.get("padding") or "valid"),
            table.row(layer).kind == "transposed",
            None if more is None else _each(more, axis),
            pads[axis] if pads is not None and len(pads) == rank else (0, 0),
        )
        for axis, count in enumerate(taps)
    )


def _each(value: Any, axis: int) -> int:
    return int(value[axis % len(value)]) if isinstance(value, (list, tuple)) else int(value)

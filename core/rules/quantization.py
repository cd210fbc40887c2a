"""Quantized arrays to floats and back, as Keras 3.15 reckons in the calls and in `quantize` of its layers.

Sources: `keras/src/quantizers/quantizers.py` (`abs_max_quantize`, `abs_max_quantize_grouped_with_zero_point`,
`dequantize_with_sz_map`, `pack_int4`, `unpack_int4`), `layers/core/dense.py`, `einsum_dense.py`, `embedding.py`,
`reversible_embedding.py`. Which array is quantized how is read off the layer in `core.surgery.quantized`.
"""

from collections.abc import Mapping, Sequence
from math import ceil, prod
from typing import Any, ClassVar, Literal

import numpy as np
from msgspec import Struct

from core.errors import RuleError
from core.layers.axes import Axes
from core.model.graph import StoreKey
from core.phrases import shape_words
from core.rules.base import Array, Rule, sibling_name
from core.rules.chain import adapt, chain_name, refusal
from core.rules.initialize import LAYER

_EPSILON = 1e-7
"""Keras's `backend.epsilon()`, which keeps an array of zeros from dividing by zero."""
_RANGES = {"int8": (-127, 127), "int4": (-8, 7)}
Part = Literal["values", "scale", "zero", "groups"]


class Layout(Struct, frozen=True):
    """How a quantized array lies.

    `reduced` are the axes of the float array that share a scale. `packed` is the axis along which two int4 numbers
    share a byte (`None`: one number a byte). `flat` makes a table of `rows` (0: the product of the axes in `reduced`)
    and columns of the array before it is packed. A scale for each slice of the reduced axes is stored as `transpose`,
    `expand` and `squeeze` say of the array with these axes at length 1. `block` rows of the axis `grouped` share a
    scale and a zero.
    `turned`: the array is stored the other way round, unsigned (GPTQ, AWQ).
    """

    reduced: tuple[int, ...]
    packed: int | None = None
    flat: bool = False
    transpose: tuple[int, ...] = ()
    expand: tuple[int, ...] = ()
    squeeze: tuple[int, ...] = ()
    block: int = -1
    grouped: int = 0
    turned: bool = False
    rows: int = 0

    def table(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The float array's shape as it is quantized: itself, or rows and columns."""
        if not self.flat:
            return tuple(shape)
        rows = self.rows or prod(size for axis, size in enumerate(shape) if axis in self.reduced)
        return rows, prod(shape) // max(rows, 1)

    def spread(self, scale: Array, rank: int) -> Array:
        """A stored scale in a shape that broadcasts over the float array."""
        if self.squeeze:
            scale = np.expand_dims(scale, self.squeeze)
        if self.expand:
            scale = np.squeeze(scale, self.expand)
        if self.transpose:
            scale = np.transpose(scale, np.argsort(self.transpose))
        if scale.ndim != rank:
            raise RuleError(f"A scale of {shape_words(scale.shape)} does not fit an array of {rank} axes.")
        return scale

    def stored(self, scale: Array) -> Array:
        """The opposite: a scale with reduced axes of length 1 as it is stored."""
        if self.transpose:
            scale = np.transpose(scale, self.transpose)
        if self.expand:
            scale = np.expand_dims(scale, self.expand)
        return np.squeeze(scale, self.squeeze) if self.squeeze else scale


class Dequantize(Rule, frozen=True, kw_only=True, tag="dequantize"):
    """The floats that a quantized array stands for: `q / scale`, or `(q - zero) * scale` in groups.

    `shape` is the float array's. `scale`, `zero`, `groups` (and `turned_by`, the scales that AWQ divides by) are
    arrays of the same source. Edits record it with the weight; a recipe says `set_dtype`.
    """

    always: ClassVar[bool] = True
    shape: tuple[int, ...]
    layout: Layout
    scale: StoreKey
    zero: StoreKey | None = None
    groups: StoreKey | None = None
    turned_by: StoreKey | None = None

    def fixed_shape(self) -> tuple[int, ...] | None:
        """The float array's shape."""
        return self.shape

    def needs(self) -> tuple[StoreKey, ...]:
        """Scales, and where they are shared by groups, zeros and who belongs to which."""
        return tuple(key for key in (self.scale, self.zero, self.groups, self.turned_by) if key is not None)

    def reads(self) -> tuple[StoreKey, ...]:
        """The same: with the numbers they make the floats."""
        return self.needs()

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """It fits whatever it was recorded for."""
        return None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Float32, in the shape that the layer has without quantization."""
        table = self.layout.table(self.shape)
        stored = table[::-1] if self.layout.turned else table
        numbers = array
        if self.layout.packed is not None:
            numbers = unpacked(array, stored[self.layout.packed], self.layout.packed, signed=not self.layout.turned)
        if numbers.shape != stored:
            raise RuleError(
                f"dequantize expects {shape_words(stored)}, but the source has {shape_words(numbers.shape)}."
            )
        scale = siblings[sibling_name(self.scale)].astype(np.float32)
        if self.zero is None or self.groups is None:
            values: Array = numbers.astype(np.float32) / self.layout.spread(scale, len(table))
        else:
            groups = siblings[sibling_name(self.groups)].astype(np.int32)
            axis = self.layout.grouped
            zero = np.take(siblings[sibling_name(self.zero)], groups, axis=axis).astype(np.float32)
            values = (numbers.astype(np.float32) - zero) * np.take(scale, groups, axis=axis)
        if self.layout.turned:
            values = values.T
        if self.turned_by is not None:
            values = values / siblings[sibling_name(self.turned_by)].astype(np.float32)[:, None]
        return np.ascontiguousarray(values.reshape(self.shape))


class Quantize(Rule, frozen=True, kw_only=True, tag="quantize"):
    """One of the arrays that Keras's `quantize` makes of a float array: its `part`, after `inner` made that array.

    `shape` and `axes` are the float array's, `of` is its name. Edits do not record it: it follows from a quantized
    dtype policy.
    """

    makes: ClassVar[bool] = True
    always: ClassVar[bool] = True
    mode: Literal["int8", "int4"]
    part: Part
    shape: tuple[int, ...]
    layout: Layout
    axes: Axes
    of: str
    inner: tuple[Any, ...] = ()

    @property
    def starts(self) -> bool:
        """Whether the floats are what the layer starts with as long as it is not quantized; `apply` is given them."""
        return bool(self.inner) and getattr(self.inner[0], "initializer", "") == LAYER

    @property
    def name(self) -> str:
        """The rules in words."""
        own = f"quantize to {self.mode}"
        return f"{chain_name(self.inner)} + {own}" if self.inner else own

    def fixed_shape(self) -> tuple[int, ...] | None:
        """Whatever the layer needs; the array that is quantized has another shape."""
        return None

    def needs(self) -> tuple[StoreKey, ...]:
        """What the rules before it look at."""
        return tuple(key for rule in self.inner for key in rule.needs())

    def reads(self) -> tuple[StoreKey, ...]:
        """What goes into the float array."""
        return tuple(key for rule in self.inner for key in rule.reads())

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why not, or `None`."""
        makes = any(rule.makes for rule in self.inner)
        return refusal(self.shape if makes else shape, self.shape, self.axes, self.inner)

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """Bit for bit what Keras stores for this part, from a float32 array."""
        inner = self.inner[1:] if self.starts else self.inner
        fresh = any(rule.name == "initialize" for rule in inner)
        values = adapt(None if fresh else array, self.shape, self.axes, inner, siblings).astype(np.float32)
        table = values.reshape(self.layout.table(self.shape))
        if self.part == "groups":
            return (np.arange(table.shape[self.layout.grouped]) // self.layout.block).astype(np.float32)
        if self.layout.block > 0:
            turn = self.layout.grouped != 0
            found = _grouped(table.T if turn else table, self.layout.block)
            numbers, scale, zero = (one.T if turn else one for one in found)
        else:
            reduced = (0,) if self.layout.flat else self.layout.reduced
            numbers, scale = _by_largest(table, reduced, _RANGES[self.mode])
            scale, zero = self.layout.stored(scale), np.zeros((), np.int8)
        if self.part == "values":
            numbers = packed(numbers, self.layout.packed) if self.layout.packed is not None else numbers
        result = {"values": numbers, "scale": scale, "zero": zero}[self.part]
        if result.shape != target:
            raise RuleError(f"{self.name} made {shape_words(result.shape)} where {shape_words(target)} is needed.")
        return np.ascontiguousarray(result)


def _by_largest(table: Array, reduced: tuple[int, ...], span: tuple[int, int]) -> tuple[Array, Array]:
    """`abs_max_quantize`: the largest magnitude becomes the largest number."""
    scale = np.divide(span[1], np.add(np.max(np.abs(table), axis=reduced, keepdims=True), _EPSILON))
    numbers = np.clip(np.round(np.multiply(table, scale)), *span).astype(np.int8)
    return numbers, scale.astype(np.float32)


def _grouped(table: Array, block: int) -> tuple[Array, Array, Array]:
    """`abs_max_quantize_grouped_with_zero_point`: each column's blocks of rows between their smallest and largest."""
    low, high = _RANGES["int4"]
    rows, columns = table.shape
    count = ceil(rows / block)
    padded = np.concatenate([table, np.zeros((count * block - rows, columns), table.dtype)])
    blocks = padded.reshape(count, block, columns)
    smallest, largest = np.min(blocks, axis=1, keepdims=True), np.max(blocks, axis=1, keepdims=True)
    scale = np.divide(np.subtract(largest, smallest) + _EPSILON, high - low)
    zero = np.clip(np.round(np.divide(-smallest, scale)) + low, low, high)
    numbers = np.clip(np.round(np.divide(blocks, scale)) + zero, low, high).astype(np.int8)
    numbers = numbers.reshape(count * block, columns)[:rows]
    return numbers, np.squeeze(scale, 1).astype(np.float32), np.squeeze(zero, 1).astype(np.int8)


def packed(numbers: Array, axis: int) -> Array:
    """int4 numbers, two in a byte along an axis: the first in the low half, an odd last one with a zero."""
    rows = np.moveaxis(numbers, axis, 0).astype(np.int8)
    if len(rows) % 2:
        rows = np.concatenate([rows, np.zeros((1, *rows.shape[1:]), np.int8)])
    low, high = (half.view(np.uint8) & 0x0F for half in (rows[::2].copy(), rows[1::2].copy()))
    return np.moveaxis((low | (high << 4)).astype(np.uint8).view(np.int8), 0, axis)


def unpacked(array: Array, length: int, axis: int, signed: bool = True) -> Array:
    """The numbers of `packed`, from -8 to 7, or from 0 to 15 if not `signed`; `length` of them along the axis."""
    rows = np.ascontiguousarray(np.moveaxis(array, axis, 0)).view(np.uint8)
    pairs = np.stack([rows & 0x0F, rows >> 4], axis=1).reshape(-1, *rows.shape[1:])[:length]
    numbers = (pairs ^ 8).astype(np.int8) - np.int8(8) if signed else pairs
    return np.moveaxis(numbers, 0, axis)

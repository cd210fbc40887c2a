from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import quantizers
from keras.src.quantizers.quantizers import dequantize_with_sz_map

from core.layers.axes import Axes
from core.model.graph import StoreKey
from core.rules import adapt
from core.rules.base import sibling_name
from core.rules.quantization import Dequantize, Layout, Quantize, packed, unpacked
from core.surgery.quantized import einsum_layout

SCALE, ZERO, GROUPS = StoreKey("scale"), StoreKey("zero"), StoreKey("groups")


def kernel(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def part(mode: Any, name: Any, array: Any, layout: Layout, target: tuple[int, ...]) -> Any:
    rule = Quantize(mode=mode, part=name, shape=array.shape, layout=layout, axes=Axes(), of="kernel")
    return adapt(array, target, Axes(), (rule,))


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 1), st.integers(0, 99))
def test_that_int4_numbers_are_packed_and_unpacked_as_keras_does_it(
    rows: int, columns: int, axis: int, seed: int
) -> None:
    numbers = np.random.default_rng(seed).integers(-8, 8, (rows, columns)).astype(np.int8)
    theirs = np.asarray(quantizers.pack_int4(numbers, axis=axis)[0])
    mine = packed(numbers, axis)
    assert mine.dtype == np.int8
    assert np.array_equal(mine, theirs)
    assert np.array_equal(unpacked(mine, numbers.shape[axis], axis), numbers)
    assert np.array_equal(np.asarray(quantizers.unpack_int4(theirs, numbers.shape[axis], axis=axis)), numbers)


def test_that_unsigned_numbers_are_unpacked_as_keras_does_it() -> None:
    numbers = np.random.default_rng(1).integers(0, 16, (5, 3)).astype(np.uint8)
    theirs = np.asarray(quantizers.pack_int4(numbers, axis=0, dtype="uint8")[0])
    assert np.array_equal(unpacked(theirs, 5, 0, signed=False), numbers)


@pytest.mark.parametrize(("axis", "layout"), [(0, Layout((0,), squeeze=(0,))), (1, Layout((1,), squeeze=(1,)))])
def test_that_int8_numbers_and_scales_are_keras_s_own_bit_for_bit(axis: int, layout: Layout) -> None:
    array = kernel(7, 5)
    array[:, 2] = 0  # a column of zeros has a scale of 127 over epsilon
    numbers, scale = (np.asarray(one) for one in quantizers.abs_max_quantize(array, axis=axis, to_numpy=True))
    assert np.array_equal(part("int8", "values", array, layout, (7, 5)), numbers)
    mine = part("int8", "scale", array, layout, (array.shape[1 - axis],))
    assert mine.dtype == np.float32
    assert np.array_equal(mine, np.squeeze(scale, axis))


@pytest.mark.parametrize(("rows", "block"), [(8, 4), (10, 4), (3, 128)])
def test_that_blocks_of_int4_numbers_are_keras_s_own_bit_for_bit(rows: int, block: int) -> None:
    array = kernel(rows, 5)
    layout = Layout((0,), 1, squeeze=(0,), block=block)
    theirs = quantizers.abs_max_quantize_grouped_with_zero_point(array, block_size=block, to_numpy=True)
    numbers, scale, zero = (np.asarray(one) for one in theirs)
    assert np.array_equal(part("int4", "values", array, layout, (rows, 3)), packed(numbers, 1))
    assert np.array_equal(part("int4", "scale", array, layout, scale.shape), scale)
    assert np.array_equal(part("int4", "zero", array, layout, zero.shape), zero)
    groups = part("int4", "groups", array, layout, (rows,))
    assert groups.tolist() == [row // block for row in range(rows)]
    rule = Dequantize(shape=(rows, 5), layout=layout, scale=SCALE, zero=ZERO, groups=GROUPS)
    siblings = {sibling_name(SCALE): scale, sibling_name(ZERO): zero, sibling_name(GROUPS): groups}
    mine = adapt(packed(numbers, 1), (rows, 5), Axes(), (rule,), siblings)
    oracle = dequantize_with_sz_map(numbers.astype(np.float32), scale, zero, groups, group_axis=0)
    assert np.array_equal(mine, np.asarray(oracle))


@pytest.mark.parametrize(
    ("equation", "rank"),
    [("abc,cd->abd", 3), ("abc,cde->abde", 3), ("abde,def->abf", 4), ("ab,bcd->adc", 2), ("abc,bd->acd", 3)],
)
def test_that_scales_of_an_einsum_lie_where_keras_puts_them(equation: str, rank: int) -> None:
    from keras.src.layers.core.einsum_dense import _analyze_quantization_info

    found = _analyze_quantization_info(equation, tuple(range(2, 2 + rank)))
    layout = einsum_layout(equation)
    names = (list(layout.reduced), list(layout.transpose), list(layout.expand), list(layout.squeeze))
    assert names == (found[1], found[3], found[5], found[7])
    ones = np.ones(
        [1 if axis in layout.reduced else axis + 3 for axis in range(len(equation.split(",")[1].split("->")[0]))]
    )
    assert layout.spread(layout.stored(ones), ones.ndim).shape == ones.shape


def test_that_floats_are_the_numbers_over_their_scale() -> None:
    rule = Dequantize(shape=(2, 3), layout=Layout((0,), squeeze=(0,)), scale=SCALE)
    numbers = np.array([[1, -2, 3], [4, 5, -6]], np.int8)
    scale = np.array([2, 4, 8], np.float32)
    mine = adapt(numbers, (2, 3), Axes(), (rule,), {sibling_name(SCALE): scale})
    assert mine.tolist() == [[0.5, -0.5, 0.375], [2.0, 1.25, -0.75]]
    assert mine.dtype == np.float32

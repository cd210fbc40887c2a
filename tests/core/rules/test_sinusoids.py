"""Tables of sines and cosines: known by their columns, computed anew by the formula, never mistaken."""

from typing import Any

import numpy as np
import pytest

from core.rules.sinusoids import recomputed

Grid = tuple[int, int]


def angles(places: Any, count: int) -> Any:
    return np.outer(places, 10000.0 ** (-np.arange(count) / count))


def side_by_side(grid: Grid, width: int) -> Any:
    turns = angles(np.arange(grid[0] * grid[1]), width // 2)
    return np.concatenate([np.sin(turns), np.cos(turns)], 1)


def taking_turns(grid: Grid, width: int) -> Any:
    turns = angles(np.arange(grid[0] * grid[1]), width // 2)
    return np.stack([np.sin(turns), np.cos(turns)], -1).reshape(len(turns), width)


def spaced_to_the_end(grid: Grid, width: int) -> Any:
    count = width // 2
    turns = np.outer(np.arange(grid[0] * grid[1]), 10000.0 ** (-np.arange(count) / (count - 1)))
    return np.concatenate([np.sin(turns), np.cos(turns)], 1)


def rotary(grid: Grid, width: int) -> Any:
    turns = angles(np.arange(grid[0] * grid[1]), width // 2)
    return np.cos(np.concatenate([turns, turns], 1))


def plane(grid: Grid, width: int) -> Any:
    rows, columns = np.indices(grid).reshape(2, -1)
    return np.concatenate([f(angles(at, width // 4)) for at in (columns, rows) for f in (np.sin, np.cos)], 1)


FORMS = [side_by_side, taking_turns, spaced_to_the_end, rotary, plane]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("prefix", [0, 1])
@pytest.mark.parametrize("grids", [((7, 7), (12, 12)), ((14, 14), (8, 6)), ((6, 9), (9, 6))], ids=str)
def test_that_a_table_follows_its_formula_to_another_grid(form: Any, prefix: int, grids: tuple[Grid, Grid]) -> None:
    old, new = grids
    tokens = np.random.default_rng(0).standard_normal((prefix, 32)).astype("float32")
    table = np.concatenate([tokens, form(old, 32).astype("float32")])
    found = recomputed(table, old, new, prefix)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:prefix], tokens)
    np.testing.assert_allclose(found[prefix:], form(new, 32), atol=2e-3)  # slow waves look alike on a small grid
    fast = np.abs(form(old, 32)[1] - form(old, 32)[0]) > 0.05
    np.testing.assert_allclose(found[prefix:, fast], form(new, 32)[:, fast], atol=1e-6)


def test_that_a_learnt_table_is_no_formula() -> None:
    rng = np.random.default_rng(0)
    assert recomputed(rng.standard_normal((49, 32)), (7, 7), (12, 12), 0) is None
    almost = side_by_side((7, 7), 32)
    almost[20, 3] += 0.01  # one number was trained on
    assert recomputed(almost, (7, 7), (12, 12), 0) is None
    assert recomputed(np.zeros((49, 32)), (7, 7), (12, 12), 0) is None
    assert recomputed(side_by_side((7, 7), 32), (6, 6), (12, 12), 0) is None

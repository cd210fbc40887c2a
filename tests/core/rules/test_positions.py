from typing import Any

import numpy as np
import pytest

from core.layers.axes import axes_of
from core.model.graph import Layer
from core.rules import adapt, refusal
from core.rules.positions import ResamplePositions

TABLE = Layer("p", "PositionEmbedding", module="keras_hub.layers")


@pytest.mark.parametrize(("old", "new"), [((14, 14), (24, 24)), ((16, 16), (16, 12)), ((14, 16), (16, 14))])
@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_that_a_grid_is_resampled_as_keras_resizes_and_prefix_tokens_stay(old: Any, new: Any, prefix: Any) -> None:
    import keras

    table = np.random.default_rng(0).standard_normal((1, prefix + old[0] * old[1], 8)).astype("float32")
    target = (1, prefix + new[0] * new[1], 8)
    rule = ResamplePositions(old_grid=old, new_grid=new, prefix=prefix)
    result = adapt(table, target, axes_of(TABLE, "pos_embed", table.shape), (rule,))
    grid = table[:, prefix:].reshape(1, *old, 8)
    oracle = np.asarray(keras.ops.image.resize(grid, new, interpolation="bicubic", antialias=True))
    assert np.array_equal(result[:, :prefix], table[:, :prefix])
    assert np.allclose(result[:, prefix:], oracle.reshape(1, -1, 8), atol=1e-5)


def test_that_equal_token_counts_of_other_grids_are_a_change() -> None:
    table = np.random.default_rng(0).standard_normal((14 * 16, 4))
    axes = axes_of(Layer("e", "Embedding"), "embeddings", table.shape)
    rule = ResamplePositions(old_grid=(14, 16), new_grid=(16, 14))
    assert not np.allclose(adapt(table, table.shape, axes, (rule,)), table)


def test_that_grids_that_do_not_match_the_table_are_refused() -> None:
    axes = axes_of(Layer("e", "Embedding"), "embeddings", (196, 4))
    rule = ResamplePositions(old_grid=(12, 12), new_grid=(24, 24))
    assert "holds 196 rows" in (refusal((196, 4), (576, 4), axes, (rule,)) or "")
